"""DICOM files as frames: one header a slice, whether a file holds one slice or many (enhanced CT)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.filereader import dcmread  # pyright: ignore[reportUnknownVariableType]
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from engine.ct import Vector
from engine.dicom_types import own_type, read_own
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
        If the file is damaged or holds no image, or what stands for functional groups is none.
    """
    header = read_dataset(file, pixels=False)
    rows, columns = number_of(header, "Rows"), number_of(header, "Columns")
    if rows is None or columns is None:
        raise _no_image(file, header)
    shape = int(rows), int(columns)
    frames = _items(file, header, Tag("PerFrameFunctionalGroupsSequence"))
    if not frames:
        return [_frame(file, 0, header, shape)]
    shared = _items(file, header, Tag("SharedFunctionalGroupsSequence"))
    return [
        _frame(file, index, _flattened(file, header, (*shared, groups), index), shape)
        for index, groups in enumerate(frames)
    ]


def value_of(dataset: Dataset, keyword: str) -> Any:
    """Return the value of an attribute; None if it is missing, empty, a sequence, or its bytes make no value."""
    try:
        value = dataset.get(keyword)
    except Exception:  # pydicom converts values on first use and lets through whatever bad ones set off
        return None
    # No attribute that is asked for here is a sequence; in a damaged file, any may be.
    return None if value is None or value == "" or isinstance(value, pydicom.Sequence) else value


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


def _items(file: Path, dataset: Dataset, tag: BaseTag) -> list[Dataset]:
    """Return the items of a sequence, none if it is missing.

    What is no sequence is refused, not passed over: it says where frames lie, and what makes Hounsfield units of them.
    """
    if tag not in dataset:
        return []
    element = read_own(dataset, tag)
    if element is None:
        raise InputError(
            f'"{file.name}" has a {keyword_for_tag(tag)} that is no sequence, so that it is not known where its '
            "frames lie and what their values mean; get the file again from where it came."
        )
    return list(element.value)


def _macros(file: Path, groups: Dataset) -> Iterator[Dataset]:
    """Yield what each functional group says; private ones are known to their makers only."""
    for tag in list(groups.keys()):
        if own_type(tag) == "SQ":
            yield from _items(file, groups, tag)[:1]


def _flattened(file: Path, header: Dataset, groups: Sequence[Dataset], index: int) -> Dataset:
    """Return the header of one frame of a multi-frame image (DICOM PS3.3, C.7.6.16).

    Parameters
    ----------
    groups : functional groups that all frames share, then those of the frame
    """
    # Elements are shared with the original: they are taken over as they stand, not converted, and replaced, never set.
    elements = dict(header.items())
    for group in groups:
        for macro in _macros(file, group):
            elements.update(macro.items())
    frame = Dataset(elements)
    frame.file_meta = header.file_meta
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "NumberOfFrames"):
        frame.pop(keyword, None)
    frame_type = read_own(frame, "FrameType")
    if frame_type is not None and not frame_type.is_empty:
        frame.add_new("ImageType", "CS", frame_type.value)
    frame.add_new("InstanceNumber", "IS", index + 1)
    return frame


def _frame(file: Path, index: int, header: Dataset, shape: tuple[int, int]) -> Frame:
    spacing = _numbers(header, "PixelSpacing", 2)
    position = _numbers(header, "ImagePositionPatient", 3)
    return Frame(
        file,
        index,
        header,
        shape=shape,
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
    value = value_of(dataset, keyword)
    if isinstance(value, bytes):  # Which numpy takes for digits, and nobody who reads the header does.
        return None
    try:
        numbers = [float(number) for number in np.atleast_1d(value)]
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and np.isfinite(numbers).all() else None
