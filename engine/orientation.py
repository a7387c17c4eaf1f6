"""Which way slices lie in the patient, and how to turn them to the way radiologists read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.ct import HUArray, Vector

Plane = Literal["axial", "coronal", "sagittal", "oblique"]

#: Slices that are tilted further than this from a plane of the body are oblique. Gantries tilt up to 30.
MAX_TILT_DEGREES = 40.0


@dataclass(frozen=True)
class Geometry:
    """Where the pixels of parallel slices lie, in DICOM patient coordinates (LPS) and mm.

    Attributes
    ----------
    column_direction, row_direction : unit vectors
        Where the column index and the row index grow to: the first and the last three numbers of
        Image Orientation (Patient) (DICOM PS3.3, C.7.6.2.1.1).
    pixel_spacing : (row, column)
        Distance between the centres of neighbouring rows, and of neighbouring columns.
    positions : one (x, y, z) a slice
        Centre of pixel (0, 0).
    """

    column_direction: Vector
    row_direction: Vector
    pixel_spacing: tuple[float, float]
    positions: tuple[Vector, ...]

    @property
    def plane(self) -> Plane:
        """The plane of the body along which the slices lie."""
        return plane_of(self.column_direction, self.row_direction)


def as_vector(values: Any) -> Vector:
    """Return three numbers as a vector, without negative zeros."""
    x, y, z = (float(value) + 0.0 for value in values)
    return x, y, z


def slice_normal(column_direction: Vector, row_direction: Vector) -> NDArray[np.float64]:
    """Return the normal along which SimpleITK and GDCM sort slices: column direction x row direction."""
    return np.cross(column_direction, row_direction)


def plane_of(column_direction: Vector, row_direction: Vector) -> Plane:
    """Return the plane of the body along which a slice lies, up to `MAX_TILT_DEGREES` away from it."""
    along = np.abs(slice_normal(column_direction, row_direction))
    nearest = int(np.argmax(along))
    if along[nearest] < np.cos(np.radians(MAX_TILT_DEGREES)):
        return "oblique"
    planes: tuple[Plane, Plane, Plane] = ("sagittal", "coronal", "axial")
    return planes[nearest]


def radiological(hu: HUArray, geometry: Geometry) -> tuple[HUArray, Geometry]:
    """Turn axial slices so that patient's right is on the left and front is up, by flips and a transpose.

    No pixel is interpolated: columns then grow as nearly as they can to the patient's left (+x), rows to the
    back (+y). The order of the slices stays.

    Parameters
    ----------
    hu : (slices, rows, columns)
    geometry : of `hu` as it is

    Returns
    -------
    The turned slices (a view), and their geometry.
    """
    columns, rows = np.asarray(geometry.column_direction), np.asarray(geometry.row_direction)
    positions = np.asarray(geometry.positions)
    spacing = geometry.pixel_spacing
    turned: Any = hu
    if abs(columns[1]) + abs(rows[0]) > abs(columns[0]) + abs(rows[1]):
        turned = turned.swapaxes(1, 2)
        columns, rows, spacing = rows, columns, (spacing[1], spacing[0])
    if columns[0] < 0:
        turned = turned[:, :, ::-1]
        positions = positions + columns * spacing[1] * (turned.shape[2] - 1)
        columns = -columns
    if rows[1] < 0:
        turned = turned[:, ::-1, :]
        positions = positions + rows * spacing[0] * (turned.shape[1] - 1)
        rows = -rows
    placed = tuple(as_vector(position) for position in positions)
    return turned, Geometry(as_vector(columns), as_vector(rows), spacing, placed)
