"""From a request to a whole slice, step by step: the paper's way, in the latents of a VQ-VAE."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engine.checkpoint import Checkpoint, check_kind
from engine.codec import seeded_generator
from engine.conditioning import score_levels
from engine.ct import CTSlice
from engine.denoiser import make_slice_denoiser
from engine.errors import InputError
from engine.events import Finished, GenerationResult, Preview, SliceRequest
from engine.generation import seconds_left
from engine.nodule import BoundingBox
from engine.read_back import measure_and_read
from engine.sampling import Denoiser, denoise, make_scheduler


@torch.inference_mode()
def generate_slice(
    checkpoint: Checkpoint, request: SliceRequest, job_id: int = 0, previews: bool = True
) -> Iterator[Preview | Finished]:
    """Generate a slice with a nodule in the box: a `Preview` of it after every step (if wanted), then `Finished`.

    The caller may stop between any two of them; nothing is left behind. The same request gives the same HU on the
    same machine.

    Raises
    ------
    InputError
        If the checkpoint makes no slices, or none of this size, or the solver or the number of steps is not usable.
    FloatingPointError
        If the network returns values that are not finite.
    """
    started = time.perf_counter()
    check_kind(checkpoint.config, "slice")
    codec, options, size = checkpoint.codec, request.options, checkpoint.grid.size
    if request.box.slice_shape != (size, size):
        raise InputError(
            f"The checkpoint {checkpoint.config.name!r} makes slices of {size} x {size} pixels and the box is for "
            f"one of {' x '.join(map(str, request.box.slice_shape))}; give it in pixels of the slice to be made."
        )
    scheduler = make_scheduler(checkpoint.config.scheduler, options.solver, options.steps)
    generator = seeded_generator(options.seed)
    values = size // codec.factor
    noise = torch.randn((1, codec.channels, values, values), generator=generator).to(checkpoint.device.device)
    estimate = noise
    loop_started = time.perf_counter()
    for step in denoise(_denoiser_for(checkpoint, request), scheduler, noise, generator):
        estimate = step.estimate
        if previews:
            hu = _enlarged(codec.preview(estimate), size)
            yield Preview(job_id, step.index, step.count, request.box, hu, seconds_left(step, loop_started))
    generated = CTSlice(_whole_hu(checkpoint, estimate), (request.pixel_spacing_mm, request.pixel_spacing_mm))
    result = GenerationResult(
        request=request,
        slice=generated,
        measurement=measure_and_read(None, generated, request.box),
        seconds=time.perf_counter() - started,
        checkpoint_name=checkpoint.config.name,
        checkpoint_sha256=checkpoint.sha256,
        device=checkpoint.device.description,
    )
    yield Finished(job_id, result)


def edges_of(box: BoundingBox) -> tuple[float, float, float, float]:
    """Return a box as conditions take it: (left, top, right, bottom) in pixels."""
    return box.column, box.row, box.column + box.side, box.row + box.side


def _denoiser_for(checkpoint: Checkpoint, request: SliceRequest) -> Denoiser:
    return make_slice_denoiser(
        checkpoint,
        torch.tensor([edges_of(request.box)], dtype=torch.float32),
        torch.tensor([request.pixel_spacing_mm]),
        score_levels(request.attributes.scores),
        request.options.guidance,
    )


def _enlarged(hu: Tensor, size: int) -> NDArray[np.float32]:
    """(1, 1, h, w) HU -> (size, size) float32 on the CPU."""
    enlarged = functional.interpolate(hu.float(), (size, size), mode="bilinear", align_corners=False)
    return enlarged[0, 0].cpu().numpy()


def _whole_hu(checkpoint: Checkpoint, estimate: Tensor) -> NDArray[np.int16]:
    """Decode the latents of one slice, clipped to the HU that the codec was trained on: (rows, columns)."""
    codec = checkpoint.codec
    decoded = codec.decode(estimate)[0, 0].clamp(codec.hu_min, codec.hu_max)
    whole: Any = decoded.round().to(torch.int16).cpu().numpy()
    return whole
