"""Options, inputs and loss of the slice generator's training, and its error on held-out patients.

Four configurations are compared: the paper's three (section 3) and ours. Noise and loss are computed as for the nodule
generator (`training.nodule_loss`), on latents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from numpy.typing import NDArray
from torch import Tensor

from engine.conditioning import box_features, slice_context
from engine.network import CONDITIONINGS
from training.nodule_loss import (
    NetworkInputs,
    TrainingOptions,
    drop_attributes,
    mean_in_box,
    noise_schedule,
    squared_v_error,
)
from training.prepared import SLICE_SIZE
from training.slice_latents import Latents
from training.slice_readings import SliceReadings

#: Shares of noise in the variance of x_t at which configurations are compared. Nearer to 1, an error of the noise says
#: nothing of the image: that of v is larger by 1 / (1 - share).
NOISE_LEVELS = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98)
_BATCH = 16


@dataclass(frozen=True)
class SliceOptions(TrainingOptions):
    """Everything that influences the weights of a slice generator; saved with the run.

    Attributes
    ----------
    conditioning : how the network is told box and attributes, one of `engine.network.CONDITIONINGS`
    beta_start, beta_end : of the schedules linear and scaled_linear
    trusted : leave lobulation and spiculation of LIDC's initial scans out, where their scale ran both ways
    rare_scores : draw readings with rare scores more often
    variants : how many of each slice: itself, and others shifted and enlarged a little
    """

    choices: ClassVar[dict[str, tuple[str, ...]]] = {**TrainingOptions.choices, "conditioning": CONDITIONINGS}

    batch: int = 8
    learning_rate: float = 4e-4
    conditioning: str = "tokens"
    beta_start: float = 0.0001
    beta_end: float = 0.02
    trusted: bool = True
    rare_scores: bool = True
    variants: int = 3


#: The paper predicts the noise with a plain MSE, over 1000 steps (section 2.2). It states no betas: these are those of
#: latent diffusion's pipeline for images of this size in diffusers, CompVis/ldm-celebahq-256: 0.0015 to 0.0195, linear
#: in their square roots ("scaled_linear"; latent diffusion's own configurations call it "linear").
#: Three things are not the paper's: latents are whitened (`engine.vq_codec.LatentStatistics`), those of its own VQ-VAE,
#: too, so that signal and noise are on one scale; the mask is resized to them by area, so that it has fractions at its
#: edges (the paper does not say how it resizes its own); and all slices of the prepared data are learned from, where
#: the paper has 1,587 of LIDC-IDRI.
_PAPER: dict[str, Any] = {
    "prediction": "epsilon",
    "schedule": "scaled_linear",
    "beta_start": 0.0015,
    "beta_end": 0.0195,
    "weighting": "none",
    "drop_all": 0.0,
    "drop_one": 0.0,
    "trusted": False,
    "rare_scores": False,
    # Variants are enlarged, and these networks are not told the size of a pixel.
    "variants": 1,
}
#: By the name on the command line. Samples, batch, rate, seed and network are the same in all.
CONFIGURATIONS: dict[str, SliceOptions] = {
    "1": SliceOptions(conditioning="paper-1", **_PAPER),
    "2": SliceOptions(conditioning="paper-2", **_PAPER),
    "3": SliceOptions(conditioning="paper-3", **_PAPER),
    # A slice gets its order where there is hardly anything but noise: the linear schedule spends half its steps at less
    # than a tenth of signal, the cosine schedule few; min-SNR weighting would leave next to nothing of their loss.
    "studio": SliceOptions(schedule="linear", outside=4.0),
}


def make_slice_scheduler(options: SliceOptions) -> DDPMScheduler:
    """Return the noise schedule of 1000 steps."""
    return noise_schedule(
        {
            "beta_schedule": options.schedule,
            "prediction_type": options.prediction,
            "beta_start": options.beta_start,
            "beta_end": options.beta_end,
        }
    )


@dataclass(frozen=True)
class SliceBatch:
    """Samples: latents (N, C, h, w); boxes (N, 4) in pixels of the slice; spacing_mm (N,); levels (N, 5)."""

    latents: Tensor
    boxes: Tensor
    spacing_mm: Tensor
    levels: Tensor


def take_batch(latents: Latents, readings: SliceReadings, chosen: NDArray[np.int64]) -> SliceBatch:
    """Gather the samples of the readings `chosen`, (N,)."""
    return SliceBatch(
        latents=latents.take(readings.slices[chosen], readings.variants[chosen]),
        boxes=torch.from_numpy(readings.boxes[chosen]),
        spacing_mm=torch.from_numpy(readings.spacing_mm[chosen]),
        levels=torch.from_numpy(readings.scores[chosen]),
    )


def draw_inputs(
    latents: Latents,
    readings: SliceReadings,
    scheduler: DDPMScheduler,
    options: SliceOptions,
    count: int,
    drawn: np.random.Generator,
) -> NetworkInputs:
    """Draw samples, noise and time steps.

    All that is drawn depends on `drawn` alone; with one state of it, configurations that draw by the same rule get the
    same samples, noise and time steps.
    """
    batch = take_batch(latents, readings, readings.drawn_at(drawn.random(count)))
    generator = torch.Generator().manual_seed(int(drawn.integers(2**62)))
    noise = torch.randn(batch.latents.shape, generator=generator)
    step = torch.randint(0, 1000, (count,), generator=generator)
    levels = drop_attributes(batch.levels, options, generator)
    return make_slice_inputs(batch, scheduler, step, noise, levels)


def make_slice_inputs(
    batch: SliceBatch, scheduler: DDPMScheduler, step: Tensor, noise: Tensor, levels: Tensor
) -> NetworkInputs:
    """Noise a batch to the time steps given, (N,), with the noise given, (N, C, h, w)."""
    clean: Any = batch.latents
    mask = slice_context(batch.boxes, SLICE_SIZE, SLICE_SIZE // clean.shape[-1])
    targets = {"v_prediction": scheduler.get_velocity(clean, noise, step), "epsilon": noise, "sample": clean}  # type: ignore[arg-type]
    return NetworkInputs(
        target=targets[scheduler.config["prediction_type"]],
        noisy=scheduler.add_noise(clean, noise, step),  # type: ignore[arg-type]
        step=step,
        context=mask,
        levels=levels,
        features=box_features(batch.boxes, batch.spacing_mm, SLICE_SIZE),
        mask=mask.expand_as(clean),
        known=torch.ones_like(clean),
        alpha_bar=scheduler.alphas_cumprod[step],
    )


@torch.no_grad()
def slice_validation_errors(
    network: Any, latents: Latents, readings: SliceReadings, scheduler: DDPMScheduler, count: int = 192
) -> dict[str, float]:
    """Mean squared error of v on held-out patients: over whole slices, and inside the boxes.

    Readings, noise and levels of noise are fixed, and errors of other prediction types are converted to those of v (see
    `training.nodule_loss.squared_v_error`), so that all configurations can be compared.
    """
    generator = np.random.default_rng(0)
    chosen = readings.drawn_at(generator.random(count))
    steps = steps_of_levels(scheduler)[np.arange(count) % len(NOISE_LEVELS)]
    noise_generator = torch.Generator().manual_seed(0)
    device = next(network.parameters()).device
    whole = box = 0.0
    for first in range(0, count, _BATCH):
        part = slice(first, first + _BATCH)
        batch = take_batch(latents, readings, chosen[part])
        noise = torch.randn(batch.latents.shape, generator=noise_generator)
        inputs = make_slice_inputs(batch, scheduler, steps[part], noise, batch.levels).to(device)
        error = squared_v_error(network, inputs, batch.latents, scheduler)
        whole += error.mean((1, 2, 3)).sum().item()
        box += mean_in_box(error, inputs).sum().item()
    return {"whole": whole / count, "box": box / count}


def steps_of_levels(scheduler: DDPMScheduler) -> Tensor:
    """Return the time steps of a schedule whose shares of noise are nearest to `NOISE_LEVELS`, int64."""
    shares = 1 - scheduler.alphas_cumprod
    return (shares[None] - torch.tensor(NOISE_LEVELS)[:, None]).abs().argmin(dim=1)
