"""A result read back from the files of its export: the same HU, whatever generator is installed by now."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.ct import CTSlice
from engine.errors import InputError
from engine.events import GenerationResult, SliceSource
from engine.measurement import measure_nodule
from engine.replay import exported_hu
from engine.request_file import SavedRequest


def exported_result(
    saved: SavedRequest, folder: Path, before: CTSlice | None, source: SliceSource | None = None
) -> GenerationResult | None:
    """Return the result that was exported; None if no file in `folder` has exactly its HU. It is measured anew.

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
    after = _exported_slice(saved, folder)
    if after is None:
        return None
    return GenerationResult(
        request,
        after,
        measure_nodule(before, after, saved.box),
        float(saved.record["seconds"]),
        saved.checkpoint_name,
        saved.checkpoint_sha256,
        saved.versions["device"],
    )


def _exported_slice(saved: SavedRequest, folder: Path) -> CTSlice | None:
    try:
        hu = exported_hu(saved, folder)
    except RuntimeError as error:  # What SimpleITK raises of a file that is damaged.
        raise InputError(f"The exported slice in {folder} cannot be read; restore its files from a copy.") from error
    if hu is None:
        return None
    row_mm, column_mm = saved.record["output"]["pixel_spacing_mm"]
    # Files do not tell in which of both types HU were held, and the hash covers the type.
    candidates = (CTSlice(held, (row_mm, column_mm)) for held in (hu.astype(np.int16), hu.astype(np.float32)))
    return next((found for found in candidates if found.sha256() == saved.output_sha256), None)
