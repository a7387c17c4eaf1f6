"""Noise just inside a box against noise just outside it, and how the difference is closed.

Noise is what a smoothing over one pixel takes away, in lung free of vessels and walls; its level is a robust
standard deviation (1.4826 times the median absolute deviation).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTSlice
from engine.nodule import BoundingBox

Plane = NDArray[np.float64]

#: Over so many mm inside its border, a box goes over from the slice to what was generated.
BLEND_MM = 1.4
#: "Just inside" starts where blending has ended and, like "just outside", is so wide.
_BAND_MM = 4.0
#: Lung, free of vessels and walls, is darker than this when smoothed.
_LUNG_BELOW = -650.0
#: With fewer pixels of lung on either side nothing is said of the noise.
_LEAST_PIXELS = 30
#: How far noise is weakened and strengthened at the most.
_GAINS = (0.4, 1.6)
#: Between so many standard deviations a residual goes over from noise, which is changed, to an edge, which is not.
_NOISE_TO_EDGE = (3.0, 6.0)


def _ndimage() -> Any:
    """Import `scipy.ndimage`: not at start, for it takes 0.2 s; as Any, for it has no types."""
    return import_module("scipy.ndimage")


def _residual(hu: Plane) -> Plane:
    return hu - _ndimage().gaussian_filter(hu, 1.0)


def noise_levels(ct_slice: CTSlice, box: BoundingBox) -> tuple[float, float]:
    """Return the noise just inside and just outside a box, in HU; NaN with too little lung in either."""
    hu = np.clip(ct_slice.hu.astype(np.float64), -1000, 200)
    lung = _ndimage().gaussian_filter(hu, 1.5 / ct_slice.pixel_spacing[0]) < _LUNG_BELOW
    inwards = _distance_inwards(ct_slice, box)
    inside = lung & (inwards > BLEND_MM) & (inwards <= BLEND_MM + _BAND_MM)
    outside = lung & (inwards <= 0) & (inwards > -_BAND_MM)
    if min(inside.sum(), outside.sum()) < _LEAST_PIXELS:
        return float("nan"), float("nan")
    residual = _residual(hu)
    return _robust_deviation(residual[inside]), _robust_deviation(residual[outside])


def equalise_noise(ct_slice: CTSlice, box: BoundingBox) -> Plane:
    """Return what to add inside the box, (side, side) HU, for its noise to be as strong as that around it.

    Edges stay: what rises far above the noise is left as it is. Nothing is added where the noise cannot be measured.
    """
    around = _neighbourhood(ct_slice, box)
    near = CTSlice(ct_slice.hu[around], ct_slice.pixel_spacing)
    rows, columns = around
    here = BoundingBox(box.row - rows.start, box.column - columns.start, box.side, near.shape)
    inside, outside = noise_levels(near, here)
    if not inside > 0 or not outside > 0:
        return np.zeros((box.side, box.side))
    gain = float(np.clip(outside / inside, *_GAINS))
    residual = _residual(near.hu.astype(np.float64))[here.slices]
    least, most = _NOISE_TO_EDGE
    share = np.clip((most - np.abs(residual) / inside) / (most - least), 0, 1)
    return (gain - 1) * share * residual


def _neighbourhood(ct_slice: CTSlice, box: BoundingBox) -> tuple[slice, slice]:
    reach = int(np.ceil((_BAND_MM + 4) / min(ct_slice.pixel_spacing)))
    rows, columns = (slice(max(0, edge.start - reach), edge.stop + reach) for edge in box.slices)
    return rows, columns


def _distance_inwards(ct_slice: CTSlice, box: BoundingBox) -> Plane:
    """How far the centre of each pixel lies inside the border of the box, in mm; negative outside."""
    depths: list[Plane] = []
    for length, edge, spacing in zip(ct_slice.shape, box.slices, ct_slice.pixel_spacing, strict=True):
        centres = np.arange(length) + 0.5
        depths.append(np.minimum(centres - edge.start, edge.stop - centres) * spacing)
    return np.minimum(depths[0][:, None], depths[1][None, :])


def _robust_deviation(values: Plane) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
