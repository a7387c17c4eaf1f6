"""A real nodule into another real slice, in HU.

What is carried over is how far the nodule rises above the lung around it, as a share of the way from lung to soft
tissue: 0 is lung, 1 is tissue. Where the slice is lung, all of that share is added; where it is vessel or pleura, it
already is tissue and stays as it is. So the lung of the crop, darker or brighter, is left behind, and everything that
the slice had can still be seen, noise included. Soft nodules let vessels show through, as real ones do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import find_contours

from engine.ct import CTSlice
from training.prepared import READERS

Plane = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Soft tissue; what is brighter is added as it is (calcification).
_TISSUE = 40.0
#: Lung is darker than this; of this HU where there is none in sight.
_LUNG_BELOW, _USUAL_LUNG = -500.0, -850.0
#: Lung is looked for in a ring of this width, from so far outside the outlines.
_RING_MM, _RING_FROM_MM = 8.0, 2.0
#: The nodule is taken whole up to so far outside the outlines, and fades out over so much more.
_WHOLE_MM, _FADE_MM = 0.7, 1.5
#: What is added is nothing to speak of below this share.
_FAINT = 0.05
#: Within this distance a wall fades the nodule out: the wall of the crop stays behind.
_WALL_MM = 1.5
#: Level of `find_contours` that runs nearly through the outermost pixels that are not nodule, as LIDC's outlines do.
_OUTLINE_LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class NoduleShare:
    """A nodule cut out of its crop.

    Attributes
    ----------
    share : float64 (rows, columns)
        How far it rises from lung (0) to tissue (1), faded out around it.
    brighter : float64 (rows, columns)
        HU above soft tissue, faded out likewise.
    outlines : for each reader, None or float32 (points, 2), x and y in pixels of the crop
    centre : (x, y) of the square around all outlines
    extent_mm : longer side of that square
    spacing_mm : of the crop
    """

    share: Plane
    brighter: Plane
    outlines: tuple[NDArray[np.float32] | None, ...]
    centre: tuple[float, float]
    extent_mm: float
    spacing_mm: float


def cut_nodule(hu: NDArray[np.float32], reader_masks: NDArray[np.uint8], wall: Mask, spacing_mm: float) -> NoduleShare:
    """Cut a nodule out of a crop, (rows, columns).

    Parameters
    ----------
    reader_masks : uint8 (rows, columns)
        Bit k is set inside the outline of reader k; at least one pixel is set.
    wall : bool (rows, columns)
        The wall of the lung.
    """
    away = _distance(reader_masks == 0) * spacing_mm
    lung = _median_lung(hu[(away > _RING_FROM_MM) & (away <= _RING_FROM_MM + _RING_MM)])
    weight = np.clip((_WHOLE_MM + _FADE_MM - away) / _FADE_MM, 0, 1)
    if wall.any():
        from_wall = np.where(reader_masks > 0, np.inf, _distance(~wall) * spacing_mm)
        weight *= np.clip(from_wall / _WALL_MM, 0, 1)
    outlines = tuple(_outline((reader_masks & (1 << reader)) > 0) for reader in range(READERS))
    points = np.concatenate([outline for outline in outlines if outline is not None])
    low, high = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return NoduleShare(
        share=weight * np.minimum((hu - lung) / (_TISSUE - lung), 1),
        brighter=weight * np.maximum(hu - _TISSUE, 0),
        outlines=outlines,
        centre=((low[0] + high[0]) / 2, (low[1] + high[1]) / 2),
        extent_mm=max(high[0] - low[0], high[1] - low[1]) * spacing_mm,
        spacing_mm=spacing_mm,
    )


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a nodule goes, and how it is turned.

    Attributes
    ----------
    place : (x, y)
        Where its centre comes to lie, in pixels of the slice; pixel (0, 0) covers [0, 1) x [0, 1).
    angle : float
        From x to y, in radians.
    mirrored : bool
        From left to right, before it is turned.
    """

    place: tuple[float, float]
    angle: float
    mirrored: bool

    def matrix(self, scale: float) -> Plane:
        """Matrix, (2, 2), from (x, y) in pixels of the crop to pixels of the slice, `scale` of them a crop pixel."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        return scale * np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([-1.0 if self.mirrored else 1.0, 1.0])


def transplant(ct_slice: CTSlice, nodule: NoduleShare, pose: Pose) -> NDArray[np.float32]:
    """Return the HU of a slice with square pixels, (rows, columns), with the nodule in it."""
    share, brighter = (_moved(plane, nodule, pose, ct_slice) for plane in (nodule.share, nodule.brighter))
    hu = ct_slice.hu.astype(np.float64)
    lung = _lung_around(hu, np.abs(share) > _FAINT, ct_slice.pixel_spacing[0])
    already = np.clip((hu - lung) / (_TISSUE - lung), 0, 1)
    return (hu + share * (_TISSUE - lung) * (1 - already) + brighter).astype(np.float32)


def moved_outline(
    outline: NDArray[np.float32], nodule: NoduleShare, pose: Pose, spacing_mm: float
) -> NDArray[np.float32]:
    """Return an outline of the crop, (points, 2) of x and y, in pixels of the slice, which are `spacing_mm` wide."""
    matrix = pose.matrix(nodule.spacing_mm / spacing_mm)
    return ((outline - nodule.centre) @ matrix.T + pose.place).astype(np.float32)


def _moved(plane: Plane, nodule: NoduleShare, pose: Pose, ct_slice: CTSlice) -> Plane:
    """Resample a plane of the crop to the slice, each pixel the mean of about the area that it covers."""
    scale = nodule.spacing_mm / ct_slice.pixel_spacing[0]
    blurred = ndimage.gaussian_filter(plane, 0.5 * np.sqrt(max(0.0, scale**-2 - 1)))
    # In (row, column) and with pixel centres at whole numbers, as ndimage counts.
    back = np.linalg.inv(pose.matrix(scale))[::-1, ::-1]
    offset: Any = np.array(nodule.centre[::-1]) - 0.5 - back @ (np.array(pose.place[::-1]) - 0.5)
    return np.asarray(ndimage.affine_transform(blurred, back, offset, output_shape=ct_slice.shape, order=1))


def _lung_around(hu: Plane, nodule: Mask, spacing_mm: float) -> float:
    away = _distance(~nodule) * spacing_mm
    return _median_lung(hu[(away > 0) & (away <= _RING_MM)])


def _outline(mask: Mask) -> NDArray[np.float32] | None:
    if not mask.any():
        return None
    longest = max(find_contours(np.pad(mask, 1).astype(float), _OUTLINE_LEVEL), key=len)
    # From (row, column) of padded pixel centres to x and y.
    return (longest[:, ::-1] - 0.5).astype(np.float32)


def _median_lung(hu: NDArray[np.floating]) -> float:
    lung = hu[hu < _LUNG_BELOW]
    return float(np.median(lung)) if lung.size else _USUAL_LUNG


def _distance(mask: Mask) -> Plane:
    """Distance of each True to the nearest False, in pixels."""
    return np.asarray(ndimage.distance_transform_edt(mask))
