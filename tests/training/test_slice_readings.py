from collections import Counter

import numpy as np
import pytest

from tests.training.prepared_slices import reading, write_prepared
from training.prepared import PreparedSlices, read_slices
from training.slice_latents import crops_of_variant
from training.slice_readings import list_readings


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> PreparedSlices:
    return read_slices(write_prepared(tmp_path_factory.mktemp("prepared")), held_out=False)


def shares(values: np.ndarray) -> dict[int, float]:
    return {value: count / len(values) for value, count in Counter(values.tolist()).items()}


def test_slices_nodules_and_readers_are_drawn_evenly(slices: PreparedSlices) -> None:
    readings = list_readings(slices)

    chosen = readings.drawn_at(np.random.default_rng(0).random(30_000))

    assert shares(readings.slices[chosen]) == pytest.approx(dict.fromkeys(range(6), 1 / 6), abs=0.01)
    first = chosen[readings.slices[chosen] == 0]
    assert shares(readings.nodules[first]) == pytest.approx({0: 0.5, 1: 0.5}, abs=0.03)
    seen_by_three = first[readings.nodules[first] == 0]
    # Lobulation tells the three readers apart.
    assert len(shares(seen_by_three)) == 3
    assert list(shares(seen_by_three).values()) == pytest.approx([1 / 3] * 3, abs=0.04)


def test_every_reading_can_be_drawn_and_none_beyond_them(slices: PreparedSlices) -> None:
    readings = list_readings(slices)

    assert readings.drawn_at(np.array([0.0, 1 - 1e-16])).tolist() == [0, len(readings) - 1]


def test_rare_scores_are_drawn_more_often(slices: PreparedSlices) -> None:
    slices.nodules[0].append(reading(9, (10, 10, 20), (1, 4, 1, 1, 5)))
    places = np.random.default_rng(0).random(20_000)

    def share_of_linear(rare_scores: bool) -> float:
        readings = list_readings(slices, rare_scores=rare_scores)
        return float((readings.scores[readings.drawn_at(places)][:, 0] == 1).mean())

    often, evenly = share_of_linear(True), share_of_linear(False)
    slices.nodules[0].pop()

    assert evenly == pytest.approx(1 / 6 / 3, abs=0.01)
    assert often > 1.5 * evenly


def test_boxes_and_spacing_move_with_the_variant(slices: PreparedSlices) -> None:
    readings = list_readings(slices, variants=2)
    own, moved = ((readings.slices == 1) & (readings.variants == variant) for variant in (0, 1))

    assert readings.boxes[own][0].tolist() == [150, 90, 180, 120]
    row, column, side = crops_of_variant(len(slices), 1)[1]
    scale = 256 / side
    wanted = np.array([150 - column, 90 - row, 180 - column, 120 - row]) * scale
    assert readings.boxes[moved][0] == pytest.approx(wanted, abs=1e-3)
    assert readings.spacing_mm[moved][0] == pytest.approx(1.4 / scale)
    assert shares(readings.variants[readings.drawn_at(np.linspace(0, 0.999, 1000))]) == pytest.approx(
        {0: 0.5, 1: 0.5}, abs=0.02
    )


def test_a_box_that_leaves_a_variant_is_not_drawn_there(slices: PreparedSlices) -> None:
    slices.nodules[1].append(reading(8, (0, 0, 10)))

    readings = list_readings(slices, variants=4)
    slices.nodules[1].pop()

    assert readings.variants[readings.nodules == 8].tolist() == [0]
    assert ((readings.boxes >= 0) & (readings.boxes <= 256)).all()
