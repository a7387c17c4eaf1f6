"""What the slice generator is trained on: readings, one reader's box and scores of one nodule in one slice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.nodule_crops import score_rarity
from training.prepared import SLICE_SIZE, PreparedSlices
from training.slice_latents import crops_of_variant


@dataclass(frozen=True, eq=False)
class SliceReadings:
    """Every reading of every nodule in every variant of the slices.

    Attributes
    ----------
    slices, variants, nodules : int64 (readings,)
        Which slice, in which variant (see `crops_of_variant`), and which of its nodules.
    boxes : float32 (readings, 4)
        Left, top, right, bottom, in pixels of the variant.
    spacing_mm : float32 (readings,)
        Of a pixel of the variant.
    scores : int64 (readings, 5), 0 for "not given"
    ends : float64 (readings,)
        Probabilities of being drawn, summed up to and with each reading.
    """

    slices: NDArray[np.int64]
    variants: NDArray[np.int64]
    nodules: NDArray[np.int64]
    boxes: NDArray[np.float32]
    spacing_mm: NDArray[np.float32]
    scores: NDArray[np.int64]
    ends: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.slices)

    def drawn_at(self, places: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the readings that numbers drawn evenly from [0, 1), (N,), stand for."""
        return np.searchsorted(self.ends[:-1], places * self.ends[-1], side="right")


def list_readings(slices: PreparedSlices, variants: int = 1, rare_scores: bool = False) -> SliceReadings:
    """List the readings of slices, of which each has a nodule.

    Slices are equally probable; so are the variants of a slice, the nodules in it, and the readers of a nodule: one of
    up to four, by no order. A reading whose box leaves its variant is left out.

    Parameters
    ----------
    rare_scores : bool
        Draw readings with rare scores more often; see `score_rarity`.
    """
    seen = [(index, reading) for index, readings in enumerate(slices.nodules) for reading in readings]
    index = np.array([index for index, _ in seen])
    boxes = np.array([reading.box for _, reading in seen], np.float32)
    crops = np.stack([crops_of_variant(len(slices), variant)[index] for variant in range(variants)])
    moved = _in_crops(boxes, crops)
    spacing = slices.pixel_spacing[index] * crops[:, :, 2] / SLICE_SIZE
    inside = ((moved >= 0) & (moved <= SLICE_SIZE)).all(axis=2)
    variant, place = np.nonzero(inside)
    nodules = np.array([reading.nodule for _, reading in seen])[place]
    scores = np.array([reading.scores for _, reading in seen], np.int64)[place]
    probability = _evenly(index[place], variant, nodules)
    if rare_scores:
        probability = probability * score_rarity(scores)
    return SliceReadings(
        slices=index[place],
        variants=variant,
        nodules=nodules,
        boxes=moved[inside],
        spacing_mm=spacing[inside].astype(np.float32),
        scores=scores,
        ends=np.cumsum(probability / probability.sum()),
    )


def _in_crops(boxes: NDArray[np.float32], crops: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes (N, 3) of row, column, side -> left, top, right, bottom in crops (variants, N, 3): (variants, N, 4)."""
    row, column, side = boxes.T
    top, left, crop_side = np.moveaxis(crops, 2, 0)
    edges = np.stack([column - left, row - top, column + side - left, row + side - top], axis=2)
    return edges * (SLICE_SIZE / crop_side)[:, :, None]


def _evenly(slices: NDArray[np.int64], variants: NDArray[np.int64], nodules: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probability of each reading, (N,), up to a factor: even over a slice's variants, their nodules, and readers."""
    places = list(zip(slices.tolist(), variants.tolist(), nodules.tolist(), strict=True))
    readers_of = Counter(places)
    nodules_in = Counter((index, variant) for index, variant, _ in readers_of)
    variants_of = Counter(index for index, _ in nodules_in)
    return np.array([1 / (readers_of[place] * nodules_in[place[:2]] * variants_of[place[0]]) for place in places])
