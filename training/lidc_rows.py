"""From a scan and what its readers drew in it to rows of prepared data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from engine.ct import CTVolume
from training.isotropic import ISOTROPIC_MM, isotropic_plane, plane_of_slice, reduced, slice_places
from training.lidc_annotations import AnnotatedScan, Contour, ReaderAnnotation
from training.prepared import (
    CROP_SIZE,
    SLICE_SIZE,
    ImageSource,
    NoduleRow,
    ReaderNodule,
    SliceRow,
    outline_mask,
    stored_from_hu,
)

SOURCE = "lidc_idri"


@dataclass(frozen=True, eq=False)
class _Drawn:
    """One reader's outlines in one slice.

    Attributes
    ----------
    nodule, annotation
    pixel_mm : float64 (2,)
        Distance between the columns of the slice, and between its rows.
    parts, holes : each float32 (points, 2), x and y in pixels of the slice, turned as it is
        Lines around nodule, and around what in it is not nodule.
    """

    nodule: int
    annotation: ReaderAnnotation
    pixel_mm: NDArray[np.float64]
    parts: tuple[NDArray[np.float32], ...]
    holes: tuple[NDArray[np.float32], ...]

    def seen(self, corner: NDArray[np.float64], scale: float, size: int) -> ReaderNodule:
        """As `ReaderNodule` on a grid, with its largest part as outline.

        The grid begins at `corner`, (x, y) in isotropic pixels, of which each has `scale` pixels of the grid.
        """
        parts = [((part * self.pixel_mm / ISOTROPIC_MM - corner) * scale).astype(np.float32) for part in self.parts]
        return self.annotation.seen(self.nodule, parts, size)

    def mask(self, corner: NDArray[np.float64], size: int) -> NDArray[np.bool_]:
        """Isotropic pixels from `corner` on, bool (size, size), in which more than half is nodule.

        Filled on the slice and then resampled: the line itself is not nodule, and filled on finer pixels it would
        add half a pixel of the slice all round, a third of the area of a small nodule.
        """
        points = np.concatenate(self.parts)
        first = np.floor(points.min(axis=0)) - 1
        extent = int((np.ceil(points.max(axis=0)) - first).max()) + 1
        inside = np.zeros((extent, extent), np.bool_)
        for part in self.parts:
            inside |= outline_mask(part - first, extent)
        for hole in self.holes:
            inside &= ~outline_mask(hole - first, extent, with_line=True)
        step = ISOTROPIC_MM / self.pixel_mm
        start = (corner + 0.5) * step - 0.5 - first
        shares = affine_transform(inside.astype(np.float32), step[::-1], start[::-1], (size, size), order=1)
        return np.asarray(shares > 0.5)


@dataclass(frozen=True, eq=False)
class _Plane:
    """A plane of the isotropic scan, (size, size) HU, and what was drawn in the slice that lies nearest."""

    origin: ImageSource
    hu: NDArray[np.float32]
    drawn: tuple[_Drawn, ...]


def scan_rows(volume: CTVolume, scan: AnnotatedScan) -> tuple[list[SliceRow], list[NoduleRow]]:
    """Return rows of all planes of a scan in which a nodule was outlined, and a crop of each nodule in them.

    An outline belongs to the isotropic plane nearest to its slice, 0.35 mm away at most: planes between outlined
    slices would need outlines that no reader drew, and would count a nodule of a thick scan several times. Crops are
    96 x 96 pixels of 0.7 mm: the 64 x 64 windows of the nodule generator are drawn from them, turned and shifted.
    """
    slices: list[SliceRow] = []
    nodules: list[NoduleRow] = []
    for plane in _outlined_planes(volume, scan):
        slices.append(_slice_row(plane))
        nodules.extend(_nodule_rows(plane))
    return slices, nodules


def _outlined_planes(volume: CTVolume, scan: AnnotatedScan) -> Iterator[_Plane]:
    slice_z = np.array([position[2] for position in volume.positions])
    places = slice_places(volume)
    outlined = {
        int(np.abs(slice_z - contour.z_mm).argmin())
        for nodule in scan.nodules
        for annotation in nodule
        for contour in annotation.contours
    }
    # Where slices are finer than planes, a plane is that of the slice that lies nearest.
    nearest: dict[int, int] = {}
    for index in sorted(outlined, key=lambda i: -abs(places[i] - plane_of_slice(places, i) * ISOTROPIC_MM)):
        nearest[plane_of_slice(places, index)] = index
    for plane, index in sorted(nearest.items()):
        drawn = tuple(_drawn_in(volume, scan, index, slice_z))
        if drawn:
            z_mm = float(np.interp(plane * ISOTROPIC_MM, places, slice_z))
            yield _Plane(_origin(volume, scan, index, z_mm), isotropic_plane(volume, plane), drawn)


def _origin(volume: CTVolume, scan: AnnotatedScan, index: int, z_mm: float) -> ImageSource:
    return ImageSource(
        scan.patient_id,
        scan.series_uid,
        str(volume.headers[index].SOPInstanceUID),
        SOURCE,
        z_mm,
        ISOTROPIC_MM,
        scan.slice_thickness_mm,
        scan.scan_id,
        scan.is_from_initial,
    )


def _drawn_in(volume: CTVolume, scan: AnnotatedScan, index: int, slice_z: NDArray[np.float64]) -> Iterator[_Drawn]:
    for number, nodule in enumerate(scan.nodules):
        for annotation in nodule:
            here = [c for c in annotation.contours if np.abs(slice_z - c.z_mm).argmin() == index]
            parts = tuple(_in_plane(volume, index, contour) for contour in here if contour.is_inclusion)
            holes = tuple(_in_plane(volume, index, contour) for contour in here if not contour.is_inclusion)
            if parts:
                yield _Drawn(number, annotation, _pixel_mm(volume), parts, holes)


def _in_plane(volume: CTVolume, index: int, contour: Contour) -> NDArray[np.float32]:
    """Return x and y, (points, 2), in pixels of the slice as it was turned, of a contour in it as it is stored."""
    header = volume.headers[index]
    row_mm, column_mm = (float(value) for value in header.PixelSpacing)
    directions = np.array(header.ImageOrientationPatient, np.float64).reshape(2, 3)
    patient = np.array(header.ImagePositionPatient, np.float64) + contour.points * (column_mm, row_mm) @ directions
    turned = (patient - volume.positions[index]) @ np.array([volume.column_direction, volume.row_direction]).T
    # Rounded, since contours run through the centres of pixels, and what lies on the line must be told from what not.
    return (np.rint(turned / _pixel_mm(volume)) + 0.5).astype(np.float32)


def _pixel_mm(volume: CTVolume) -> NDArray[np.float64]:
    return np.array(volume.pixel_spacing[::-1], np.float64)


def _slice_row(plane: _Plane) -> SliceRow:
    scale = SLICE_SIZE / len(plane.hu)
    corner = np.zeros(2)
    origin = ImageSource(**{**vars(plane.origin), "pixel_spacing_mm": ISOTROPIC_MM / scale})
    seen = tuple(drawn.seen(corner, scale, SLICE_SIZE) for drawn in plane.drawn)
    return SliceRow(origin, stored_from_hu(reduced(plane.hu, SLICE_SIZE)), seen)


def _nodule_rows(plane: _Plane) -> Iterator[NoduleRow]:
    for number in sorted({drawn.nodule for drawn in plane.drawn}):
        readers = [drawn for drawn in plane.drawn if drawn.nodule == number]
        column, row = _crop_corner(readers, len(plane.hu))
        corner = np.array([column, row], np.float64)
        masks = [drawn.mask(corner, CROP_SIZE) for drawn in readers]
        yield NoduleRow(
            plane.origin,
            number,
            stored_from_hu(plane.hu[row : row + CROP_SIZE, column : column + CROP_SIZE]),
            np.packbits(np.stack(masks), axis=0, bitorder="little")[0],
            tuple(drawn.seen(corner, 1.0, CROP_SIZE) for drawn in readers),
        )


def _crop_corner(readers: Sequence[_Drawn], size: int) -> tuple[int, int]:
    """Return (column, row) of the crop with the nodule in its middle, or as near to it as the plane allows."""
    points = np.concatenate([part * drawn.pixel_mm / ISOTROPIC_MM for drawn in readers for part in drawn.parts])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    column, row = np.clip(np.rint(middle - CROP_SIZE / 2), 0, size - CROP_SIZE).astype(int).tolist()
    return column, row
