"""The journal at a glance: what its entries are, without their images; to star, delete and put them back.

    journal/
        2031-05-09T14-03-59.123456Z-1f0c22ab/
            result.json, result.npz    the result itself: see `engine.journal`; never written again
            starred                    an empty file: this result is starred
        .trash/                        deleted entries, whole, as they were

A deleted entry is kept for 30 days after its deletion and can be put back until then; `tidy` removes it for good.
(Not at exit: a program that was killed has no exit, and regret often comes the next morning.)
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.events import GenerationResult, SamplingOptions, SliceSource
from engine.journal import JSON_NAME, entries, is_whole, read, read_source
from engine.json_files import parse_json, text_of, time_of
from engine.measurement_record import scores_of
from engine.nodule import NoduleAttributes
from engine.score_reading import ReadBack, distance_from_request
from engine.whole_files import flush
from engine.whole_slices import made_name

KEPT_AFTER_DELETION = timedelta(days=30)
#: What is half written belongs to a running program, unless it is older than this.
_UNFINISHED_FOR = timedelta(days=1)
_TRASH, _STAR = ".trash", "starred"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """What `result.json` of one entry says.

    Attributes
    ----------
    path : Path
        Folder of the entry, in the journal or in its trash.
    recorded : datetime
        When the result was finished, with time zone.
    diameter_mm : float
        As measured; 0 if no nodule was found.
    scores : ReadBack or None
        As they were read back from the finished nodule, if they were.
    source : SliceSource or None
        Where the slice was opened from, if that is known.
    is_whole_slice : bool
        It was made whole.
    output_sha256 : str
        Hash of the finished slice; empty in entries of older versions.
    """

    path: Path
    recorded: datetime
    attributes: NoduleAttributes
    options: SamplingOptions
    diameter_mm: float
    mean_hu: float
    scores: ReadBack | None
    seconds: float
    checkpoint_name: str
    source: SliceSource | None
    is_starred: bool
    is_whole_slice: bool = False
    output_sha256: str = ""

    @property
    def off(self) -> float | None:
        """How far off the scores that were asked for: `engine.score_reading.distance_from_request`."""
        return distance_from_request(self.attributes, self.scores)

    @property
    def is_deleted(self) -> bool:
        """Whether it lies in the trash."""
        return self.path.parent.name == _TRASH


def read_entry(path: Path) -> Entry:
    """Read what an entry says of itself; its images stay on the disk.

    Raises
    ------
    InputError
        If its `result.json` is missing or altered.
    """
    try:
        written: Any = parse_json((path / JSON_NAME).read_bytes())
        return Entry(
            path=path,
            recorded=time_of(written["recorded"]),
            attributes=NoduleAttributes(**written["attributes"]),
            options=SamplingOptions(**written["options"]),
            diameter_mm=float(written["measurement"]["diameter_mm"]),
            mean_hu=float(written["measurement"]["mean_hu"]),
            scores=scores_of(written["measurement"]),
            seconds=float(written["seconds"]),
            checkpoint_name=text_of(written["checkpoint"]["name"]),
            source=read_source(written),
            is_starred=(path / _STAR).exists(),
            is_whole_slice=written.get("input", "") is None,
            output_sha256=text_of(written.get("output", {}).get("sha256", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"The saved result {path} cannot be read ({error}): restore its files from a copy, or delete it."
        ) from error


def list_entries(journal: Path) -> list[Entry]:
    """Return all entries of a journal, those in its trash included, newest first; the unreadable are left out."""
    found: list[Entry] = []
    for path in (*entries(journal), *entries(journal / _TRASH)):
        try:
            found.append(read_entry(path))
        except InputError as error:
            logger.warning("%s", error)
    return sorted(found, key=lambda entry: entry.path.name, reverse=True)


def slice_made(source: SliceSource, journal: Path) -> tuple[GenerationResult, Path] | None:
    """Return the slice made whole that a source names, and its entry; None if the journal has none such."""
    for entry in list_entries(journal):
        if not entry.is_whole_slice or (entry.output_sha256 and made_name(entry.output_sha256) != source.path):
            continue
        try:
            result = read(entry.path)
        except InputError as error:
            logger.warning("%s", error)
            continue
        if made_name(result.slice.sha256()) == source.path:
            return result, entry.path
    return None


def star(path: Path, starred: bool) -> None:
    """Star an entry, or take its star away.

    Raises
    ------
    InputError
        If the journal cannot be written to.
    """
    with _explained("The star could not be saved", path.parent):
        if starred:
            (path / _STAR).touch()
        else:
            (path / _STAR).unlink(missing_ok=True)


def delete(path: Path) -> Path:
    """Move an entry to the trash of its journal; return where it is now.

    Raises
    ------
    InputError
        If it cannot be moved; it stays where it is then.
    """
    with _explained("The result could not be deleted", path.parent):
        trash = path.parent / _TRASH
        trash.mkdir(exist_ok=True)
        # Before the move: the folder's time tells how long it has been in the trash, at every moment.
        os.utime(path)
        return path.rename(trash / path.name)


def put_back(path: Path) -> Path:
    """Move a deleted entry back into its journal; return where it is now. One that is not in a trash stays.

    Raises
    ------
    InputError
        If it cannot be moved.
    """
    if path.parent.name != _TRASH and path.exists():
        return path
    with _explained("The result could not be put back", path.parent.parent):
        return path.rename(path.parent.parent / path.name)


def located(path: Path) -> Path:
    """Return where an entry is now: in its journal, or in the trash of that; `path` if it is in neither."""
    journal = path.parent.parent if path.parent.name == _TRASH else path.parent
    places = journal / path.name, journal / _TRASH / path.name
    return next((place for place in places if is_whole(place)), path)


def adopt(path: Path, journal: Path) -> Path:
    """Copy an entry from elsewhere into a journal, whole or not at all; return the copy, or what is there already.

    Raises
    ------
    InputError
        If files of it are missing, or if it cannot be read or written.
    """
    there = located(journal / path.name)
    if is_whole(there):
        return there
    if not is_whole(path):
        raise InputError(
            f"The result {path} could not be copied, for files of it are missing: restore them from a copy."
        )
    partial = journal / f".{path.name}"
    with _explained("The result could not be copied", journal):
        try:
            partial.mkdir(parents=True, exist_ok=True)
            # Files alone, not their rights: the copy can be written to, and renamed, also that of a read-only folder.
            for file in (file for file in path.iterdir() if file.is_file()):
                shutil.copyfile(file, partial / file.name)
            flush(partial)
            return partial.rename(journal / path.name)
        except OSError:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def tidy(journal: Path, now: datetime | None = None) -> int:
    """Remove for good what was deleted 30 days ago, and what a crash left half written; return how many folders."""
    now = now or datetime.now(UTC)
    old = [*_older(journal / _TRASH, now - KEPT_AFTER_DELETION)]
    unfinished = _older(journal, now - _UNFINISHED_FOR)
    old += [path for path in unfinished if path.name.startswith(".") and path.name != _TRASH]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
    return len(old)


def _older(folder: Path, than: datetime) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and _is_older(path, than)]


def _is_older(path: Path, than: datetime) -> bool:
    try:
        return path.stat().st_mtime < than.timestamp()
    except FileNotFoundError:  # Renamed by now: it was an entry that was being written, or put back.
        return False


@contextmanager
def _explained(what: str, folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"{what} ({reason}): check that {folder} can be written to.") from error
