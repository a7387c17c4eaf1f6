"""The words on a slice."""

from dataclasses import replace

import pytest
from pydicom import Dataset

from engine.ct import WindowLevel
from engine.nodule import BoundingBox
from studio import slice_texts
from studio.session import Session
from studio.shown import Comparison


def test_negative_numbers_have_a_minus_sign_and_zero_has_none():
    assert [slice_texts.signed(number) for number in (-612.4, -0.2, 0, 35)] == ["−612", "0", "0", "35"]
    assert slice_texts.signed(-0.04, 1) == "0.0"
    assert slice_texts.signed(-12.34, 1) == "−12.3"


def test_slices_are_counted_from_one(volume):
    assert slice_texts.slice_text(volume, 0) == "Made up\nSlice 1 of 5\nz −50.0 mm"


def test_presets_are_named(volume, qapp):
    session = Session()
    assert slice_texts.window_text(session) == "Lung\nW 1500  L −600"
    session.window = WindowLevel(1490, -600)
    assert slice_texts.window_text(session) == "W 1490  L −600"


def test_what_is_synthetic_already_is_said_on_the_slice(volume, qapp):
    headers = tuple(Dataset() for _ in range(len(volume)))
    headers[1].SyntheticData = "YES"
    session = Session()
    session.show_volume(replace(volume, headers=headers))
    assert ["Contains synthetic" in _window_text_of(session, index) for index in (0, 1)] == [False, True]
    session.shown = replace(session.shown, comparison=Comparison.DIFFERENCE)
    assert _window_text_of(session, 1).endswith("Nothing has changed on this slice")


def _window_text_of(session, index):
    session.go_to_slice(index)
    return slice_texts.window_text(session)


@pytest.mark.parametrize(
    ("point", "text"), [((0.2, 0.9), "row 0  column 0\n−880 HU"), ((-0.1, 5), ""), ((5, 120.0), "")]
)
def test_hu_under_the_cursor(volume, point, text):
    assert slice_texts.cursor_text(volume.hu[2], point) == text


def test_hu_before_and_after_under_the_cursor(volume):
    before = volume.hu[2]
    after = before.copy()
    after[0, 0] = 40
    assert slice_texts.change_text(before, after, (0, 0)) == "row 0  column 0\n−880 → 40 HU\n+920 HU"
    assert slice_texts.change_text(after, before, (0, 0)) == "row 0  column 0\n40 → −880 HU\n−920 HU"
    assert slice_texts.change_text(before, after, (3, 0)) == "row 3  column 0\n−880 HU"
    assert slice_texts.change_text(before, after, (-1, 0)) == ""


def test_both_sides_are_given_where_pixels_are_not_square():
    box = BoundingBox(10, 10, 20, (96, 96))
    assert slice_texts.side_text(box, (0.7, 0.7)) == "14.0 mm"
    assert slice_texts.side_text(box, (0.7, 0.8)) == "16.0 × 14.0 mm"


def test_letters_are_those_of_the_patient(volume):
    assert slice_texts.orientation_letters(volume) == ("R", "L", "A", "P")
    tilted = replace(volume, column_direction=(-0.9, 0.3, 0.3), row_direction=(0.0, -0.95, 0.31))
    assert slice_texts.orientation_letters(tilted) == ("L", "R", "P", "A")
