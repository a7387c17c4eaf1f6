"""Runs sweeps: puts their jobs into the queue, keeps what arrives, shows a chosen result in the slice.

A sweep that is out of sight, or replaced by another, goes on: its jobs are in the queue like all others, can be
cancelled there, and what they make is in the history.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt

from engine.events import Event, Failed, Finished
from studio.history import History
from studio.looking_back import LookingBack
from studio.placing import Placing
from studio.queue import JobQueue
from studio.reasons import why_not_generate
from studio.session import Session
from studio.sweep import Cell, Sweep, sweep_requests

_NO_SWEEP = "This series has no ladder or grid yet; choose one in the Explore menu."


class Sweeping(QObject):
    """The ladders and grids of one session; the last one is the session's `sweep`."""

    def __init__(
        self, session: Session, placing: Placing, queue: JobQueue, looking: LookingBack, history: History
    ) -> None:
        super().__init__(queue.parent())
        self._session = session
        self._placing = placing
        self._queue = queue
        self._looking = looking
        self._history = history
        self._shown: Sweep | None = None
        #: Jobs of sweeps that have gone with their series, and may be put back with it.
        self._away: set[int] = set()
        #: How those of them have ended that did so meanwhile, by number.
        self._late: dict[int, Event] = {}
        session.sweep_changed.connect(self._follow)
        # Queued: whether a volume that is shown is a slice that was made is known a moment later.
        session.volume_changed.connect(self._see_opened, Qt.ConnectionType.QueuedConnection)
        queue.job_ended.connect(self._keep)

    def start(self, across: str, down: str | None = None) -> None:
        """Sweep one attribute, or two, of the nodule that the session describes; or say why not."""
        session, request = self._session, self._placing.request_now()
        reason = why_not_generate(session)
        if reason or request is None:
            session.say(reason or "Draw a box first.")
            return
        session.notice = None
        requests, index = sweep_requests(request, across, down), session.slice_index
        numbers = self._queue.add(index, requests, (down, across) if down else (across,))
        cells, earlier = tuple(map(Cell, requests, numbers)), self._placing.results_before()
        session.sweep = Sweep(numbers[0], index, across, down, cells, earlier)
        session.is_sweep_shown = True

    def cancel(self) -> None:
        """Cancel all that is still to come; what has been made stays."""
        session = self._session
        if session.sweep:
            self._queue.cancel(*(cell.number for cell in session.sweep.unfinished(session.queue)))

    def retry(self, *cells: Cell) -> None:
        """Make cells that have failed or were cancelled, after what is in the queue; that goes on if it was held."""
        sweep = self._session.sweep
        if sweep and cells:
            self._queue.go_on()
            requests = [cell.request for cell in cells]
            numbers = self._queue.add(sweep.slice_index, requests, sweep.swept)
            self._session.sweep = sweep.with_numbers(
                {cell.number: number for cell, number in zip(cells, numbers, strict=True)}
            )

    def retry_all(self) -> None:
        """Make all cells that have failed or were cancelled; or say why not."""
        session = self._session
        missing = session.sweep.to_retry(session.queue) if session.sweep else ()
        if session.sweep is None:
            session.say(_NO_SWEEP)
        elif missing:
            self.retry(*missing)
        else:
            session.say("Nothing of the ladder or grid has failed or was cancelled.")

    def show_or_hide(self) -> None:
        """Show the last sweep of this series, or hide it; or say that there is none."""
        session = self._session
        if session.sweep:
            session.is_sweep_shown = not session.is_sweep_shown
        else:
            session.say(_NO_SWEEP)

    def show(self, cell: Cell, takes_settings: bool = False) -> None:
        """Show a cell that is done in its slice, as one from the history; with its scores and seed if asked for."""
        if cell.result:
            self._looking.show_result(cell.result, takes_settings)

    def is_in_slice(self, cell: Cell) -> bool:
        """Return whether the nodule in the session's box is that of the cell."""
        nodule = self._session.nodule_in_box
        if nodule is None or cell.result is None:
            return False
        there, here = nodule.result.request, cell.result.request
        if (there.box, there.attributes, there.options) != (here.box, here.attributes, here.options):
            return False  # Before files are looked for: a grid asks for 25 cells whenever the window changes.
        path = self._history.path_of(nodule.result)
        return nodule.result is cell.result or (path is not None and path == self._history.path_of(cell.result))

    def _keep(self, number: int, event: Event) -> None:
        sweep = self._session.sweep
        if sweep is None or number not in _numbers(sweep):
            if number in self._away:
                self._late[number] = event
        elif isinstance(event, Finished):
            self._session.sweep = sweep.with_outcome(number, result=event.result)
        elif isinstance(event, Failed):
            self._session.sweep = sweep.with_outcome(number, failure=event.message)

    def _follow(self) -> None:
        """Keep in a sweep that is put back, with its series, what has ended while a slice was in its place.

        One that another sweep replaces in its series is never put back.
        """
        before, self._shown = self._shown, self._session.sweep
        if self._shown is None:
            self._away |= _numbers(before)
        numbers = _numbers(self._shown)
        self._away -= numbers
        for number, event in [(number, self._late.pop(number)) for number in numbers & self._late.keys()]:
            self._keep(number, event)

    def _see_opened(self) -> None:
        """Forget what no sweep can be put back for: a file has been opened, from which nothing leads back."""
        if self._session.volume and not self._session.generated:
            self._late.clear()
            self._away.clear()


def _numbers(sweep: Sweep | None) -> set[int]:
    """Return the numbers of the jobs of a sweep, ended or not."""
    return {cell.number for cell in sweep.cells} if sweep else set()
