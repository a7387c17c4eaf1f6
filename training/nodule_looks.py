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
from scipy import stats
from skimage.measure import regionprops

from engine.measurement import NoduleMeasurement
from engine.nodule import ATTRIBUTE_NAMES
from engine.plain_measures import has_shape

#: Attribute -> its proxy, or NaN where it cannot be measured.
Looks = dict[str, float]


def measure_looks(measurement: NoduleMeasurement) -> Looks:
    """Return the proxy of each attribute; the shape's are NaN for a nodule of too few pixels."""
    looks = dict.fromkeys(ATTRIBUTE_NAMES, float("nan"))
    looks["texture"] = measurement.mean_hu
    plain, mask = measurement.plain, measurement.mask
    if plain is None or not has_shape(mask):
        return looks
    (shape,) = regionprops(mask.astype(np.uint8))
    looks["sphericity"] = float(shape.axis_minor_length / shape.axis_major_length)
    looks["lobulation"] = float(1 - shape.solidity)
    looks["spiculation"] = 1 / plain.circularity if plain.circularity else float("nan")
    looks["margin"] = float("nan") if plain.edge_sharpness is None else plain.edge_sharpness
    return looks


def rank_correlation(scores: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Return Spearman's coefficient over the pairs that are not NaN; 0 where either does not vary."""
    known = np.isfinite(scores) & np.isfinite(values)
    scores, values = scores[known], values[known]
    if len(scores) < 2 or np.ptp(scores) == 0 or np.ptp(values) == 0:
        return 0.0
    result: Any = stats.spearmanr(scores, values)
    return float(result.statistic)
