"""``nodule-engine place --extend``: the nodule over the slices beside it, and what is written of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from engine.checkpoint import load_checkpoint
from engine.command_line import generating
from engine.ct import CTVolume
from engine.errors import InputError
from engine.events import Finished, GenerationResult, Preview
from engine.export_series import ExportedSeries
from engine.exports import ALL_FORMATS, ExportOptions, export_extended, export_files

#: Inside the folder of the nodule: of the whole nodule.
WHOLE_NODULE = "nodule"
_SLICE_FOLDER = re.compile(r"slice-\d{3,}")


def check_extended(folder: Path, slices: Collection[int] = ()) -> None:
    """Refuse a folder that would hold parts of an earlier nodule beside those of a new one.

    Parameters
    ----------
    slices : indices of the slices in which the new nodule goes on; none if it is not extended
        Their folders are replaced, and so is `nodule`.

    Raises
    ------
    InputError
        If it would.
    """
    if slices:
        there = {path.name for path in folder.glob("slice-*") if _SLICE_FOLDER.fullmatch(path.name)}
        left = sorted(there - {_slice_folder(index) for index in slices})
    else:
        left = [WHOLE_NODULE] if (folder / WHOLE_NODULE / "nodule.json").is_file() else []
    if left:
        raise InputError(f"{folder} holds {left[0]}, which is of an earlier nodule; give another folder.")


def extend(
    volume: CTVolume, index: int, result: GenerationResult, checkpoint_folder: Path, folder: Path
) -> dict[int, GenerationResult]:
    """Let a nodule go on in the slices beside it, its steps shown where standard error is a terminal.

    Parameters
    ----------
    index : int
        Of the slice in `volume` in which the nodule was placed.
    folder : Path
        To which it is to be exported: looked at, see `check_extended`, and not written to.

    Returns
    -------
    dict of what was made, by slice index

    Raises
    ------
    InputError
        As `engine.extension.extend_nodule` and `check_extended`; if the memory is full or the network returned what are
        no numbers.
    """
    from tqdm import tqdm

    from engine.extension import extend_nodule, extension_requests

    indices, watched = list(extension_requests(volume, index, result)), sys.stderr.isatty()
    check_extended(folder, indices)
    steps, made = len(indices) * result.request.options.steps, list[GenerationResult]()
    with generating("The nodule could not be extended"):
        checkpoint = load_checkpoint(checkpoint_folder)
        with tqdm(total=steps, unit="step", file=sys.stderr, disable=not watched) as bar:
            for event in extend_nodule(checkpoint, volume, index, result, previews=watched):
                match event:
                    case Preview():
                        bar.update()
                    case Finished(result=finished):
                        made.append(finished)
    return dict(zip(indices, made, strict=True))


def export_extension(
    volume: CTVolume, index: int, series: ExportedSeries, folder: Path, options: ExportOptions
) -> dict[str, Any]:
    """Write a nodule that goes on in other slices; return what is printed of it, as JSON types.

    `folder` gets `nodule`, with the whole series, for all slices, and `slice-NNN`, counted from 001, for each but the
    one in which it was placed: that one's files are to lie in `folder` itself. Each `slice.dcm` is one of the series.

    Parameters
    ----------
    index : int
        Of the slice in which the nodule was placed.
    series : ExportedSeries
        Its results are those of the nodule: that of `index`, too.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    from engine.extension import extension_record

    parts = series.results
    # The whole first: it replaces a series, which may be refused.
    export_extended(volume, index, parts, series, folder / WHOLE_NODULE, options, with_series=True)
    for near in sorted(parts.keys() - {index}):
        export_files(volume, near, parts[near], folder / _slice_folder(near), ALL_FORMATS, options, series=series)
    record = extension_record(volume, index, parts)
    return {
        "slices": sorted(parts),
        **{name: record[name] for name in ("diameter_mm", "length_mm", "volume_mm3")},
        "out": str(folder / WHOLE_NODULE),
    }


def _slice_folder(index: int) -> str:
    return f"slice-{index + 1:03}"
