from __future__ import annotations

import numpy as np
import pytest

from engine.batch_balance import (
    PLACES,
    QUARTERS,
    SCORES,
    SIZE_EDGES_MM,
    SIZES,
    Draws,
    extent_of,
    quarter_of,
    size_class_of,
)
from engine.ct import CTSlice
from engine.errors import InputError
from engine.lung_places import find_lung_places
from engine.lungs import share_in_lung
from engine.nodule import ATTRIBUTE_NAMES, NoduleAttributes
from tests.engine.small_chests import SPACING_MM, chest_slices

EVERY = ((1, 2, 3, 4, 5),) * 5
COUNT = 120


@pytest.fixture(scope="module")
def places():
    return find_lung_places(CTSlice(chest_slices(1)[0], (SPACING_MM, SPACING_MM)))


def draw_scores(balance, allowed=EVERY):
    """Draw nodules of 10 mm; return how often each attribute had each score, (5, 6), index 0: not given."""
    draws, counts = Draws(balance), np.zeros((len(ATTRIBUTE_NAMES), 6), int)
    for seed in range(COUNT):
        attributes = draws.scores(allowed, 10.0, seed)
        draws.count(attributes, 10.0, None)
        for axis, score in enumerate(attributes.scores):
            counts[axis, score or 0] += 1
    return counts


def draw_boxes(places, balance, extent_mm=None):
    """Return how often each size class and each quarter was drawn."""
    draws, sizes, quarters = Draws(balance), np.zeros(4, int), np.zeros(4, int)
    for seed in range(40):
        box = draws.box(places, extent_mm, seed)
        assert share_in_lung(places.mask, box) >= 0.8
        extent, where = extent_of(box, places.slice.pixel_spacing), places.from_middle_mm(box)
        draws.count(NoduleAttributes(*EVERY[0]), extent, where)
        sizes[size_class_of(extent)] += 1
        quarters[quarter_of(where)] += 1
    return sizes, quarters


def test_balanced_scores_are_about_equally_frequent():
    counts = draw_scores((SCORES,))[:, 1:]
    assert counts.min() >= COUNT / 5 - 8
    assert draw_scores(())[2, 1:].max() > COUNT / 2


def test_only_what_is_allowed_is_drawn():
    counts = draw_scores((SCORES,), ((4,), (1, 5), None, EVERY[0], (2, 3)))
    assert counts[0, 4] == COUNT
    assert set(np.flatnonzero(counts[1])) == {1, 5}
    assert counts[2, 0] == COUNT
    assert abs(counts[4, 2] - counts[4, 3]) <= 8


def test_balanced_sizes_and_quarters(places):
    sizes, quarters = draw_boxes(places, (SIZES, PLACES))
    # Boxes of few, coarse pixels are larger than asked for, some by a class.
    assert sizes.min() >= 6
    assert quarters.min() >= 8
    assert draw_boxes(places, ())[1].max() > 12


def test_extents_within_a_range(places):
    for balance in ((), (SIZES,)):
        sizes, _ = draw_boxes(places, balance, (16.0, 30.0))
        assert sizes.tolist() == [0, 0, 0, 40]


def test_one_extent_is_kept_to_a_pixel(places):
    extents = {extent_of(Draws((SIZES,)).box(places, (8.0, 8.0), seed), (SPACING_MM,) * 2) for seed in range(5)}
    assert all(8.0 <= extent < 8.0 + SPACING_MM for extent in extents)


def test_no_room(places):
    empty = find_lung_places(CTSlice(np.full((64, 64), 40, np.int16), (2.0, 2.0)))
    with pytest.raises(InputError, match="no lung"):
        Draws((SIZES, PLACES)).box(empty, None, 0)


@pytest.mark.parametrize(("extent", "index"), [(3, 0), (6, 1), (7.9, 1), (8, 2), (15, 3), (60, 3), (80, 3)])
def test_size_classes_are_those_of_lung_rads(extent, index):
    assert size_class_of(extent) == index
    assert SIZE_EDGES_MM == (0, 6, 8, 15, 60)


def test_quarters_by_the_patients_side():
    assert [QUARTERS[quarter_of(place)] for place in ((-5, -5), (-5, 5), (5, -5), (5, 5))] == list(QUARTERS)
