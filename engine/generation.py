"""From a request to a finished slice, step by step."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from engine.checkpoint import Checkpoint
from engine.codec import seeded_noise
from engine.conditioning import score_levels
from engine.ct import CTSlice
from engine.denoiser import make_denoiser
from engine.errors import InputError
from engine.events import Finished, GenerationRequest, GenerationResult, Preview
from engine.measurement import measure_nodule
from engine.nodule import BoundingBox
from engine.paste import lift, paste
from engine.sampling import denoise, make_scheduler
from engine.window import cut_out, window_for

#: Sides of boxes, in mm, that the nodule generator is made for.
BOX_SIDE_MM = (4.0, 60.0)


def check_box(ct_slice: CTSlice, box: BoundingBox) -> None:
    """Refuse a box that the generator is not made for.

    Raises
    ------
    InputError
        If the box was drawn on a slice of another shape, or its side is below 4 mm or above 60 mm.
    """
    if box.slice_shape != ct_slice.shape:
        raise InputError(
            f"The box belongs to a slice of {box.slice_shape[0]} x {box.slice_shape[1]} pixels and this one has "
            f"{ct_slice.shape[0]} x {ct_slice.shape[1]}; draw it again on this slice."
        )
    side_mm = box.side * max(ct_slice.pixel_spacing)
    smallest, largest = BOX_SIDE_MM
    if not smallest <= side_mm <= largest:
        wanted = "larger" if side_mm < smallest else "smaller"
        raise InputError(
            f"The box has a side of {side_mm:.1f} mm; draw a {wanted} one, of {smallest:g} to {largest:g} mm."
        )


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
        If the box, the solver or the number of steps is not usable.
    FloatingPointError
        If the network returns values that are not finite.
    """
    started = time.perf_counter()
    check_box(request.slice, request.box)
    options = request.options
    scheduler = make_scheduler(checkpoint.config.scheduler, options.solver, options.steps)
    window = window_for(request.slice, request.box, checkpoint.grid)
    window_before = cut_out(torch.tensor(request.slice.hu), window)
    noise = seeded_noise((1, 1, window.size, window.size), options.seed).to(checkpoint.device.device)
    estimate = noise
    loop_started = time.perf_counter()
    denoiser = make_denoiser(
        checkpoint,
        window_before,
        torch.tensor([window.box]),
        torch.tensor([window.spacing_mm]),
        score_levels(request.attributes.scores),
        options.guidance,
    )
    for step in denoise(denoiser, scheduler, noise):
        estimate = step.estimate
        if previews:
            hu = lift(checkpoint.codec.decode(estimate), window, request.box).cpu().numpy()
            left = (time.perf_counter() - loop_started) / step.index * (step.count - step.index)
            yield Preview(job_id, step.index, step.count, request.box, hu, left)
    generated = checkpoint.codec.decode(estimate).cpu()
    after = paste(request.slice, request.box, window, window_before, generated, checkpoint.codec)
    result = GenerationResult(
        request=request,
        slice=after,
        measurement=measure_nodule(request.slice, after, request.box),
        seconds=time.perf_counter() - started,
        checkpoint_name=checkpoint.config.name,
        checkpoint_sha256=checkpoint.sha256,
        device=checkpoint.device.description,
    )
    yield Finished(job_id, result)
