"""Jobs of the queue that belong together: what they have made is handed on once all of them have ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from PySide6.QtCore import QObject

from engine.events import Event, Finished
from studio.placed import PlacedNodule
from studio.queue import JobQueue
from studio.session import Session

Then = Callable[[list[PlacedNodule]], object]


@dataclass(eq=False)
class _Run:
    numbers: frozenset[int]
    then: Then
    made: list[PlacedNodule] = field(default_factory=list["PlacedNodule"])


class QueueRuns(QObject):
    """Collects what the jobs of each run make. What was cancelled or failed is left out."""

    def __init__(self, session: Session, queue: JobQueue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._runs: list[_Run] = []
        queue.job_ended.connect(self._collect)
        session.queue_changed.connect(self._hand_on)

    def begin(self, numbers: Iterable[int], then: Then) -> None:
        """Hand what the jobs with these numbers make to `then`, once none of them runs or waits."""
        self._runs.append(_Run(frozenset(numbers), then))

    def _collect(self, number: int, event: Event) -> None:
        running = self._session.queue.running
        for run in self._runs:
            if number in run.numbers and isinstance(event, Finished) and running:
                run.made.append(PlacedNodule(running.slice_index, event.result))

    def _hand_on(self) -> None:
        left = self._session.queue.numbers
        ended = [run for run in self._runs if not run.numbers & left]
        self._runs = [run for run in self._runs if run.numbers & left]  # The window may be closed any time.
        for run in ended:
            run.then(run.made)
