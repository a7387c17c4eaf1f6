"""A nodule over neighbouring slices: makes the slices beside it in the queue, then accepts all of them as one step."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from PySide6.QtCore import QObject

from engine.ct import CTVolume
from engine.errors import InputError
from engine.events import GenerationRequest
from studio import commands
from studio.history import History
from studio.placed import PlacedNodule
from studio.placing import Placing
from studio.queue import JobQueue
from studio.queue_runs import QueueRuns
from studio.reasons import why_not_extend
from studio.rebasing import rebased
from studio.session import Notice, Session


class Extending(QObject):
    """Extends nodules, each of which is accepted in its slices as soon as its own have all been made."""

    def __init__(
        self, session: Session, placing: Placing, queue: JobQueue, history: History, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._placing = placing
        self._queue = queue
        self._history = history
        self._runs = QueueRuns(session, queue, self)
        self._under_way: list[PlacedNodule] = []

    def start(self) -> None:
        """Queue the slices beside the nodule in the box; or say why not."""
        session, nodule = self._session, self._session.nodule_in_box
        is_under_way = nodule is not None and any(_is_same(begun, nodule) for begun in self._under_way)
        why = "This nodule is being extended; its slices are in the queue." if is_under_way else why_not_extend(session)
        if why or session.volume is None or nodule is None:
            session.say(why or "Generate a nodule first.")
            return
        try:
            requests = _requests(session, session.volume, nodule)
        except InputError as error:
            session.say(str(error))
            return
        session.notice = None
        numbers = [number for index, one in requests.items() for number in self._queue.add(index, [one])]
        self._under_way.append(nodule)
        self._runs.begin(numbers, partial(self._end, session.volume, nodule, len(numbers)))

    def _end(self, volume: CTVolume, nodule: PlacedNodule, wanted: int, made: list[PlacedNodule]) -> None:
        self._under_way.remove(nodule)
        if volume is self._session.volume:
            self._accept(nodule, made, wanted)
        else:
            self._say_not_here(f"{len(made)} of {wanted} slices were made")

    def _say_not_here(self, made: str) -> None:
        text, said = f"for another scan or slice was open: {made}; see the history.", self._session.notice
        kept = said if said and said.do else Notice("")  # It may offer the way back to the series of the nodule.
        self._session.notice = replace(kept, text=f"{kept.text} The nodule was not extended, {text}".strip())

    def _accept(self, begun: PlacedNodule, made: list[PlacedNodule], wanted: int) -> None:
        session = self._session
        nodule, fitting = self._as_it_is_now(begun), self._fitting(made)
        if len(made) < wanted:
            session.say(f"The nodule was not extended: {len(made)} of {wanted} slices were made; see the history.")
        elif nodule is None or fitting is None:
            session.say("The nodule was not extended, for its slices have changed meanwhile; see the history.")
        else:
            job = session.job
            # What was begun in a slice as it was before. Now: an edit that is cancelled puts back its box.
            if any(placed.slice_index in self._placing.slices_of_job for placed in fitting):
                self._placing.cancel()
            commands.accept_over_slices(session, nodule, fitting)
            dropped = "" if session.job is job else " What was forming there was cancelled; begin it again."
            session.say(extent_text(session, (nodule, *fitting)) + dropped)

    def _as_it_is_now(self, nodule: PlacedNodule) -> PlacedNodule | None:
        """Return the nodule on what its slice is now: another one of it may have been changed; None if it is gone."""
        session = self._session
        there = (*session.accepted, *([session.candidate] if session.candidate else []))
        return next((now for now in there if _is_same(nodule, now)), None)

    def _fitting(self, made: list[PlacedNodule]) -> tuple[PlacedNodule, ...] | None:
        """Return the slices as they go into the series now; None if one of them has changed around the nodule."""
        session, candidate = self._session, self._session.candidate
        fitting: list[PlacedNodule] = []
        for placed in made:
            now = session.slice_with_accepted(placed.slice_index)
            result = rebased(placed.result, now) if now else None
            if result is None or (candidate and candidate.slice_index == placed.slice_index):
                return None
            path = self._history.path_of(placed.result)
            if path and result is not placed.result:
                self._history.remember(result, path)
            fitting.append(PlacedNodule(placed.slice_index, result))
        return tuple(fitting)


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
