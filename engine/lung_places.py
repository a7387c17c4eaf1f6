"""Places in the lungs of one slice, and which of them resembles a place where a nodule was."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTSlice
from engine.lungs import AERATED_BELOW, LEAST_SHARE_IN_LUNG, lung_mask
from engine.nodule import BoundingBox

Mask = NDArray[np.bool_]
Plane = NDArray[np.float64]

#: How alike places must be, as standard deviations: distance to the wall, and place relative to the lungs.
_WALL_DEVIATION_MM, _PLACE_DEVIATION_MM = 2.0, 25.0
#: Farther from the wall than this is all the same: crops do not show more.
_FAR_MM = 20.0
#: Boxes full of vessels are rarer, by a power of their share of air.
_AIR_POWER, _LEAST_AIR = 3.0, 0.01


@dataclass(frozen=True)
class NodulePlace:
    """Where a nodule was.

    Attributes
    ----------
    extent_mm : float
        Of the nodule.
    wall_mm : float
        From its rim to the wall of the lung.
    from_lungs_mm : (row, column)
        Of its centre from the middle of the lungs.
    """

    extent_mm: float
    wall_mm: float
    from_lungs_mm: tuple[float, float]


@dataclass(frozen=True, eq=False)
class LungPlaces:
    """The lungs of a slice.

    Attributes
    ----------
    slice : CTSlice
    mask : bool (rows, columns), of `engine.lungs.lung_mask`
    wall_mm : float32 (rows, columns)
        Distance of each pixel in the lungs to the nearest that is not.
    """

    slice: CTSlice
    mask: Mask
    wall_mm: NDArray[np.float32]

    def draw(self, wanted: NodulePlace, side: int, generator: np.random.Generator) -> tuple[int, int] | None:
        """Draw where a box of `side` pixels begins, (row, column); None if nowhere 80 % of it are in lung.

        Places are the more probable the more they resemble the one wanted, and where there is air.
        """
        if side > min(self.mask.shape):
            return None
        rows, columns = np.nonzero(_box_means(self.mask, side) >= LEAST_SHARE_IN_LUNG - 1e-9)
        if rows.size == 0:
            return None
        wall = self.wall_mm[rows + side // 2, columns + side // 2] - wanted.extent_mm / 2
        unlike = ((np.clip(wall, 0, _FAR_MM) - min(_FAR_MM, wanted.wall_mm)) / _WALL_DEVIATION_MM) ** 2
        for axis, begins in enumerate((rows, columns)):
            offset = (begins + side / 2 - self._middle(axis)) * self.slice.pixel_spacing[axis]
            unlike += ((offset - wanted.from_lungs_mm[axis]) / _PLACE_DEVIATION_MM) ** 2
        air = _box_means(self.slice.hu < AERATED_BELOW, side)[rows, columns]
        weights = np.exp(-0.5 * (unlike - unlike.min())) * np.maximum(air, _LEAST_AIR) ** _AIR_POWER
        chosen = int(generator.choice(len(weights), p=weights / weights.sum()))
        return int(rows[chosen]), int(columns[chosen])

    def from_middle_mm(self, box: BoundingBox) -> tuple[float, float]:
        """Return where the centre of a box lies, (row, column) mm from the middle of the lungs; there must be some."""
        row, column = (
            (centre - self._middle(axis)) * self.slice.pixel_spacing[axis] for axis, centre in enumerate(box.centre)
        )
        return row, column

    def _middle(self, axis: int) -> float:
        """Row or column halfway between the outermost ones of the lungs, in pixels."""
        along = np.flatnonzero(self.mask.any(axis=1 - axis))
        return (along[0] + along[-1] + 1) / 2


def find_lung_places(ct_slice: CTSlice) -> LungPlaces:
    """Find the lungs; there may be none."""
    mask = lung_mask(ct_slice)
    distance: Plane = import_module("scipy.ndimage").distance_transform_edt(mask, sampling=ct_slice.pixel_spacing)
    return LungPlaces(ct_slice, mask, distance.astype(np.float32))


def _box_means(mask: Mask, side: int) -> Plane:
    """Share of every box of this side that the mask covers, by the row and column that it begins at."""
    sums: Any = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1))
    sums[1:, 1:] = mask.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return inside / side**2
