"""Brings a saved session back: the series, the slice, the nodules in it, and what was set."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject

from engine.ct import CTVolume
from engine.errors import InputError
from engine.events import GenerationResult, SliceRequest
from engine.nodule import BoundingBox
from studio.background import Progress, Task, start_telling, stop_tasks
from studio.history import History
from studio.opening import Opener
from studio.placed import BoxOnSlice, PlacedNodule
from studio.queue import JobQueue
from studio.rebasing import rebased
from studio.requeuing import offer_again
from studio.saved_session import SavedNodule, SavedSession
from studio.saved_sweep import restored_sweep
from studio.session import Notice, Session, Severity
from studio.slice_making import SliceMaking
from studio.sweeping import Sweeping

logger = logging.getLogger(__name__)

#: Called once a session is open again, with whether all of it is there.
Then = Callable[[bool], object]
#: What was open, and accepted in it.
_Before = tuple[CTVolume | None, tuple[PlacedNodule, ...]]
_SLICE_GONE = "The slice of the session is not in the history any more."


@dataclass(frozen=True)
class _Read:
    """The results of a saved session by their folders, but for those that cannot be read.

    `why_not_kept`: why results from outside the journal could not be copied into it; empty if they could.
    """

    results: dict[Path, GenerationResult]
    why_not_kept: str = ""


class Restorer(QObject):
    """Reopens saved sessions, one at a time."""

    def __init__(
        self,
        session: Session,
        history: History,
        opener: Opener,
        slices: SliceMaking,
        queue: JobQueue,
        sweeping: Sweeping,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._history = history
        self._opener = opener
        self._slices = slices
        self._queue = queue
        self._sweeping = sweeping
        self._task: Task | None = None

    def reopen(self, saved: SavedSession, others: Sequence[Path] = (), then: Then = lambda is_whole: None) -> None:
        """Read the results, then the series; show all of it at once, and call `then`.

        Results from outside the journal, those of a project, are copied into it, and `others` with them; where that
        cannot be, they are shown all the same. What is opened or accepted while they are read is not replaced.
        """
        if self._task:
            self._task.abandon()
        self._opener.cancel()
        work = partial(self._read, saved, others)
        before = self._session.volume, self._session.accepted
        self._task = Task(work, "The session could not be read", self)
        self._task.succeeded.connect(partial(self._open, saved, then, before))
        self._task.failed.connect(self._fail)
        start_telling(self._task, self._session, "Reading the nodules of the session")

    def stop(self) -> None:
        """Restore no further."""
        stop_tasks(self)
        self._task = None

    def _read(self, saved: SavedSession, others: Sequence[Path], progress: Progress) -> _Read:
        found: dict[Path, GenerationResult] = {}
        why_not_kept = ""
        for path in dict.fromkeys((*saved.entries, *others)):
            progress(0.0)
            place, why_not = self._adopted(path)
            try:
                if path in saved.entries:
                    found[path] = self._history.read(place)
                    why_not_kept = why_not_kept or why_not
            except InputError as error:
                logger.warning("%s", error)
        return _Read(found, why_not_kept)

    def _adopted(self, path: Path) -> tuple[Path, str]:
        """Return the copy of an entry in the journal; or the entry itself, and why it could not be copied."""
        try:
            return self._history.adopt(path), ""
        except InputError as error:
            logger.warning("%s", error)
            return path, str(error)

    def _fail(self, message: str) -> None:
        self._task = None
        self._session.say(message, Severity.ERROR)

    def _open(self, saved: SavedSession, then: Then, before: _Before, read: _Read) -> None:
        session, (volume, accepted) = self._session, before
        self._task = None
        if session.opening or session.volume is not volume or session.accepted is not accepted:
            session.say("The session was not reopened, for something else was opened or accepted meanwhile.")
            return
        if saved.made:
            self._open_made(saved, then, read)
            return
        self._opener.read(saved.path, saved.series_uid, lambda: then(self._show(saved, read)))

    def _open_made(self, saved: SavedSession, then: Then, read: _Read) -> None:
        """Open a slice that was made whole: it is a result itself. If it is gone, what was behind it is opened."""
        made = read.results.get(saved.made) if saved.made else None
        if made and isinstance(made.request, SliceRequest):
            self._slices.reopen(made, saved.behind)
            then(self._show(saved, read))
        elif saved.behind:
            self.reopen(saved.behind, then=lambda _: self._warn(_SLICE_GONE))
        else:
            self._session.say(_SLICE_GONE, Severity.ERROR)

    def _show(self, saved: SavedSession, read: _Read) -> bool:
        """Show what was read in its place; return whether all of it is there, and warn if it is not."""
        session, results = self._session, read.results
        session.window, session.attributes, session.options = saved.window, saved.attributes, saved.options
        session.shown = saved.shown
        session.go_to_slice(saved.slice_index)
        lost = len({nodule.name for nodule in saved.accepted if not self._accept(nodule, results)})
        candidate = self._placed(saved.candidate, results) if saved.candidate else None
        session.candidate = candidate
        session.box = candidate.place if candidate else self._box(saved)
        is_sweep_lost = not self._show_sweep(saved, results)
        session.framing = saved.framing  # Last: a ladder or grid that appears brings the box into sight.
        is_candidate_lost = saved.candidate is not None and candidate is None
        why_less = _why_less(lost, is_candidate_lost, is_sweep_lost)
        for why in filter(None, (why_less, read.why_not_kept)):
            self._warn(why)
        if saved.unmade:
            offer_again(session, self._queue, self._sweeping, saved.unmade)
        return why_less is None

    def _show_sweep(self, saved: SavedSession, results: dict[Path, GenerationResult]) -> bool:
        """Put the ladder or grid back; return whether it is there, if there was one."""
        if saved.sweep is None:
            return True
        session = self._session
        session.sweep = restored_sweep(saved.sweep, results, session, self._queue.new_numbers)
        session.is_sweep_shown = session.sweep is not None and saved.sweep.is_shown
        return session.sweep is not None

    def _warn(self, text: str) -> None:
        """Say it beside what is said already, the offer of a way back among it."""
        said = self._session.notice or Notice("")
        self._session.notice = replace(said, text=f"{said.text} {text}".strip(), severity=Severity.WARNING)

    def _accept(self, nodule: SavedNodule, results: dict[Path, GenerationResult]) -> bool:
        placed = self._placed(nodule, results)
        if placed is None:
            return False
        self._session.accepted = (*self._session.accepted, placed)
        if nodule.is_exported:
            self._session.exported = (*self._session.exported, placed)
        return True

    def _placed(self, nodule: SavedNodule, results: dict[Path, GenerationResult]) -> PlacedNodule | None:
        """Return the nodule on the slice as it is by now; None if it does not fit there."""
        volume, result = self._session.volume, results.get(nodule.entry)
        if result is None or volume is None or not 0 <= nodule.slice_index < len(volume):
            return None
        now = self._session.slice_with_accepted(nodule.slice_index)
        fitting = rebased(result, now) if now else None
        if fitting is None:
            return None
        self._history.remember(fitting, self._history.path_of(result) or nodule.entry)
        return PlacedNodule(nodule.slice_index, fitting)

    def _box(self, saved: SavedSession) -> BoxOnSlice | None:
        volume = self._session.volume
        if saved.box is None or volume is None:
            return None
        index, *edges = saved.box
        try:
            return BoxOnSlice(index, BoundingBox(*edges, slice_shape=volume.slice_at(index).shape))
        except InputError:
            return None


def _why_less(lost: int, is_candidate_lost: bool, is_sweep_lost: bool) -> str | None:
    """Return what of a session could not be put back, as one sentence; None if all of it could."""
    accepted = "1 accepted nodule" if lost == 1 else f"{lost} accepted nodules" if lost else ""
    waiting = "the nodule that waited to be accepted" if is_candidate_lost else ""
    swept = "the ladder or grid" if is_sweep_lost else ""
    missing = [each for each in (accepted, waiting, swept) if each]
    if not missing:
        return None
    first, *others = missing
    nor = "".join(f", nor {each}" for each in others)
    return f"{first[0].upper()}{first[1:]} could not be put back{nor}: the result or the CT has changed."
