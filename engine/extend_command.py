"""``nodule-engine place --extend``: the nodule over the slices beside it, and what is written of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from engine.checkpoint import load_checkpoint
from engine.ct import CTVolume
from engine.errors import InputError
from engine.events import Finished, GenerationResult, Preview
from engine.exports import ALL_FORMATS, ExportOptions, export_extended, export_files
from engine.job_runner import failure_sentence

#: Inside the folder of the nodule: of the whole nodule.
WHOLE_NODULE = "nodule"


def extend_and_export(
    volume: CTVolume,
    index: int,
    result: GenerationResult,
    checkpoint_folder: Path,
    folder: Path,
    options: ExportOptions,
) -> dict[str, Any]:
    """Extend a nodule and write it; return what is printed of it, as JSON types.

    Beside the files of `result`, `folder` gets `slice-NNN`, counted from 001, for each other slice, and `nodule`, with
    the whole series, for all of them.

    Parameters
    ----------
    index : int
        Of the slice in `volume` in which the nodule was placed.

    Raises
    ------
    InputError
        As `engine.extension.extend_nodule`; if the network returned what are no numbers; if it cannot be written.
    """
    from engine.extension import extension_record

    results = {index: result, **_extended(volume, index, result, checkpoint_folder)}
    for near in sorted(results.keys() - {index}):
        export_files(volume, near, results[near], folder / f"slice-{near + 1:03}", ALL_FORMATS, options)
    export_extended(volume, index, results, folder / WHOLE_NODULE, options)
    record = extension_record(volume, index, results)
    return {
        "slices": sorted(results),
        **{name: record[name] for name in ("diameter_mm", "length_mm", "volume_mm3")},
        "out": str(folder / WHOLE_NODULE),
    }


def _extended(
    volume: CTVolume, index: int, result: GenerationResult, checkpoint_folder: Path
) -> dict[int, GenerationResult]:
    """Run the extension, its steps shown where standard error is a terminal; return what was made, by slice index."""
    from tqdm import tqdm

    from engine.extension import extend_nodule, extension_requests

    indices, watched = list(extension_requests(volume, index, result)), sys.stderr.isatty()
    steps = len(indices) * result.request.options.steps
    checkpoint, made = load_checkpoint(checkpoint_folder), list[GenerationResult]()
    with tqdm(total=steps, unit="step", file=sys.stderr, disable=not watched) as bar:
        try:
            for event in extend_nodule(checkpoint, volume, index, result, previews=watched):
                match event:
                    case Preview():
                        bar.update()
                    case Finished(result=finished):
                        made.append(finished)
        except FloatingPointError as error:
            raise InputError(failure_sentence(error, "The nodule could not be extended")) from error
    return dict(zip(indices, made, strict=True))
