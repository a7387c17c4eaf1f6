"""The wall of the lung in a crop around a nodule: chest wall, mediastinum, diaphragm, heart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label

Mask = NDArray[np.bool_]

#: Brighter than this, thicker than twice this and so large. Vessels are thinner or smaller.
_WALL_ABOVE, _WALL_MM, _WALL_MM2 = -420.0, 3.0, 150.0
#: The nodule itself is no wall; its blurred rim, so wide, lies outside the outline.
_NODULE_RIM_MM = 1.5


def find_wall(hu: NDArray[np.float32], nodule: Mask, spacing_mm: float) -> Mask:
    """Return the wall in a crop, bool (rows, columns): large and thick tissue that reaches the edge of the crop.

    Parameters
    ----------
    hu, nodule : (rows, columns)
    spacing_mm : of pixels, which are square
    """
    tissue = (hu > _WALL_ABOVE) & (_depth(~nodule) * spacing_mm > _NODULE_RIM_MM)
    core = _depth(tissue) * spacing_mm > _WALL_MM
    if not core.any():
        return core
    labels = np.asarray(label(tissue & (_depth(~core) * spacing_mm <= _WALL_MM), connectivity=1))
    areas = np.bincount(labels.ravel()) * spacing_mm**2
    kept = np.zeros(len(areas), np.bool_)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        kept[edge] = True
    kept &= areas >= _WALL_MM2
    kept[0] = False  # what is no tissue
    return kept[labels]


def wall_distance(nodule: Mask, wall: Mask, spacing_mm: float) -> float:
    """Return the distance in mm from a nodule's rim to the wall, 0 if it touches, as far as the crop shows.

    Where no wall is in sight: the distance to the edge of the crop, which is a lower bound.
    """
    frame = np.ones_like(nodule)
    frame[1:-1, 1:-1] = False
    return max(0.0, float(_depth(~nodule)[wall | frame].min()) * spacing_mm - _NODULE_RIM_MM)


def direction_to(wall: Mask, x: float, y: float) -> float:
    """Return the angle, from x to y, at which the nearest pixel of a wall is seen from a point; NaN without a wall."""
    rows, columns = np.nonzero(wall)
    if rows.size == 0:
        return float("nan")
    across, down = columns + 0.5 - x, rows + 0.5 - y
    nearest = int(np.argmin(across**2 + down**2))
    return float(np.arctan2(down[nearest], across[nearest]))


def _depth(mask: Mask) -> NDArray[np.float64]:
    """Distance of each True to the nearest False, in pixels."""
    return np.asarray(ndimage.distance_transform_edt(mask))
