"""How long, how lobulated and how ragged a nodule's edge is, finer than its mask of pixels shows.

A lobe or a spicule of a nodule of 10 mm is a pixel or two. The edge is therefore looked for between the pixels, where
the interpolated HU cross the middle between lung and nodule, and described as `engine.outline` draws it: by the
harmonics of the logarithm of its radius.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Plane = NDArray[np.float64]

#: Each pixel is divided into so many along each axis.
_FINER = 4
#: HU are clipped and smoothed, in pixels, before they are interpolated.
_CLIP, _SMOOTHING = (-1000.0, 200.0), 0.6
#: Pixels farther than this from the mask are not of the nodule: vessels and walls that it touches.
_NEAR_PIXELS = 2.0
#: Lung is measured in a ring of these distances in pixels, and is darker than this; its HU where there is none.
_RING, _LUNG_BELOW, _USUAL_LUNG = (1.5, 6.0), -500.0, -850.0
#: Nothing farther from the mask is looked at.
REACH = 8
#: The nodule's own HU: this percentile inside the mask.
_PERCENTILE = 75
#: Nothing has an edge that rises by less, in HU.
_LEAST_RISE = 1.0
_ANGLES = 64
#: Harmonics that make lobes, and those that make an edge ragged. The second makes a nodule long.
_LOBES, _RAGGED = slice(3, 6), slice(6, 16)


@dataclass(frozen=True)
class EdgeShape:
    """Of the edge of one nodule; see `engine.plain_measures.PlainMeasures`, which holds the same."""

    axis_ratio: float
    solidity: float
    lobes: float
    raggedness: float


def measure_edge_shape(hu: NDArray[Any], mask: Mask) -> EdgeShape | None:
    """Measure the edge of the nodule that `mask` marks.

    Parameters
    ----------
    hu, mask : (rows, columns) of a slice, or of as much of it as lies within `REACH` pixels of the mask
        At least one pixel of the mask is True. Pixels count as square.

    Returns
    -------
    EdgeShape or None
        None where the nodule is no brighter than the lung.
    """
    inside = _inside_the_edge(hu, mask)
    if inside is None:
        return None
    rows, columns = np.nonzero(inside)
    region = _region(inside)
    harmonics = np.abs(np.fft.rfft(np.log(_radii(inside, rows.mean(), columns.mean())))) * 2 / _ANGLES
    return EdgeShape(
        axis_ratio=float(region.axis_minor_length / max(region.axis_major_length, 1e-6)),
        solidity=float(region.solidity),
        lobes=float(np.sqrt(np.sum(harmonics[_LOBES] ** 2))),
        raggedness=float(np.sqrt(np.sum(harmonics[_RAGGED] ** 2))),
    )


def _inside_the_edge(hu: NDArray[Any], mask: Mask) -> Mask | None:
    """Return which points of a grid `_FINER` times as fine lie inside the edge: the largest component, holes filled."""
    ndimage: Any = import_module("scipy.ndimage")
    smooth = ndimage.gaussian_filter(np.clip(hu.astype(np.float64), *_CLIP), _SMOOTHING)
    distance = ndimage.distance_transform_edt(~mask)
    ring = smooth[(distance > _RING[0]) & (distance < _RING[1]) & (smooth < _LUNG_BELOW)]
    lung = float(np.median(ring)) if ring.size > 5 else _USUAL_LUNG
    rise = float(np.percentile(smooth[mask], _PERCENTILE)) - lung
    if rise < _LEAST_RISE:
        return None
    finer = ndimage.zoom(np.where(distance <= _NEAR_PIXELS, smooth, lung), _FINER, order=1)
    labels, _ = ndimage.label(finer > lung + rise / 2)
    largest = 1 + int(np.bincount(labels.ravel())[1:].argmax())
    return np.asarray(ndimage.binary_fill_holes(labels == largest), np.bool_)


def _region(inside: Mask) -> Any:
    measure: Any = import_module("skimage.measure")
    return measure.regionprops(inside.astype(np.uint8))[0]


def _radii(inside: Mask, row: float, column: float) -> Plane:
    """Return the radius at each angle, (angles,) and at least 1: how much of a ray from the middle lies inside."""
    ndimage: Any = import_module("scipy.ndimage")
    step = 0.5
    distances = np.arange(0, np.hypot(*inside.shape), step)[:, None]
    angles = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    rays = [row + distances * np.sin(angles), column + distances * np.cos(angles)]
    crossed = ndimage.map_coordinates(inside.astype(np.float32), rays, order=1)
    return np.maximum((crossed > 0.5).sum(axis=0) * step, 1.0)
