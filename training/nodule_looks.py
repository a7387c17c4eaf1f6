"""A number for what each attribute looks like, measured in a slice: proxies for the scores, not the scores.

| attribute | measured |
|---|---|
| sphericity | minor over major axis of the ellipse with the mask's moments: 1 is round |
| margin | slope of HU across the outline over the nodule's rise above the lung, 1/mm |
| lobulation | part of the convex hull that the mask leaves free |
| spiculation | perimeter squared over 4 pi area: 1 for a disc, more the more ragged |
| texture | mean HU inside the mask |
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats
from skimage.measure import regionprops

from engine.ct import CTSlice
from engine.measurement import NoduleMeasurement
from engine.nodule import ATTRIBUTE_NAMES

#: Shapes of fewer pixels are not told apart.
_LEAST_PIXELS = 12
#: Lung is measured this far around the nodule, and is darker than `_LUNG_BELOW`.
_RING_MM, _LUNG_BELOW = 4.0, -500.0

#: Attribute -> its proxy, or NaN where it cannot be measured.
Looks = dict[str, float]


def measure_looks(ct_slice: CTSlice, measurement: NoduleMeasurement) -> Looks:
    """Measure the proxy of each attribute; the shape's are NaN for a nodule of too few pixels."""
    looks = dict.fromkeys(ATTRIBUTE_NAMES, float("nan"))
    looks["texture"] = measurement.mean_hu
    mask = measurement.mask
    if mask.sum() < _LEAST_PIXELS or min(np.ptp(indices) for indices in np.nonzero(mask)) < 2:
        return looks
    (shape,) = regionprops(mask.astype(np.uint8))
    looks["sphericity"] = float(shape.axis_minor_length / shape.axis_major_length)
    looks["lobulation"] = float(1 - shape.solidity)
    looks["spiculation"] = float(shape.perimeter_crofton**2 / (4 * np.pi * shape.area))
    looks["margin"] = _steepness(ct_slice, mask)
    return looks


def _steepness(ct_slice: CTSlice, mask: NDArray[np.bool_]) -> float:
    """Median slope along the outline over the rise from lung to nodule, 1/mm; walls beside it do not count."""
    hu = np.clip(ct_slice.hu.astype(np.float64), -1000, 150)
    pixel_mm = float(np.sqrt(np.prod(ct_slice.pixel_spacing)))
    distance = _distance(~mask) * pixel_mm
    lung = hu[(distance > 1.5) & (distance < _RING_MM) & (hu < _LUNG_BELOW)]
    if lung.size < 10:
        return float("nan")
    beside_lung = _distance(hu > _LUNG_BELOW) <= 2
    edge = (_distance(~mask) <= 1) & (_distance(mask) <= 1) & beside_lung
    rise = hu[mask].mean() - np.median(lung)
    if rise <= 0 or not edge.any():
        return float("nan")
    slope = np.hypot(*np.gradient(ndimage.gaussian_filter(hu, 0.5), *ct_slice.pixel_spacing))
    return float(np.median(slope[edge]) / rise)


def _distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance of each pixel that is set to the nearest one that is not, in pixels; 0 for the others."""
    distance: Any = ndimage.distance_transform_edt(mask)
    return distance


def rank_correlation(scores: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Return Spearman's coefficient over the pairs that are not NaN; 0 where either does not vary."""
    known = np.isfinite(scores) & np.isfinite(values)
    scores, values = scores[known], values[known]
    if len(scores) < 2 or np.ptp(scores) == 0 or np.ptp(values) == 0:
        return 0.0
    result: Any = stats.spearmanr(scores, values)
    return float(result.statistic)
