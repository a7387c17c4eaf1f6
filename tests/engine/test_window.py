import numpy as np
import pytest
import torch

from engine.ct import CTSlice
from engine.nodule import BoundingBox
from engine.window import WindowGrid, cut_out, gaussian_blur, window_for


def ramp_slice(spacing: tuple[float, float], shape: tuple[int, int] = (200, 220)) -> CTSlice:
    """HU rise by 1 a mm to the right and by 2 a mm downwards."""
    rows, columns = np.indices(shape) + 0.5
    return CTSlice((columns * spacing[1] + 2 * rows * spacing[0]).astype(np.float32), spacing)


@pytest.mark.parametrize("spacing", [(0.5, 0.5), (0.7, 0.7), (0.98, 0.98), (1.4, 1.4), (0.6, 0.8)])
def test_window_pixels_lie_0_7_mm_apart_whatever_the_slice_has(spacing: tuple[float, float]) -> None:
    ct_slice = ramp_slice(spacing)
    box = BoundingBox(90, 100, 12, ct_slice.shape)

    hu = cut_out(torch.tensor(ct_slice.hu), window_for(ct_slice, box, WindowGrid()))[0, 0].numpy()

    assert hu.shape == (64, 64)
    assert np.allclose((hu[:, -1] - hu[:, 0]) / 63, 0.7, atol=0.005)
    assert np.allclose((hu[-1] - hu[0]) / 63, 1.4, atol=0.01)
    middle = box.centre[1] * spacing[1] + 2 * box.centre[0] * spacing[0]
    assert hu[31:33, 31:33].mean() == pytest.approx(middle, abs=0.1)


def test_box_lies_in_the_middle_of_its_window() -> None:
    ct_slice = ramp_slice((0.7, 0.7))

    window = window_for(ct_slice, BoundingBox(50, 60, 20, ct_slice.shape), WindowGrid())

    assert window.box == pytest.approx((22, 22, 42, 42))


def test_a_large_box_gets_a_larger_window_and_keeps_its_context() -> None:
    ct_slice = ramp_slice((0.7, 0.7))

    window = window_for(ct_slice, BoundingBox(50, 60, 86, ct_slice.shape), WindowGrid())

    assert window.spacing_mm == pytest.approx(0.7 * 60.2 / 32)
    assert window.box[2] - window.box[0] == pytest.approx(32 / 0.7)


def test_a_window_over_the_border_repeats_the_edge() -> None:
    ct_slice = CTSlice(np.full((100, 100), -850, np.int16), (0.7, 0.7))

    hu = cut_out(torch.tensor(ct_slice.hu), window_for(ct_slice, BoundingBox(0, 0, 10, (100, 100)), WindowGrid()))

    assert torch.allclose(hu, torch.tensor(-850.0))


def test_a_fine_slice_is_smoothed_before_it_is_thinned() -> None:
    stripes = np.tile(np.array([-1000, 1000], np.int16), (400, 200))
    ct_slice = CTSlice(stripes, (0.2, 0.2))

    hu = cut_out(torch.tensor(ct_slice.hu), window_for(ct_slice, BoundingBox(150, 150, 60, (400, 400)), WindowGrid()))

    assert hu.abs().max() < 300


def test_blur_keeps_the_mean_of_a_constant() -> None:
    assert torch.allclose(gaussian_blur(torch.full((1, 1, 9, 9), 5.0), 1.3), torch.tensor(5.0))
