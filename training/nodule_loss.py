"""Options, inputs and loss of the nodule generator's training, and its error on held-out patients."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor

from engine.codec import Codec
from engine.conditioning import box_features, box_mask, context_channels
from engine.device import bf16_pays
from engine.errors import InputError
from engine.sampling import estimate_x0
from engine.window import WindowGrid
from training.nodule_crops import NoduleCrops, sampling_weights
from training.nodule_samples import Samples, fixed_batch


@dataclass(frozen=True)
class TrainingOptions:
    """Everything that influences the weights; saved with the run.

    Attributes
    ----------
    samples : how many samples are seen in all; the rate falls to zero over the last fifth of them
    batch : samples a step, over all processes
    learning_rate : of AdamW, after a warm-up of 300 steps
    prediction : what the network predicts: v_prediction, epsilon or sample
    schedule : diffusers' noise schedule: squaredcos_cap_v2, linear or scaled_linear
    weighting : of the loss. box: mean inside the box plus `outside` times mean outside; box5: five times heavier
        in the box; none: everywhere the same
    outside : weight of what is outside the box, where weighting is box
    min_snr : gamma of min-SNR weighting (Hang et al. 2023); 0 switches it off
    drop_all : how often all attributes are dropped together
    drop_one : how often each attribute is dropped on its own
    ema_decay : of the averaged weights, at the most: after n steps it is 1 - n^-0.75 (0.9983 at 5,000, 0.9995 first at
        25,200)
    seed : of everything drawn

    Raises
    ------
    InputError
        If a name is none of `choices`.
    """

    #: What options that are names may be.
    choices: ClassVar[dict[str, tuple[str, ...]]] = {
        "prediction": ("v_prediction", "epsilon", "sample"),
        "schedule": ("squaredcos_cap_v2", "linear", "scaled_linear"),
        "weighting": ("box", "box5", "none"),
    }

    samples: int = 200_000
    batch: int = 16
    learning_rate: float = 3e-4
    prediction: str = "v_prediction"
    schedule: str = "squaredcos_cap_v2"
    weighting: str = "box"
    outside: float = 0.1
    min_snr: float = 0.0
    drop_all: float = 0.15
    drop_one: float = 0.1
    ema_decay: float = 0.9995
    seed: int = 0

    def __post_init__(self) -> None:
        for option, choices in self.choices.items():
            value = getattr(self, option)
            if value not in choices:
                raise InputError(f"--{option} is {value}; give one of {', '.join(choices)}.")

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.samples // self.batch


@dataclass(frozen=True)
class NetworkInputs:
    """What the network is given, and what goes into the loss; see `ConditionedUNet.forward`."""

    target: Tensor
    noisy: Tensor
    step: Tensor
    context: Tensor
    levels: Tensor
    features: Tensor
    mask: Tensor
    known: Tensor
    alpha_bar: Tensor

    def to(self, device: torch.device) -> NetworkInputs:
        """Return the same on another device."""
        return NetworkInputs(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def make_inputs(
    samples: Samples,
    codec: Codec,
    scheduler: DDPMScheduler,
    step: Tensor,
    noise: Tensor,
    levels: Tensor,
    outlines: Tensor | None = None,
) -> NetworkInputs:
    """Noise a batch to the time steps given, (N,), with the noise given, (N, 1, size, size).

    `outlines` are those that the network is told of, see `engine.conditioning.context_channels`.
    """
    size = samples.hu.shape[-1]
    clean: Any = codec.encode(samples.hu)
    mask = box_mask(samples.boxes, size)
    noisy = scheduler.add_noise(clean, noise, step)  # type: ignore[arg-type]
    targets = {"v_prediction": scheduler.get_velocity(clean, noise, step), "epsilon": noise, "sample": clean}  # type: ignore[arg-type]
    return NetworkInputs(
        target=targets[scheduler.config["prediction_type"]],
        noisy=noisy,
        step=step,
        context=context_channels(clean, mask, outlines),
        levels=levels,
        features=box_features(samples.boxes, samples.spacing_mm, size),
        mask=mask,
        known=samples.known.float(),
        alpha_bar=scheduler.alphas_cumprod[step],
    )


def drop_attributes(levels: Tensor, options: TrainingOptions, generator: torch.Generator) -> Tensor:
    """Set scores, (N, 5), to "not given" at random: all of a sample (for guidance), and single ones."""
    everything = torch.rand(len(levels), 1, generator=generator) < options.drop_all
    single = torch.rand(levels.shape, generator=generator) < options.drop_one
    return torch.where(everything | single, 0, levels)


def loss_of(prediction: Tensor, inputs: NetworkInputs, options: TrainingOptions) -> Tensor:
    """Weighted mean squared error, a number; what lies off the crop does not count."""
    error = (prediction - inputs.target) ** 2 * inputs.known
    inside, outside = inputs.mask * inputs.known, (1 - inputs.mask) * inputs.known
    if options.weighting == "box":
        # Each box counts the same: a box of 6 mm has a fortieth of the pixels of one of 30 mm.
        mean_inside = (error * inside).sum((1, 2, 3)) / inside.sum((1, 2, 3)).clamp(min=1)
        mean_outside = (error * outside).sum((1, 2, 3)) / outside.sum((1, 2, 3)).clamp(min=1)
        each = mean_inside + options.outside * mean_outside
    else:
        heavier = 4.0 if options.weighting == "box5" else 0.0
        each = (error * (1 + heavier * inputs.mask)).mean((1, 2, 3))
    return (each * snr_weight(inputs.alpha_bar, options)).mean()


def snr_weight(alpha_bar: Tensor, options: TrainingOptions) -> Tensor:
    """Min-SNR weights, (N,) (Hang et al. 2023, section 3.4), for the prediction type."""
    if not options.min_snr:
        return torch.ones_like(alpha_bar)
    snr = alpha_bar / (1 - alpha_bar)
    clipped = snr.clamp(max=options.min_snr)
    divisor = {"v_prediction": snr + 1, "epsilon": snr, "sample": torch.ones_like(snr)}[options.prediction]
    return clipped / divisor


def make_training_scheduler(options: TrainingOptions) -> DDPMScheduler:
    """Return the noise schedule of 1000 steps."""
    return noise_schedule({"beta_schedule": options.schedule, "prediction_type": options.prediction})


def noise_schedule(settings: dict[str, Any]) -> DDPMScheduler:
    """Return the noise schedule with the settings that a checkpoint holds."""
    return DDPMScheduler(**settings, clip_sample=False)


def settings_of(scheduler: DDPMScheduler) -> dict[str, Any]:
    """Return what a checkpoint holds of the noise schedule, see `noise_schedule`."""
    names = ("num_train_timesteps", "beta_schedule", "prediction_type", "beta_start", "beta_end")
    return {name: scheduler.config[name] for name in names}


def predict(network: Any, inputs: NetworkInputs) -> Tensor:
    """Run the network in bf16 where it pays and return the prediction as fp32."""
    with torch.autocast(inputs.noisy.device.type, torch.bfloat16, enabled=bf16_pays()):
        predicted = network(inputs.noisy, inputs.step, inputs.context, inputs.levels, inputs.features)
    return predicted.float()


def squared_v_error(network: Any, inputs: NetworkInputs, clean: Tensor, scheduler: DDPMScheduler) -> Tensor:
    """Squared error of v at each value, (N, C, h, w), on the network's device.

    With x_t = a x_0 + s e, v = (a x_t - x_0) / s, so the error of v is that of the estimate of x_0 over s; that
    holds whatever the network predicts.

    Parameters
    ----------
    inputs : on the network's device
    clean : (N, C, h, w)
        x_0.
    """
    alpha_bar = inputs.alpha_bar[:, None, None, None]
    estimate = estimate_x0(predict(network, inputs), inputs.noisy, alpha_bar, scheduler.config["prediction_type"])
    return (estimate - clean.to(estimate.device)) ** 2 / (1 - alpha_bar)


def mean_in_box(error: Tensor, inputs: NetworkInputs) -> Tensor:
    """Mean of an error, (N, C, h, w), over what is known inside each box: (N,), 0 where nothing is."""
    inside = inputs.mask * inputs.known
    return (error * inside).sum((1, 2, 3)) / inside.sum((1, 2, 3)).clamp(min=torch.finfo(inside.dtype).tiny)


@torch.no_grad()
def validation_errors(
    network: Any, crops: NoduleCrops, codec: Codec, scheduler: DDPMScheduler, grid: WindowGrid, count: int = 192
) -> dict[str, float]:
    """Mean squared error of v inside the box on held-out patients, with the attributes and without them.

    Units, noise and time steps are fixed; errors of other prediction types are converted to those of v, so that all
    can be compared (`squared_v_error`).
    """
    units = np.random.default_rng(0).choice(len(crops), size=count, p=sampling_weights(crops))
    generator = torch.Generator().manual_seed(0)
    sums = {"with": 0.0, "without": 0.0}
    device = next(network.parameters()).device
    for part in np.array_split(units, math.ceil(count / 16)):
        samples = fixed_batch(crops, part, grid, seed=int(part[0]))
        noise = torch.randn(samples.hu.shape, generator=generator)
        step = torch.randint(20, 980, (len(part),), generator=generator)
        for name, levels in (("with", samples.levels), ("without", torch.zeros_like(samples.levels))):
            inputs = make_inputs(samples, codec, scheduler, step, noise, levels).to(device)
            error = squared_v_error(network, inputs, codec.encode(samples.hu), scheduler)
            sums[name] += mean_in_box(error, inputs).sum().item()
    return {name: value / count for name, value in sums.items()}
