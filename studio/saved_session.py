"""What was open and how, as plain JSON: for going on where one stopped, and for projects.

    {
      "format_version": 1,
      "saved": "2031-05-09T14:03:59+02:00",
      "ended": false,                       whether the program was closed after this was written
      "source": {"path": "/scans/LIDC-IDRI-0001", "series_uid": "1.3.6...", "description": "CHEST",
                 "made": PATH or null},     the slice that was made whole, and is in no file; may be missing
      "slice_index": 66,                    from 0
      "window": {"width": 1500, "level": -600},
      "shown": {"boxes": true, "comparison": "Only the slice", ...},    see `studio.shown.Shown`; may be missing
      "framing": {"zoom": 3.5, "row": 246.0, "column": 126.5} or null,  pixels of the screen per mm, and what is in the
                                            middle; null: the whole slice, fitted; may be missing
      "box": {"slice_index": 66, "row": 230, "column": 110, "side": 32} or null,
      "attributes": {"sphericity": 4, ...}, "options": {"seed": 7, "steps": 15, ...},
      "accepted": [{"slice_index": 66, "result": PATH, "exported": false, "nodule": "0f3a..."}, ...],  in the order of
                                            acceptance; "nodule" is the same in all slices over which one goes, and
                                            may be missing
      "candidate": the same, or null,       the nodule that waits to be accepted
      "sweep": {...} or null,               the ladder or grid: see `studio.saved_sweep`; may be missing
      "unmade": [{...}, ...],               what ran and waited in the queue: see `studio.saved_jobs`; may be missing,
                                            and is empty in a project
      "behind": {...} or null               all of this, of the scan that the slice was made in the place of; may be
    }                                       missing, and is null in a project

PATH is the folder of a result as `engine.journal` writes it: absolute in the last session, relative in a project,
and written with / everywhere: a project may be saved on Windows and opened elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.ct import WindowLevel
from engine.errors import InputError
from engine.events import SamplingOptions
from engine.json_files import number_of, text_of, time_of, window_of
from engine.nodule import NoduleAttributes
from studio.history import History
from studio.placed import PlacedNodule
from studio.saved_jobs import SavedJob, job_from, job_record
from studio.saved_sweep import SavedSweep, saved_sweep, sweep_from, sweep_record
from studio.session import Session
from studio.shown import Comparison, Shown
from studio.viewport import Framing

FORMAT_VERSION = 1
Record = dict[str, Any]


@dataclass(frozen=True)
class SavedNodule:
    """A nodule in a slice; `entry` is the folder of its result, `name` is that of `PlacedNodule`."""

    slice_index: int
    entry: Path
    is_exported: bool
    name: str


@dataclass(frozen=True)
class SavedSession:
    """What was open and how. `box` is (slice index, row, column, side).

    `made` is the folder of the result that was open as a slice of its own; `path` is only its name then. `behind` is
    what that slice had taken the place of, if one could go back to it: see `studio.way_back`. `unmade` is what the
    queue had still to make in the series.
    """

    saved: datetime
    ended: bool
    path: Path
    series_uid: str | None
    description: str
    slice_index: int
    window: WindowLevel
    box: tuple[int, int, int, int] | None
    attributes: NoduleAttributes
    options: SamplingOptions
    accepted: tuple[SavedNodule, ...]
    candidate: SavedNodule | None
    shown: Shown
    made: Path | None = None
    behind: SavedSession | None = None
    framing: Framing | None = None
    sweep: SavedSweep | None = None
    unmade: tuple[SavedJob, ...] = ()

    @property
    def entries(self) -> tuple[Path, ...]:
        """The folders of all results: in slices, the slice that was made, in the sweep; not of those behind."""
        waiting = (self.candidate,) if self.candidate else ()
        made = (self.made,) if self.made else ()
        swept = self.sweep.entries if self.sweep else ()
        return (*made, *(nodule.entry for nodule in (*self.accepted, *waiting)), *swept)


def saved_session(session: Session, history: History, ended: bool = False) -> SavedSession | None:
    """Return what is open now; None if nothing is, or a slice that is still being made or could not be recorded.

    A nodule that could not be recorded is left out. So is what is behind: only `studio.slice_making` knows that. So is
    what the queue has still to make: it matters only if the program ends.
    """
    volume, slice_made = session.volume, session.made_whole if session.generated else None
    made = history.path_of(slice_made) if slice_made else None
    if volume is None or (session.generated and made is None):
        return None

    def saved(nodule: PlacedNodule) -> SavedNodule | None:
        path = history.path_of(nodule.result)
        return SavedNodule(nodule.slice_index, path, nodule in session.exported, nodule.name) if path else None

    box = session.box
    return SavedSession(
        saved=datetime.now().astimezone(),
        ended=ended,
        path=volume.source if made else volume.source.absolute(),
        series_uid=session.series_uid,
        description=volume.description,
        slice_index=session.slice_index,
        window=session.window,
        box=(box.slice_index, box.box.row, box.box.column, box.box.side) if box else None,
        attributes=session.attributes,
        options=session.options,
        accepted=tuple(nodule for nodule in map(saved, session.accepted) if nodule),
        candidate=saved(session.candidate) if session.candidate else None,
        shown=session.shown,
        made=made,
        framing=session.framing,
        sweep=saved_sweep(session, history),
    )


def to_record(saved: SavedSession) -> Record:
    """Return a saved session as JSON types, see the top of this file; paths as they are."""
    return {
        "format_version": FORMAT_VERSION,
        "saved": saved.saved.isoformat(timespec="seconds"),
        "ended": saved.ended,
        "source": {
            "path": str(saved.path),
            "series_uid": saved.series_uid,
            "description": saved.description,
            "made": saved.made.as_posix() if saved.made else None,
        },
        "slice_index": saved.slice_index,
        "window": asdict(saved.window),
        "shown": {**asdict(saved.shown), "comparison": saved.shown.comparison.value},
        "framing": asdict(saved.framing) if saved.framing else None,
        "box": dict(zip(_BOX, saved.box, strict=True)) if saved.box else None,
        "attributes": asdict(saved.attributes),
        "options": asdict(saved.options),
        "accepted": [_nodule_record(nodule) for nodule in saved.accepted],
        "candidate": _nodule_record(saved.candidate) if saved.candidate else None,
        "sweep": sweep_record(saved.sweep) if saved.sweep else None,
        "unmade": [job_record(job) for job in saved.unmade],
        "behind": to_record(saved.behind) if saved.behind else None,
    }


def from_record(record: Any, place: Path) -> SavedSession:
    """Return the saved session of a record.

    Parameters
    ----------
    record : what was read from JSON
    place : Path
        Folder from which relative paths go.

    Raises
    ------
    InputError
        If it is no such record, or one of a later version.
    """
    try:
        if record["format_version"] != FORMAT_VERSION:
            raise ValueError(f"its format is {record['format_version']}, not {FORMAT_VERSION}")
        return _restored(record, place)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"What is saved in {place} cannot be read ({error}): open the CT itself.") from error


_BOX = ("slice_index", "row", "column", "side")


def _restored(record: Mapping[str, Any], place: Path) -> SavedSession:
    source, box, candidate = record["source"], record["box"], record["candidate"]
    framing, sweep, unmade = record.get("framing"), record.get("sweep"), record.get("unmade")
    return SavedSession(
        saved=time_of(record["saved"]),
        ended=bool(record["ended"]),
        path=place / text_of(source["path"]),
        series_uid=None if source["series_uid"] is None else text_of(source["series_uid"]),
        description=text_of(source["description"]),
        slice_index=int(record["slice_index"]),
        window=window_of(record["window"]),
        box=tuple(int(box[name]) for name in _BOX) if box else None,  # pyright: ignore[reportArgumentType]
        attributes=NoduleAttributes(**record["attributes"]),
        options=SamplingOptions(**record["options"]),
        accepted=tuple(_nodule(nodule, place) for nodule in record["accepted"]),
        candidate=_nodule(candidate, place) if candidate else None,
        shown=_shown(record.get("shown") or {}),
        made=place / text_of(source["made"]) if source.get("made") else None,
        behind=_restored(record["behind"], place) if record.get("behind") else None,
        framing=_framing(framing) if framing else None,
        sweep=sweep_from(sweep, place) if sweep else None,
        unmade=tuple(map(job_from, unmade or ())),
    )


def _framing(record: Mapping[str, Any]) -> Framing:
    return Framing(number_of(record["zoom"]), number_of(record["row"]), number_of(record["column"]))


def _shown(record: Mapping[str, Any]) -> Shown:
    """Return what was shown; what an older version did not write, or a later one wrote besides, does not count."""
    known = {field.name: record[field.name] for field in fields(Shown) if field.name in record}
    if "comparison" in known:
        known["comparison"] = Comparison(known["comparison"])
    if "divider" in known:
        known["divider"] = number_of(known["divider"])
    return Shown(**known)


def _nodule_record(nodule: SavedNodule) -> Record:
    return {
        "slice_index": nodule.slice_index,
        "result": nodule.entry.as_posix(),
        "exported": nodule.is_exported,
        "nodule": nodule.name,
    }


def _nodule(record: Mapping[str, Any], place: Path) -> SavedNodule:
    entry = text_of(record["result"])
    name = text_of(record.get("nodule") or entry)
    return SavedNodule(int(record["slice_index"]), place / entry, bool(record["exported"]), name)
