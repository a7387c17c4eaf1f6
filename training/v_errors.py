"""What the attributes are worth to the denoiser: its error on held-out patients with them and without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from engine.checkpoint import Checkpoint
from engine.errors import InputError
from training.nodule_crops import NoduleCrops
from training.nodule_loss import make_inputs, mean_in_box, noise_schedule, squared_v_error
from training.nodule_samples import Samples, fixed_batch

Figures = dict[str, Any]
_BATCH = 16
_RESAMPLES = 2000


@dataclass(frozen=True)
class Noised:
    """A batch, and the noise and time steps that every network is given."""

    samples: Samples
    noise: Tensor
    step: Tensor


def compare_v_errors(
    checkpoint: Checkpoint, baseline: Checkpoint | None, crops: NoduleCrops, count: int, seed: int = 0
) -> Figures:
    """Return mean squared errors of v inside the box: the model's, without attributes, and the baseline's.

    Samples are drawn evenly from the held-out units; all networks see the same samples, noise and time steps. Each
    difference comes with a 95 % interval from resampling the patients.

    Parameters
    ----------
    checkpoint, baseline : loaded in float32
        The baseline was trained without attributes, and is given none.

    Raises
    ------
    InputError
        If the baseline has another window, range of HU or noise schedule: their errors could not be compared.
    """
    _check_comparable(checkpoint, baseline)
    generator = np.random.default_rng(seed)
    units = generator.choice(len(crops), min(count, len(crops)), replace=False)
    runs = {"with attributes": (checkpoint, True), "attributes dropped": (checkpoint, False)}
    if baseline is not None:
        runs["trained without attributes"] = (baseline, False)
    errors: dict[str, list[NDArray[np.float64]]] = {name: [] for name in runs}
    for start in tqdm(range(0, len(units), _BATCH), desc="error of v", unit="batch"):
        part = _noised(checkpoint, crops, units[start : start + _BATCH], seed + start)
        for name, (network_of, given) in runs.items():
            errors[name].append(errors_in_box(network_of, part, given))
    patients = crops.patients[crops.unit_crop[units]]
    return _summarise({name: np.concatenate(parts) for name, parts in errors.items()}, patients, generator)


def _check_comparable(checkpoint: Checkpoint, baseline: Checkpoint | None) -> None:
    if baseline is None:
        return
    for name in ("grid", "codec", "scheduler"):
        if getattr(checkpoint.config, name) != getattr(baseline.config, name):
            raise InputError(
                f"The baseline's {name} differs from the checkpoint's, so their errors cannot be compared; "
                "give a baseline trained with the same settings but for the attributes."
            )


def _noised(checkpoint: Checkpoint, crops: NoduleCrops, units: NDArray[np.int64], seed: int) -> Noised:
    """Draw noise, and time steps spread evenly over the schedule but for its ends, where v says little."""
    samples = fixed_batch(crops, units, checkpoint.grid, seed)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(samples.hu.shape, generator=generator)
    longest = checkpoint.config.scheduler["num_train_timesteps"]
    strata = (torch.randperm(len(units), generator=generator) + torch.rand(len(units), generator=generator)) / len(
        units
    )
    return Noised(samples, noise, (longest * (0.02 + 0.96 * strata)).long())


@torch.inference_mode()
def errors_in_box(checkpoint: Checkpoint, noised: Noised, with_attributes: bool) -> NDArray[np.float64]:
    """Mean squared error of v inside each box, (N,); see `training.nodule_loss.squared_v_error`."""
    scheduler = noise_schedule(checkpoint.config.scheduler)
    samples, codec = noised.samples, checkpoint.codec
    levels = samples.levels if with_attributes else torch.zeros_like(samples.levels)
    inputs = make_inputs(samples, codec, scheduler, noised.step, noised.noise, levels).to(checkpoint.device.device)
    error = squared_v_error(checkpoint.network, inputs, codec.encode(samples.hu), scheduler)
    return mean_in_box(error, inputs).cpu().double().numpy()


def _summarise(
    errors: dict[str, NDArray[np.float64]], patients: NDArray[np.str_], generator: np.random.Generator
) -> Figures:
    own = errors["with attributes"]
    figures: Figures = {"samples": len(own), "patients": len(np.unique(patients))}
    figures["mean_squared_error"] = {name: float(values.mean()) for name, values in errors.items()}
    figures["lower_than"] = {
        name: _difference(values - own, patients, generator) for name, values in errors.items() if values is not own
    }
    return figures


def _difference(values: NDArray[np.float64], patients: NDArray[np.str_], generator: np.random.Generator) -> Figures:
    """Mean of paired differences and its 95 % interval; patients are resampled, not samples."""
    _, index = np.unique(patients, return_inverse=True)
    sums, counts = np.bincount(index, values), np.bincount(index)
    drawn = generator.integers(len(sums), size=(_RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return {"by": float(values.mean()), "interval_95": [float(low), float(high)]}
