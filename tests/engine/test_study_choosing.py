"""Which images make the trials of a study: one nodule a place, none told by its size, as many as every seed allows."""

from pathlib import Path

import numpy as np
import pytest

from engine import study_choosing
from engine.ct import CTSlice
from engine.nodule import BoundingBox
from engine.study_choosing import choose
from engine.study_sources import Source, Sources

BOX = BoundingBox(40, 40, 10, (96, 96))


def made_up(truth, scene, box=None, shape=(96, 96)):
    """A source of an image that nobody looks at."""
    image = CTSlice(np.full(shape, -800, np.int16), (1.0, 1.0))
    return Source(image, truth, box, (4, 4, 1, 1, 5), 5.0, Path("a"), None, scene)


def test_how_many_fit_into_one_slice_is_not_left_to_chance():
    """Three nodules in a row: the one in the middle is in the crops of both others."""
    boxes = [BoundingBox(40, column, 10, (96, 96)) for column in (10, 30, 50)]
    made = tuple(made_up("synthetic", "scene", box) for box in boxes)
    real = tuple(made_up("real", f"real-{number}", boxes[0]) for number in range(2))
    for seed in range(10):
        items = choose({"forced_choice": 2}, Sources(made, real, ()), 30.0, np.random.default_rng(seed))
        assert {source.box for item in items for source in item.sources if source.truth == "synthetic"} == {
            boxes[0],
            boxes[2],
        }


@pytest.mark.parametrize(("crop_mm", "most"), [(None, 210), (20.0, 40_300)])
def test_many_results_of_one_slice_are_compared_once(monkeypatch, crop_mm, most):
    """Of 200 by 200 pairs, and with the one real nodule; where whole slices are shown, with that alone."""
    compared = []
    overlap = study_choosing._overlap
    monkeypatch.setattr(study_choosing, "_overlap", lambda *pair: compared.append(1) or overlap(*pair))
    boxes = [BoundingBox(4 * row, 4 * column, 10, (96, 96)) for row in range(10) for column in range(20)]
    made = tuple(made_up("synthetic", "scene", box) for box in boxes)
    sources = Sources(made, (made_up("real", "real", boxes[0]),), ())
    choose({"forced_choice": 1}, sources, crop_mm, np.random.default_rng(0))
    assert len(compared) < most


def test_slices_that_are_needed_without_their_nodule_are_not_shown_with_it():
    """Of two nodules, the slice before is known of one."""
    made = made_up("synthetic", "with", BOX), made_up("synthetic", "without", BOX)
    sources = Sources(made, (), (made_up("no_nodule", "with"),))
    for seed in range(10):
        items = choose({"find_nodule": 2}, sources, None, np.random.default_rng(seed))
        assert {source.scene for item in items for source in item.sources} == {"with", "without"}


def of_truth(items, truth):
    return [source for item in items for source in item.sources if source.truth == truth]


@pytest.mark.parametrize("crop_mm", [None, 30.0])
def test_a_place_shows_one_nodule_in_all_trials_that_ask_what_is_synthetic(crop_mm):
    """Of three seeds at each of four places; a slice that is known with another nodule has a synthetic one."""
    made = tuple(made_up("synthetic", f"scene-{number % 4}", BOX) for number in range(12))
    sources = Sources(made, tuple(made_up("real", f"real-{number}", BOX) for number in range(4)), ())
    drawn = set()
    for seed in range(10):
        items = choose({"real_or_synthetic": 8, "forced_choice": 4}, sources, crop_mm, np.random.default_rng(seed))
        shown = of_truth(items, "synthetic")
        assert (len(shown), len(set(shown))) == (8, 4)
        drawn |= set(shown)
    assert drawn == set(made)  # Which of the seeds is left to chance.


def test_how_many_are_apart_is_the_same_with_every_seed():
    """Of twelve places that crowd; taken in random order, four or five would be left."""
    places = np.random.default_rng(135).integers(0, 86, (12, 2)).tolist()
    made = [made_up("synthetic", "scene", BoundingBox(*place, 10, (96, 96))) for place in places]
    assert len({len(study_choosing._apart(made, 30.0, np.random.default_rng(seed))) for seed in range(12)}) == 1


@pytest.mark.parametrize("kind", ["real_or_synthetic", "forced_choice", "find_nodule"])
def test_sizes_that_only_one_sort_has_are_not_shown_whole(kind):
    """Such as a small slice that was made whole, also with a second nodule; though it is most like what is real."""
    small, wide = (64, 64), (96, 128)
    made = [made_up("synthetic", f"made-{number}", BoundingBox(5, 5, 10, (96, 96))) for number in range(4)]
    made += [made_up("synthetic", "whole", BoundingBox(24, 24, 10, small), small) for _ in range(2)]
    real = [made_up("real", f"real-{number}", BOX) for number in range(4)]
    real += [made_up("real", "wide", BoundingBox(5, 21, 10, wide), wide)]
    plain = [made_up("no_nodule", f"plain-{number}") for number in range(4)]
    plain += [made_up("no_nodule", "wide plain", None, wide)]
    sources = Sources(tuple(made), tuple(real), tuple(plain))
    for seed in range(10):
        items = choose({kind: 4}, sources, None, np.random.default_rng(seed))
        assert {source.image.shape for item in items for source in item.sources} == {(96, 96)}


def test_slices_with_nodules_of_both_sorts_are_kept_for_the_synthetic_ones():
    """Two can be rated, whatever the seed: the real one on the slice that has no synthetic one."""
    real = tuple(made_up("real", scene, BOX) for scene in ("both", "real"))
    sources = Sources((made_up("synthetic", "both", BOX),), real, ())
    for seed in range(10):
        items = choose({"rate_attributes": 2}, sources, None, np.random.default_rng(seed))
        assert [source.scene for source in of_truth(items, "real")] == ["real"]
