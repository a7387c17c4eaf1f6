"""Make again what was exported, and tell whether it is the same.

On the same computer with the same versions of this program and its libraries, the HU are the same bit for bit, and so
is every file but for the seconds in `request.json`. Elsewhere a processor may round otherwise, and the HU in the box
may differ by `TOLERANCE_HU` on average: outside the box they never do.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.checkpoint import read_manifest
from engine.ct import CTVolume
from engine.errors import InputError
from engine.events import GenerationResult
from engine.export_series import ExportedSeries
from engine.export_stamp import Stamp
from engine.exports import ExportOptions
from engine.json_files import parse_json
from engine.known_inputs import known_input
from engine.request_file import SavedRequest, read_request
from engine.versions import library_versions

#: Mean absolute difference of HU in the box that other processors and versions may make. Computing in bf16 instead of
#: fp32 makes one of 1.1 to 1.3 HU with the nodule generator that comes with the studio, 7 HU at most. It holds for all
#: pixels of a slice that was made whole, too, where it has not been measured.
TOLERANCE_HU = 5.0
REQUEST = "request.json"
#: Files of the slice by format, in the order in which they are looked for.
_SLICE_FILES = {"NIfTI": "slice.nii.gz", "NRRD": "slice.nrrd", "DICOM": "slice.dcm"}


@dataclass(frozen=True)
class Comparison:
    """How a result differs from the one that was exported.

    Attributes
    ----------
    same_hu : bool
        Bit for bit.
    mean_hu, largest_hu : float
        Mean and largest absolute difference of HU in the box, or in a slice that was made whole.
    outside_hu : float
        Largest absolute difference outside of the box, but for what storing the slice as DICOM rounds.
    other_versions : tuple of str
        Device and libraries that are others than those of the export.
    """

    same_hu: bool
    mean_hu: float
    largest_hu: float
    outside_hu: float
    other_versions: tuple[str, ...]


def saved_request(folder: Path) -> SavedRequest:
    """Read the request of an export: from its folder, or from `request.json` itself.

    Raises
    ------
    InputError
        If there is none.
    """
    return read_request(folder / REQUEST if os.path.isdir(folder) else folder)


def find_input(saved: SavedRequest, given: Path | None = None) -> tuple[CTVolume, int]:
    """Open what a request was made of; return it, and the index of the slice. See `find_series`."""
    volume, index, _ = find_series(saved, given)
    return volume, index


def find_series(saved: SavedRequest, given: Path | None = None) -> tuple[CTVolume, int, str]:
    """Open what a request was made of; return it, the index of the slice, which is found by its hash, and its UID.

    Where another nodule had been put into that slice before, the slice without either serves as well: see
    `engine.exported_result.input_slice`.

    Parameters
    ----------
    given : Path, optional
        File or folder to look in. If left out: what the request names, or what was opened on this computer.

    Returns
    -------
    volume, index from 0, and the UID by which `engine.ct_files.read_volume` reads that series again

    Raises
    ------
    InputError
        If it cannot be found, or holds no such slice.
    """
    from engine.ct_files import list_series, read_volume

    path = given or _named_input(saved)
    infos = [info for info in list_series(path) if not info.problem]
    refusal: InputError | None = None
    as_read: tuple[CTVolume, int, str] | None = None
    for info in sorted(infos, key=lambda info: info.series_uid != saved.series_uid):
        try:
            volume = read_volume(path, info.series_uid)
        except InputError as error:
            # What else lies there, such as a mask, need not be a CT.
            refusal = error if info.series_uid == saved.series_uid else refusal
            continue
        index = index_of_input(volume, saved)
        if index is None:
            continue
        if volume.slice_at(index).sha256() == saved.input_sha256:
            return volume, index, info.series_uid
        as_read = as_read or (volume, index, info.series_uid)
    if as_read:
        return as_read
    raise refusal or InputError(
        f"No slice of {path} has the HU that the request was made of; give what was opened then with --input."
    )


def check_checkpoint(saved: SavedRequest, folder: Path) -> None:
    """Refuse a checkpoint that is not the one of the request.

    Raises
    ------
    InputError
        If it is another one, or none at all.
    """
    if read_manifest(folder)["sha256"] != saved.checkpoint_sha256:
        raise InputError(
            f"The checkpoint {folder} is not the one that made this result, {saved.checkpoint_name} "
            f"({saved.checkpoint_sha256[:16]}); give its folder with --checkpoint."
        )


def compare(saved: SavedRequest, folder: Path, result: GenerationResult) -> Comparison:
    """Compare a result with the exported one: by hash, and pixel by pixel only where the hash differs.

    Raises
    ------
    InputError
        If the hash differs and the export wrote no file of the slice to `folder` to measure by how much.
    """
    if result.slice.sha256() == saved.output_sha256:
        return Comparison(True, 0.0, 0.0, 0.0, _other_versions(saved, result))
    exported = exported_hu(saved, folder)
    if exported is None or exported.shape != result.slice.shape:
        raise InputError(
            f"The HU are not those of the export, and {folder} has no slice to tell by how much; "
            "repeat it in the folder with all exported files."
        )
    # HU are held as float32 where they have fractions, and files may give more digits.
    difference = np.abs(result.slice.hu.astype(np.float64) - exported.astype(np.float32))
    made = (slice(None), slice(None)) if saved.is_whole_slice else saved.box.slices
    inside = difference[made].copy()
    difference[made] = 0
    difference[difference <= _rounded_hu(_exported_file(saved, folder))] = 0
    versions = _other_versions(saved, result)
    return Comparison(False, float(inside.mean()), float(inside.max()), float(difference.max()), versions)


def check_tolerance(comparison: Comparison, whole_slice: bool = False) -> None:
    """Refuse a nodule, or a slice that was made whole, that differs by more than other versions explain.

    Raises
    ------
    InputError
        If it does.
    """
    if comparison.outside_hu > 0:
        raise InputError("The slice was changed outside the box; export it again from the input, and compare the two.")
    if comparison.mean_hu > TOLERANCE_HU:
        others = ", ".join(comparison.other_versions) or "the same versions"
        what = "slice is another one: HU" if whole_slice else "nodule is another one: HU in the box"
        raise InputError(
            f"The {what} differ by {comparison.mean_hu:.1f} on average, more than {TOLERANCE_HU:g} (with {others}); "
            "repeat it with the versions that request.json names."
        )


def export_options(saved: SavedRequest) -> tuple[list[str], ExportOptions]:
    """Return the formats and options with which a result was exported."""
    export = saved.export
    return list(export.formats), ExportOptions(export.window, export.identity_kept, export.made)


def exported_series(saved: SavedRequest, index: int, result: GenerationResult) -> ExportedSeries | None:
    """Return the series that an exported slice is of: with results in other slices, too, it has other UIDs.

    None for an export of an older version, which is of a series of its own.

    Parameters
    ----------
    index : of the slice
    result : the same, made again
    """
    export = saved.export
    if export.encoding is None:
        return None
    return ExportedSeries({index: result}, Stamp(export.series_entropy, export.made), export.encoding)


def compare_files(exported: Path, repeated: Path) -> tuple[list[str], list[str]]:
    """Return the names of the files in `repeated` that are the same in `exported`, and of those that are not.

    The seconds that it took, in `request.json`, do not count.
    """
    same: list[str] = []
    different: list[str] = []
    for file in sorted(path for path in repeated.rglob("*") if path.is_file()):
        name = file.relative_to(repeated)
        other = exported / name
        equal = other.is_file() and _content(other) == _content(file)
        (same if equal else different).append(name.as_posix())
    return same, different


def _content(file: Path) -> Any:
    if file.name != REQUEST:
        return file.read_bytes()
    try:
        record = parse_json(file.read_bytes())
    except ValueError:  # Damaged since it was read: its bytes are compared.
        return file.read_bytes()
    return {key: value for key, value in record.items() if key != "seconds"}


def _named_input(saved: SavedRequest) -> Path:
    named = saved.record["input"].get("path")
    known = (known_input(sha256) for sha256 in (saved.input_sha256, saved.sha256_as_read) if sha256)
    for path in (Path(named) if named else None, *known):
        # Not `Path.exists`: it raises where a path may not be looked at, as on a share that is gone.
        if path is not None and os.path.exists(path):
            return path
    if named:
        raise InputError(f"{named} is not there any more; give what was opened with --input.")
    raise InputError(
        "The request does not name what was opened, since the identity was not kept, and it was not opened on this "
        "computer; give it with --input."
    )


def index_of_input(volume: CTVolume, saved: SavedRequest) -> int | None:
    """Return the index of the slice that a request was made of, looked for where it was first; else None.

    Where there is none, but the slice as it was before another nodule had been put in: the index of that one.
    """
    indices = sorted(range(len(volume)), key=lambda index: index != saved.slice_index)
    as_read: int | None = None
    for index in indices:
        sha256 = volume.slice_at(index).sha256()
        if sha256 == saved.input_sha256:
            return index
        if sha256 == saved.sha256_as_read and as_read is None:
            as_read = index
    return as_read


def _exported_file(saved: SavedRequest, folder: Path) -> Path | None:
    """Return the first file of the slice that the export wrote; files of an earlier one may lie beside it."""
    files = (folder / name for format_name, name in _SLICE_FILES.items() if format_name in saved.export.formats)
    return next((file for file in files if os.path.isfile(file)), None)


def _rounded_hu(file: Path | None) -> float:
    """Return by how much HU may have been rounded for a file: half a step of a CT image's stored values."""
    from engine.dicom_headers import read_dataset  # Imports pydicom.

    if file is None or file.name != _SLICE_FILES["DICOM"]:
        return 0.0
    return float(read_dataset(file, pixels=False).RescaleSlope) / 2


def exported_hu(saved: SavedRequest, folder: Path) -> NDArray[np.float64] | None:
    """Return the HU of an exported slice, (rows, columns), from the first of its files that is there; None without any.

    Raises
    ------
    InputError
        If it is damaged, or not one slice of the size that was exported.
    """
    import SimpleITK as sitk

    file = _exported_file(saved, folder)
    if file is None:
        return None
    reader: Any = sitk.ImageFileReader()
    reader.SetFileName(str(file))
    try:
        reader.ReadImageInformation()
        # Looked at before the pixels are read, of which another file may have any number.
        columns, rows, *others = reader.GetSize()
        is_slice = [rows, columns] == saved.record["output"]["shape"] and math.prod(others) == 1
        if not is_slice or reader.GetNumberOfComponents() != 1:
            raise InputError(f"{file} is not the slice that was exported; restore it from a copy.")
        pixels = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError as error:
        raise InputError(f"{file} cannot be read; restore it from a copy.") from error
    return pixels.reshape(rows, columns).astype(np.float64)


def _other_versions(saved: SavedRequest, result: GenerationResult) -> tuple[str, ...]:
    then = saved.versions
    now = {**library_versions(), "device": result.device}
    return tuple(f"{name} {then.get(name)} then, {now[name]} now" for name in now if then.get(name) != now[name])
