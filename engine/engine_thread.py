"""One persistent thread that loads a checkpoint and runs jobs, one after another.

    start()                     submit()             cancel()
       |                           |                    |
       v     loaded                v                    v       closed after a U-Net step
    LOADING ---------> IDLE ---------------> SAMPLING ------> CANCELLING
     |   ^               ^                      |                 |
     |   | submit()      | finished, failed     |                 |
     |   |               +----------------------+                 |
     v   |               +----------------------------------------+
    FAILED                                                      stop(): any -> STOPPED

Every job ends in exactly one of Finished, Sketched, Cancelled and Failed(job_id), and is followed by IDLE, also where
the next job starts at once. A job whose time has not come waits in order; it waits through LOADING, too.
Where loading fails, the jobs that waited for it fail with the same sentence; the next `submit` loads again.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from engine.events import (
    AnyRequest,
    Cancelled,
    EngineState,
    Event,
    Failed,
    Finished,
    GenerationResult,
    Preview,
    Sketched,
    StateChanged,
)
from engine.job_runner import JobRunner, failure_sentence, what_failed

logger = logging.getLogger(__name__)


class EngineThread:
    """Runs jobs in a thread of its own; see the states at the top of this file.

    Parameters
    ----------
    open_runner : () -> JobRunner
        Loads the checkpoint. Called in the engine thread; imports torch there and not before.
    notify : () -> None
        Called whenever the event queue goes from empty to not empty, from the thread that put the event
        there: the engine's, or the one that calls `submit`, `cancel` or `stop`. It must return at once.
    record : GenerationResult -> anything, optional
        Called in the engine thread with every result before Finished is put in the queue. If it raises,
        the result is not lost: Finished comes all the same, and Failed(None, sentence) after it.
    """

    def __init__(
        self,
        open_runner: Callable[[], JobRunner],
        notify: Callable[[], None],
        record: Callable[[GenerationResult], object] | None = None,
    ) -> None:
        self._open_runner = open_runner
        self._notify = notify
        self._record = record
        self._changed = threading.Condition()
        # Everything below is read and written with the condition's lock held.
        self._state = EngineState.LOADING
        self._events: list[Event] = []
        self._waiting: dict[int, AnyRequest] = {}
        self._running: int | None = None
        self._finishing = False
        self._stopping = False
        self._ids = itertools.count(1)
        # A daemon, so that a load that hangs (a network disk) cannot hold the process: see `stop`.
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @property
    def state(self) -> EngineState:
        """The state now."""
        with self._changed:
            return self._state

    def start(self) -> None:
        """Start the thread, which loads the checkpoint. Call it once."""
        self._thread.start()

    def submit(self, request: AnyRequest) -> int:
        """Queue a request and return its job id: 1, 2, ... After `stop` it is answered by Cancelled."""
        with self._changing():
            job_id = next(self._ids)
            if self._stopping:
                self._events.append(Cancelled(job_id))
            else:
                self._waiting[job_id] = request
        return job_id

    def cancel(self, job_id: int | None = None) -> None:
        """Cancel one job and leave the others alone.

        A running job ends after the U-Net step it is in; a waiting one is answered by Cancelled at once.
        One that has ended, or whose result is already being recorded, is not affected. None means the
        running job or, while nothing runs, the one that would run next.
        """
        with self._changing():
            if job_id is None:
                job_id = next(iter(self._waiting), None) if self._running is None else self._running
            if job_id is None:
                return
            if job_id == self._running:
                self._cancel_running()
            elif self._waiting.pop(job_id, None) is not None:
                self._tell(Cancelled(job_id))

    def take_events(self) -> list[Event]:
        """Take all waiting events, oldest first, from any thread. At most one of them is a Preview."""
        with self._changed:
            events, self._events = self._events, []
            return events

    def stop(self, timeout: float = 5.0) -> None:
        """Cancel all jobs and end the thread. Calling it again does nothing.

        Waits for the U-Net step or the load that is under way, at most `timeout` seconds; the state is
        STOPPED afterwards in any case, and nothing more comes.
        """
        with self._changing():
            self._stopping = True
            self._cancel_running()
        if self._thread.is_alive():
            self._thread.join(timeout)
        if self._thread.is_alive():
            logger.warning("The engine did not end within %g s; it is left behind", timeout)
        self._enter_stopped()

    # --- with the lock -------------------------------------------------------------------------------

    @contextmanager
    def _changing(self) -> Generator[None]:
        """Hold the lock; then, without it, notify if events wait where none did. Not to be nested."""
        with self._changed:
            was_empty = not self._events
            yield
            self._changed.notify_all()
            news = was_empty and bool(self._events)
        if news:
            self._wake_listener()

    def _wake_listener(self) -> None:
        try:
            self._notify()
        except Exception:
            # A listener that is broken or already deleted must not take the engine down.
            logger.exception("The listener of the engine raised")

    def _tell(self, *events: Event) -> None:
        if self._state is not EngineState.STOPPED:
            self._events += events

    def _enter(self, state: EngineState, detail: str = "") -> None:
        if self._state is not EngineState.STOPPED:
            self._tell(StateChanged(state, detail))
            self._state = state

    def _cancel_running(self) -> None:
        if self._state is EngineState.SAMPLING and not self._finishing:
            self._enter(EngineState.CANCELLING)

    # --- in the engine thread ------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            runner = self._load()
            while self._wait_for_job():
                if runner is None:
                    runner = self._load()
                else:
                    self._run_next(runner)
        finally:
            self._enter_stopped()

    def _enter_stopped(self) -> None:
        with self._changing():
            self._stopping = True
            left = [] if self._running is None else [self._running]
            self._tell(*(Cancelled(job_id) for job_id in (*left, *self._waiting)))
            self._waiting.clear()
            self._running = None
            self._enter(EngineState.STOPPED)

    def _wait_for_job(self) -> bool:
        """Wait until a job waits (True) or the engine is to stop (False)."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._waiting)
            return not self._stopping

    def _load(self) -> JobRunner | None:
        with self._changing():
            self._enter(EngineState.LOADING)
        try:
            runner = self._open_runner()
        except Exception as error:
            logger.exception("Loading the checkpoint failed")
            self._fail_to_load(failure_sentence(error, "The model could not be loaded"))
            return None
        with self._changing():
            self._enter(EngineState.IDLE, runner.device)
        return runner

    def _fail_to_load(self, message: str) -> None:
        with self._changing():
            self._enter(EngineState.FAILED, message)
            self._tell(*(Failed(job_id, message) for job_id in (None, *self._waiting)))
            self._waiting.clear()

    def _run_next(self, runner: JobRunner) -> None:
        """Run the job that has waited longest; it may have been cancelled by now."""
        with self._changing():
            if self._stopping or not self._waiting:
                return
            job_id = self._running = next(iter(self._waiting))
            request = self._waiting.pop(job_id)
            self._enter(EngineState.SAMPLING, runner.device)
        ending = self._outcome(runner, job_id, request)
        with self._changing():
            self._running, self._finishing = None, False
            self._tell(*ending)
            self._enter(EngineState.IDLE, runner.device)

    def _outcome(self, runner: JobRunner, job_id: int, request: AnyRequest) -> list[Event]:
        """Run a job to its end, whatever that is; return the events that tell of it."""
        try:
            ending = self._follow(runner(request, job_id))
        except Exception as error:
            logger.exception("Job %d failed", job_id)
            if self._is_cancelling():
                return [Cancelled(job_id)]
            return [Failed(job_id, failure_sentence(error, what_failed(request)))]
        if ending is None:
            return [Cancelled(job_id)]
        return [ending, *(self._recorded(ending.result) if isinstance(ending, Finished) else [])]

    def _follow(self, steps: Iterator[Preview | Finished | Sketched]) -> Finished | Sketched | None:
        """Pass the previews on; return how it ended, or None if the job was cancelled."""
        try:
            while not self._is_cancelling():
                item = next(steps, None)
                if item is None:
                    raise RuntimeError("the job ended without a result")
                if not isinstance(item, Preview):
                    return item if self._begin_finishing() else None
                self._show(item)
            return None
        finally:
            close = getattr(steps, "close", None)
            if close is not None:
                close()

    def _is_cancelling(self) -> bool:
        with self._changed:
            return self._state is not EngineState.SAMPLING

    def _begin_finishing(self) -> bool:
        """From here on it is too late to cancel. False: it has been cancelled before."""
        with self._changed:
            self._finishing = self._state is EngineState.SAMPLING
            return self._finishing

    def _show(self, preview: Preview) -> None:
        """Queue a preview in place of the one that waits, if any; drop it if the job is cancelled."""
        with self._changing():
            if self._state is EngineState.SAMPLING:
                self._events = [event for event in self._events if not isinstance(event, Preview)]
                self._events.append(preview)

    def _recorded(self, result: GenerationResult) -> list[Event]:
        if self._record is None:
            return []
        try:
            self._record(result)
        except Exception as error:
            logger.exception("Recording a result failed")
            return [Failed(None, failure_sentence(error, "The result is shown but could not be saved"))]
        return []
