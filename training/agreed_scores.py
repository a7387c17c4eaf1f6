"""Scores of nodule crops that say what can be seen in them: of all readers and of the scorer, instead of one reader's.

A reader scores a whole nodule, and two readers of one nodule hardly agree on lobulation and spiculation (Spearman about
0.3). Trained on one reader drawn at random, the generator learns little from these two, and shows it: read back, they
did not follow what was asked for. Here each crop gets one score an attribute. Crops are put in order by the mean of two
ranks, of the mean of the crop's readers and of what the scorer reads in the slice (`engine.read_back`); then the scores
are dealt out in that order, as often as LIDC's readers gave each.

Ranks are among crops of like size. The box tells the size already, and readers call large nodules lobulated and
spiculated, small ones hardly ever: over all sizes, a 5 in a small box would ask for what the generator has never seen,
and the five attributes would be one (lobulation and spiculation correlate at 0.88 then, at 0.71 so).

Texture and margin still go together in what the scorer reads. For these two, some outlines keep their reader's own
scores, so that what the scorer never reads, ground glass with a sharp margin, is asked for too: half of them for
texture, which a generator learns quickly, and a quarter for margin.

The embedded generator was trained so in its last third, with a scorer that knew the size in all five; its card says
what else was tried. The scorer was trained on the same patients as the generators, none of those held out.
"""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from tqdm import tqdm

from engine.ct import CTSlice
from engine.measurement import measure_nodule
from engine.nodule import ATTRIBUTE_NAMES
from engine.read_back import read_back
from training.cores import usable_cores
from training.nodule_crops import NoduleCrops
from training.scorer_samples import box_around

#: Each score is given to at least this share of the crops, also where readers hardly ever gave it: what the generator
#: has not seen a few hundred times, it does not learn.
_LEAST_SHARE = 0.04
#: The mean of two ranks spreads less than one of them; a rank that stands alone is drawn to the middle as much:
#: sqrt((1 + r) / 2) for their correlation r of about a half.
_ALONE = 0.87
_CROPS_A_TASK = 64
#: Ranks are among so many crops of like size.
_OF_LIKE_SIZE = 300
#: Of whose scores one outline in so many keeps its reader's own.
_KEPT_ONE_IN = {"margin": 4, "texture": 2}

Floats = NDArray[np.float64]


def with_agreed_scores(crops: NoduleCrops) -> NoduleCrops:
    """Return the same crops with `agreed_scores` in place of each reader's, but for a part of margin and texture, and
    with the nodules as they are measured.
    """
    readings, seen = read_crops(crops)
    scores = agreed_scores(crops, readings)[crops.unit_crop]
    for name, one_in in _KEPT_ONE_IN.items():
        keeps = crops.unit_annotation % one_in == 1, ATTRIBUTE_NAMES.index(name)
        scores[keeps] = crops.unit_scores[keeps]
    return replace(crops, unit_scores=scores, seen=seen)


def agreed_scores(crops: NoduleCrops, readings: Floats) -> NDArray[np.int64]:
    """Return a score of each crop for each attribute, (crops, 5); 0 where neither a reader nor the scorer gave any.

    Parameters
    ----------
    readings : (crops, 5), from 1 to 5; NaN where nothing was read
    """
    scores = np.zeros(readings.shape, np.int64)
    sizes = _sizes_mm(crops)
    for attribute in range(readings.shape[1]):
        given = crops.unit_scores[:, attribute]
        means = _readers_means(crops, given)
        ranks = np.stack([_ranks(values, sizes) for values in (means, readings[:, attribute])])
        known = np.isfinite(ranks)
        order = np.where(known, ranks, 0).sum(axis=0) / np.where(known.all(axis=0), 2, 1 / _ALONE)
        scored = known.any(axis=0)
        scores[scored, attribute] = _dealt(order[scored], _shares(crops, given))
    return scores


def read_crops(crops: NoduleCrops) -> tuple[Floats, NDArray[np.bool_]]:
    """Return what the scorer reads in each crop, (crops, 5), and the nodule that it saw, (crops, rows, columns).

    NaN, and nothing, where there is no nodule to be found, or nobody outlined one.
    """
    used = np.unique(crops.unit_crop)
    tasks = [used[first : first + _CROPS_A_TASK] for first in range(0, len(used), _CROPS_A_TASK)]
    parts = [_part(crops, task) for task in tasks]
    readings, seen = np.full((len(crops.images), len(ATTRIBUTE_NAMES)), np.nan), np.zeros(crops.masks.shape, bool)
    with ProcessPoolExecutor(usable_cores(), get_context("spawn"), _one_thread) as pool:
        rows = chain.from_iterable(
            tqdm(pool.map(_read_part, parts), "read back", len(parts), unit="crops", leave=False)
        )
        for crop, (row, mask) in zip(used, rows, strict=True):
            readings[crop], seen[crop] = row, mask
    return readings, seen


_Part = list[tuple[CTSlice, NDArray[np.uint8], int]]


def _part(crops: NoduleCrops, chosen: NDArray[np.int64]) -> _Part:
    """Gather slices, readers' masks and crop numbers."""
    spacings = crops.pixel_spacing[chosen].astype(float).tolist()
    return [
        (CTSlice(crops.hu(crop), (mm, mm)), crops.masks[crop], crop)
        for crop, mm in zip(chosen.tolist(), spacings, strict=True)
    ]


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _read_part(part: _Part) -> list[tuple[list[float], NDArray[np.bool_]]]:
    rows: list[tuple[list[float], NDArray[np.bool_]]] = []
    for ct_slice, readers, crop in part:
        box = box_around(readers, ct_slice.pixel_spacing[0], np.random.default_rng(crop))
        measured = measure_nodule(None, ct_slice, box)
        found = read_back(ct_slice, measured)
        rows.append(([found[name].score if found else math.nan for name in ATTRIBUTE_NAMES], measured.mask))
    return rows


def _readers_means(crops: NoduleCrops, given: NDArray[np.int64]) -> Floats:
    """Mean of what the readers of each crop gave, (crops,); NaN where none gave any. `given` is (units,)."""
    count_of: Any = partial(np.bincount, crops.unit_crop, minlength=len(crops.images))
    readers = count_of(weights=(given > 0).astype(float))
    return np.where(readers > 0, count_of(weights=given.astype(float)) / np.maximum(readers, 1), np.nan)


def _sizes_mm(crops: NoduleCrops) -> Floats:
    """Largest extent along an axis of what any reader outlined in each crop, (crops,), mm; 0 where nobody did."""
    sizes = np.zeros(len(crops.images))
    for crop in np.unique(crops.unit_crop).tolist():
        places = np.nonzero(crops.masks[crop])
        sizes[crop] = max(1 + np.ptp(place) for place in places) * crops.pixel_spacing[crop]
    return sizes


def _ranks(values: Floats, sizes: Floats) -> Floats:
    """Ranks from -0.5 to 0.5 among the values of like size, equal ones sharing theirs; NaN stays NaN."""
    ranks = np.full(len(values), np.nan)
    by_size = np.argsort(sizes, kind="stable")
    by_size = by_size[np.isfinite(values[by_size])]
    if not by_size.size:
        return ranks
    width = min(_OF_LIKE_SIZE, by_size.size)
    own = values[by_size, None]
    starts = np.clip(np.arange(by_size.size) - width // 2, 0, by_size.size - width)
    like = np.lib.stride_tricks.sliding_window_view(values[by_size], width)[starts]
    ranks[by_size] = ((like < own).sum(axis=1) + 0.5 * (like == own).sum(axis=1)) / width - 0.5
    return ranks


def _shares(crops: NoduleCrops, given: NDArray[np.int64]) -> Floats:
    """Share of each score from 1 to 5 among the annotations, none below `_LEAST_SHARE`."""
    _, first = np.unique(crops.unit_annotation, return_index=True)
    counts = np.bincount(given[first], minlength=6)[1:].astype(float)
    shares = np.maximum(counts / max(1, counts.sum()), _LEAST_SHARE)
    return shares / shares.sum()


def _dealt(order: Floats, shares: Floats) -> NDArray[np.int64]:
    """Give the lowest in order the score 1, and so on, such that each score gets its share."""
    places = (rankdata(order) - 0.5) / len(order)
    return 1 + np.searchsorted(np.cumsum(shares)[:-1], places, side="right")
