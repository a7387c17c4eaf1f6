"""NIfTI, NRRD and MetaImage files, through SimpleITK."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTVolume
from engine.errors import InputError
from engine.hounsfield import compact, require_hu
from engine.orientation import Geometry, Plane, as_vector, radiological
from engine.synthetic_data import is_synthetic_mark
from engine.volume_headers import VolumeHeader, damaged, read_header, require_geometry

#: ITK's name for the `descrip` of a NIfTI file. In NRRD and MetaImage files it is a field of that very name.
FILE_NOTES = "ITK_FileNotes"
SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
_META_SUFFIXES = (".mha", ".mhd")
_ON_WINDOWS = os.name == "nt"
#: No volume has more pixels or slices along an axis. What ITK makes of a negative size is larger by far.
_LONGEST_AXIS = 2**16


@dataclass(frozen=True)
class VolumeFile:
    """What a volume file says about itself.

    Attributes
    ----------
    path : Path
    geometry : Geometry
        As SimpleITK reads it: the third axis counts slices, the first columns, the second rows.
    problem : str
        One sentence on why it cannot be opened, empty if it can.
    warnings : tuple of str
        One sentence each on what the file does not say and was assumed.
    has_synthetic_mark : bool
        The file says that it is synthetic, as our exports do (`engine.synthetic_data`).
    """

    path: Path
    geometry: Geometry
    problem: str
    warnings: tuple[str, ...]
    has_synthetic_mark: bool

    @property
    def plane(self) -> Plane | Literal["unknown"]:
        """The plane of the body along which the slices lie."""
        return self.geometry.plane

    @property
    def slice_spacing(self) -> float:
        """Distance between neighbouring slices in mm; 0 if there is one slice."""
        first_two = np.asarray(self.geometry.positions[:2])
        return 0.0 if len(first_two) < 2 else float(np.linalg.norm(first_two[1] - first_two[0]))


def is_volume_file(file: Path) -> bool:
    """Is the file called like a NIfTI, NRRD or MetaImage file?"""
    return file.name.lower().endswith(SUFFIXES)


def is_beyond_itk(path: Path) -> bool:
    """Has the path letters with which ITK can open no file? On Windows it takes their bytes for others."""
    return _ON_WINDOWS and not str(path).isascii()


def inspect_volume_file(path: Path) -> VolumeFile:
    """Read what a volume file says about itself, without its pixels.

    Raises
    ------
    InputError
        If the file is damaged or cut short, or its geometry is none.
    """
    header = read_header(path)
    reader = _reader(path)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    if reader.GetDimension() < 2 or not all(0 < size <= _LONGEST_AXIS for size in reader.GetSize()):
        raise damaged(path)
    require_geometry(path, reader.GetSpacing()[:3], reader.GetOrigin()[:3])
    geometry = _geometry(reader)
    problem, warnings = _problem(reader, header, geometry), tuple(_warnings(reader, header))
    return VolumeFile(path, geometry, problem, warnings, _has_synthetic_mark(reader))


def read_volume_file(file: VolumeFile, source: Path) -> CTVolume:
    """Read the pixels of a volume file; slices stay in the order of its third axis.

    Parameters
    ----------
    file : from `inspect_volume_file`
    source : Path
        What the user opened.

    Raises
    ------
    InputError
        If the file has a problem, its data are damaged, or its values are not Hounsfield units.
    """
    import SimpleITK as sitk

    if file.problem:
        raise InputError(file.problem)
    try:
        image = _reader(file.path).Execute()
    except RuntimeError as error:
        raise _unreadable(file.path, error) from error
    values: NDArray[Any] = sitk.GetArrayViewFromImage(image)
    columns, rows = image.GetSize()[:2]
    values = values.reshape(-1, rows, columns)
    require_hu(values, file.path.name)
    hu, geometry = radiological(compact(values), file.geometry)
    return CTVolume(
        hu,
        geometry.pixel_spacing,
        geometry.positions,
        geometry.column_direction,
        geometry.row_direction,
        source,
        file.path.name,
        warnings=file.warnings,
        has_synthetic_mark=file.has_synthetic_mark,
    )


def _reader(path: Path) -> Any:
    import SimpleITK as sitk

    # ITK prints its warnings on standard error; what matters of them is found by `read_header`.
    process: Any = sitk.ProcessObject
    process.SetGlobalWarningDisplay(False)
    reader: Any = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    if path.suffix.lower() in _META_SUFFIXES:
        reader.SetImageIO("MetaImageIO")  # ITK knows these files by their suffix, in small letters only.
    return reader


def _geometry(reader: Any) -> Geometry:
    """Return the geometry of the file; a file of two dimensions is one slice at z = 0."""
    axes = reader.GetDimension()
    direction = np.eye(3)
    within = min(axes, 3)
    direction[:within, :within] = np.reshape(reader.GetDirection(), (axes, axes))[:within, :within]
    spacing = [*reader.GetSpacing(), 1.0][:3]
    origin = np.asarray([*reader.GetOrigin(), 0.0][:3])
    slices = [*reader.GetSize(), 1][2]
    positions = tuple(as_vector(origin + index * spacing[2] * direction[:, 2]) for index in range(slices))
    columns, rows = as_vector(direction[:, 0]), as_vector(direction[:, 1])
    return Geometry(columns, rows, (spacing[1], spacing[0]), positions)


def _problem(reader: Any, header: VolumeHeader, geometry: Geometry) -> str:
    if reader.GetNumberOfComponents() > 1 or max(reader.GetSize()[3:], default=1) > 1:
        return "This file holds several values a pixel or several volumes; open a file with one CT volume."
    if not header.has_spacing:
        return "This file does not give its pixel spacing, so nothing can be sized in mm; open the original CT."
    if geometry.plane != "axial":
        return f"The slices of this file are {geometry.plane}; open a file with axial slices."
    return ""


def _warnings(reader: Any, header: VolumeHeader) -> list[str]:
    found: list[str] = []
    if not header.has_orientation:
        found.append("The file does not say how it is oriented; it is shown as stored: check its sides.")
    if reader.GetDimension() == 2:
        found.append("The file holds a single picture; it was taken for an axial slice.")
    return found


def _has_synthetic_mark(reader: Any) -> bool:
    return reader.HasMetaDataKey(FILE_NOTES) and is_synthetic_mark(reader.GetMetaData(FILE_NOTES))


def _unreadable(path: Path, error: RuntimeError) -> InputError:
    if "orthonormal" in str(error):
        return InputError(f'The axes of "{path.name}" are not at right angles; resample it to a regular grid first.')
    if is_beyond_itk(path):
        return InputError(
            f'On Windows, files such as "{path.name}" are opened only where no folder or name has letters other than '
            "A to Z; move or rename it."
        )
    return damaged(path)
