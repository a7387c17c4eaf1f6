"""CT images in Hounsfield units, in the orientation in which radiologists read them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError

if TYPE_CHECKING:
    from pydicom import Dataset

#: int16 where every value read is a whole number that fits, float32 otherwise.
HUArray = NDArray[np.int16] | NDArray[np.float32]
Vector = tuple[float, float, float]


@dataclass(frozen=True)
class WindowLevel:
    """What HU are shown as black and white: [level - width / 2, level + width / 2]."""

    width: float
    level: float

    def __post_init__(self) -> None:
        if not self.width >= 1:
            raise InputError(f"The window width is {self.width:g} HU; give 1 HU or more.")

    @property
    def bounds(self) -> tuple[float, float]:
        """HU shown as black and as white."""
        return self.level - self.width / 2, self.level + self.width / 2


LUNG = WindowLevel(1500, -600)
MEDIASTINUM = WindowLevel(400, 40)
BONE = WindowLevel(1800, 400)
#: In the order of the keys 1 to 3.
WINDOW_PRESETS: dict[str, WindowLevel] = {"Lung": LUNG, "Mediastinum": MEDIASTINUM, "Bone": BONE}


def read_only(array: HUArray) -> HUArray:
    """Return the array, contiguous and locked against writing."""
    locked: Any = np.ascontiguousarray(array)
    locked.setflags(write=False)
    return locked


@dataclass(frozen=True, eq=False)
class CTSlice:
    """One axial slice, patient's right on the left, front up.

    Attributes
    ----------
    hu : array of (rows, columns), int16 or float32
        HU as read, padding values included (-2000, -3024 ...); `engine.codec` clips them.
    pixel_spacing : (row, column) in mm
        Distance between the centres of neighbouring rows, and of neighbouring columns.
    """

    hu: HUArray
    pixel_spacing: tuple[float, float]

    def __post_init__(self) -> None:
        if self.hu.ndim != 2:
            raise ValueError(f"hu has {self.hu.ndim} axes; a slice has two: (rows, columns)")
        if min(self.pixel_spacing) <= 0:
            raise ValueError(f"pixel_spacing is {self.pixel_spacing}; both must be above 0 mm")
        object.__setattr__(self, "hu", read_only(self.hu))
        # Plain floats, since `sha256` writes them out: numpy's are written otherwise.
        row_mm, column_mm = self.pixel_spacing
        object.__setattr__(self, "pixel_spacing", (float(row_mm), float(column_mm)))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        rows, columns = self.hu.shape
        return rows, columns

    def with_hu(self, hu: HUArray) -> CTSlice:
        """Return this slice with other HU of the same shape."""
        if hu.shape != self.hu.shape:
            raise ValueError(f"hu has the shape {hu.shape}; the slice has {self.hu.shape}")
        return CTSlice(hu, self.pixel_spacing)

    def sha256(self) -> str:
        """Hash of the HU, their type and shape, and the spacing: names an input in `request.json`."""
        digest = hashlib.sha256(f"{self.hu.dtype.str} {self.hu.shape} {self.pixel_spacing}".encode())
        digest.update(self.hu.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class CTVolume:
    """A series of parallel axial slices, patient's right on the left, front up.

    Attributes
    ----------
    hu : array of (slices, rows, columns), int16 or float32
        Slices ascend along the slice normal of the file (the order of SimpleITK and GDCM).
    pixel_spacing : (row, column) in mm
    positions : one (x, y, z) a slice, mm, DICOM patient coordinates (LPS)
        Centre of pixel (0, 0) of each slice, after turning the slice to radiological orientation.
    column_direction, row_direction : unit vectors in LPS
        Where the column index grows to, and where the row index grows to.
    source : Path
        What was opened.
    description : str
        For people: the series description, or the file's name.
    headers : one DICOM data set a slice, without pixel data; empty if it was not DICOM
        As read, but that those of lossy pixels say so.
    warnings : tuple of str
        For people, one sentence each: what was left out when it was read, or assumed because the file is silent.
    is_made_whole : bool
        There is no patient and was no scan: each slice was made whole (`engine.whole_slices`).
    has_synthetic_mark : bool
        It was read from a file that is no DICOM and says that it is synthetic (`engine.synthetic_data`). DICOM says so
        slice by slice, in `headers`.
    """

    hu: HUArray
    pixel_spacing: tuple[float, float]
    positions: tuple[Vector, ...]
    column_direction: Vector = (1.0, 0.0, 0.0)
    row_direction: Vector = (0.0, 1.0, 0.0)
    source: Path = Path()
    description: str = ""
    headers: tuple[Dataset, ...] = field(default=(), repr=False)
    warnings: tuple[str, ...] = ()
    is_made_whole: bool = False
    has_synthetic_mark: bool = False

    def __post_init__(self) -> None:
        if self.hu.ndim != 3 or len(self.positions) != len(self.hu):
            raise ValueError(f"hu of shape {self.hu.shape} does not go with {len(self.positions)} positions")
        if self.headers and len(self.headers) != len(self.hu):
            raise ValueError(f"{len(self.headers)} headers do not go with {len(self.hu)} slices")
        object.__setattr__(self, "hu", read_only(self.hu))

    def __len__(self) -> int:
        return len(self.hu)

    def slice_at(self, index: int) -> CTSlice:
        """Return one slice.

        Raises
        ------
        InputError
            If there is no slice of that index.
        """
        if not 0 <= index < len(self):
            raise InputError(f"There is no slice {index}; this series has slices 0 to {len(self) - 1}.")
        plane: Any = self.hu[index]
        return CTSlice(plane, self.pixel_spacing)

    @property
    def slice_places(self) -> NDArray[np.float64]:
        """How far each slice lies from the first along the slice normal, (slices,) mm; negative before it."""
        positions = np.asarray(self.positions, np.float64)
        return (positions - positions[0]) @ np.cross(self.column_direction, self.row_direction)

    @property
    def slice_spacing(self) -> float:
        """Median distance between neighbouring slices along their normal in mm.

        Of a single slice, its header may tell the distance, or else the thickness; where it does not, 1.
        """
        if len(self) == 1:
            return self._spacing_told()
        return float(np.median(np.abs(np.diff(self.slice_places))))

    def _spacing_told(self) -> float:
        from engine.dicom_headers import number_of  # Imports pydicom.

        names = ("SpacingBetweenSlices", "SliceThickness")
        told = (number_of(header, name) or 0.0 for header in self.headers for name in names)
        return next((spacing for spacing in told if spacing > 0), 1.0)
