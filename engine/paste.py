"""A generated window back into its slice: HU change inside the box only, and no seam shows.

The window has 0.7 mm pixels, the slice has its own spacing and kernel. What the window cannot carry, the finest
noise of the slice, is what is left of the slice after a round trip through the window. It is put back inside the
box, limited to the level it has around the box, so that noise returns and edges of what was there before do not.
Then the noise inside is measured against that outside, and what is missing or too much is made up for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engine.codec import Codec
from engine.ct import CTSlice
from engine.nodule import BoundingBox
from engine.noise import BLEND_MM, equalise_noise
from engine.window import Window, gaussian_blur

#: A slice this many times coarser than its window takes the mean of several window pixels, not one of them.
_COARSEST_UNFILTERED = 1.5
#: Residuals are limited to this many standard deviations of the noise around the box.
_NOISE_LIMIT = 2.5
#: Ring around the box, in mm, in which the slice's own noise is measured.
_RING_MM = 8.0


def lift(window_hu: Tensor, window: Window, box: BoundingBox, margin: int = 0) -> Tensor:
    """Resample a window, (1, 1, size, size) HU, to the pixels of the box and `margin` pixels around it.

    Returns
    -------
    (side + 2 margin, side + 2 margin) float32, on the window's device
    """
    (x, y), (scale_x, scale_y) = window.centre, window.scale
    coarseness = 1 / max(window.scale)
    if coarseness > _COARSEST_UNFILTERED:
        window_hu = gaussian_blur(window_hu, 0.5 * math.sqrt(coarseness**2 - 1))
    pixels = torch.arange(-margin, box.side + margin, device=window_hu.device) + 0.5
    columns = (box.column + pixels - x) / scale_x * 2 / window.size
    rows = (box.row + pixels - y) / scale_y * 2 / window.size
    grid_y, grid_x = torch.meshgrid(rows, columns, indexing="ij")
    grid = torch.stack((grid_x, grid_y), dim=-1)[None]
    lifted = functional.grid_sample(window_hu, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return lifted[0, 0]


def paste(
    before: CTSlice, box: BoundingBox, window: Window, window_before: Tensor, generated: Tensor, codec: Codec
) -> CTSlice:
    """Return the slice with the generated window inside the box; HU outside the box are those of `before`.

    Parameters
    ----------
    window_before, generated : (1, 1, size, size) HU
        The window as it was cut out of the slice, and as it was generated.
    """
    original = before.hu[box.slices].astype(np.float32)
    lifted = lift(generated, window, box).cpu().numpy()
    # Bone and metal beyond the codec's range are cut off in the window; where the result is bone too, they return.
    clipped = np.clip(original, codec.hu_min, codec.hu_max)
    beyond = np.where(lifted >= codec.hu_max - 40, original - clipped, 0)
    fresh = lifted + fine_noise(before, box, window, window_before, codec) + beyond
    pasted = _blended(before, box, fresh)
    return _blended(before, box, fresh + equalise_noise(pasted, box))


def _blended(before: CTSlice, box: BoundingBox, fresh: NDArray[Any]) -> CTSlice:
    original = before.hu[box.slices].astype(np.float32)
    blended = original + blend_weights(box.side, before.pixel_spacing) * (fresh - original)
    hu: Any = before.hu.copy()
    hu[box.slices] = np.rint(blended) if hu.dtype == np.int16 else blended
    return before.with_hu(hu)


def fine_noise(
    before: CTSlice, box: BoundingBox, window: Window, window_before: Tensor, codec: Codec
) -> NDArray[np.float32]:
    """Return the part of the slice inside the box, (side, side) HU, that is noise too fine for the window."""
    reach = max(2, round(_RING_MM / min(before.pixel_spacing)))
    margin = min(reach, *_room_around(before, box))
    rows = slice(box.row - margin, box.row + box.side + margin)
    columns = slice(box.column - margin, box.column + box.side + margin)
    here = np.clip(before.hu[rows, columns].astype(np.float32), codec.hu_min, codec.hu_max)
    encoded = window_before.clamp(codec.hu_min, codec.hu_max)
    residual = here - lift(encoded, window, box, margin).cpu().numpy()
    # The median is not moved by the few pixels on vessels and pleura: 1.4826 MAD is sigma of normal noise.
    limit = _NOISE_LIMIT * 1.4826 * float(np.median(np.abs(residual)))
    inside = slice(margin, margin + box.side)
    return np.clip(residual[inside, inside], -limit, limit)


def _room_around(before: CTSlice, box: BoundingBox) -> tuple[int, int, int, int]:
    rows, columns = before.shape
    return box.row, box.column, rows - box.row - box.side, columns - box.column - box.side


def blend_weights(side: int, pixel_spacing: tuple[float, float]) -> NDArray[np.float32]:
    """Return the share of what was generated, (side, side) in [0, 1]: rising from the border of the box inwards."""
    pixels = np.arange(side) + 0.5
    to_border = np.minimum(pixels, side - pixels)
    rows, columns = (np.clip(to_border * spacing / BLEND_MM, 0, 1) for spacing in pixel_spacing)
    return np.minimum(rows[:, None], columns[None, :]).astype(np.float32)
