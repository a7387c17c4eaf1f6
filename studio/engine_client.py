"""The engine thread as a QObject: requests in, events out as a signal in Qt's own thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal, Slot

from engine.engine_thread import EngineThread
from engine.events import AnyRequest, EngineState, Event, GenerationResult
from engine.job_runner import JobRunner


class EngineClient(QObject):
    """Owns one `EngineThread`; the only place where the studio and that thread meet.

    Attributes
    ----------
    event_arrived : Signal(object)
        One `engine.events.Event` at a time, in order, always in the thread of this object.
        (Not named `event`: that is the method by which Qt itself delivers to a QObject.)

    Parameters
    ----------
    open_runner : () -> JobRunner
        Called in the engine thread; loads what runs the jobs (`engine.job_runner.default_runner`).
    record : GenerationResult -> anything, optional
        Called in the engine thread with every result before it is shown: `engine.journal.record`,
        bound to a folder.
    """

    event_arrived = Signal(object)
    _events_wait = Signal()

    def __init__(
        self,
        open_runner: Callable[[], JobRunner],
        record: Callable[[GenerationResult], object] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._taken: deque[Event] = deque()
        self._events_wait.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._engine = EngineThread(open_runner, self._events_wait.emit, record)

    @property
    def state(self) -> EngineState:
        """State of the engine now; the events may still be on their way."""
        return self._engine.state

    def start(self) -> None:
        """Start the engine thread and, in it, loading the checkpoint. Call it once the window is up."""
        self._engine.start()

    def submit(self, request: AnyRequest) -> int:
        """Queue a request; return its job id. See `EngineThread.submit`."""
        return self._engine.submit(request)

    def cancel(self, job_id: int | None = None) -> None:
        """Cancel one job; None: the running one. See `EngineThread.cancel`."""
        self._engine.cancel(job_id)

    def stop(self) -> None:
        """Cancel, stop and join. Hide the window first: loading is waited for, if only for seconds."""
        self._engine.stop()

    @Slot()
    def _deliver(self) -> None:
        # One queue for all calls: a slot that opens a dialog runs an event loop of its own, and what comes
        # in meanwhile must not overtake what was taken before.
        self._taken.extend(self._engine.take_events())
        while self._taken:
            self.event_arrived.emit(self._taken.popleft())
