"""From a request to a finished slice, step by step."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import replace

import torch

from engine.checkpoint import Checkpoint, check_kind
from engine.codec import seeded_generator
from engine.conditioning import score_levels
from engine.ct import CTSlice
from engine.denoiser import make_denoiser
from engine.events import Finished, GenerationRequest, GenerationResult, Preview, Sketched
from engine.nodule_noise import nodule_noise
from engine.paste import lift, paste
from engine.read_back import measure_and_read
from engine.sampling import DenoisingStep, FewSteps, denoise, make_scheduler
from engine.window import cut_out, window_for


@torch.inference_mode()
def place_nodule(
    checkpoint: Checkpoint, request: GenerationRequest, job_id: int = 0, previews: bool = True
) -> Iterator[Preview | Finished]:
    """Generate a nodule in the box of a slice: a `Preview` after every step (if wanted), then `Finished`.

    The caller may stop between any two of them; nothing is left behind. The same request gives the same HU on the
    same machine.

    Raises
    ------
    InputError
        If the checkpoint makes no nodules, or the box, the solver or the number of steps is not usable.
    ValueError
        If the box was drawn on a slice of another shape.
    FloatingPointError
        If the network returns values that are not finite.
    """
    started = time.perf_counter()
    after = yield from _formed(checkpoint, request, job_id, previews)
    result = GenerationResult(
        request=request,
        slice=after,
        measurement=measure_and_read(request.slice, after, request.box),
        seconds=time.perf_counter() - started,
        checkpoint_name=checkpoint.config.name,
        checkpoint_sha256=checkpoint.sha256,
        device=checkpoint.device.description,
    )
    yield Finished(job_id, result)


@torch.inference_mode()
def sketch_nodule(checkpoint: Checkpoint, request: GenerationRequest, job_id: int = 0) -> Iterator[Preview | Sketched]:
    """Generate a nodule in the few steps that the checkpoint says: a `Preview` after each, then `Sketched`.

    Raises
    ------
    InputError, ValueError, FloatingPointError
        As `place_nodule`.
    """
    started = time.perf_counter()
    quick = FewSteps(**checkpoint.config.few_steps).instead_of(request.options)
    after = yield from _formed(checkpoint, replace(request, options=quick), job_id, previews=True)
    yield Sketched(job_id, request, after.hu[request.box.slices], quick.steps, time.perf_counter() - started)


def _formed(
    checkpoint: Checkpoint, request: GenerationRequest, job_id: int, previews: bool
) -> Generator[Preview, None, CTSlice]:
    """Yield a preview after every step, if wanted; return the slice with the nodule in it."""
    check_kind(checkpoint.config, "nodule")
    if request.box.slice_shape != request.slice.shape:
        raise ValueError(f"the box is for a slice of {request.box.slice_shape}, not of {request.slice.shape}")
    request.box.check_side(request.slice.pixel_spacing)
    options = request.options
    scheduler = make_scheduler(checkpoint.config.scheduler, options.solver, options.steps)
    window = window_for(request.slice, request.box, checkpoint.grid)
    window_before = cut_out(torch.tensor(request.slice.hu), window)
    generator = seeded_generator(options.seed)
    offset_mm = request.extension.offset_mm if request.extension else 0.0
    noise = nodule_noise(generator, options.seed, offset_mm, window.size).to(checkpoint.device.device)
    estimate = noise
    loop_started = time.perf_counter()
    denoiser = make_denoiser(
        checkpoint,
        window_before,
        torch.tensor([window.box]),
        torch.tensor([window.spacing_mm]),
        score_levels(request.attributes.scores),
        options.guidance,
        [options.seed],
    )
    for step in denoise(denoiser, scheduler, noise, generator):
        estimate = step.estimate
        if previews:
            # On the CPU: on Apple's GPUs, torch before 2.13 does not interpolate as `lift` does.
            hu = lift(checkpoint.codec.decode(estimate).cpu(), window, request.box).numpy()
            yield Preview(job_id, step.index, step.count, request.box, hu, seconds_left(step, loop_started))
    generated = checkpoint.codec.decode(estimate).cpu()
    return paste(request.slice, request.box, window, window_before, generated, checkpoint.codec)


def seconds_left(step: DenoisingStep, loop_started: float) -> float:
    """Return how long a denoising loop will take from here on, from its pace since `time.perf_counter` was so."""
    return (time.perf_counter() - loop_started) / step.index * (step.count - step.index)
