"""The square window around a box: cut out of a slice at a fixed spacing.

A window is `size` x `size` pixels of `spacing` mm, centred on the box. Coordinates are (column, row) = (x, y),
continuous, and pixel i covers [i, i + 1), so the centre of pixel 0 lies at 0.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from engine.ct import CTSlice
from engine.hounsfield import LEARNED_HU
from engine.nodule import BoundingBox

#: A slice finer than this many pixels per window pixel is smoothed before it is sampled, or it would alias.
_COARSEST_UNFILTERED = 2.0


@dataclass(frozen=True)
class WindowGrid:
    """Size and spacing of a generator's window.

    Attributes
    ----------
    size : int
        Pixels along each side.
    spacing_mm : float
        Of a window pixel, for boxes up to `largest_box_mm`.
    largest_box_mm : float
        Side of the largest box that a window of that spacing takes; a larger box gets a coarser window, so that it
        always leaves as much context around it.
    """

    size: int = 64
    spacing_mm: float = 0.7
    largest_box_mm: float = 32.0

    def spacing_for(self, side_mm: float) -> float:
        """Return the spacing, in mm, of the window for a box of that side."""
        return self.spacing_mm * max(1.0, side_mm / self.largest_box_mm)


@dataclass(frozen=True)
class Window:
    """Where one window lies on one slice.

    Attributes
    ----------
    centre : (x, y)
        In pixels of the slice.
    scale : (x, y)
        Slice pixels per window pixel.
    spacing_mm : float
        Of a window pixel.
    box : (left, top, right, bottom)
        Of the box, in window pixels, continuous.
    """

    centre: tuple[float, float]
    scale: tuple[float, float]
    spacing_mm: float
    box: tuple[float, float, float, float]
    size: int

    @property
    def to_slice(self) -> Tensor:
        """(1, 2, 3): window coordinates relative to the window's centre -> slice coordinates."""
        (x, y), (scale_x, scale_y) = self.centre, self.scale
        return torch.tensor([[[scale_x, 0.0, x], [0.0, scale_y, y]]])


def window_for(ct_slice: CTSlice, box: BoundingBox, grid: WindowGrid) -> Window:
    """Place the window for a box: centred on it, of the spacing that the box's side asks for."""
    row_mm, column_mm = ct_slice.pixel_spacing
    spacing = grid.spacing_for(box.side_mm(ct_slice.pixel_spacing))
    centre_row, centre_column = box.centre
    half_x, half_y = box.side * column_mm / spacing / 2, box.side * row_mm / spacing / 2
    middle = grid.size / 2
    return Window(
        centre=(centre_column, centre_row),
        scale=(spacing / column_mm, spacing / row_mm),
        spacing_mm=spacing,
        box=(middle - half_x, middle - half_y, middle + half_x, middle + half_y),
        size=grid.size,
    )


def sample(images: Tensor, to_source: Tensor, size: int, mode: Literal["bicubic", "nearest"]) -> Tensor:
    """Cut windows out of images; what lies off an image repeats its edge.

    Parameters
    ----------
    images : (N, C, H, W) float32
    to_source : (N, 2, 3)
        Window coordinates relative to the window's centre, in window pixels, -> image coordinates.
    size : int
        Side of the windows in pixels.

    Returns
    -------
    (N, C, size, size) float32
    """
    height, width = images.shape[-2:]
    steps = torch.arange(size, device=images.device) + 0.5 - size / 2
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    points = torch.stack((x, y, torch.ones_like(x)), dim=-1).reshape(1, -1, 3)
    source = points @ to_source.to(images.device).transpose(1, 2)
    normalised = source * torch.tensor([2 / width, 2 / height], device=images.device) - 1
    grid = normalised.reshape(-1, size, size, 2)
    return functional.grid_sample(images, grid, mode=mode, padding_mode="border", align_corners=False)


def cut_out(hu: Tensor, window: Window) -> Tensor:
    """Cut a window, (1, 1, size, size) HU, out of a slice of (rows, columns) HU, which are clipped to `LEARNED_HU`."""
    # First: interpolated, what is beyond would spoil the pixels beside it.
    image = hu[None, None].float().clamp(*LEARNED_HU)
    coarseness = max(window.scale)
    if coarseness > _COARSEST_UNFILTERED:
        image = gaussian_blur(image, 0.5 * math.sqrt((coarseness / _COARSEST_UNFILTERED) ** 2 - 1) + 0.3)
    return sample(image, window.to_slice, window.size, "bicubic")


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Blur (N, 1, H, W) with a Gaussian of `sigma` pixels; edges are repeated."""
    radius = max(1, math.ceil(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    padded = functional.pad(images, (radius, radius, radius, radius), mode="replicate")
    rows = functional.conv2d(padded, kernel[None, None, :, None])
    return functional.conv2d(rows, kernel[None, None, None, :])
