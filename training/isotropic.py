"""Planes of a scan resampled to 0.7 x 0.7 x 0.7 mm (paper, section 2.1).

Resampling is separable, so that a plane of the isotropic scan can be had without the others: the two neighbouring
slices are blended, and the result is resampled in the plane. Only planes with a nodule are kept, a fiftieth of most
scans, and only they are computed: the same numbers in a fraction of time and memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.transform import resize_local_mean

from engine.ct import CTVolume
from training.prepared import HU_MAX, HU_MIN

ISOTROPIC_MM = 0.7


def slice_places(volume: CTVolume) -> NDArray[np.float64]:
    """Return how far slices lie from the first, mm along their normal, (slices,), ascending: by position only."""
    along = volume.slice_places
    # Slices that were mirrored when they were turned are in the order of their old normal.
    return along * np.sign(along[-1])


def plane_of_slice(places: NDArray[np.float64], index: int) -> int:
    """Return the isotropic plane nearest to a slice: plane k lies `ISOTROPIC_MM` k from the first slice."""
    # Planes do not go on behind the last slice, where there is nothing to blend with. Slices that are as far apart as
    # planes may lie a rounding error before theirs.
    return min(round(places[index] / ISOTROPIC_MM), int(places[-1] / ISOTROPIC_MM + 1e-6))


def isotropic_plane(volume: CTVolume, plane: int) -> NDArray[np.float32]:
    """Return HU of a plane, (size, size), clipped to [-1000, 2500]; pixels are 0.7 mm wide.

    Pixel (0, 0) has the same corner as that of the slices. Clipped before it is resampled: padding (-2000, -3024)
    would bleed into the body. Linear between slices; bicubic in the plane, with a wider kernel where pixels get larger.
    """
    places = slice_places(volume)
    place = plane * ISOTROPIC_MM
    above = int(np.clip(np.searchsorted(places, place), 1, len(places) - 1))
    share = float(np.clip((place - places[above - 1]) / (places[above] - places[above - 1]), 0, 1))
    pair: Any = volume.hu[above - 1 : above + 1]
    below_hu, above_hu = np.clip(pair, HU_MIN, HU_MAX).astype(np.float32)
    blended = below_hu + np.float32(share) * (above_hu - below_hu)
    return _resampled(blended, volume.pixel_spacing)


def _resampled(hu: NDArray[np.float32], pixel_spacing: tuple[float, float]) -> NDArray[np.float32]:
    size = int(min(np.multiply(hu.shape, pixel_spacing)) / ISOTROPIC_MM + 1e-6)
    width, height = (size * ISOTROPIC_MM / spacing for spacing in reversed(pixel_spacing))
    covered = (0, 0, min(width, hu.shape[1]), min(height, hu.shape[0]))
    image = Image.fromarray(hu).resize((size, size), Image.Resampling.BICUBIC, box=covered)
    return np.clip(np.asarray(image), HU_MIN, HU_MAX)


def reduced(plane: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return a plane as (size, size), each pixel the mean of the area that it covers."""
    # Pillow's box filter takes whole pixels by their centres: up to half a pixel out of place, and noise gets a moire.
    return np.asarray(resize_local_mean(plane, (size, size), preserve_range=True), np.float32)
