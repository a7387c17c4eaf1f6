"""Many nodules placed at once, slice by slice: what `engine.generation.place_nodule` does, a batch at a time.

The windows of a batch share their denoising loop; noise depends on each request's own seed, so that a result does
not depend on what else is in its batch, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from tqdm import tqdm

from engine.checkpoint import Checkpoint
from engine.conditioning import score_levels
from engine.ct import CTSlice
from engine.events import GenerationRequest
from engine.paste import paste
from engine.window import cut_out, window_for
from training.window_sampling import generate_windows


def place_many(
    checkpoint: Checkpoint, requests: Sequence[GenerationRequest], label: str, batch: int = 16
) -> list[CTSlice]:
    """Place a nodule for each request and return the finished slices.

    Parameters
    ----------
    label : of the progress bar
    batch : windows that run through the network together

    Raises
    ------
    ValueError
        If the requests differ in steps, guidance or solver: a batch shares its denoising loop.
    """
    if len({replace(request.options, seed=0) for request in requests}) > 1:
        raise ValueError("the requests differ in steps, guidance or solver; a batch shares its denoising loop")
    finished: list[CTSlice] = []
    with tqdm(total=len(requests), desc=label, unit="nodule") as progress:
        for start in range(0, len(requests), batch):
            part = requests[start : start + batch]
            finished += _place_batch(checkpoint, part)
            progress.update(len(part))
    return finished


def _place_batch(checkpoint: Checkpoint, requests: Sequence[GenerationRequest]) -> list[CTSlice]:
    windows = [window_for(request.slice, request.box, checkpoint.grid) for request in requests]
    pairs = zip(requests, windows, strict=True)
    hu = torch.cat([cut_out(torch.tensor(request.slice.hu), window) for request, window in pairs])
    generated = generate_windows(
        checkpoint,
        hu,
        torch.tensor([window.box for window in windows]),
        torch.tensor([window.spacing_mm for window in windows]),
        torch.cat([score_levels(request.attributes.scores) for request in requests]),
        [request.options.seed for request in requests],
        requests[0].options,
    )
    return [
        paste(request.slice, request.box, window, before[None], after[None], checkpoint.codec)
        for request, window, before, after in zip(requests, windows, hu, generated, strict=True)
    ]
