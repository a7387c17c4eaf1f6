"""A queue of jobs that are made one after the other, whatever the user does meanwhile.

The queue waits in the studio: the engine gets one job of it at a time, and only while no nodule is being generated in
the slice. So the order can be changed, what the user asks for in the slice comes next, and cancelling a job
that waits cannot touch the one that runs. Results go to the history; the first one is shown if its box is still there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace

from PySide6.QtCore import QObject, Qt, Signal

from engine.events import Event, Failed, Finished, GenerationRequest, Preview, StateChanged
from studio import commands
from studio.engine_client import EngineClient
from studio.placed import PlacedNodule
from studio.placing import LARGEST_SEED, Placing
from studio.queue_state import Queue, QueuedJob
from studio.reasons import why_not_generate
from studio.rebasing import rebased
from studio.session import Notice, Session, Severity

#: As many as can be compared at a glance.
SEEDS = 10


class JobQueue(QObject):
    """Runs the session's queue; its events are told from those of other jobs by the engine's job id.

    Attributes
    ----------
    job_ended : Signal(int, Event)
        The job of that number came to its end: Finished or Failed, or Cancelled by the engine as it stopped. Nothing is
        told of a job that was cancelled here.
    """

    job_ended = Signal(int, object)

    def __init__(self, session: Session, placing: Placing, engine: EngineClient, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._placing = placing
        self._engine = engine
        self._numbers = itertools.count(1)
        self._job_id: int | None = None
        self._is_first = False
        engine.event_arrived.connect(self._handle)
        session.queue_changed.connect(self._see_going_on)
        # Queued: while one job in the slice replaces another there is none for a moment, and ours must not slip in.
        session.job_changed.connect(self._run_next, Qt.ConnectionType.QueuedConnection)

    def try_seeds(self) -> tuple[int, ...]:
        """Queue the nodule that the session describes with its seed and the following ones; or say why not.

        Return the numbers of the jobs.
        """
        session, request = self._session, self._placing.request_now()
        reason = why_not_generate(session)
        if reason or request is None:
            session.say(reason or "Draw a box first.")
            return ()
        session.notice = None
        options, last = request.options, LARGEST_SEED + 1
        seeds = ((options.seed + offset) % last for offset in range(SEEDS))
        return self.add(session.slice_index, (replace(request, options=replace(options, seed=seed)) for seed in seeds))

    def add(
        self, slice_index: int, requests: Iterable[GenerationRequest], swept: tuple[str, ...] = ()
    ) -> tuple[int, ...]:
        """Put jobs at the end of the queue; return their numbers.

        `swept`: see `QueuedJob`. The results of a sweep are shown by the sweep; of others, the first one in the slice.
        """
        queue = self._session.queue
        jobs = tuple(QueuedJob(next(self._numbers), slice_index, request, swept) for request in requests)
        if queue.is_empty:
            queue, self._is_first = Queue(), True
        self._session.queue = replace(queue, waiting=(*queue.waiting, *jobs))
        if queue.is_held:  # The queue itself may be out of sight.
            self._session.notice = Notice("The queue is held after a failure.", offer="Go on", do=self.go_on)
        self._run_next()
        return tuple(job.number for job in jobs)

    def new_numbers(self, count: int) -> tuple[int, ...]:
        """Return numbers that no job has: for what was made, or cancelled, before this window was opened."""
        return tuple(itertools.islice(self._numbers, count))

    def renew(self, numbers: Container[int], renewed: Callable[[QueuedJob], QueuedJob]) -> None:
        """Let those of these jobs that still wait ask for something else."""
        queue = self._session.queue
        if any(job.number in numbers for job in queue.waiting):
            waiting = tuple(renewed(job) if job.number in numbers else job for job in queue.waiting)
            self._session.queue = replace(queue, waiting=waiting)

    def make_again(self, jobs: Sequence[QueuedJob]) -> None:
        """Put jobs that have ended before all that wait."""
        self._session.queue = replace(self._session.queue, waiting=(*jobs, *self._session.queue.waiting))
        self._run_next()

    def cancel(self, *numbers: int) -> None:
        """Cancel jobs: take those that wait out of the queue, and stop the one that runs if it is among them."""
        queue = self._session.queue
        waiting = tuple(job for job in queue.waiting if job.number not in numbers)
        self._session.queue = _settled(replace(queue, waiting=waiting))
        if queue.running and queue.running.number in numbers:
            self.cancel_running()

    def cancel_all(self) -> None:
        """Cancel what runs and what waits."""
        self._session.queue = replace(self._session.queue, waiting=(), is_held=False)
        self.cancel_running()

    def cancel_running(self) -> bool:
        """Cancel the job that runs, if there is one; the next one follows. Return whether there was one."""
        if self._job_id is None:
            return False
        self._engine.cancel(self._job_id)
        self._end_running(done=0)
        return True

    def move(self, number: int, to: int) -> None:
        """Give a waiting job another place: 0 is the next one to run."""
        waiting = list(self._session.queue.waiting)
        job = next((job for job in waiting if job.number == number), None)
        if job is not None:
            waiting.remove(job)
            waiting.insert(max(0, to), job)
            self._session.queue = replace(self._session.queue, waiting=tuple(waiting))

    def go_on(self) -> None:
        """Run the jobs that wait since one has failed."""
        self._session.queue = replace(self._session.queue, is_held=False)
        self._run_next()

    def _see_going_on(self) -> None:
        notice = self._session.notice
        if notice and notice.do == self.go_on and not self._session.queue.is_held:
            self._session.notice = None

    def _run_next(self) -> None:
        """Give the engine the next job, unless one of ours runs or a nodule is being generated in the slice."""
        session, queue = self._session, self._session.queue
        if self._job_id is not None or session.job or queue.is_held or not queue.waiting:
            return
        job = queue.waiting[0]
        session.queue_step = None
        session.queue = replace(queue, running=job, waiting=queue.waiting[1:])
        self._job_id = self._engine.submit(job.request)

    def _end_running(self, done: int = 1, is_held: bool = False) -> None:
        session, queue = self._session, self._session.queue
        self._job_id = None
        session.queue_step = None
        session.queue = _settled(replace(queue, running=None, done=queue.done + done, is_held=is_held))
        self._run_next()

    def _handle(self, event: Event) -> None:
        if isinstance(event, StateChanged) or event.job_id is None or event.job_id != self._job_id:
            return
        if isinstance(event, Preview):
            self._session.queue_step = event
            return
        job = self._session.queue.running
        if isinstance(event, Failed):
            self._session.say(event.message, Severity.ERROR)
        elif isinstance(event, Finished) and job and not job.swept:
            self._show_first(PlacedNodule(job.slice_index, event.result))
        if job:
            self.job_ended.emit(job.number, event)
        self._end_running(is_held=isinstance(event, Failed))

    def _show_first(self, nodule: PlacedNodule) -> None:
        """Show the first result, if it takes the place of nothing and nothing has changed since."""
        session = self._session
        is_first, self._is_first = self._is_first, False
        is_free = session.box == nodule.place and session.nodule_in_box is None and session.job is None
        now = session.slice_with_accepted(nodule.slice_index)
        if is_first and is_free and now and rebased(nodule.result, now) is nodule.result:
            commands.show_candidate(session, nodule)


def _settled(queue: Queue) -> Queue:
    """Return the queue; one that has become empty begins to count anew."""
    return Queue() if queue.is_empty else queue
