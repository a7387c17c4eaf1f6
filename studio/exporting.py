"""Which files an export writes, and where."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.ct import CTVolume, WindowLevel
from engine.events import GenerationResult
from studio.background import Progress
from studio.placed import PlacedNodule

#: The whole series is written once for all nodules; the other formats once for each.
SERIES = "DICOM series"
#: What can be chosen, by its name in `engine.exports.FORMATS`, and the files that it writes.
FORMATS: dict[str, str] = {
    "DICOM": "slice.dcm, mask.dcm, report.dcm",
    SERIES: "every slice, with all accepted nodules",
    "NIfTI": "slice.nii.gz, mask.nii.gz, box.nii.gz",
    "NRRD": "slice.nrrd, mask.nrrd, box.nrrd",
    "PNG": "before, after and mask; before and after in 16 bits; difference",
    "LIDC XML": "nodule.xml",
    "Tables": "boxes.json (COCO), after.txt (YOLO), nodule.csv",
}


@dataclass(frozen=True)
class ExportChoices:
    """What the user chose.

    Attributes
    ----------
    formats : names from `FORMATS`
    window : WindowLevel
        Of the PNG files.
    keep_identity : bool
        Leave the patient's identity in.
    """

    formats: Collection[str]
    window: WindowLevel
    keep_identity: bool = False


def export_nodules(
    volume: CTVolume,
    nodules: Sequence[PlacedNodule],
    accepted: Sequence[PlacedNodule],
    choices: ExportChoices,
    folder: Path,
    progress: Progress,
) -> list[Path]:
    """Write each nodule to a new folder of its own inside `folder`; return the new folders.

    Each holds `request.json` and `deidentification.json` besides. The whole series gets one folder, for all that were
    accepted: it is the scan as it is now. `slice.dcm` of the last nodule on each slice is one of its images, and all
    marks but those of nodules below it refer to them. So does the one mask of a nodule that goes on in other slices,
    which gets a folder of its own, with the whole series, if a part of the nodule is chosen.

    Parameters
    ----------
    accepted : all that were, among them `nodules`
        What they show of other nodules is marked, too.
    progress : (part) -> None
        Told, from 0 to 1, what part is done.

    Raises
    ------
    InputError
        If the folder cannot be written to.
    """
    from engine import exports  # Writing DICOM and NIfTI takes libraries that are slow to import.
    from engine.export_series import series_of

    options = exports.ExportOptions(choices.window, choices.keep_identity)
    formats = [name for name in FORMATS if name in choices.formats and name != SERIES]
    # The last nodule that was accepted on a slice is on all those before it.
    last = {nodule.slice_index: nodule.result for nodule in accepted}
    series = series_of(volume, last) if SERIES in choices.formats else None
    parts = len(nodules) + (series is not None)
    written: list[Path] = []
    for nodule in nodules:
        progress(len(written) / parts)
        into = unused(folder / f"slice-{nodule.slice_index + 1:03}")
        earlier = _earlier(nodule, accepted)
        exports.export_files(volume, nodule.slice_index, nodule.result, into, formats, options, earlier, series)
        written.append(into)
    if series is not None:
        progress(len(written) / parts)
        into = unused(folder / "whole-series")
        exports.export_series(volume, series, into, options)
        written.append(into)
        for index, results in _extended(nodules, accepted):
            into = unused(folder / f"nodule-{index + 1:03}")
            exports.export_extended(volume, index, results, series, into, options)
            written.append(into)
    progress(1.0)
    return written


def _earlier(nodule: PlacedNodule, accepted: Sequence[PlacedNodule]) -> list[GenerationResult]:
    """Return the results that a nodule was built on, the first one first."""
    finished = {placed.result.slice.sha256(): placed.result for placed in accepted}
    found: list[GenerationResult] = []
    before = nodule.result.before
    while before is not None and (result := finished.pop(before.sha256(), None)) is not None:
        found.insert(0, result)
        before = result.before
    return found


def _extended(
    nodules: Sequence[PlacedNodule], accepted: Sequence[PlacedNodule]
) -> Iterator[tuple[int, dict[int, GenerationResult]]]:
    """Yield those of the nodules that go on in other slices, whole: where each was placed, and its results by slice."""
    chosen = {nodule.name for nodule in nodules}
    for placed in accepted:
        name = placed.result.nodule_sha256()
        others = {nodule.slice_index: nodule.result for nodule in accepted if nodule.continues == name}
        if others and name in chosen:
            yield placed.slice_index, {placed.slice_index: placed.result, **others}


def unused(path: Path) -> Path:
    """Return the path, or the first of `name-2`, `name-3` ... that is not there: nothing is overwritten."""
    number, unused = 1, path
    suffix = ".png" if path.suffix == ".png" else ""  # What follows a full stop may be part of the name of a folder.
    while unused.exists():
        number += 1
        unused = path.with_name(f"{path.name.removesuffix(suffix)}-{number}{suffix}")
    return unused
