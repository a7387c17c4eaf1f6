"""Offers to make what the queue had not made when the program ended; nothing is begun without being asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from engine.ct import CTSlice
from engine.errors import InputError
from engine.events import GenerationRequest, SamplingOptions
from engine.nodule import BoundingBox, NoduleAttributes
from studio.layers import slice_without
from studio.queue import JobQueue
from studio.saved_jobs import SavedJob
from studio.session import Notice, Session
from studio.sweep import Cell
from studio.sweeping import Sweeping

#: What tells cells apart, those of another sweep, too: slice, box, scores and options.
_Asked = tuple[int, BoundingBox, NoduleAttributes, SamplingOptions]


@dataclass(frozen=True, eq=False)
class _Again:
    """A saved job, and what it asks for in the series as it is open again."""

    job: SavedJob
    request: GenerationRequest


def offer_again(session: Session, queue: JobQueue, sweeping: Sweeping, jobs: Sequence[SavedJob]) -> None:
    """Say that these jobs have not been made, beside what is said already, and offer to put them into the queue."""
    again = [_Again(job, request) for job in jobs if (request := _request(session, job))]
    said = session.notice or Notice("")
    text = f"{said.text} {unmade_text(len(jobs), len(again))}".strip()
    if again:  # In the place of the way back to a scan, if that is offered: it is in a menu, too.
        do = partial(_queue_again, session, queue, sweeping, again)
        session.notice = Notice(text, said.severity, "Queue again", do)
    else:
        session.notice = replace(said, text=text)


def unmade_text(count: int, possible: int) -> str:
    """Return how many jobs have not been made, and how many of them cannot be any more, in one sentence."""
    which = "1 job of the queue" if count == 1 else f"{count} jobs of the queue"
    lost = "it" if count == 1 else "they" if possible == 0 else f"{count - possible} of them"
    but = f"; {lost} cannot be made any more, for the slice has changed" if possible < count else ""
    return f"{which} had not been made when the program ended{but}."


def _queue_again(session: Session, queue: JobQueue, sweeping: Sweeping, again: Sequence[_Again]) -> None:
    """Put the jobs into the queue; what the ladder or grid of the session lacks is made for that."""
    lacking, cells, others = _lacking(session), list[Cell](), list[_Again]()
    for one in again:
        cell = lacking.pop(_asked(one.job.slice_index, one.request), None) if one.job.swept else None
        if cell:
            cells.append(cell)
        else:
            others.append(one)
    sweeping.retry(*cells)
    for one in others:
        queue.add(one.job.slice_index, [one.request], one.job.swept)


def _lacking(session: Session) -> dict[_Asked, Cell]:
    """Return the cells that the session's sweep lacks."""
    sweep = session.sweep
    if sweep is None:
        return {}
    return {_asked(sweep.slice_index, cell.request): cell for cell in sweep.to_retry(session.queue)}


def _asked(slice_index: int, request: GenerationRequest) -> _Asked:
    return slice_index, request.box, request.attributes, request.options


def _request(session: Session, job: SavedJob) -> GenerationRequest | None:
    """Return what a job asks for; None if its slice is not as it was then."""
    if session.volume is None or not 0 <= job.slice_index < len(session.volume):
        return None
    try:
        box = BoundingBox(*job.box, slice_shape=session.volume.slice_at(job.slice_index).shape)
    except InputError:
        return None
    asked = job.slice_index, box, job.attributes, job.options
    cell = _lacking(session).get(asked) if job.swept else None
    if cell:  # Its slice may have got other nodules since then: the results that are there have it as it was.
        return cell.request
    now = next((each for each in _slices(session, job, box) if each.sha256() == job.slice_sha256), None)
    if now is None:
        return None
    source = session.source_to_keep(job.slice_index)
    return GenerationRequest(now, box, job.attributes, job.options, source)


def _slices(session: Session, job: SavedJob, box: BoundingBox) -> Iterator[CTSlice]:
    """Yield the slice as it is, then without an accepted nodule whose place the job was to take."""
    now = session.slice_with_accepted(job.slice_index)
    if now:
        yield now
    for nodule in session.accepted:
        if (nodule.slice_index, nodule.place.box) == (job.slice_index, box):
            yield slice_without(session, nodule)
