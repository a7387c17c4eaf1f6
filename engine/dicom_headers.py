"""DICOM files as frames: one header a slice, whether a file holds one slice or many (enhanced CT)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.filereader import dcmread  # pyright: ignore[reportUnknownVariableType]
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from engine.ct import Vector
from engine.errors import InputError
from engine.orientation import as_vector


class NoImageError(InputError):
    """A file is whole, and what it holds is no image: a report, a plan, an index."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One slice of a DICOM file.

    Attributes
    ----------
    file, index : Path, int
        Where the pixels are: frame `index`, from 0, of `file`.
    header : Dataset
        Without pixel data. For a frame of a multi-frame file: the file's attributes, with those of the
        frame's functional groups beside them, as they would stand in a single-frame image.
    shape : (rows, columns)
    pixel_spacing, position, directions
        None if missing or not usable. `directions` is (column direction, row direction), unit vectors.
    """

    file: Path
    index: int
    header: Dataset
    shape: tuple[int, int]
    pixel_spacing: tuple[float, float] | None
    position: Vector | None
    directions: tuple[Vector, Vector] | None

    def text(self, keyword: str) -> str:
        """Return an attribute as text, empty if it is missing; several values are joined by a backslash."""
        value = value_of(self.header, keyword)
        if value is None:
            return ""
        values: list[Any] = [value] if isinstance(value, str) else np.atleast_1d(value).tolist()
        return "\\".join(str(item) for item in values)

    def number(self, keyword: str) -> float | None:
        """Return an attribute as a finite number, None if it is missing or is none."""
        return number_of(self.header, keyword)


def is_dicom(file: Path) -> bool:
    """Does the file begin like DICOM, with or without the preamble of 128 bytes?"""
    with file.open("rb") as stream:
        start = stream.read(132)
    if start[128:] == b"DICM":
        return True
    first_group = start[:2] in (b"\x02\0", b"\x08\0") and start[3:4] == b"\0"
    return first_group and ((start[4:6].isalpha() and start[4:6].isupper()) or start[6:8] == b"\0\0")


def read_dataset(file: Path, *, pixels: bool) -> Dataset:
    """Read a file that `is_dicom`; its file meta information then names a transfer syntax in any case.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    try:
        dataset: Dataset = dcmread(file, stop_before_pixels=not pixels, force=True)
    except Exception as error:  # pydicom lets through whatever damaged bytes set off
        raise InputError(
            f'"{file.name}" is damaged and cannot be read as DICOM; get the file again from where it came.'
        ) from error
    if value_of(dataset.file_meta, "TransferSyntaxUID") is None:
        implicit, little_endian = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little_endian else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset


def is_dicomdir(file: Path) -> bool:
    """Is a file that `is_dicom` a DICOMDIR: the index of the folder it is in?"""
    meta = read_dataset(file, pixels=False).file_meta
    return value_of(meta, "MediaStorageSOPClassUID") == MediaStorageDirectoryStorage


def read_frames(file: Path) -> list[Frame]:
    """Read the headers of a file that `is_dicom`: one frame, or those that its functional groups describe.

    Raises
    ------
    InputError
        If the file is damaged or holds no image.
    """
    header = read_dataset(file, pixels=False)
    if not (_numbers(header, "Rows", 1) and _numbers(header, "Columns", 1)):
        raise _no_image(file, header)
    groups: Any = value_of(header, "PerFrameFunctionalGroupsSequence")
    if not groups:
        return [_frame(file, 0, header)]
    return [_frame(file, index, _flattened(header, group, index)) for index, group in enumerate(groups)]


def value_of(dataset: Dataset, keyword: str) -> Any:
    """Return the value of an attribute; None if it is missing, empty or its bytes make no value."""
    try:
        value = dataset.get(keyword)
    except Exception:  # pydicom converts values on first use and lets through whatever bad ones set off
        return None
    return None if value is None or value == "" else value


def number_of(dataset: Dataset, keyword: str) -> float | None:
    """Return an attribute as a finite number, None if it is missing or is none."""
    numbers = _numbers(dataset, keyword, 1)
    return None if numbers is None else numbers[0]


def has_place(header: Dataset) -> bool:
    """Does a header say where its slice lies in the frame of reference: position and orientation?"""
    return _numbers(header, "ImagePositionPatient", 3) is not None and _directions(header) is not None


def _no_image(file: Path, header: Dataset) -> InputError:
    uid = value_of(header, "SOPClassUID") or value_of(header.file_meta, "MediaStorageSOPClassUID")
    kind = UID(str(uid or "")).name
    if not kind or "Image" in kind:
        return InputError(f'"{file.name}" is cut short or damaged; get the file again from where it came.')
    return NoImageError(f'"{file.name}" is a DICOM file without an image ({kind}); open CT images.')


def _flattened(header: Dataset, group: Dataset, index: int) -> Dataset:
    """Return the header of one frame of a multi-frame image (DICOM PS3.3, C.7.6.16)."""
    # A copy of a Dataset shares its elements with the original: take them over one by one, replace, never set.
    frame = Dataset()
    frame.update(dict(header.items()))
    frame.file_meta = header.file_meta
    shared: Any = value_of(header, "SharedFunctionalGroupsSequence") or []
    for groups in (*shared, group):
        for macro in groups:
            if macro.VR == "SQ" and macro.value:
                frame.update(dict(macro.value[0].items()))
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "NumberOfFrames"):
        frame.pop(keyword, None)
    if frame_type := value_of(frame, "FrameType"):
        frame.add_new("ImageType", "CS", frame_type)
    frame.add_new("InstanceNumber", "IS", index + 1)
    return frame


def _frame(file: Path, index: int, header: Dataset) -> Frame:
    spacing = _numbers(header, "PixelSpacing", 2)
    position = _numbers(header, "ImagePositionPatient", 3)
    return Frame(
        file,
        index,
        header,
        shape=(int(header.Rows), int(header.Columns)),
        pixel_spacing=(spacing[0], spacing[1]) if spacing and min(spacing) > 0 else None,
        position=as_vector(position) if position else None,
        directions=_directions(header),
    )


def _directions(header: Dataset) -> tuple[Vector, Vector] | None:
    numbers = _numbers(header, "ImageOrientationPatient", 6)
    if numbers is None:
        return None
    columns, rows = np.asarray(numbers[:3]), np.asarray(numbers[3:])
    lengths = np.linalg.norm(columns), np.linalg.norm(rows)
    # Scanners round to few digits; what is further off than that is not a pair of unit vectors.
    if not np.allclose(lengths, 1, atol=0.01) or abs(columns @ rows) > 0.01:
        return None
    return as_vector(columns / lengths[0]), as_vector(rows / lengths[1])


def _numbers(dataset: Dataset, keyword: str, count: int) -> list[float] | None:
    try:
        numbers = [float(value) for value in np.atleast_1d(value_of(dataset, keyword))]
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None
