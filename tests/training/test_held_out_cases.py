"""Cases for an evaluation: patients in turn, boxes around the nodule, enough around the box."""

import numpy as np
import pytest

from engine.window import WindowGrid
from tests.training.crops_file import HELD_OUT, write_crops
from training.held_out_cases import choose_cases
from training.nodule_crops import load_crops


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    return load_crops(write_crops(tmp_path_factory.mktemp("crops") / "crops.parquet", list(HELD_OUT)), held_out=True)


def test_patients_take_turns(crops):
    cases = choose_cases(crops, 4, WindowGrid())

    assert [{case.patient for case in cases[start : start + 2]} for start in (0, 2)] == [set(HELD_OUT)] * 2
    assert [case.seed for case in cases] == [0, 1, 2, 3]


def test_one_case_a_crop_and_no_more_than_there_are(crops):
    cases = choose_cases(crops, 100, WindowGrid())

    assert len({case.slice.sha256() for case in cases}) == len(cases) <= len(crops.images)


def test_box_holds_the_outline_with_some_room(crops):
    for case in choose_cases(crops, 100, WindowGrid()):
        rows, columns = np.nonzero(case.outline)
        extent = max(np.ptp(rows), np.ptp(columns)) + 1
        assert case.outline[case.box.slices].sum() == case.outline.sum()
        assert extent < case.box.side <= max(extent * 1.6 + 2, 4.5 / case.slice.pixel_spacing[0] + 1)


def test_a_window_that_leaves_the_crop_is_left_out(crops):
    wide = WindowGrid(size=64, spacing_mm=2.0)

    assert choose_cases(crops, 100, WindowGrid())
    assert choose_cases(crops, 100, wide) == []


def test_the_choice_depends_on_the_seed_alone(crops):
    first, again, other = (choose_cases(crops, 6, WindowGrid(), seed) for seed in (1, 1, 2))

    assert [case.box for case in first] == [case.box for case in again]
    assert [case.box for case in first] != [case.box for case in other]


def test_without_the_nodule_there_is_lung_in_its_place_and_nothing_else_changed(crops):
    for case in choose_cases(crops, 100, WindowGrid()):
        emptied = case.without_nodule()
        changed = emptied.hu != case.slice.hu
        assert emptied.hu[case.outline] == pytest.approx(-850, abs=10)
        assert changed[case.outline].any()
        outside = np.ones_like(changed)
        outside[case.box.slices] = False
        assert not changed[outside].any()
