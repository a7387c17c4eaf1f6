"""Outlines that show scores."""

import numpy as np
import pytest
import torch

from engine.outline import draw_outlines, draw_radii, fill_outline, outline_table
from engine.prior import extent_in_box

ROUND = (5, None, 1, 1, None)
SIZE, SPACING = 64, 0.7
BOX = (20.0, 18.0, 44.0, 42.0)


def roughness(radii: np.ndarray) -> float:
    """How far the radius departs from an ellipse's."""
    harmonics = np.abs(np.fft.rfft(np.log(radii))) * 2 / len(radii)
    return float(np.sqrt((harmonics[3:] ** 2).sum()))


def length(radii: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(np.log(radii)))[2] * 2 / len(radii))


@pytest.mark.parametrize("seed", range(20))
def test_each_score_more_shows_in_the_outline(seed: int) -> None:
    lobulated = [roughness(draw_radii((4, 5, score, 1, 5), 12, seed)) for score in range(1, 6)]
    spiculated = [roughness(draw_radii((4, 5, 1, score, 5), 12, seed)) for score in range(1, 6)]
    long = [length(draw_radii((score, 5, 1, 1, 5), 12, seed)) for score in range(5, 0, -1)]
    poorly_defined = [roughness(draw_radii((4, score, 1, 1, 5), 12, seed)) for score in range(5, 0, -1)]

    assert (np.diff(lobulated) > 0).all()
    assert (np.diff(spiculated) > 0).all()
    assert (np.diff(long) > 0).all()
    assert (np.diff(poorly_defined) > 0).all()
    assert long[-1] > 2 * long[0]


def test_a_seed_is_an_outline_and_another_seed_another() -> None:
    first = draw_radii(ROUND, 10, seed=1)

    assert np.array_equal(first, draw_radii(ROUND, 10, seed=1))
    assert not np.allclose(first, draw_radii(ROUND, 10, seed=2), atol=1e-3)
    # Texture does not show in the outline; what is not given counts as the commonest score.
    assert np.array_equal(draw_radii((4, 4, 1, 1, 1), 10, 1), draw_radii((None, None, None, 1, 5), 10, 1))


def test_large_seeds_are_seeds() -> None:
    assert draw_radii(ROUND, 10, seed=2**63 - 1).shape == (256,)


def test_no_harmonic_is_larger_than_the_table_allows() -> None:
    table = outline_table()
    for seed in range(10):
        radii = draw_radii((1, 5, 5, 5, 5), 30, seed)
        amplitudes = np.abs(np.fft.rfft(np.log(radii)))[2 : len(table.mean) + 2] * 2 / len(radii)
        assert (amplitudes <= table.largest + 1e-6).all()


@pytest.mark.parametrize("seed", range(5))
def test_an_outline_fills_the_middle_of_its_box_as_far_as_nodules_do(seed: int) -> None:
    inside = fill_outline(draw_radii((2, 5, 3, 3, 5), 12, seed), BOX, SPACING, SIZE)

    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    assert extent == pytest.approx(extent_in_box(24 * SPACING) / SPACING, abs=1.1)
    assert (rows[0] + rows[-1] + 1) / 2 == pytest.approx(30, abs=0.6)
    assert (columns[0] + columns[-1] + 1) / 2 == pytest.approx(32, abs=0.6)


def test_windows_get_outlines_where_a_score_that_shows_in_them_is_given() -> None:
    levels = torch.tensor([[5, 0, 1, 1, 0], [0, 0, 0, 0, 5], [0, 0, 0, 4, 0]])
    boxes, spacing = torch.tensor([BOX] * 3), torch.tensor([SPACING] * 3)

    drawn = draw_outlines(levels, boxes, spacing, [1, 1, 1], SIZE)

    assert drawn.shape == (3, 1, SIZE, SIZE)
    assert drawn.dtype == torch.float32
    assert [bool(window.any()) for window in drawn] == [True, False, True]
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
