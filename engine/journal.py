"""Every finished result as a folder of plain files, whole or not there at all.

A journal is a folder; an entry is a folder in it, named by the time (UTC) at which it was recorded:

    2031-05-09T14-03-59.123456Z-1f0c22ab/
        result.json    what was asked, what answered, what was measured; JSON, see `_description`
        result.npz     numpy arrays, neither pickled nor compressed (compressing would cost 40 ms a result):
            input_hu     (rows, columns) int16 or float32, HU of the slice before; missing if it was made whole
            finished_hu  (rows, columns) int16 or float32, HU of the finished slice
            mask_pixels  (n, 2) int32, (row, column) of each pixel of the measured nodule

That is all of a `GenerationResult`, in about 1 MB for a slice of 512 x 512. An entry is written under a name
that starts with a full stop, flushed to the disk and then renamed: a crash leaves an entry whole, or leaves
something that `entries` passes over. The rename itself is not flushed, which would double the time, so that a
power cut can make the last seconds' entries such leftovers.
"""

from __future__ import annotations

import json
import operator
import os
import shutil
import uuid
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from engine.ct import CTSlice
from engine.errors import InputError
from engine.events import (
    Extension,
    GenerationRequest,
    GenerationResult,
    Request,
    SamplingOptions,
    SliceRequest,
    SliceSource,
)
from engine.json_files import number_of, parse_json, text_of
from engine.measurement_record import measurement_of, measurement_record
from engine.nodule import BoundingBox, NoduleAttributes
from engine.whole_slices import is_made_name

FORMAT_VERSION = 1
JSON_NAME, _ARRAYS = "result.json", "result.npz"
#: What is raised of files that were altered. One flipped bit in a zip's header makes `zipfile` take it for encrypted
#: (`RuntimeError`) or for compressed in a way that it does not know (`NotImplementedError`), one in an array's header
#: makes numpy ask for more memory than there is.
_DAMAGED = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, EOFError),
    *(RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error),
)


def journal_folder() -> Path:
    """Return where the studio keeps its journal: under the user's data folder. It need not exist."""
    return platformdirs.user_data_path("nodule-studio", appauthor=False) / "journal"


def record(result: GenerationResult, folder: Path) -> Path:
    """Write a result as a new entry of the journal `folder`, which is made if need be; return the entry.

    Raises
    ------
    InputError
        If it cannot be written (disk full, folder not writable); nothing of it is left behind then.
    """
    now = datetime.now(UTC)
    name = f"{now:%Y-%m-%dT%H-%M-%S.%fZ}-{uuid.uuid4().hex[:8]}"
    partial = folder / f".{name}"
    try:
        partial.mkdir(parents=True)
        _write(result, partial, now)
        entry = partial.rename(folder / name)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        reason = error.strerror or type(error).__name__
        raise InputError(
            f"The result could not be saved to {folder} ({reason}): "
            "export it now, and make room or allow writing there."
        ) from error
    return entry


def read(path: Path) -> GenerationResult:
    """Read an entry back, in full.

    Raises
    ------
    InputError
        If the entry is missing, incomplete or altered, or of a later version of this format.
    """
    try:
        written = parse_json((path / JSON_NAME).read_bytes())
        # Opened here, since `np.load` leaves the file open where it is no whole archive.
        with (path / _ARRAYS).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return _restored(written, arrays)
    except _DAMAGED as error:
        raise InputError(
            f"The saved result {path} cannot be read ({error}): restore its files from a copy, or delete it."
        ) from error


def entries(folder: Path) -> list[Path]:
    """Return the entries of a journal, newest last; what was half written is left out.

    Parameters
    ----------
    folder : Path
        The journal. One that does not exist has no entries.
    """
    # Not `Path.is_dir`: it raises where a path may not be looked at.
    if not os.path.isdir(folder):
        return []
    found = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in found if is_whole(path))


def is_whole(path: Path) -> bool:
    """Return whether a folder has both files of an entry; one that may not be looked at has none."""
    return os.path.isfile(path / JSON_NAME) and os.path.isfile(path / _ARRAYS)


def _write(result: GenerationResult, partial: Path, now: datetime) -> None:
    with (partial / _ARRAYS).open("wb") as arrays, (partial / JSON_NAME).open("w", encoding="utf-8") as text:
        before: dict[str, Any] = {"input_hu": result.before.hu} if result.before else {}
        np.savez(
            arrays,
            **before,
            finished_hu=result.slice.hu,
            mask_pixels=np.argwhere(result.measurement.mask).astype(np.int32),
        )
        # Scalars of numpy count as numbers: a result must not be lost over the type of its seed.
        json.dump(_description(result, now), text, indent=2, default=operator.methodcaller("item"))
        for file in (arrays, text):
            file.flush()
            os.fsync(file.fileno())


def _description(result: GenerationResult, now: datetime) -> dict[str, Any]:
    """What stands in `result.json`."""
    request, before = result.request, result.before
    box = request.box
    return {
        "format_version": FORMAT_VERSION,
        "recorded": now.isoformat(),
        # None: there was no slice before, it was made whole.
        "input": {"sha256": before.sha256(), "pixel_spacing_mm": before.pixel_spacing} if before else None,
        # The hash is missing in entries of older versions.
        "output": {"pixel_spacing_mm": result.slice.pixel_spacing, "sha256": result.slice.sha256()},
        "source": _source_record(request.source),
        # None: the nodule was placed in this slice.
        "extension": asdict(request.extension) if request.extension else None,
        "box": {"row": box.row, "column": box.column, "side": box.side},
        "attributes": asdict(request.attributes),
        "options": asdict(request.options),
        "checkpoint": {"name": result.checkpoint_name, "sha256": result.checkpoint_sha256},
        "device": result.device,
        "seconds": result.seconds,
        "measurement": measurement_record(result.measurement),
    }


def _source_record(source: SliceSource | None) -> dict[str, Any] | None:
    return {**asdict(source), "path": str(source.path)} if source else None


def read_source(written: Mapping[str, Any]) -> SliceSource | None:
    """Return the source that stands in a `result.json`; None if it is not known, as in the first entries written."""
    source = written.get("source")
    if not source:
        return None
    path = Path(text_of(source["path"]))
    series_uid = None if source["series_uid"] is None else text_of(source["series_uid"])
    opened = path, series_uid, int(source["slice_index"]), text_of(source["description"])
    # Entries of older versions tell slices that were made whole by their names alone.
    is_synthetic = source.get("is_synthetic", is_made_name(path))
    return SliceSource(*opened, source.get("sha256", ""), is_synthetic)


def _restored(written: Mapping[str, Any], arrays: Mapping[str, Any]) -> GenerationResult:
    if written["format_version"] != FORMAT_VERSION:
        raise ValueError(f"its format is {written['format_version']}, not {FORMAT_VERSION}")
    request = _request(written, arrays)
    hu, before = _hu(arrays["finished_hu"]), None if isinstance(request, SliceRequest) else request.slice
    shape: tuple[int, int] = hu.shape
    return GenerationResult(
        request=request,
        slice=before.with_hu(hu) if before else CTSlice(hu, _spacing(written["output"])),
        measurement=measurement_of(written["measurement"], _mask(arrays["mask_pixels"], shape)),
        seconds=number_of(written["seconds"]),
        checkpoint_name=written["checkpoint"]["name"],
        checkpoint_sha256=written["checkpoint"]["sha256"],
        device=written["device"],
    )


def _request(written: Mapping[str, Any], arrays: Mapping[str, Any]) -> Request:
    attributes = NoduleAttributes(**written["attributes"])
    options = SamplingOptions(**written["options"])
    box = BoundingBox(**written["box"], slice_shape=arrays["finished_hu"].shape)
    if written["input"] is None:
        return SliceRequest(box, attributes, options, _spacing(written["output"])[0])
    before = CTSlice(_hu(arrays["input_hu"]), _spacing(written["input"]))
    extension = written.get("extension")
    source = read_source(written)
    return GenerationRequest(before, box, attributes, options, source, Extension(**extension) if extension else None)


def _spacing(written: Mapping[str, Any]) -> tuple[float, float]:
    row_mm, column_mm = written["pixel_spacing_mm"]
    return number_of(row_mm), number_of(column_mm)


def _hu(array: Any) -> Any:
    if array.dtype not in (np.int16, np.float32):
        raise TypeError(f"HU are of the type {array.dtype}")
    return array


def _mask(pixels: Any, shape: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, dtype=np.bool_)
    mask[pixels[:, 0], pixels[:, 1]] = True
    return mask
