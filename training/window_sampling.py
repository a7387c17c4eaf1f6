"""Nodules generated a batch at a time, window by window, for contact sheets and measurements."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.checkpoint import Checkpoint
from engine.codec import seeded_noise
from engine.denoiser import make_denoiser
from engine.events import SamplingOptions
from engine.sampling import denoise, make_scheduler


@torch.inference_mode()
def generate_windows(
    checkpoint: Checkpoint,
    hu: Tensor,
    boxes: Tensor,
    spacing_mm: Tensor,
    levels: Tensor,
    seeds: Sequence[int],
    options: SamplingOptions,
) -> Tensor:
    """Generate a nodule in the box of each window, as `engine.generation.place_nodule` does for one.

    Parameters
    ----------
    hu, boxes, spacing_mm : of N windows
        As `training.nodule_samples.Samples` has them.
    levels : (N, 5) int64
        Scores 1 to 5, or 0 for "not given".
    seeds : N
        Of the noise.
    options : of all; their own seed does not count

    Returns
    -------
    (N, 1, size, size) HU, float32: whole windows, of which only what lies in the box is meant to be used
    """
    size = checkpoint.grid.size
    denoiser = make_denoiser(checkpoint, hu, boxes, spacing_mm, levels, options.guidance, list(seeds))
    noise = torch.cat([seeded_noise((1, 1, size, size), seed) for seed in seeds])
    scheduler = make_scheduler(checkpoint.config.scheduler, options.solver, options.steps)
    *_, last = denoise(denoiser, scheduler, noise.to(checkpoint.device.device))
    return checkpoint.codec.decode(last.estimate).cpu()
