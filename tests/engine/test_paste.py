import numpy as np
import pytest
import torch

from engine.codec import IdentityCodec
from engine.ct import CTSlice
from engine.nodule import BoundingBox
from engine.paste import blend_weights, paste
from engine.window import WindowGrid, cut_out, window_for

CODEC = IdentityCodec()


def noisy_lung(spacing: float, shape: tuple[int, int] = (160, 160)) -> CTSlice:
    hu = np.random.default_rng(0).normal(-850, 40, shape)
    return CTSlice(np.rint(hu).astype(np.int16), (spacing, spacing))


def pasted(ct_slice: CTSlice, box: BoundingBox, change: float) -> CTSlice:
    window = window_for(ct_slice, box, WindowGrid())
    before = cut_out(torch.tensor(ct_slice.hu), window)
    return paste(ct_slice, box, window, before, (before + change).clamp(CODEC.hu_min, CODEC.hu_max), CODEC)


@pytest.mark.parametrize("spacing", [0.5, 0.7, 0.98, 1.4])
def test_nothing_changes_outside_the_box(spacing: float) -> None:
    ct_slice = noisy_lung(spacing)
    box = BoundingBox(60, 70, round(20 / spacing), ct_slice.shape)

    changed = pasted(ct_slice, box, 500).hu != ct_slice.hu

    outside = np.ones(ct_slice.shape, bool)
    outside[box.slices] = False
    assert not changed[outside].any()
    assert changed[box.slices].mean() > 0.9


@pytest.mark.parametrize("spacing", [0.5, 0.7, 0.98, 1.4])
def test_a_window_put_back_as_it_was_gives_back_the_slice(spacing: float) -> None:
    ct_slice = noisy_lung(spacing)
    box = BoundingBox(60, 70, round(20 / spacing), ct_slice.shape)

    difference = pasted(ct_slice, box, 0).hu.astype(float) - ct_slice.hu

    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize("spacing", [0.5, 0.7, 0.98, 1.4])
def test_noise_inside_the_box_stays_what_it_was(spacing: float) -> None:
    ct_slice = noisy_lung(spacing)
    box = BoundingBox(60, 70, round(24 / spacing), ct_slice.shape)

    after = pasted(ct_slice, box, 300).hu[box.slices].astype(float)

    inner = slice(round(4 / spacing), -round(4 / spacing))
    assert after[inner, inner].std() == pytest.approx(40, rel=0.2)


def test_bone_beyond_the_range_of_the_model_returns() -> None:
    hu = np.full((120, 120), 1200, np.int16)
    box = BoundingBox(50, 50, 20, hu.shape)

    after = pasted(CTSlice(hu, (0.7, 0.7)), box, 0)

    assert (after.hu == 1200).all()


def test_float_hu_stay_float() -> None:
    ct_slice = CTSlice(noisy_lung(0.7).hu.astype(np.float32) + 0.25, (0.7, 0.7))

    assert pasted(ct_slice, BoundingBox(60, 60, 20, ct_slice.shape), 100).hu.dtype == np.float32


def test_a_box_in_the_corner_is_pasted_too() -> None:
    ct_slice = noisy_lung(0.7)

    after = pasted(ct_slice, BoundingBox(0, 0, 20, ct_slice.shape), 500)

    assert after.hu[10, 10] > ct_slice.hu[10, 10] + 300


def test_the_border_of_the_box_blends() -> None:
    weights = blend_weights(20, (0.7, 0.7))

    assert weights[0, 10] == pytest.approx(0.25)
    assert weights[10, 10] == 1
    assert (weights == weights.T).all()
