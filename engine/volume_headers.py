"""What NIfTI, NRRD and MetaImage files say and SimpleITK does not tell: it fills in what is missing."""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InputError

_HEADER_BYTES = 1 << 20
#: Bytes of the element types of MetaImage that a CT can have.
_META_BYTES = {"CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "FLOAT": 4, "DOUBLE": 8}


@dataclass(frozen=True)
class VolumeHeader:
    """Does the file itself give pixel spacing and orientation? SimpleITK assumes 1 mm and LPS without a word."""

    has_spacing: bool
    has_orientation: bool


def read_header(file: Path) -> VolumeHeader:
    """Read the header of a NIfTI, NRRD or MetaImage file.

    Raises
    ------
    InputError
        If the file is damaged or cut short.
    """
    name = file.name.lower()
    try:
        if name.endswith((".nii", ".nii.gz")):
            return _read_nifti(file)
        return _read_nrrd(file) if name.endswith((".nrrd", ".nhdr")) else _read_meta(file)
    except (EOFError, gzip.BadGzipFile, zlib.error, struct.error, KeyError, ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise damaged(file) from error


def damaged(file: Path) -> InputError:
    """Return the error for a file that is not what its name says."""
    return InputError(
        f'"{file.name}" is damaged, cut short or not what its name says; get the file again from where it came.'
    )


def _read_nifti(file: Path) -> VolumeHeader:
    """Read a NIfTI-1 header; check that the data are all there, which ITK does not.

    Source: nifti1.h of the NIfTI-1 format; the byte order is the one in which the header is 348 bytes long.
    """
    with file.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    with gzip.open(file) if zipped else file.open("rb") as stream:
        header = stream.read(348)
        order = "<" if struct.unpack_from("<i", header)[0] == 348 else ">"
        if struct.unpack_from(f"{order}i", header)[0] != 348:
            return VolumeHeader(has_spacing=True, has_orientation=True)
        axes, *sizes = struct.unpack_from(f"{order}8h", header, 40)
        bits, _, *spacing = struct.unpack_from(f"{order}h2x f3f", header, 72)
        (offset,) = struct.unpack_from(f"{order}f", header, 108)
        forms = struct.unpack_from(f"{order}2h", header, 252)
        expected = int(offset) + math.prod(sizes[:axes]) * bits // 8
        length = len(header)
        while block := stream.read(1 << 24):
            length += len(block)
    if length < expected:
        raise damaged(file)
    return VolumeHeader(all(0 < value < math.inf for value in spacing[: min(axes, 3)]), any(forms))


def _read_nrrd(file: Path) -> VolumeHeader:
    """Read an NRRD header: lines of `key: value` up to an empty line (teem.sourceforge.net/nrrd/format.html)."""
    with file.open("rb") as stream:
        text = re.split(r"\r?\n\r?\n", stream.read(_HEADER_BYTES).decode("latin-1"))[0]
    fields = dict(re.findall(r"^([a-z ]+): *(.*?)\s*$", text, re.MULTILINE | re.IGNORECASE))
    spacing = _numbers(fields.get("spacings", "")) or _numbers(fields.get("space directions", ""))
    return VolumeHeader(bool(spacing), "space" in fields and "space directions" in fields)


def _read_meta(file: Path) -> VolumeHeader:
    """Read a MetaImage header: lines of `key = value`, ElementDataFile last."""
    with file.open("rb") as stream:
        text = stream.read(_HEADER_BYTES).decode("latin-1")
    fields = dict(re.findall(r"^(\w+) *= *(.*?)\s*$", text.partition("ElementDataFile")[0], re.MULTILINE))
    data = re.search(r"^ElementDataFile *= *([^\r\n]+)\r?\n?", text, re.MULTILINE)
    if data is None:
        raise damaged(file)
    # MetaIO would print its complaints on standard error, past SimpleITK.
    if _available_bytes(file, data[1].strip(), data.end()) < _meta_bytes(fields):
        raise damaged(file)
    spacing = _numbers(fields.get("ElementSpacing", "")) or _numbers(fields.get("ElementSize", ""))
    turned = {"TransformMatrix", "Rotation", "Orientation"} & fields.keys()
    return VolumeHeader(bool(spacing) and min(spacing) > 0, bool(turned))


def _available_bytes(file: Path, name: str, begin: int) -> float:
    """Return how long the data of a MetaImage file are, which begin behind its header or in the file of that name."""
    if name.upper() == "LOCAL":
        return file.stat().st_size - begin
    if name.upper().startswith("LIST") or "%" in name:
        return math.inf  # One file a slice: ITK finds them, or says that it does not.
    return _size(file.parent / name)


def _meta_bytes(fields: dict[str, str]) -> int:
    """Return how long the data of a MetaImage file must be at least."""
    if fields.get("CompressedData", "").lower() == "true":
        return int(fields.get("CompressedDataSize", "1"))
    pixels = math.prod(int(size) for size in fields["DimSize"].split())
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    return pixels * channels * _META_BYTES.get(fields["ElementType"].removeprefix("MET_"), 1)


def _size(file: Path) -> int:
    if not file.is_file():
        raise InputError(f'The header names the data file "{file.name}", which is missing; put it beside it.')
    return file.stat().st_size


def _numbers(text: str) -> list[float]:
    found = (float(number) for number in re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", text))
    return list(found)
