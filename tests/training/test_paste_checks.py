"""Checks of the pasted result: noise ratio, border, changed HU, and slices at other spacings."""

import numpy as np
import pytest

from engine.ct import CTSlice
from engine.nodule import BoundingBox, NoduleAttributes
from training.held_out_cases import HeldOutCase
from training.paste_checks import at_spacing, check_boxes, noise_ratio

BOX = BoundingBox(30, 32, 30, (96, 96))
ROWS, COLUMNS = np.indices((96, 96)) + 0.5


def lung(deviation_inside=25.0, spacing=0.7):
    noise = np.random.default_rng(0).normal(0, 25, (96, 96))
    noise[BOX.slices] *= deviation_inside / 25
    return CTSlice((-850 + noise).astype(np.float32), (spacing, spacing))


def with_disc(ct_slice, centre, radius, hu=30.0):
    disc = np.hypot(ROWS - centre[0], COLUMNS - centre[1]) < radius
    return ct_slice.with_hu(np.where(disc, hu, ct_slice.hu).astype(np.float32))


def make_case(ct_slice):
    return HeldOutCase("patient", ct_slice, np.zeros((96, 96), bool), BOX, NoduleAttributes(4, 4, 1, 1, 5), seed=0)


@pytest.mark.parametrize("deviation", [10.0, 25.0, 50.0])
def test_noise_ratio_is_that_of_the_deviations(deviation):
    assert noise_ratio(lung(deviation), BOX) == pytest.approx(deviation / 25, rel=0.15)


def test_noise_ratio_does_not_see_nodule_and_wall():
    busy = with_disc(with_disc(lung(), BOX.centre, 6), (46, 100), 24)

    assert noise_ratio(busy, BOX) == pytest.approx(1, abs=0.15)


def test_noise_ratio_without_lung_is_not_a_number():
    assert np.isnan(noise_ratio(CTSlice(np.full((96, 96), 40, np.int16), (0.7, 0.7)), BOX))


def test_slices_at_other_spacings():
    ct_slice = lung(spacing=0.71)

    assert at_spacing(ct_slice, 0.7) is ct_slice
    assert at_spacing(ct_slice, 0.5) is None
    assert at_spacing(ct_slice, 0.98) is None
    coarse = at_spacing(ct_slice, 1.4)
    assert coarse.shape == (48, 48)
    assert coarse.pixel_spacing == pytest.approx((1.42, 1.42))
    assert coarse.hu[3, 5] == pytest.approx(ct_slice.hu[6:8, 10:12].mean(), abs=0.01)


def test_boxes_in_which_all_is_well_and_in_which_it_is_not():
    real = with_disc(lung(), BOX.centre, 8)
    good = with_disc(lung(), BOX.centre, 10)
    touching = with_disc(lung(), (BOX.row + 5, BOX.centre[1]), 5.5)
    spilled = touching.with_hu(np.where((ROWS < 8) & (COLUMNS < 3), 0, touching.hu).astype(np.float32))

    figures = check_boxes([make_case(real)] * 3, [good, touching.with_hu(clipped(touching, real)), spilled])

    assert figures["boxes"] == 3
    assert figures["hu_changed_outside"] >= 8 * 3
    assert figures["nodule_found"] == 1
    assert figures["touching_the_border"] == pytest.approx(2 / 3)
    assert figures["real_touching_the_border"] == 0


def clipped(after, before):
    """HU of `after` inside the box, of `before` outside."""
    hu = before.hu.copy()
    hu[BOX.slices] = after.hu[BOX.slices]
    return hu


def test_nothing_changed_outside_is_reported_as_zero():
    real = with_disc(lung(), BOX.centre, 8)
    after = real.with_hu(clipped(with_disc(lung(), BOX.centre, 10), real))

    figures = check_boxes([make_case(real)], [after])

    assert figures["hu_changed_outside"] == 0
    assert figures["diameter_over_real_median"] == pytest.approx(10 / 8, rel=0.08)
