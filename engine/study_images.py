"""One way for every image of a study, real or synthetic, so that nothing but what is seen tells them apart.

HU are clipped to the range of 12-bit CT and put on one grid of whole numbers: the coarsest that any source has, for a
nodule that was made may have odd HU in a slice that has only even ones. Crops are all resampled, to one spacing and
size. Whole slices are padded to one shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTSlice
from engine.nodule import BoundingBox
from engine.study_sources import Source

#: Of 12-bit CT images with the usual intercept of -1024.
HU_RANGE = (-1024, 3071)
#: No scanner has a coarser grid; with fewer different values there is none to be seen.
_COARSEST_STEP, _LEAST_VALUES = 32, 20

Box = tuple[int, int, int]


def hu_step(sources: Sequence[Source]) -> int:
    """Return the step in HU of the coarsest source, as its pixels outside the box show it; 1 for usual CT."""
    return max((_step_of(source) for source in sources), default=1)


def whole_image(source: Source, shape: tuple[int, int], step: int) -> tuple[CTSlice, Box | None]:
    """Return a whole slice, padded with air to a shape that is not smaller, and where its box is then."""
    rows, columns = source.image.shape
    top, left = (shape[0] - rows) // 2, (shape[1] - columns) // 2
    hu = np.full(shape, HU_RANGE[0], np.float64)
    hu[top : top + rows, left : left + columns] = source.image.hu
    box = source.box
    placed = None if box is None else (box.row + top, box.column + left, box.side)
    return CTSlice(_on_grid(hu, step), source.image.pixel_spacing), placed


def cropped_image(source: Source, crop_mm: float, spacing_mm: float, step: int) -> tuple[CTSlice, Box]:
    """Return a square of `crop_mm` around the box, resampled (cubic splines) to a spacing; and where the box is then.

    What lies off the slice repeats its edge.
    """
    image, box = source.image, source.nodule_box
    size = max(2, round(crop_mm / spacing_mm))
    offsets = (np.arange(size) + 0.5 - size / 2) * spacing_mm
    rows, columns = (
        middle + offsets / spacing - 0.5 for middle, spacing in zip(box.centre, image.pixel_spacing, strict=True)
    )
    # Clipped before: splines would swing beside metal and padding values.
    clipped = np.clip(image.hu.astype(np.float64), *HU_RANGE)
    points = np.meshgrid(rows, columns, indexing="ij")
    sampled: Any = import_module("scipy.ndimage").map_coordinates(clipped, points, order=3, mode="nearest")
    side = box.side_mm(image.pixel_spacing) / spacing_mm
    fitted = BoundingBox.nearest((size - side) / 2, (size - side) / 2, side, (size, size))
    return CTSlice(_on_grid(sampled, step), (spacing_mm, spacing_mm)), (fitted.row, fitted.column, fitted.side)


def _on_grid(hu: NDArray[np.float64], step: int) -> NDArray[np.int16]:
    """Clip and round; multiples of the step, the bounds included.

    Halves go up: to even, odd HU on a grid of two would all become multiples of four, and tell where a nodule was made.
    """
    least, most = (int(bound / step) * step for bound in HU_RANGE)
    return np.clip(np.floor(hu / step + 0.5) * step, least, most).astype(np.int16)


def _step_of(source: Source) -> int:
    outside = np.ones(source.image.shape, np.bool_) if source.box is None else ~source.box.mask()
    values = np.unique(source.image.hu[outside])
    values = values[(values > HU_RANGE[0]) & (values < HU_RANGE[1])]
    if len(values) < _LEAST_VALUES or not np.array_equal(values, np.rint(values)):
        return 1
    step = int(np.gcd.reduce(np.diff(values.astype(np.int64))))
    return min(step, _COARSEST_STEP)
