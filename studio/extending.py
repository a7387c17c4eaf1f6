"""A nodule over neighbouring slices: makes the slices beside it in the queue, then accepts all of them as one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from PySide6.QtCore import QObject, Qt

from engine.ct import CTVolume
from engine.errors import InputError
from engine.events import GenerationRequest
from studio import commands
from studio.history import History
from studio.placed import PlacedNodule
from studio.placing import Placing
from studio.queue import JobQueue
from studio.queue_runs import QueueRuns
from studio.queue_state import QueuedJob
from studio.reasons import why_not_extend
from studio.rebasing import rebased
from studio.session import Notice, Session

#: What is said of a nodule that is made in its slices and not yet put into them.
_WAITS = (
    "The nodule is made in all its slices; it goes into them once the one that waits there is accepted or discarded."
)


@dataclass(frozen=True, eq=False)
class _Begun:
    """A nodule whose other slices are being made.

    Attributes
    ----------
    volume : CTVolume
        The series that it is in.
    nodule : PlacedNodule
        As it was when it was begun.
    numbers : slice index -> number of the job in the queue
    """

    volume: CTVolume
    nodule: PlacedNodule
    numbers: Mapping[int, int]


class Extending(QObject):
    """Extends nodules, each of which is accepted in its slices as soon as its own have all been made.

    What the generator saw of a slice must still be there when the nodule goes into it. So a job that waits begins with
    what is accepted by then, another nodule that was extended before it as well; and what was accepted around a part
    after that has begun makes it be made again, next. A nodule that waits to be accepted is not built over: what goes
    into its slice waits, too.
    """

    def __init__(
        self, session: Session, placing: Placing, queue: JobQueue, history: History, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._placing = placing
        self._queue = queue
        self._history = history
        self._runs = QueueRuns(session, queue, self)
        self._under_way: list[_Begun] = []
        self._waiting: list[tuple[_Begun, list[PlacedNodule]]] = []
        session.accepted_changed.connect(self._renew_requests)
        # Queued: the change may be a step of undo, in the midst of which no other step can be made.
        for signal in (session.candidate_changed, session.job_changed):
            signal.connect(self._end_waiting, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        """Queue the slices beside the nodule in the box; or say why not."""
        session, nodule = self._session, self._session.nodule_in_box
        why = (self._why_not_again(nodule) if nodule else "") or why_not_extend(session)
        if why or session.volume is None or nodule is None:
            session.say(why or "Generate a nodule first.")
            return
        try:
            requests = _requests(session, session.volume, nodule)
        except InputError as error:
            session.say(str(error))
            return
        session.notice = None
        numbers = {index: number for index, one in requests.items() for number in self._queue.add(index, [one])}
        begun = _Begun(session.volume, nodule, numbers)
        self._under_way.append(begun)
        self._runs.begin(numbers.values(), partial(self._end, begun, ()))

    def _why_not_again(self, nodule: PlacedNodule) -> str:
        begun = next((one for one in self._under_way if _is_same(one.nodule, nodule)), None)
        if begun is None:
            return ""
        is_made = any(waiting is begun for waiting, _ in self._waiting)
        return _WAITS if is_made else "This nodule is being extended; its slices are in the queue."

    def _renew_requests(self) -> None:
        """Let jobs that wait begin with what is accepted in their slices by now."""
        here = (begun for begun in self._under_way if begun.volume is self._session.volume)
        self._queue.renew({number for begun in here for number in begun.numbers.values()}, self._renewed)

    def _renewed(self, job: QueuedJob) -> QueuedJob:
        now = self._session.slice_with_accepted(job.slice_index)
        return replace(job, request=replace(job.request, slice=now)) if now else job

    def _end(self, begun: _Begun, before: Sequence[PlacedNodule], now: list[PlacedNodule]) -> None:
        """Put the nodule into its slices, of which some were made before and others now; or say why not."""
        session, made, wanted = self._session, [*before, *now], len(begun.numbers)
        is_here = begun.volume is session.volume
        nodule = self._as_it_is_now(begun.nodule) if is_here else None
        if nodule and len(made) == wanted:
            self._put_in(begun, nodule, made)
            return
        self._under_way.remove(begun)
        if not is_here:
            self._say_not_here(f"{len(made)} of {wanted} slices were made")
        elif len(made) < wanted:
            session.say(f"The nodule was not extended: {len(made)} of {wanted} slices were made; see the history.")
        else:
            session.say("The nodule was not extended, for it has been changed meanwhile; see the history.")

    def _say_not_here(self, made: str) -> None:
        text, said = f"for another scan or slice was open: {made}; see the history.", self._session.notice
        kept = said if said and said.do else Notice("")  # It may offer the way back to the series of the nodule.
        self._session.notice = replace(kept, text=f"{kept.text} The nodule was not extended, {text}".strip())

    def _put_in(self, begun: _Begun, nodule: PlacedNodule, made: list[PlacedNodule]) -> None:
        candidate = self._session.candidate
        if candidate and candidate.slice_index in begun.numbers:
            self._waiting.append((begun, made))
            self._session.say(_WAITS)
            return
        fitting, stale = self._on_slices_now(made)
        if stale:
            self._make_again(begun, fitting, stale)
        else:
            self._under_way.remove(begun)
            self._accept(nodule, fitting)

    def _end_waiting(self) -> None:
        """Go on with what waits for slices that are free by now."""
        waiting, self._waiting = self._waiting, []
        for begun, made in waiting:
            if self._is_taken(begun):
                self._waiting.append((begun, made))
            else:
                self._end(begun, (), made)

    def _is_taken(self, begun: _Begun) -> bool:
        """Whether a nodule waits or forms in one of its slices; it may be the one that waited, on its way elsewhere."""
        candidate, busy = self._session.candidate, set(self._placing.slices_of_job)
        busy |= {candidate.slice_index} if candidate else set()
        return begun.volume is self._session.volume and not busy.isdisjoint(begun.numbers)

    def _make_again(self, begun: _Begun, fitting: list[PlacedNodule], stale: list[PlacedNodule]) -> None:
        """Put those jobs into the queue again, before all others: what waits may be built on them."""
        numbers = begun.numbers
        again = tuple(
            self._renewed(QueuedJob(numbers[placed.slice_index], placed.slice_index, placed.result.request))
            for placed in stale
            if isinstance(placed.result.request, GenerationRequest)
        )
        self._queue.make_again(again)
        self._runs.begin((job.number for job in again), partial(self._end, begun, fitting))
        slices = "1 slice" if len(again) == 1 else f"{len(again)} slices"
        self._session.say(f"The nodule is made again in {slices}, for there are other nodules beside it by now.")

    def _accept(self, nodule: PlacedNodule, fitting: list[PlacedNodule]) -> None:
        session, job = self._session, self._session.job
        # What was begun in a slice as it was before. Now: an edit that is cancelled puts back its box.
        if any(placed.slice_index in self._placing.slices_of_job for placed in fitting):
            self._placing.cancel()
        commands.accept_over_slices(session, nodule, tuple(fitting))
        dropped = "" if session.job is job else " What was forming there was cancelled; begin it again."
        session.say(extent_text(session, (nodule, *fitting)) + dropped)

    def _as_it_is_now(self, nodule: PlacedNodule) -> PlacedNodule | None:
        """Return the nodule on what its slice is now: another one of it may have been changed.

        None if it is gone, or if a part of it has been accepted by itself: it would be there twice.
        """
        session, name = self._session, nodule.result.nodule_sha256()
        if any(part.continues == name for part in session.accepted):
            return None
        there = (*session.accepted, *([session.candidate] if session.candidate else []))
        return next((now for now in there if _is_same(nodule, now)), None)

    def _on_slices_now(self, made: list[PlacedNodule]) -> tuple[list[PlacedNodule], list[PlacedNodule]]:
        """Return the parts as they go into the series now, and those around which their slices have changed."""
        fitting: list[PlacedNodule] = []
        stale: list[PlacedNodule] = []
        for placed in made:
            now = self._session.slice_with_accepted(placed.slice_index)
            result = rebased(placed.result, now) if now else None
            if result is None:
                stale.append(placed)
                continue
            path = self._history.path_of(placed.result)
            if path and result is not placed.result:
                self._history.remember(result, path)
            fitting.append(PlacedNodule(placed.slice_index, result))
        return fitting, stale


def _is_same(one: PlacedNodule, other: PlacedNodule) -> bool:
    """Whether two are one nodule, whatever else is in its slice."""
    return one.slice_index == other.slice_index and one.result.nodule_sha256() == other.result.nodule_sha256()


def _requests(session: Session, volume: CTVolume, nodule: PlacedNodule) -> dict[int, GenerationRequest]:
    """Return what to generate by slice index, each on the nodules that were accepted there."""
    from engine.extension import extension_requests

    requests = extension_requests(volume, nodule.slice_index, nodule.result)
    return {
        index: replace(request, slice=session.slice_with_accepted(index) or request.slice)
        for index, request in requests.items()
    }


def extent_text(session: Session, nodules: tuple[PlacedNodule, ...]) -> str:
    """Return over which slices a nodule goes and what it measures there, in one sentence."""
    from engine.extension import measure_extent

    indices = [nodule.slice_index + 1 for nodule in nodules]
    where = f"The nodule now goes through slices {min(indices)} to {max(indices)}"
    if session.volume is None:
        return f"{where}."
    extent = measure_extent(session.volume, {nodule.slice_index: nodule.result for nodule in nodules})
    return (
        f"{where}: {extent.diameter_mm:.1f} mm across, {extent.length_mm:.1f} mm long, "
        f"{extent.volume_mm3:.0f} mm³. Ctrl+Z takes it back."
    )
