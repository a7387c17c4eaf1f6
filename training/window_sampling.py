"""Nodules generated a batch at a time, window by window, for contact sheets and measurements."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.checkpoint import Checkpoint
from engine.codec import seeded_noise
from engine.denoiser import make_denoiser
from engine.sampling import denoise, make_scheduler
from training.nodule_samples import Samples


@torch.inference_mode()
def generate_windows(
    checkpoint: Checkpoint,
    samples: Samples,
    levels: Tensor,
    seed: int | list[int] = 0,
    steps: int = 15,
    guidance: float = 2.0,
    solver: str = "dpm++2m",
    most: int = 16,
) -> Tensor:
    """Generate a nodule in the box of each window, as `engine.generation.place_nodule` does for one.

    Parameters
    ----------
    levels : (N, 5) int64
        Scores 1 to 5, or 0 for "not given".
    seed : int or N of them
        Of the noise; one seed means the same noise for all.
    most : int
        Windows that run through the network together.

    Returns
    -------
    (N, 1, size, size) HU, float32: whole windows, of which only what lies in the box is meant to be used
    """
    seeds = [seed] * len(levels) if isinstance(seed, int) else seed
    parts = [
        _generate(checkpoint, samples, levels, seeds, slice(first, first + most), (steps, guidance, solver))
        for first in range(0, len(levels), most)
    ]
    return torch.cat(parts)


def _generate(
    checkpoint: Checkpoint,
    samples: Samples,
    levels: Tensor,
    seeds: list[int],
    part: slice,
    options: tuple[int, float, str],
) -> Tensor:
    steps, guidance, solver = options
    hu, size = samples.hu[part], checkpoint.grid.size
    boxes, spacing = samples.boxes[part], samples.spacing_mm[part]
    denoiser = make_denoiser(checkpoint, hu, boxes, spacing, levels[part], guidance, seeds[part])
    noise = torch.cat([seeded_noise((1, 1, size, size), seed) for seed in seeds[part]])
    scheduler = make_scheduler(checkpoint.config.scheduler, solver, steps)
    *_, last = denoise(denoiser, scheduler, noise.to(checkpoint.device.device))
    return checkpoint.codec.decode(last.estimate).cpu()
