"""Compare short runs with different noise schedule, prediction type or loss weighting, on held-out patients.

    python -m training.compare_settings runs/trial-*/checkpoint --data PREPARED

prints the mean squared error of v inside the box at the same noise levels for every checkpoint. The errors that a run
logs of itself are over its own schedule's time steps, so they can only be compared between runs of one schedule.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from engine.checkpoint import Checkpoint, check_kind, load_checkpoint
from engine.device import choose_device
from engine.errors import InputError
from training.command import command
from training.nodule_crops import NoduleCrops, load_crops
from training.nodule_loss import noise_schedule
from training.nodule_samples import fixed_batch
from training.v_errors import Noised, errors_in_box

#: Shares of noise in the variance of x_t, 1 - alpha_bar: from fine texture to the first rough shape.
NOISE_LEVELS = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 0.998)
_BATCH = 16


def errors_by_noise_level(
    checkpoints: Sequence[Checkpoint], crops: NoduleCrops, count: int = 192, seed: int = 0
) -> NDArray[np.float64]:
    """Return mean squared errors of v inside the box, attributes given, (checkpoints, noise levels).

    All checkpoints see the same samples and noise; each takes the time step of its own schedule at which the share of
    noise is nearest to the level.

    Raises
    ------
    InputError
        If one makes whole slices, or has another window than the first.
    """
    _check_comparable(checkpoints)
    units = np.random.default_rng(seed).choice(len(crops), min(count, len(crops)), replace=False)
    sums = np.zeros((len(checkpoints), len(NOISE_LEVELS)))
    for start in tqdm(range(0, len(units), _BATCH), desc="error of v", unit="batch"):
        part = units[start : start + _BATCH]
        samples = fixed_batch(crops, part, checkpoints[0].grid, seed + start)
        for column, level in enumerate(NOISE_LEVELS):
            noise = torch.randn(samples.hu.shape, generator=torch.Generator().manual_seed(seed + start + column))
            for row, checkpoint in enumerate(checkpoints):
                step = _step_of_level(checkpoint, level).expand(len(part))
                sums[row, column] += errors_in_box(checkpoint, Noised(samples, noise, step), with_attributes=True).sum()
    return sums / len(units)


def _check_comparable(checkpoints: Sequence[Checkpoint]) -> None:
    for checkpoint in checkpoints:
        check_kind(checkpoint.config, "nodule")
        if checkpoint.grid != checkpoints[0].grid:
            raise InputError(
                f"The checkpoint {checkpoint.config.name!r} has another window than {checkpoints[0].config.name!r}, so "
                "they cannot see the same samples; compare checkpoints with the same window."
            )


def _step_of_level(checkpoint: Checkpoint, level: float) -> torch.Tensor:
    alpha_bar = noise_schedule(checkpoint.config.scheduler).alphas_cumprod
    return (1 - alpha_bar - level).abs().argmin()


def as_table(names: Sequence[str], errors: NDArray[np.float64]) -> str:
    """Return the errors as a Markdown table, one row a checkpoint, with the mean over the levels."""
    head = ["noise share", *(f"{level:g}" for level in NOISE_LEVELS), "mean"]
    rows = [[name, *(f"{error:.4f}" for error in (*row, row.mean()))] for name, row in zip(names, errors, strict=True)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, compare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", type=Path, metavar="CHECKPOINT", help="folders of checkpoints")
    parser.add_argument("--data", type=Path, required=True, help="prepared data, or crops (training.import_public)")
    parser.add_argument("--count", type=int, default=192, help="held-out samples, default 192")
    given = parser.parse_args(arguments)
    device = replace(choose_device(), dtype=torch.float32)
    checkpoints = [load_checkpoint(folder, device) for folder in given.checkpoints]
    errors = errors_by_noise_level(checkpoints, load_crops(given.data, held_out=True), given.count)
    print(as_table([str(folder) for folder in given.checkpoints], errors))


if __name__ == "__main__":
    raise SystemExit(main())
