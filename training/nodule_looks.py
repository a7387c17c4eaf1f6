"""A number for what each attribute looks like, measured in a slice: proxies for the scores, not the scores.

| attribute | measured |
|---|---|
| sphericity | minor over major axis of what lies inside the edge: 1 is round |
| margin | slope of HU across the outline over the nodule's rise above the lung, 1/mm |
| lobulation | amplitude of the edge's harmonics 3 to 5 |
| spiculation | amplitude of the edge's harmonics 6 to 15 |
| texture | mean HU inside the mask |
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from engine.measurement import NoduleMeasurement
from engine.nodule import ATTRIBUTE_NAMES

#: Attribute -> its proxy, or NaN where it cannot be measured.
Looks = dict[str, float]


def measure_looks(measurement: NoduleMeasurement) -> Looks:
    """Return the proxy of each attribute; see `engine.plain_measures.PlainMeasures`."""
    looks = dict.fromkeys(ATTRIBUTE_NAMES, float("nan"))
    looks["texture"] = measurement.mean_hu
    if plain := measurement.plain:
        shape = {
            "sphericity": plain.axis_ratio,
            "margin": plain.edge_sharpness,
            "lobulation": plain.lobes,
            "spiculation": plain.raggedness,
        }
        looks |= {name: value for name, value in shape.items() if value is not None}
    return looks


def rank_correlation(scores: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Return Spearman's coefficient over the pairs that are not NaN; 0 where either does not vary."""
    known = np.isfinite(scores) & np.isfinite(values)
    scores, values = scores[known], values[known]
    if len(scores) < 2 or np.ptp(scores) == 0 or np.ptp(values) == 0:
        return 0.0
    result: Any = stats.spearmanr(scores, values)
    return float(result.statistic)
