"""Proxies of the attributes on shapes where the answer is known, and rank correlation at its limits."""

import numpy as np
import pytest
from scipy import ndimage

from engine.ct import CTSlice
from engine.measurement import NoduleMeasurement
from engine.plain_measures import measure_plainly
from training.nodule_looks import measure_looks, rank_correlation

SIZE = 96
ROWS, COLUMNS = np.indices((SIZE, SIZE)) - SIZE / 2 + 0.5
DISC = np.hypot(ROWS, COLUMNS) < 14
ELLIPSE = np.hypot(ROWS, COLUMNS * 3) < 24
#: Four lobes, and a disc with 12 spikes.
LOBES = np.hypot(ROWS, COLUMNS) < 14 + 5 * np.cos(4 * np.arctan2(ROWS, COLUMNS))
SPIKES = np.hypot(ROWS, COLUMNS) < 12 + 8 * np.clip(np.cos(12 * np.arctan2(ROWS, COLUMNS)), 0, 1) ** 4


def looks_of(mask, blur=0.6, inside=30.0, spacing=0.7):
    hu = ndimage.gaussian_filter(np.where(mask, inside, -850.0), blur)
    hu += np.random.default_rng(0).normal(0, 10, hu.shape)
    ct_slice = CTSlice(hu.astype(np.float32), (spacing, spacing))
    plain = measure_plainly(ct_slice, mask) if mask.any() else None
    return measure_looks(NoduleMeasurement(mask, 10.0, float(hu[mask].mean() if mask.any() else -850), plain))


def test_sphericity_is_the_ratio_of_the_axes():
    assert looks_of(DISC)["sphericity"] == pytest.approx(1, abs=0.02)
    assert looks_of(ELLIPSE)["sphericity"] == pytest.approx(1 / 3, abs=0.03)


def test_lobes_and_spikes_are_told_from_a_disc_and_from_each_other():
    disc, lobes, spikes = (looks_of(mask) for mask in (DISC, LOBES, SPIKES))

    assert lobes["lobulation"] > 3 * max(disc["lobulation"], spikes["lobulation"])
    assert spikes["spiculation"] > 2 * lobes["spiculation"] > 2 * disc["spiculation"]


def test_margin_falls_as_the_edge_is_blurred_and_does_not_depend_on_density():
    sharp, medium, poor = (looks_of(DISC, blur=blur)["margin"] for blur in (0.5, 1.5, 3.0))
    glass = looks_of(DISC, blur=1.5, inside=-500.0)["margin"]

    assert sharp > 1.3 * medium > 1.3 * 1.3 * poor
    assert glass == pytest.approx(medium, rel=0.15)


def test_margin_is_per_mm():
    fine, coarse = (looks_of(DISC, spacing=spacing, blur=1.0)["margin"] for spacing in (0.7, 1.4))

    assert coarse == pytest.approx(fine / 2, rel=0.15)


def test_texture_is_the_mean_hu():
    assert looks_of(DISC, inside=-500.0)["texture"] == pytest.approx(-510, abs=25)


def test_shape_of_a_few_pixels_is_not_told():
    looks = looks_of(np.hypot(ROWS, COLUMNS) < 1.5)

    assert np.isfinite(looks["texture"])
    assert all(np.isnan(looks[name]) for name in ("sphericity", "margin", "lobulation", "spiculation"))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([10.0, 20.0, 30.0, 31.0], 1.0),
        ([4.0, 3.0, 2.0, 1.0], -1.0),
        ([5.0, 5.0, 5.0, 5.0], 0.0),
        ([1.0, np.nan, 2.0, 3.0], 1.0),
        ([np.nan, np.nan, np.nan, 3.0], 0.0),
    ],
)
def test_rank_correlation(values, expected):
    assert rank_correlation(np.arange(4.0), np.array(values)) == pytest.approx(expected)
