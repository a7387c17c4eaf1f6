"""What the queue has not made, as it is saved: enough to ask for the same once the series is open again.

{
  "slice_index": 66,
  "slice_sha256": "9c1e...",            of the slice that it was to be put into, with the nodules that were in it
  "box": {"row": 230, "column": 110, "side": 32},
  "attributes": {"sphericity": 4, ...}, "options": {"seed": 7, "steps": 15, ...},
  "swept": ["texture"]                  what tells the jobs of a ladder or grid apart; empty for all others
}
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from engine.ct import CTSlice
from engine.events import SamplingOptions
from engine.json_files import text_of
from engine.nodule import ATTRIBUTE_NAMES, NoduleAttributes
from studio.queue_state import QueuedJob
from studio.session import Session

_BOX = ("row", "column", "side")
#: Many jobs have one slice, and all of them are saved whenever anything has changed.
_hashes: weakref.WeakKeyDictionary[CTSlice, str] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class SavedJob:
    """A job of the queue, see `studio.queue_state.QueuedJob`; `box` is (row, column, side)."""

    slice_index: int
    slice_sha256: str
    box: tuple[int, int, int]
    attributes: NoduleAttributes
    options: SamplingOptions
    swept: tuple[str, ...]


def unmade_jobs(session: Session) -> tuple[SavedJob, ...]:
    """Return what runs and waits in the queue for the series that is open; the slices of others are not at hand.

    A nodule that is being extended is left out: its parts are put into their slices together, or not at all.
    """
    queue = session.queue
    jobs = (*([queue.running] if queue.running else []), *queue.waiting)
    return tuple(_saved(job) for job in jobs if job.request.extension is None and _is_of_open_series(job, session))


def _is_of_open_series(job: QueuedJob, session: Session) -> bool:
    source = job.request.source
    return source is not None and source == session.source_of(job.slice_index)


def _saved(job: QueuedJob) -> SavedJob:
    request = job.request
    if request.slice not in _hashes:
        _hashes[request.slice] = request.slice.sha256()
    return SavedJob(
        slice_index=job.slice_index,
        slice_sha256=_hashes[request.slice],
        box=(request.box.row, request.box.column, request.box.side),
        attributes=request.attributes,
        options=request.options,
        swept=job.swept,
    )


def job_record(job: SavedJob) -> dict[str, Any]:
    """Return a saved job as JSON types, see the top of this file."""
    return {**asdict(job), "box": dict(zip(_BOX, job.box, strict=True)), "swept": list(job.swept)}


def job_from(record: Mapping[str, Any]) -> SavedJob:
    """Return the saved job of a record.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is none.
    """
    box, swept = record["box"], tuple(record["swept"])
    if not all(name in ATTRIBUTE_NAMES for name in swept):
        raise ValueError(f"nothing sweeps {swept!r}")
    return SavedJob(
        slice_index=int(record["slice_index"]),
        slice_sha256=text_of(record["slice_sha256"]),
        box=(int(box["row"]), int(box["column"]), int(box["side"])),
        attributes=NoduleAttributes(**record["attributes"]),
        options=SamplingOptions(**record["options"]),
        swept=swept,
    )
