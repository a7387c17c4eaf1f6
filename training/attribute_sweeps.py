"""One attribute asked for from 1 to 5, everything else and the noise unchanged: does what is measured follow?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.checkpoint import Checkpoint
from engine.ct import CTSlice
from engine.events import GenerationRequest, SamplingOptions
from engine.measurement import measure_nodule
from engine.nodule import ATTRIBUTE_NAMES
from training.held_out_cases import HeldOutCase
from training.nodule_looks import measure_looks, rank_correlation
from training.placing import place_many
from training.read_back_figures import read_all, read_back_figures

LEVELS = (1, 2, 3, 4, 5)


@dataclass(frozen=True, eq=False)
class Sweep:
    """What came of a sweep of one attribute.

    Attributes
    ----------
    attribute : str
    slices : one tuple of five slices, scores 1 to 5, for each case
    figures : dict
        ``pooled``: Spearman over all boxes and scores; ``median_per_box``; ``mean_at_score``: of the measured
        proxy, five numbers; ``boxes``; ``not_found``: results in which no nodule could be measured; ``read_back``: see
        `training.read_back_figures`.
    """

    attribute: str
    slices: list[tuple[CTSlice, ...]]
    figures: dict[str, Any]


def sweep_attribute(
    checkpoint: Checkpoint, cases: Sequence[HeldOutCase], attribute: str, options: SamplingOptions, batch: int = 16
) -> Sweep:
    """Generate each case with `attribute` at 1 to 5, its other scores kept, and measure its proxy."""
    requests = [
        GenerationRequest(
            case.slice, case.box, replace(case.attributes, **{attribute: level}), replace(options, seed=case.seed)
        )
        for case in cases
        for level in LEVELS
    ]
    placed = place_many(checkpoint, requests, f"{attribute} 1 to 5", batch)
    emptied = [ct_slice for case in cases for ct_slice in [case.without_nodule()] * len(LEVELS)]
    measured = [
        measure_nodule(before, after, request.box)
        for before, after, request in zip(emptied, placed, requests, strict=True)
    ]
    values = np.array([measure_looks(measurement)[attribute] for measurement in measured])
    per_box = values.reshape(len(cases), len(LEVELS))
    levels = np.array(LEVELS, float)
    figures = {
        "boxes": len(cases),
        "pooled": rank_correlation(np.tile(levels, len(cases)), values),
        "median_per_box": float(np.median([rank_correlation(levels, row) for row in per_box])),
        "mean_at_score": [_mean(column) for column in per_box.T],
        "not_found": sum(not m.mask.any() for m in measured),
        "read_back": read_back_figures(attribute, read_all(placed, measured).reshape(len(cases), len(LEVELS), -1)),
    }
    rows = [tuple(placed[i : i + len(LEVELS)]) for i in range(0, len(placed), len(LEVELS))]
    return Sweep(attribute, rows, figures)


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None


def readers_against_proxies(cases: Sequence[HeldOutCase]) -> dict[str, float]:
    """Spearman of the readers' scores with the proxies measured on the same real nodules: what a proxy can show."""
    looks = [measure_looks(measure_nodule(case.without_nodule(), case.slice, case.box)) for case in cases]
    return {
        name: rank_correlation(
            np.array([getattr(case.attributes, name) or np.nan for case in cases], float),
            np.array([look[name] for look in looks]),
        )
        for name in ATTRIBUTE_NAMES
    }
