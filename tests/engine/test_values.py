"""Slices, boxes, attributes and windows are made right on construction."""

import numpy as np
import pytest

from engine.ct import LUNG, CTSlice, CTVolume, WindowLevel
from engine.errors import InputError
from engine.events import SamplingOptions
from engine.nodule import ATTRIBUTE_NAMES, SCORE_NAMES, BoundingBox, NoduleAttributes

SHAPE = (100, 120)


@pytest.mark.parametrize(
    ("row", "column", "side"), [(-1, 0, 10), (0, -1, 10), (91, 0, 10), (0, 111, 10), (0, 0, 101), (0, 0, 1), (5, 5, -4)]
)
def test_a_box_cannot_be_off_the_slice_empty_or_inverted(row: int, column: int, side: int) -> None:
    with pytest.raises(InputError):
        BoundingBox(row, column, side, SHAPE)


def test_a_box_is_half_open() -> None:
    box = BoundingBox(90, 110, 10, SHAPE)

    assert np.zeros(SHAPE)[box.slices].shape == (10, 10)
    assert box.centre == (95, 115)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ((-20, 5, 10), (0, 5, 10)),
        ((95, 119, 10), (90, 110, 10)),
        ((0, 0, 500), (0, 0, 100)),
        ((9.6, 9.4, 1), (10, 9, 2)),
    ],
)
def test_the_nearest_box_lies_on_the_slice(asked: tuple[float, float, float], given: tuple[int, int, int]) -> None:
    assert BoundingBox.nearest(*asked, SHAPE) == BoundingBox(*given, SHAPE)


def test_the_mask_of_a_box_is_true_inside() -> None:
    mask = BoundingBox(1, 2, 2, (4, 5)).mask()
    assert (mask.dtype, mask.shape) == (np.bool_, (4, 5))
    assert np.argwhere(mask).tolist() == [[1, 2], [1, 3], [2, 2], [2, 3]]


def test_moving_a_box_stops_at_the_border() -> None:
    assert BoundingBox(10, 10, 20, SHAPE).moved_to(-5, 300) == BoundingBox(0, 100, 20, SHAPE)


@pytest.mark.parametrize("score", [0, 6, 2.5, True, "3"])
def test_a_score_is_a_whole_number_from_1_to_5(score: object) -> None:
    with pytest.raises(InputError, match="margin"):
        NoduleAttributes(3, score, 1, 1, 5)  # type: ignore[arg-type]


def test_attributes_come_in_the_order_of_table_1() -> None:
    assert ATTRIBUTE_NAMES == ("sphericity", "margin", "lobulation", "spiculation", "texture")
    assert NoduleAttributes.from_scores((1, 2, 3, 4, None)).scores == (1, 2, 3, 4, None)
    assert [names[4] for names in SCORE_NAMES.values()] == ["Round", "Sharp", "Marked", "Marked", "Solid"]
    with pytest.raises(InputError, match="give five"):
        NoduleAttributes.from_scores((1, 2, 3))


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"steps": 0}, {"steps": 1001}, {"guidance": float("nan")}])
def test_sampling_options_are_in_range(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        SamplingOptions(**wrong)  # type: ignore[arg-type]


def test_the_lung_window_is_1500_wide_at_minus_600() -> None:
    assert LUNG.bounds == (-1350, 150)
    with pytest.raises(InputError):
        WindowLevel(0, 40)


def test_a_slice_cannot_be_written_to() -> None:
    ct_slice = CTSlice(np.zeros(SHAPE, np.int16), (0.7, 0.7))

    with pytest.raises(ValueError, match="read-only"):
        ct_slice.hu[0, 0] = 1  # type: ignore[index]


def test_the_hash_names_hu_and_spacing_and_nothing_else() -> None:
    hu = np.arange(12, dtype=np.int16).reshape(3, 4)
    same = CTSlice(hu.copy(), (np.float64(0.7), np.float64(0.7)))

    assert CTSlice(hu, (0.7, 0.7)).sha256() == same.sha256()
    assert CTSlice(hu, (0.7, 0.8)).sha256() != same.sha256()
    assert CTSlice(hu + np.int16(1), (0.7, 0.7)).sha256() != same.sha256()


def test_a_volume_knows_its_slices() -> None:
    positions = ((0.0, 0.0, 0.0), (0.0, 0.0, 2.5), (0.0, 0.0, 5.0))
    volume = CTVolume(np.zeros((3, *SHAPE), np.int16), (0.7, 0.7), positions)

    assert len(volume) == 3
    assert volume.slice_spacing == 2.5
    assert volume.slice_at(2).shape == SHAPE
    with pytest.raises(InputError, match="slices 0 to 2"):
        volume.slice_at(3)
    with pytest.raises(ValueError, match="positions"):
        CTVolume(np.zeros((2, *SHAPE), np.int16), (0.7, 0.7), positions)
