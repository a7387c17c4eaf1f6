"""What the plan leaves open, drawn from LIDC's prior (`engine.prior`); balanced over a whole batch where asked for.

Balanced draws keep to what occurs together in LIDC as far as they can, and give up its frequencies: what was drawn
least so far is favoured. Over scores, each attribute's levels become about equally frequent; over sizes, the size
classes of Lung-RADS v2022; over places, the quarters of the lungs in the slice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.lung_places import LungPlaces
from engine.nodule import ATTRIBUTE_NAMES, BoundingBox, NoduleAttributes
from engine.prior import extent_in_box, suggest_box, suggest_scores

SCORES, SIZES, PLACES = "scores", "sizes", "places"
BALANCES = (SCORES, SIZES, PLACES)
#: Extents in mm at which Lung-RADS v2022 takes a solid nodule for another class; the last is above them all.
SIZE_EDGES_MM = (0.0, 6.0, 8.0, 15.0, 60.0)
#: In the order of `quarter_of`.
QUARTERS = ("right front", "left front", "right back", "left back")
#: So many boxes are drawn until one lies in the quarter that was drawn least.
_TRIES = 12

Counts = NDArray[np.int64]
Scores = tuple[tuple[int, ...] | None, ...]


def quarter_of(from_lungs_mm: tuple[float, float]) -> int:
    """Return the index in `QUARTERS` of a place, (row, column) mm from the middle of the lungs."""
    row, column = from_lungs_mm
    return 2 * (row >= 0) + (column >= 0)


def size_class_of(extent_mm: float) -> int:
    """Return the index of a Lung-RADS size class, 0 to 3."""
    return int(np.clip(np.searchsorted(SIZE_EDGES_MM, extent_mm, side="right") - 1, 0, len(SIZE_EDGES_MM) - 2))


class Draws:
    """Draws boxes and scores, and counts what was drawn.

    Parameters
    ----------
    balance : names from `BALANCES`
    """

    def __init__(self, balance: tuple[str, ...] = ()) -> None:
        self._balance = balance
        self._scores: Counts = np.zeros((len(ATTRIBUTE_NAMES), 5), np.int64)
        self._sizes: Counts = np.zeros(len(SIZE_EDGES_MM) - 1, np.int64)
        self._quarters: Counts = np.zeros(len(QUARTERS), np.int64)

    def count(self, attributes: NoduleAttributes, extent_mm: float, from_lungs_mm: tuple[float, float] | None) -> None:
        """Take note of a nodule that will be made."""
        for axis, score in enumerate(attributes.scores):
            if score is not None:
                self._scores[axis, score - 1] += 1
        self._sizes[size_class_of(extent_mm)] += 1
        if from_lungs_mm is not None:
            self._quarters[quarter_of(from_lungs_mm)] += 1

    def box(self, places: LungPlaces, extent_mm: tuple[float, float] | None, seed: int) -> BoundingBox:
        """Draw a box in the lungs of a slice for a nodule of an extent within a range, or of any.

        Raises
        ------
        InputError
            If there is no room for one.
        """
        draw = np.random.default_rng(seed)
        refused: InputError | None = None
        for extents in self._sizes_in_turn(extent_mm, draw):
            try:
                return self._box_in_quarter(places, extents, draw)
            except InputError as error:
                refused = refused or error
        assert refused is not None
        raise refused

    def scores(self, allowed: Scores, extent_mm: float, seed: int) -> NoduleAttributes:
        """Draw scores that go with an extent; `allowed` has those that may be drawn, None where none is given."""
        favour = np.ones((5,) * len(allowed))
        for axis, scores in enumerate(allowed):
            if scores is not None:
                shape = [5 if other == axis else 1 for other in range(len(allowed))]
                favour = favour * self._level_weights(axis, scores).reshape(shape)
        drawn = suggest_scores(seed, extent_mm, favour).scores
        return NoduleAttributes.from_scores(
            [None if scores is None else score for scores, score in zip(allowed, drawn, strict=True)]
        )

    def _level_weights(self, axis: int, scores: tuple[int, ...]) -> NDArray[np.float64]:
        """Return the weights of the five levels: e times less with each time that one was drawn before the others."""
        weights, levels = np.zeros(5), np.array(scores) - 1
        counts = self._scores[axis, levels]
        weights[levels] = np.exp(counts.min() - counts) if SCORES in self._balance else 1.0
        return weights

    def _sizes_in_turn(
        self, extent_mm: tuple[float, float] | None, draw: np.random.Generator
    ) -> list[tuple[float, float] | None]:
        """Return ranges of extents to try: size classes, that drawn least first, if sizes are balanced."""
        if SIZES not in self._balance:
            return [extent_mm]
        least, most = extent_mm or (SIZE_EDGES_MM[0], SIZE_EDGES_MM[-1])
        order: list[int] = np.lexsort((draw.random(len(self._sizes)), self._sizes)).tolist()
        ranges = [(max(least, SIZE_EDGES_MM[index]), min(most, SIZE_EDGES_MM[index + 1])) for index in order]
        # A nodule of exactly 8 mm lies in one class and at the border of another.
        return [(low, high) for low, high in ranges if low < high] or [extent_mm]

    def _box_in_quarter(
        self, places: LungPlaces, extent_mm: tuple[float, float] | None, draw: np.random.Generator
    ) -> BoundingBox:
        seeds: list[int] = draw.integers(2**31, size=_TRIES if PLACES in self._balance else 1).tolist()
        counts: list[int] = self._quarters.tolist()
        found: list[tuple[int, BoundingBox]] = []
        for seed in seeds:
            box = suggest_box(places.slice, seed, places, extent_mm)
            drawn = counts[quarter_of(places.from_middle_mm(box))]
            if drawn == min(counts):
                return box
            found.append((drawn, box))
        return min(found, key=lambda one: one[0])[1]


def extent_of(box: BoundingBox, pixel_spacing: tuple[float, float]) -> float:
    """Return the extent in mm of the nodule that a box asks for."""
    return extent_in_box(box.side_mm(pixel_spacing))
