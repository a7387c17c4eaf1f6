"""``nodule-engine replay``: make again what was exported, and compare."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.checkpoint import DEFAULT_CHECKPOINT, DEFAULT_SLICE_CHECKPOINT, check_there
from engine.command_line import run_request
from engine.ct import CTVolume
from engine.errors import InputError
from engine.events import GenerationResult
from engine.export_folder import check_folder
from engine.replay import (
    check_checkpoint,
    check_tolerance,
    compare,
    compare_files,
    export_options,
    exported_series,
    find_input,
    saved_request,
)
from engine.request_file import SavedRequest


def add_replay(commands: Any) -> None:
    """Add the command."""
    replay = commands.add_parser("replay", help="make again what was exported, compare", allow_abbrev=False)
    add = replay.add_argument
    add("folder", metavar="FOLDER", type=Path, help="of the exported files, or the request.json in it")
    add("--input", type=Path, metavar="INPUT", help="what was opened then [looked for on this computer]")
    add("--checkpoint", type=Path, metavar="FOLDER", help="[the one that comes with the program]")
    add("--out", type=Path, metavar="FOLDER", help="export what was made, too, and compare the files")
    replay.set_defaults(run=_replay)


def _replay(options: argparse.Namespace) -> None:
    if options.out is not None:
        check_folder(options.out)
    saved = saved_request(options.folder)
    folder: Path = options.folder if options.folder.is_dir() else options.folder.parent
    if options.out is not None and options.out.resolve() == folder.resolve():
        raise InputError(f"{options.out} holds the files to compare with; give another folder to --out.")
    volume, index, result = _made_again(saved, folder, options)
    compared = compare(saved, folder, result)
    printed = {**asdict(compared), "sha256": result.slice.sha256()}
    if options.out is not None:
        from engine.exported_result import made_whole_beside
        from engine.exports import export_files

        own = made_whole_beside(volume)
        formats, how = export_options(saved)
        series = exported_series(saved, index, result)
        export_files(volume, index, result, options.out, formats, how, [own] if own else [], series)
        same, different = compare_files(folder, options.out)
        printed |= {"same_files": same, "different_files": different, "out": str(options.out)}
    check_tolerance(compared, saved.is_whole_slice)
    print(json.dumps(printed))


def _made_again(
    saved: SavedRequest, folder: Path, options: argparse.Namespace
) -> tuple[CTVolume, int, GenerationResult]:
    """Return the volume, the index of the slice in it, and the result."""
    from engine.exported_result import input_slice
    from engine.whole_slices import volume_of

    checkpoint = options.checkpoint or (DEFAULT_SLICE_CHECKPOINT if saved.is_whole_slice else DEFAULT_CHECKPOINT)
    if saved.is_whole_slice:
        check_there(checkpoint)
    check_checkpoint(saved, checkpoint)
    if saved.is_whole_slice:
        result = run_request(saved.request(None), checkpoint)
        return volume_of(result), 0, result
    volume, index = find_input(saved, options.input)
    before = input_slice(saved, folder, volume, index)
    if before is None:
        raise InputError(
            "This nodule was put into a slice that had another one already; give slice.dcm of that one's export with "
            "--input."
        )
    return volume, index, run_request(saved.request(before), checkpoint)
