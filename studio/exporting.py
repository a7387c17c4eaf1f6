"""Which files an export writes, and where."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from engine.ct import CTVolume, WindowLevel
from studio.background import Progress
from studio.session import PlacedNodule

#: What can be chosen, and the files that it writes.
FORMATS: dict[str, str] = {
    "DICOM": "slice.dcm, mask.dcm",
    "NIfTI": "slice.nii.gz, mask.nii.gz, box.nii.gz",
    "PNG and JSON": "before.png, after.png, mask.png, request.json",
}


def export_nodules(
    volume: CTVolume,
    nodules: Sequence[PlacedNodule],
    formats: Collection[str],
    folder: Path,
    window: WindowLevel,
    progress: Progress,
) -> list[Path]:
    """Write each nodule to a new folder of its own inside `folder`; return the new folders.

    Parameters
    ----------
    formats : names from `FORMATS`
    window : WindowLevel
        Of the PNG files.
    progress : (part) -> None
        Told, from 0 to 1, what part is done.

    Raises
    ------
    InputError
        If the folder cannot be written to.
    """
    writers = _writers(window)
    written: list[Path] = []
    for number, nodule in enumerate(nodules):
        progress(number / len(nodules))
        into = _unused(folder / f"slice-{nodule.slice_index + 1:03}")
        for name in formats:
            writers[name](volume, nodule, into)
        written.append(into)
    progress(1.0)
    return written


def _writers(window: WindowLevel) -> dict[str, Callable[[CTVolume, PlacedNodule, Path], object]]:
    from engine import exports  # Writing DICOM and NIfTI takes libraries that are slow to import.

    return {
        "DICOM": lambda volume, nodule, into: exports.export_dicom(volume, nodule.slice_index, nodule.result, into),
        "NIfTI": lambda volume, nodule, into: exports.export_nifti(volume, nodule.slice_index, nodule.result, into),
        "PNG and JSON": lambda volume, nodule, into: exports.export_png(
            volume, nodule.slice_index, nodule.result, into, window
        ),
    }


def _unused(folder: Path) -> Path:
    """Return the folder, or the first of `folder-2`, `folder-3` ... that is not there: nothing is overwritten."""
    number, unused = 1, folder
    while unused.exists():
        number += 1
        unused = folder.with_name(f"{folder.name}-{number}")
    return unused
