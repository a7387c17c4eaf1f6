"""A result read back from the files of its export: the same HU, whatever generator is installed by now."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTSlice, CTVolume
from engine.errors import InputError
from engine.events import GenerationResult, Request, SliceRequest, SliceSource
from engine.hounsfield import compact
from engine.measurement import measure_nodule
from engine.measurement_record import scores_of
from engine.replay import REQUEST, exported_hu, saved_request
from engine.request_file import SavedRequest


def exported_result(
    saved: SavedRequest, folder: Path, before: CTSlice | None, source: SliceSource | None = None
) -> GenerationResult | None:
    """Return the result that was exported; None if no file in `folder` has exactly its HU.

    It is measured anew; the scores that were read back from the same HU are those of the request.

    Parameters
    ----------
    folder : Path
        Of the exported files.
    before : CTSlice or None
        What the request was made of; None for a slice that was made whole.
    source : SliceSource or None
        Where `before` was read from.

    Raises
    ------
    InputError
        If `before` is another slice.
    """
    request = saved.request(before, source)
    after = exported_slice(saved, folder)
    if after is None:
        return None
    return _measured_anew(saved, request, after)


def _measured_anew(saved: SavedRequest, request: Request, after: CTSlice) -> GenerationResult:
    before = None if isinstance(request, SliceRequest) else request.slice
    measurement = measure_nodule(before, after, saved.box)
    return GenerationResult(
        request,
        after,
        replace(measurement, scores=scores_of(saved.record["measurement"])),
        float(saved.record["seconds"]),
        saved.checkpoint_name,
        saved.checkpoint_sha256,
        saved.versions["device"],
    )


def made_whole_beside(volume: CTVolume) -> GenerationResult | None:
    """Return the result of a slice that was made whole, where the volume was read from its export.

    Its nodule is in the slice like those that are put in later. None where `request.json` beside it, or beside the
    `series/` that it lies in, is of another slice or damaged, or there is none.
    """
    if not volume.is_made_whole or not volume.headers or len(volume) > 1:
        return None
    folder = volume.source if volume.source.is_dir() else volume.source.parent
    beside = next((found for found in (folder, folder.parent) if os.path.isfile(found / REQUEST)), None)
    if beside is None:
        return None
    whole = volume.slice_at(0)
    try:
        saved = saved_request(beside)
        is_of_it = saved.is_whole_slice and saved.output_sha256 == whole.sha256()
        return _measured_anew(saved, saved.request(None), whole) if is_of_it else None
    except (InputError, KeyError, IndexError, AttributeError, TypeError, ValueError):
        return None  # The slice is whole, whatever has become of the file beside it.


def exported_slice(saved: SavedRequest, folder: Path) -> CTSlice | None:
    """Return the finished slice that was exported; None if no file in `folder` has exactly its HU.

    Raises
    ------
    InputError
        If a file of it is damaged.
    """
    hu = exported_hu(saved, folder)
    if hu is None:
        hu = _picture_hu(folder / "after-16bit.png", saved)
    return _with_hash(hu, saved, saved.output_sha256)


def exported_before(saved: SavedRequest, folder: Path) -> CTSlice | None:
    """Return the slice before the nodule, from its picture; None if there is none, or it has other HU.

    Raises
    ------
    InputError
        If the picture is damaged.
    """
    return _with_hash(_picture_hu(folder / "before-16bit.png", saved), saved, saved.input_sha256)


def input_slice(saved: SavedRequest, folder: Path, volume: CTVolume, index: int) -> CTSlice | None:
    """Return the slice that a request was made of, where `engine.replay.find_series` has found it in a volume.

    It is the slice of the volume; if another nodule had been put in before, that of `exported_before`, None without.

    Raises
    ------
    InputError
        If the picture is damaged.
    """
    ct_slice = volume.slice_at(index)
    return ct_slice if ct_slice.sha256() == saved.input_sha256 else exported_before(saved, folder)


def _picture_hu(path: Path, saved: SavedRequest) -> NDArray[np.int32] | None:
    """Return the HU of an exported 16-bit picture; None if there is none.

    Raises
    ------
    InputError
        If it is damaged, or another picture.
    """
    from PIL import Image

    from engine.export_pictures import OFFSET_16_BIT

    if not os.path.isfile(path):
        return None
    rows, columns = saved.record["output"]["shape"]
    try:
        with Image.open(path) as picture:
            # Before its pixels are unpacked, of which another picture may have any number.
            if picture.size != (columns, rows) or not picture.mode.startswith("I"):
                raise InputError(f"{path} is not the picture that was exported; restore it from a copy.")
            return np.asarray(picture).astype(np.int32) - OFFSET_16_BIT
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # What Pillow raises.
        raise InputError(f"{path} cannot be read; restore it from a copy.") from error


def _with_hash(hu: NDArray[Any] | None, saved: SavedRequest, sha256: str | None) -> CTSlice | None:
    """Return a slice of these HU that has this hash; None if none has."""
    if hu is None:
        return None
    row_mm, column_mm = saved.record["output"]["pixel_spacing_mm"]
    # Files do not tell in which of both types HU were held, and the hash covers the type.
    candidates = (CTSlice(held, (row_mm, column_mm)) for held in (compact(hu), hu.astype(np.float32)))
    return next((found for found in candidates if found.sha256() == sha256), None)
