"""Finds what an exported `request.json` is of: its result, else what is needed to make it again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.ct import CTSlice, CTVolume
from engine.errors import InputError
from engine.events import Request, SliceSource
from engine.history import Entry, list_entries, read_entry
from engine.synthetic_data import is_synthetic
from studio.background import Progress
from studio.history import History

if TYPE_CHECKING:
    from engine.request_file import SavedRequest


_ANOTHER_BEFORE = "This nodule was put into a slice that had another one already"


class InputNotFound(InputError):
    """The CT of a result is not where it was."""


@dataclass(frozen=True)
class Opened:
    """The series that is open, and how it was asked for."""

    volume: CTVolume
    series_uid: str | None


@dataclass(frozen=True)
class Found:
    """A result in the history; or else the request by which to make it again, and the hash of what should come out."""

    entry: Entry | None
    request: Request | None = None
    output_sha256: str = ""


def find_result(
    path: Path,
    history: History,
    opened: Opened | None,
    only_opened: bool,
    progress: Progress,
) -> Found:
    """Find a result in the history, else among the exported files, from which it goes into the history.

    Parameters
    ----------
    path : Path
        An export's folder, or its `request.json`.
    only_opened : bool
        Look for the slice that it was made of in `opened` only.

    Raises
    ------
    InputNotFound
        If its CT is not known on this computer.
    InputError
        If the file is no request, or the slice is not in what is open.
    """
    from engine.exported_result import exported_result  # Measuring imports scipy.
    from engine.replay import saved_request

    saved = saved_request(path)
    entry = _in_history(saved, history, progress)
    if entry:
        return Found(entry)
    folder = path if path.is_dir() else path.parent
    before, source = (None, None) if saved.is_whole_slice else _input_of(saved, folder, opened, only_opened)
    result = exported_result(saved, folder, before, source)
    if result:
        progress(1.0)  # Another search, which has taken the place of this one, records it by itself.
        return Found(read_entry(history.record(result)))
    return Found(None, saved.request(before, source), saved.output_sha256)


def _in_history(saved: SavedRequest, history: History, progress: Progress) -> Entry | None:
    """Return the entry with the same HU; only those with the same scores and options need to be read for that."""
    for entry in list_entries(history.folder):  # Not those in the window: they may still be being read.
        progress(0.0)
        if (entry.attributes, entry.options) != (saved.attributes, saved.options):
            continue
        try:
            if history.read(entry.path).slice.sha256() == saved.output_sha256:
                return entry
        except InputError:  # Damaged: its export is whole.
            continue
    return None


def _input_of(
    saved: SavedRequest, folder: Path, opened: Opened | None, only_opened: bool
) -> tuple[CTSlice, SliceSource]:
    from engine.exported_result import input_slice
    from engine.replay import find_series, index_of_input

    index = index_of_input(opened.volume, saved) if opened else None
    place = (opened.volume, index, opened.series_uid) if opened and index is not None else None
    before = input_slice(saved, folder, place[0], place[1]) if place else None
    if before is None and only_opened:
        raise InputError(
            f"{_ANOTHER_BEFORE}; open slice.dcm of that one's export, and then the result again."
            if place
            else "No slice of this CT has the HU that the result was made of; open the right CT, and then the result "
            "again."
        )
    if place is None or before is None:
        try:
            place = find_series(saved)
        except InputError as error:
            raise _not_found(saved, had_another=place is not None) from error
        before = input_slice(saved, folder, place[0], place[1])
    if before is None:
        raise _not_found(saved, had_another=True)
    volume, index, series_uid = place
    # Exports of older versions do not say it; the volume does.
    was_synthetic = saved.is_input_synthetic or is_synthetic(volume, index)
    source = SliceSource(volume.source, series_uid, index, volume.description, saved.sha256_as_read, was_synthetic)
    return before, source


def _not_found(saved: SavedRequest, had_another: bool) -> InputNotFound:
    if had_another:
        return InputNotFound(f"{_ANOTHER_BEFORE}: open slice.dcm of that one's export, and the result follows.")
    return InputNotFound(
        f"The CT of this result is not found on this computer: open it ({saved.input_name}, "
        f"slice {saved.slice_index + 1}), and the result follows."
    )
