"""A sweep as a set of files: a folder for each result as any export has it, a picture of all, and a manifest.

sweep-texture-sphericity/
    texture-1-sphericity-1/ ...    see `engine.exports`
    sheet.png                      all results side by side
    sweep.json                     what was swept, what stayed, and what was measured of each; written last
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PySide6.QtGui import QImage

from engine.ct import CTVolume, WindowLevel
from engine.errors import InputError
from engine.nodule import ATTRIBUTE_NAMES
from studio.background import Progress
from studio.measured import measured_for
from studio.sweep import Cell, Sweep, score_of
from studio.sweep_sheet import SYNTHETIC, save_sheet

MANIFEST, SHEET = "sweep.json", "sheet.png"


def write_set(
    volume: CTVolume, sweep: Sweep, folder: Path, window: WindowLevel, sheet: QImage, progress: Progress
) -> None:
    """Write a sweep into a new folder, see the top of this file: each result in all formats.

    Parameters
    ----------
    progress : (part) -> None
        Told, from 0 to 1, what part is done; what it raises ends the writing.

    Raises
    ------
    InputError
        If the folder cannot be written to. Nothing remains of it then.
    """
    from engine import exports  # Writing DICOM and NIfTI takes libraries that are slow to import.

    done = [cell for cell in sweep.cells if cell.result]
    options = exports.ExportOptions(window)
    try:
        for number, cell in enumerate(done):
            progress(number / len(done))
            if cell.result:
                into = folder / cell_name(cell, sweep)
                index, formats, earlier = sweep.slice_index, exports.ALL_FORMATS, sweep.earlier
                exports.export_files(volume, index, cell.result, into, formats, options, earlier)
        save_sheet(sheet, folder / SHEET)
        text = json.dumps(manifest(sweep, window), indent=2, ensure_ascii=False, allow_nan=False)
        (folder / MANIFEST).write_text(f"{text}\n", "utf-8")
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise InputError(f"The folder {folder} cannot be written to ({error.strerror}); choose another.") from error
        raise


def manifest(sweep: Sweep, window: WindowLevel) -> dict[str, Any]:
    """Return what a set holds, as JSON types; nothing in it tells whose CT it is."""
    request, result = sweep.cells[0].request, sweep.results[0]
    box = request.box
    return {
        "format_version": 1,
        "synthetic": SYNTHETIC,
        "across": sweep.across,
        "down": sweep.down,
        "slice_index": sweep.slice_index,
        "box": {"row": box.row, "column": box.column, "side": box.side},
        "options": asdict(request.options),
        "window": asdict(window),
        "checkpoint": {"name": result.checkpoint_name, "sha256": result.checkpoint_sha256},
        "results": [_described(cell, sweep) for cell in sweep.cells if cell.result],
        "missing": [cell_name(cell, sweep) for cell in sweep.cells if not cell.result],
    }


def _described(cell: Cell, sweep: Sweep) -> dict[str, Any]:
    assert cell.result
    measured = cell.result.measurement
    return {
        "folder": cell_name(cell, sweep),
        "attributes": dict(zip(ATTRIBUTE_NAMES, cell.request.attributes.scores, strict=True)),
        "diameter_mm": measured.diameter_mm,
        "mean_hu": measured.mean_hu,
        "plain": asdict(measured.plain) if measured.plain else None,
        "read_back": {name: asdict(reading) for name, reading in measured.scores.items()} if measured.scores else None,
        "shown": {name: [value.text for value in measured_for(name, measured)] for name in sweep.swept},
    }


def set_name(sweep: Sweep) -> str:
    """Return the name of the folder of a set: "sweep-texture-sphericity"."""
    return "-".join(("sweep", *sweep.swept))


def cell_name(cell: Cell, sweep: Sweep) -> str:
    """Return the name of the folder of one result: "texture-2-sphericity-4"."""
    return "-".join(f"{name}-{score_of(cell.request, name)}" for name in sweep.swept)
