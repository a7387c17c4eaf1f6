"""Is what was placed at home in its slice: inside its box, nothing changed outside, and as noisy as around it?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.checkpoint import Checkpoint
from engine.ct import CTSlice
from engine.events import Finished, GenerationRequest, SamplingOptions
from engine.generation import place_nodule
from engine.measurement import measure_nodule
from engine.nodule import BoundingBox
from engine.noise import noise_levels
from training.held_out_cases import HeldOutCase
from training.placing import place_many

Figures = dict[str, Any]

#: Spacings at which noise is compared, in mm.
NOISE_SPACINGS_MM = (0.5, 0.7, 0.98, 1.4)
#: Crops whose spacing, or a whole multiple of it, is as near as this count as of that spacing.
_SPACING_TOLERANCE = 0.08
#: Boxes for the noise are of this side, so that there is lung inside them beside the nodule.
_NOISE_BOX_MM = 22.0
#: The box in which time is measured.
_TIMED_BOX_MM = 15.0


def check_boxes(cases: Sequence[HeldOutCase], placed: Sequence[CTSlice]) -> Figures:
    """Count HU that changed outside the box, and nodules that touch its border, beside the real ones that do."""
    changed, touching, real_touching, found = 0, 0, 0, 0
    diameters: list[float] = []
    for case, after in zip(cases, placed, strict=True):
        outside = np.ones(case.slice.shape, bool)
        outside[case.box.slices] = False
        changed += int((case.slice.hu != after.hu)[outside].sum())
        generated = measure_nodule(case.without_nodule(), after, case.box)
        real = measure_nodule(case.without_nodule(), case.slice, case.box)
        touching += _touches_border(generated.mask, case.box)
        real_touching += _touches_border(real.mask, case.box)
        found += bool(generated.mask.any())
        if generated.mask.any() and real.mask.any():
            diameters.append(generated.diameter_mm / real.diameter_mm)
    return {
        "boxes": len(cases),
        "hu_changed_outside": changed,
        "nodule_found": found / len(cases),
        "touching_the_border": touching / len(cases),
        "real_touching_the_border": real_touching / len(cases),
        "diameter_over_real_median": float(np.median(diameters)) if diameters else None,
    }


def _touches_border(mask: NDArray[np.bool_], box: BoundingBox) -> bool:
    inner = mask[box.slices]
    return bool(inner[[0, -1]].any() or inner[:, [0, -1]].any())


def check_noise(
    checkpoint: Checkpoint, cases: Sequence[HeldOutCase], options: SamplingOptions, most: int, batch: int = 16
) -> list[Figures]:
    """Compare noise just inside and just outside the box, at each of `NOISE_SPACINGS_MM`.

    Noise is the robust standard deviation, in lung free of vessels, of HU minus HU smoothed over a pixel. The ratio
    inside over outside is the median over up to `most` cases, beside the same ratio before anything was placed.
    """
    figures: list[Figures] = []
    for spacing in NOISE_SPACINGS_MM:
        requests = _noise_requests(cases, spacing, options, most)
        placed = place_many(checkpoint, requests, f"noise at {spacing:g} mm", batch)
        after = np.array([noise_ratio(result, request.box) for request, result in zip(requests, placed, strict=True)])
        before = np.array([noise_ratio(request.slice, request.box) for request in requests])
        known = np.isfinite(after)
        figures.append(
            {
                "spacing_mm": spacing,
                "cases": int(known.sum()),
                "after": float(np.median(after[known])) if known.any() else None,
                "before": float(np.median(before[known])) if known.any() else None,
            }
        )
    return figures


def _noise_requests(
    cases: Sequence[HeldOutCase], spacing: float, options: SamplingOptions, most: int
) -> list[GenerationRequest]:
    """Up to `most` cases that have that spacing and enough lung inside and outside a box of `_NOISE_BOX_MM`."""
    requests: list[GenerationRequest] = []
    for case in cases:
        ct_slice = at_spacing(case.slice, spacing)
        if ct_slice is not None and len(requests) < most:
            box = _box_around(case, ct_slice, _NOISE_BOX_MM)
            if np.isfinite(noise_ratio(ct_slice, box)):
                requests.append(GenerationRequest(ct_slice, box, case.attributes, replace(options, seed=case.seed)))
    return requests


def at_spacing(ct_slice: CTSlice, spacing: float) -> CTSlice | None:
    """Return the slice if it has that spacing, the means of n x n of its pixels if that has, and else None."""
    own = ct_slice.pixel_spacing[0]
    factor = max(1, round(spacing / own))
    if abs(own * factor / spacing - 1) > _SPACING_TOLERANCE:
        return None
    if factor == 1:
        return ct_slice
    rows, columns = (length // factor for length in ct_slice.shape)
    blocks = ct_slice.hu[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    means = blocks.mean(axis=(1, 3), dtype=np.float64).astype(np.float32)
    return CTSlice(means, (own * factor, own * factor))


def _box_around(case: HeldOutCase, ct_slice: CTSlice, side_mm: float) -> BoundingBox:
    """A box of that side with the centre of the case's box, on a slice that may be coarser."""
    factor = ct_slice.pixel_spacing[0] / case.slice.pixel_spacing[0]
    side = side_mm / ct_slice.pixel_spacing[0]
    row, column = (centre / factor - side / 2 for centre in case.box.centre)
    return BoundingBox.nearest(row, column, side, ct_slice.shape)


def noise_ratio(ct_slice: CTSlice, box: BoundingBox) -> float:
    """Return the noise just inside the box over the noise just outside; NaN with too little lung in either."""
    inside, outside = noise_levels(ct_slice, box)
    return inside / max(1e-6, outside)


def check_time(checkpoint: Checkpoint, cases: Sequence[HeldOutCase], options: SamplingOptions) -> Figures:
    """Measure the seconds from request to finished slice, one by one, previews included, after one to warm up."""
    seconds: list[float] = []
    for case in tqdm([cases[0], *cases], desc="time", unit="nodule"):
        request = GenerationRequest(case.slice, _box_around(case, case.slice, _TIMED_BOX_MM), case.attributes, options)
        started = time.perf_counter()
        *_, last = place_nodule(checkpoint, request)
        seconds.append(time.perf_counter() - started)
        assert isinstance(last, Finished)
    return {
        "median_seconds": float(np.median(seconds[1:])),
        "slowest_seconds": max(seconds[1:]),
        "places": len(seconds) - 1,
        "steps": options.steps,
        "box_mm": _TIMED_BOX_MM,
        "device": checkpoint.device.description,
    }
