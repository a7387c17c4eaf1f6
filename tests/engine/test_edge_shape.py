"""The edge between the pixels, on outlines whose shape is known."""

import numpy as np
import pytest
from scipy import ndimage

from engine.edge_shape import measure_edge_shape

FINER = 8


def drawn(radius_of_angle, size=48, noise=15.0):
    """HU and mask of a nodule in lung whose edge is at `radius_of_angle` pixels from the middle."""
    rows, columns = (np.indices((size * FINER, size * FINER)) + 0.5) / FINER - size / 2 - 0.2
    inside = np.hypot(rows, columns) < radius_of_angle(np.arctan2(rows, columns))
    cover = ndimage.gaussian_filter(inside.astype(float), 0.7 * FINER)
    cover = cover.reshape(size, FINER, size, FINER).mean(axis=(1, 3))
    hu = -850 + 880 * cover + np.random.default_rng(0).normal(0, noise, cover.shape)
    return hu, cover > 0.42


def lobed(waves, amplitude, radius=9.0):
    return lambda angle: radius * np.exp(amplitude * np.cos(waves * angle + 0.4))


def test_a_disc_is_round_without_lobes():
    shape = measure_edge_shape(*drawn(lobed(4, 0.0)))

    assert shape.axis_ratio == pytest.approx(1, abs=0.05)
    assert shape.solidity > 0.95
    assert shape.lobes < 0.03
    assert shape.raggedness < 0.03


def test_a_small_disc_is_as_round_as_a_large_one():
    assert measure_edge_shape(*drawn(lobed(4, 0.0, radius=3.0))).lobes < 0.05


def test_an_oval_is_long_by_as_much():
    shape = measure_edge_shape(*drawn(lobed(2, 0.3)))

    assert shape.axis_ratio == pytest.approx(np.exp(-0.6), abs=0.06)


@pytest.mark.parametrize(("waves", "measure"), [(4, "lobes"), (8, "raggedness")])
def test_lobes_and_spicules_are_told_apart_and_measured(waves, measure):
    shape = measure_edge_shape(*drawn(lobed(waves, 0.15)))
    other = {"lobes": "raggedness", "raggedness": "lobes"}[measure]

    # Blur takes a part of fine waves away.
    assert 0.09 < getattr(shape, measure) < 0.16
    assert getattr(shape, other) < 0.5 * getattr(shape, measure)
    assert shape.solidity < measure_edge_shape(*drawn(lobed(waves, 0.0))).solidity - 0.01


def test_more_of_the_same_lobes_measures_more():
    amplitudes = [measure_edge_shape(*drawn(lobed(3, depth, radius=6.0))).lobes for depth in (0.05, 0.1, 0.2)]

    assert amplitudes == sorted(amplitudes)
    assert amplitudes[2] > 2.5 * amplitudes[0]


def test_a_vessel_beyond_the_mask_adds_no_more_than_a_stub():
    hu, mask = drawn(lobed(4, 0.0))
    hu[23:26, 34:] = 0

    assert measure_edge_shape(hu, mask).raggedness < 0.1


def test_where_nothing_rises_no_edge_is_measured():
    assert measure_edge_shape(np.full((32, 32), -850.0), np.eye(32, dtype=bool)) is None
