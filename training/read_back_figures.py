"""Does the scorer read what was asked for? One attribute swept from 1 to 5, and what becomes of the other four."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTSlice
from engine.measurement import NoduleMeasurement
from engine.nodule import ATTRIBUTE_NAMES
from engine.read_back import read_back
from training.nodule_looks import rank_correlation
from training.scorer_figures import within_one


def read_all(slices: Sequence[CTSlice], measured: Sequence[NoduleMeasurement]) -> NDArray[np.float64]:
    """Return the scores read back from each slice, (slices, 5); NaN where no nodule was found or there is no scorer."""
    rows: list[list[float]] = []
    for ct_slice, measurement in zip(slices, measured, strict=True):
        readings = read_back(ct_slice, measurement)
        rows.append([readings[name].score if readings else np.nan for name in ATTRIBUTE_NAMES])
    return np.array(rows, np.float64)


def read_back_figures(attribute: str, scores: NDArray[np.float64]) -> dict[str, Any] | None:
    """Compare scores read back, (boxes, 5, 5 attributes), with those asked for: `attribute` from 1 to 5 in each box.

    Returns
    -------
    dict or None
        ``spearman`` over all boxes; ``within_one``, averaged over the five scores; ``mean_at_score``; ``leakage``: by
        how much each of the other four changes, on average, as the attribute goes from 1 to 5. None if nothing was
        read in any box at 1 and 5.
    """
    swept = scores[:, :, ATTRIBUTE_NAMES.index(attribute)]
    changes = scores[:, 4] - scores[:, 0]
    if not np.isfinite(swept).any(axis=0).all() or not np.isfinite(changes).any():
        return None
    asked = np.tile(np.arange(1.0, 6.0), len(scores))
    leakage = dict(zip(ATTRIBUTE_NAMES, np.nanmean(changes, axis=0).tolist(), strict=True))
    del leakage[attribute]
    return {
        "spearman": rank_correlation(asked, swept.ravel()),
        "within_one": within_one(swept.ravel(), asked),
        "mean_at_score": np.nanmean(swept, axis=0).tolist(),
        "leakage": leakage,
    }
