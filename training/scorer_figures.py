"""How good scores are: of the scorer, of a constant, and of one reader against the others, on the same nodules."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.nodule import ATTRIBUTE_NAMES
from training.nodule_looks import rank_correlation
from training.scorer_samples import ScorerSamples

Figures = dict[str, Any]
Floats = NDArray[np.float64]


def within_one(scores: Floats, means: Floats) -> float | None:
    """Return the share of scores within 1 of the readers' mean, averaged over the levels, to which means are rounded.

    Each level that occurs counts the same. None where nothing is known.
    """
    known = np.isfinite(scores) & np.isfinite(means)
    near, levels = np.abs(scores - means)[known] <= 1, np.rint(means[known])
    shares = [float(near[levels == level].mean()) for level in np.unique(levels)]
    return float(np.mean(shares)) if shares else None


def per_nodule(samples: ScorerSamples, values: Floats) -> tuple[Floats, Floats, NDArray[np.int8]]:
    """Return means over each nodule's slices of values (N, 5), its readers' means (nodules, 5), and its readers."""
    _, first, inverse = np.unique(samples.nodules, return_index=True, return_inverse=True)
    totals = np.zeros((len(first), values.shape[1]))
    np.add.at(totals, inverse, values)
    return totals / np.bincount(inverse)[:, None], samples.means[first].astype(np.float64), samples.readers[first]


def scorer_figures(samples: ScorerSamples, scores: Floats, deviations: Floats) -> Figures:
    """Measure scores and their standard deviations, (N, 5), of samples.

    Returns
    -------
    dict
        ``attributes``: by name, ``slice`` and ``nodule`` (see `_agreement`), ``constant`` and ``reader`` on the
        nodules, ``levels`` (nodules at each level) and ``calibration``; and how many slices, nodules and patients.
    """
    of_nodules, nodule_means, readers = per_nodule(samples, scores)
    means = samples.means.astype(np.float64)
    attributes: Figures = {}
    for index, name in enumerate(ATTRIBUTE_NAMES):
        truth, seen = nodule_means[:, index], readers[:, :, index]
        levels = np.rint(truth[np.isfinite(truth)]).astype(np.int64)
        attributes[name] = {
            "slice": _agreement(scores[:, index], means[:, index]),
            "nodule": _agreement(of_nodules[:, index], truth),
            "constant": max(within_one(np.full(len(truth), float(level)), truth) or 0.0 for level in _CONSTANTS),
            "reader": _agreement(*one_against_the_others(seen)),
            "levels": np.bincount(levels, minlength=6)[1:].tolist(),
            "calibration": _calibration(scores[:, index], deviations[:, index], means[:, index]),
        }
    return {
        "slices": len(samples),
        "nodules": len(nodule_means),
        "patients": len(set(samples.patients.tolist())),
        "attributes": attributes,
    }


_CONSTANTS = np.arange(1, 5.01, 0.25).tolist()


def one_against_the_others(readers: NDArray[np.int8]) -> tuple[Floats, Floats]:
    """Each reader's score of each nodule, and the mean of the others', of scores (nodules, readers), 0 for none."""
    own: list[float] = []
    others: list[float] = []
    for scores in readers:
        given = scores[scores > 0].astype(float)
        for place, score in enumerate(given if len(given) > 1 else ()):
            own.append(float(score))
            others.append(float(np.delete(given, place).mean()))
    return np.array(own), np.array(others)


def _agreement(scores: Floats, means: Floats) -> Figures:
    off = np.abs(scores - means)
    return {
        "within_one": within_one(scores, means),
        "spearman": rank_correlation(scores, means),
        "mean_error": float(np.nanmean(off)) if np.isfinite(off).any() else None,
    }


def _calibration(scores: Floats, deviations: Floats, means: Floats) -> Figures:
    """Errors in standard deviations: their root mean square should be 1, and 68 % of them below 1.

    Among the half that the scorer is surer of, and the other half, the mean errors should differ.
    """
    known = np.isfinite(means)
    off, sd = np.abs(scores - means)[known], deviations[known]
    if not off.size:
        return {}
    sure = sd <= np.median(sd)
    return {
        "rms_of_deviations": float(np.sqrt(np.mean((off / sd) ** 2))),
        "within_one_deviation": float((off <= sd).mean()),
        "mean_error_when_sure": float(off[sure].mean()),
        "mean_error_when_not": float(off[~sure].mean()) if (~sure).any() else None,
    }
