"""Plain measures on shapes where the answer is known."""

import numpy as np
import pytest
from scipy import ndimage

from engine.ct import CTSlice
from engine.plain_measures import measure_plainly

ROWS, COLUMNS = np.indices((96, 96)) - 47.5
DISC = np.hypot(ROWS, COLUMNS) < 14
ELLIPSE = np.hypot(ROWS, COLUMNS * 3) < 24


def drawn(mask, inside=30.0, blur=0.6, spacing=0.7):
    hu = ndimage.gaussian_filter(np.where(mask, inside, -850.0), blur)
    hu += np.random.default_rng(0).normal(0, 10, hu.shape)
    return CTSlice(hu.astype(np.float32), (spacing, spacing))


def test_a_disc_is_round_and_an_ellipse_is_less_so():
    disc, ellipse = (measure_plainly(drawn(mask), mask) for mask in (DISC, ELLIPSE))

    assert disc.circularity == pytest.approx(1, abs=0.08)
    assert ellipse.circularity < 0.75


@pytest.mark.parametrize("step", [(2, 1), (1, 2), (3, 2)])
def test_shapes_are_as_round_where_pixels_are_not_square(step):
    """A disc of 10 mm in pixels of 0.5 mm; of those, every second or third row or column."""
    disc = np.hypot(ROWS, COLUMNS) < 10
    hu = drawn(disc, blur=1.2, spacing=0.5).hu
    seen = slice(None, None, step[0]), slice(None, None, step[1])
    found = measure_plainly(CTSlice(hu[seen], (0.5 * step[0], 0.5 * step[1])), disc[seen])

    assert found.axis_ratio == pytest.approx(1, abs=0.07)
    assert found.circularity == pytest.approx(1, abs=0.15)
    assert found.solidity > 0.93


def test_solid_part_and_spread_tell_a_core_in_ground_glass():
    core = np.hypot(ROWS, COLUMNS) < 7
    hu = np.where(core, 30.0, np.where(DISC, -600.0, -850.0))
    measures = measure_plainly(CTSlice(hu.astype(np.float32), (0.7, 0.7)), DISC)

    assert measures.solid_part == pytest.approx(core.sum() / DISC.sum())
    assert measures.sd_hu == pytest.approx(hu[DISC].std())


def test_a_blurred_edge_is_less_sharp_per_mm():
    sharp, blurred = (measure_plainly(drawn(DISC, blur=blur), DISC).edge_sharpness for blur in (0.5, 2.5))
    coarse = measure_plainly(drawn(DISC, blur=0.5, spacing=1.4), DISC).edge_sharpness

    assert sharp > 1.5 * blurred
    assert coarse == pytest.approx(sharp / 2, rel=0.1)


def test_few_pixels_have_no_shape_but_hu():
    mask = np.zeros((96, 96), np.bool_)
    mask[40:43, 40:43] = True
    measures = measure_plainly(drawn(mask), mask)

    assert measures.circularity is None
    assert measures.edge_sharpness is None
    assert 0 <= measures.solid_part <= 1


def test_without_lung_beside_it_no_edge_is_measured():
    ct_slice = CTSlice(np.full((96, 96), 30, np.int16), (0.7, 0.7))

    assert measure_plainly(ct_slice, DISC).edge_sharpness is None
