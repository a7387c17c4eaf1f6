import numpy as np
import pytest

from engine.ct import CTVolume
from training.isotropic import ISOTROPIC_MM, isotropic_plane, plane_of_slice, reduced, slice_places


def volume(hu: np.ndarray, z_mm: list[float], spacing: float = 0.5) -> CTVolume:
    return CTVolume(hu.astype(np.float32), (spacing, spacing), tuple((0.0, 0.0, z) for z in z_mm))


def test_planes_lie_by_positions() -> None:
    z_mm = [-7.0, -4.5, -2.0, 3.0]
    ramp = volume(np.broadcast_to(10 * np.array(z_mm)[:, None, None], (4, 60, 60)), z_mm)

    for plane in range(14):
        hu = isotropic_plane(ramp, plane)
        assert hu == pytest.approx(10 * (-7 + ISOTROPIC_MM * plane), abs=0.01)


def test_the_nearest_plane_is_never_half_a_plane_away_nor_behind_the_last_slice() -> None:
    places = slice_places(volume(np.zeros((9, 4, 4)), [2.5 * index for index in range(9)]))

    off = [places[index] - ISOTROPIC_MM * plane_of_slice(places, index) for index in range(8)]

    assert np.abs(off).max() <= ISOTROPIC_MM / 2
    assert ISOTROPIC_MM * plane_of_slice(places, 8) <= places[-1]


def test_slices_as_far_apart_as_planes_are_planes_the_last_one_too() -> None:
    for first in (0.0, -247.3, -1650.55):
        places = slice_places(volume(np.zeros((140, 4, 4)), [first + ISOTROPIC_MM * index for index in range(140)]))
        for count in range(2, 140):
            assert plane_of_slice(places[:count], count - 1) == count - 1


@pytest.mark.parametrize("spacing", [0.5, 0.7, 0.9])
def test_pixels_keep_their_places(spacing: float) -> None:
    columns = (np.arange(120) + 0.5) * spacing
    hu = isotropic_plane(volume(np.broadcast_to(columns * 10, (2, 120, 120)), [0.0, 1.0], spacing), 1)

    assert hu.shape == (int(120 * spacing / ISOTROPIC_MM + 1e-6),) * 2
    expected = (np.arange(hu.shape[1]) + 0.5) * ISOTROPIC_MM * 10
    assert hu[5, 4:-4] == pytest.approx(expected[4:-4], abs=0.5)


def test_padding_does_not_bleed() -> None:
    hu = np.full((2, 80, 80), -1000.0)
    hu[:, :, :40] = -3024

    assert isotropic_plane(volume(hu, [0.0, 1.0]), 0) == pytest.approx(-1000)


def test_a_smaller_image_has_the_same_mean() -> None:
    plane = np.random.default_rng(0).normal(0, 100, (514, 514)).astype(np.float32)

    assert reduced(plane, 256).shape == (256, 256)
    assert reduced(plane, 256).mean() == pytest.approx(plane.mean(), abs=0.01)


@pytest.mark.parametrize("size", [480, 497, 514])
def test_a_smaller_image_keeps_its_places(size: int) -> None:
    ramp = np.broadcast_to(np.arange(size, dtype=np.float32), (size, size))

    # Pixel (0, 0) has the same corner in both, and what stands in a pixel is the value at its centre.
    expected = (np.arange(256) + 0.5) * size / 256 - 0.5
    assert reduced(ramp, 256).dtype == np.float32
    assert reduced(ramp, 256)[7] == pytest.approx(expected, abs=0.1)
    assert reduced(ramp.T, 256)[:, 7] == pytest.approx(expected, abs=0.1)
