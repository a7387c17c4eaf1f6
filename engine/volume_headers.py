"""What NIfTI, NRRD and MetaImage files say and SimpleITK does not tell: it fills in what is missing."""

from __future__ import annotations

import gzip
import math
import os
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InputError

_HEADER_BYTES = 1 << 20
#: No CT has pixels or distances of slices outside of this, in mm; nor does it begin further away.
_SPACING_MM, _FURTHEST_MM = (0.001, 1000.0), 1e6
#: Bytes of the element types of MetaImage that a CT can have.
_META_BYTES = {
    **{"CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "LONG": 4, "ULONG": 4},
    **{"LONG_LONG": 8, "ULONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8},
}
#: MetaIO gives a name with a percent sign to `printf`, as a format: any other than this one crashes the process.
_ONE_NUMBER = re.compile(r"[^%]*%[0-9]*d[^%]*")
#: Names of what gives the place of pixels, and of how far they are apart.
_META_SPACINGS, _META_ORIGINS = ("ElementSpacing", "ElementSize"), ("Offset", "Position", "Origin")
_META_TURNS = ("TransformMatrix", "Rotation", "Orientation")
_BLOCK = 1 << 24


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


def is_plausible_mm(spacing: float) -> bool:
    """Tell whether pixels or slices of a CT can be so far apart; NaN is no distance."""
    return _SPACING_MM[0] <= spacing <= _SPACING_MM[1]


def require_geometry(file: Path, spacing: Sequence[float], origin: Sequence[float]) -> None:
    """Refuse a geometry that is none: sizes and places that are negative, not finite, or of no CT.

    Raises
    ------
    InputError
        If it is one.
    """
    if not all(map(is_plausible_mm, spacing)) or not all(abs(place) <= _FURTHEST_MM for place in origin):
        given = ", ".join(f"{value:g}" for value in (*spacing, *origin))
        raise InputError(
            f'"{file.name}" gives its pixels a spacing or place that no CT has ({given} mm); open the original CT, or '
            "correct the header."
        )


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
        turns = struct.unpack_from(f"{order}6f", header, 256), struct.unpack_from(f"{order}12f", header, 280)
        expected = int(offset) + math.prod(sizes[:axes]) * bits // 8
        length = len(header)
        while block := stream.read(_BLOCK):
            length += len(block)
    if length < expected:
        raise damaged(file)
    sides = spacing[: min(axes, 3)]
    # ITK would take the amount of what is negative, and prints what it makes of what is not finite.
    used = [value for form, values in zip(forms, turns, strict=True) if form > 0 for value in values]
    require_geometry(file, [side for side in sides if side], [0.0 if math.isfinite(value) else value for value in used])
    return VolumeHeader(all(sides), any(forms))


def _read_nrrd(file: Path) -> VolumeHeader:
    """Read an NRRD header: lines of `key: value` up to an empty line (teem.sourceforge.net/nrrd/format.html)."""
    with file.open("rb") as stream:
        text = re.split(r"\r?\n\r?\n", stream.read(_HEADER_BYTES).decode("latin-1"))[0]
    fields = dict(re.findall(r"^([a-z ]+): *(.*?)\s*$", text, re.MULTILINE | re.IGNORECASE))
    if named := re.search(r"^data ?file: *(.*)$", text, re.MULTILINE | re.IGNORECASE):
        is_list = named[1].upper().startswith("LIST")
        _require_beside(file, text[named.end() :].splitlines() if is_list else [named[1]])
    given = fields.get("spacings") or fields.get("space directions") or ""
    axes = zip(re.findall(r"\([^)]*\)|\S+", given), fields.get("sizes", "").split(), strict=False)
    # What says nan or none is not known, for which ITK takes 1 mm; of a single slice, it does not matter.
    is_known = not any(size != "1" and re.search("nan|none", axis, re.IGNORECASE) for axis, size in axes)
    return VolumeHeader(bool(_numbers(given)) and is_known, "space" in fields and "space directions" in fields)


def _read_meta(file: Path) -> VolumeHeader:
    """Read a MetaImage header: lines of `key = value`, ElementDataFile last.

    What it names is checked before MetaIO sees it, which trusts it: other numbers of axes, and other names of files,
    crash the process. It would also print its complaints on standard error, past SimpleITK.
    """
    with file.open("rb") as stream:
        text = stream.read(_HEADER_BYTES).decode("latin-1")
    data = re.search(r"^\s*ElementDataFile\s*[=:] *([^\r\n]+)\r?\n?", text, re.MULTILINE)
    if data is None:
        raise damaged(file)
    header, name = text[: data.start()], data[1].strip()
    fields = dict(re.findall(r"^\s*(\w+)\s*[=:] *(.*?)\s*$", header, re.MULTILINE))
    axes, sizes = int(fields["NDims"]), [int(size) for size in fields["DimSize"].split()]
    # Once each: MetaIO also finds them where no line begins.
    is_once = header.count("NDims") == header.count("DimSize") == 1 and "ElementDataFile" not in header
    if not (is_once and 2 <= axes <= 4 and len(sizes) == axes):
        raise damaged(file)
    # The first that there is, as MetaIO takes it.
    spacing = next(filter(None, (_places(fields, key) for key in _META_SPACINGS)), [0.0])
    places = [value for key in (*_META_ORIGINS, *_META_TURNS) for value in _places(fields, key)]
    require_geometry(file, [side for side in spacing if side], places)
    _require_data(file, name, fields, data.end(), text)
    return VolumeHeader(all(spacing), any(key in fields for key in _META_TURNS))


def _require_data(file: Path, name: str, fields: dict[str, str], begin: int, text: str) -> None:
    """Refuse a MetaImage file whose data are not all there; they begin behind its header or in the file of that name.

    Of data that are damaged, MetaIO returns whatever it unpacked until there, and says nothing.
    """
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    pixels = math.prod(int(size) for size in fields["DimSize"].split())
    expected = pixels * channels * _META_BYTES[fields["ElementType"].removeprefix("MET_")]
    if expected <= 0:
        raise damaged(file)
    if name.upper().startswith("LIST"):
        _require_beside(file, text[begin:].splitlines())
        return  # One file a slice: ITK finds them, or says that it does not.
    if "%" in name:
        if not _ONE_NUMBER.fullmatch(name):
            raise damaged(file)
        _require_beside(file, [name])
        return
    is_local = name.upper() == "LOCAL"
    if not is_local:
        _require_beside(file, [name])
    place = file if is_local else file.parent / name
    length = _size(place) - (begin if is_local else 0)
    # As MetaIO reads what is true.
    if fields.get("CompressedData", "")[:1] not in ("T", "t", "1"):
        is_whole = length >= expected
    else:
        # Without it, MetaIO unpacks what is none and says nothing.
        packed = int(fields["CompressedDataSize"])
        is_whole = 0 < packed <= length and _unpacks_to(expected, place, begin if is_local else 0, packed)
    if not is_whole:
        raise damaged(file)


def _unpacks_to(expected: int, file: Path, begin: int, packed: int) -> bool:
    """Tell whether so many bytes of a file, from `begin` on, unpack to so many, their checksum included."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: zlib or gzip, whichever it is.
    length = 0
    with file.open("rb") as stream:
        stream.seek(begin)
        while packed > 0 and not unpacker.eof and (block := stream.read(min(packed, _BLOCK))):
            packed -= len(block)
            while block and not unpacker.eof and length <= expected:
                length += len(unpacker.decompress(block, _BLOCK))
                block = unpacker.unconsumed_tail
    return unpacker.eof and length == expected


def _require_beside(file: Path, names: Sequence[str]) -> None:
    """Refuse data elsewhere than in the folder of a header: a file from somebody else could name any of this computer.

    Raises
    ------
    InputError
        If one of the names leads out of it.
    """
    folder = os.path.abspath(file.parent)
    for name in filter(None, map(str.strip, names)):
        # Letters as in a header are bytes; a backslash leads out on Windows alone, and is in no usual name.
        place = os.path.normpath(os.path.join(folder, name.replace("\\", "/")))
        if "\0" in name or os.path.commonpath([folder, place]) != folder:
            raise InputError(
                f'The header "{file.name}" names data outside of its folder; put the data file beside it, and its name '
                "alone into the header."
            )


def _size(file: Path) -> int:
    if not file.is_file():
        raise InputError(f'The header names the data file "{file.name}", which is missing; put it beside it.')
    return file.stat().st_size


def _places(fields: dict[str, str], key: str) -> list[float]:
    """Return the numbers of a field, NaN and infinite ones included; none where it is not given."""
    return [float(number) for number in fields.get(key, "").split()]


def _numbers(text: str) -> list[float]:
    found = (float(number) for number in re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", text))
    return list(found)
