"""Work that takes its time: in a thread of its own, so that the window never freezes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal, Slot

from engine.errors import InputError

if TYPE_CHECKING:
    from studio.session import Session

Progress = Callable[[float], None]

logger = logging.getLogger(__name__)


class Abandoned(Exception):
    """Raised in the work, where it reports progress, after `Task.abandon`."""


class Task(QObject):
    """One piece of work. Exactly one of `succeeded` and `failed` follows, in the Qt thread, unless abandoned.

    It is deleted after its end, and lets go of what it worked on: that may be a whole CT.

    Attributes
    ----------
    progressed : Signal(float)
        What part is done, from 0 to 1.
    succeeded : Signal(object)
        What the work returned.
    failed : Signal(str)
        One sentence for the user.
    ended : Signal()
        The thread is done, whatever came of it: also after `abandon`, and before the other two.

    Parameters
    ----------
    work : (progress) -> object
        Called in the thread; calls `progress` with the part that is done, from 0 to 1.
    failure : str
        What failed, for errors that were not foreseen: "The file could not be read".
    """

    progressed = Signal(float)
    succeeded = Signal(object)
    failed = Signal(str)
    ended = Signal()
    _moved = Signal(float)
    _ended = Signal(object, str)

    def __init__(self, work: Callable[[Progress], object], failure: str, parent: QObject) -> None:
        super().__init__(parent)
        self._work = work
        self._failure = failure
        self._abandoned = threading.Event()
        queued = Qt.ConnectionType.QueuedConnection
        self._moved.connect(self._report, queued)
        self._ended.connect(self._end, queued)
        self._thread = threading.Thread(target=self._run, name="studio task", daemon=True)

    def start(self) -> None:
        """Start the thread. Call it once."""
        self._thread.start()

    def abandon(self) -> None:
        """No signal comes any more; the work ends where it next reports progress."""
        self._abandoned.set()

    def stop(self, seconds: float = 10.0) -> None:
        """Abandon it, and wait for the thread to end."""
        self.abandon()
        self.wait(seconds)

    @property
    def is_running(self) -> bool:
        """Whether the thread has begun and not ended."""
        return self._thread.is_alive()

    def wait(self, seconds: float = 10.0) -> None:
        """Wait for the thread to end."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            result = self._work(self._progress)
        except Abandoned:
            self._finish(None, "")
        except InputError as error:
            self._finish(None, str(error))
        except Exception as error:
            logger.exception("%s", self._failure)
            what = f"{self._failure} ({type(error).__name__}: {error})"
            self._finish(None, f"{what}; try again, and see the log if it fails again.")
        else:
            self._finish(result, "")

    def _finish(self, result: object, message: str) -> None:
        with suppress(RuntimeError):  # Abandoned and not waited for, it may have been deleted with its parent.
            self._ended.emit(result, message)

    def _progress(self, part: float) -> None:
        if self._abandoned.is_set():
            raise Abandoned
        self._moved.emit(part)

    @Slot(float)
    def _report(self, part: float) -> None:
        if not self._abandoned.is_set():
            self.progressed.emit(part)

    @Slot(object, str)
    def _end(self, result: object, message: str) -> None:
        del self._work
        self.deleteLater()
        self.ended.emit()
        if self._abandoned.is_set():
            return
        if message:
            self.failed.emit(message)
        else:
            self.succeeded.emit(result)


def stop_tasks(owner: QObject) -> None:
    """Abandon the tasks of an object, also those that others have taken the place of, and wait for their threads."""
    tasks = owner.findChildren(Task)
    for task in tasks:
        task.abandon()
    for task in tasks:
        task.wait()


def start_telling(task: Task, session: Session, doing: str) -> None:
    """Start a task; `session.doing` has it until it ends, "Saving the project": the status line shows it."""
    session.doing = (*session.doing, doing)

    def end() -> None:
        left = list(session.doing)
        left.remove(doing)
        session.doing = tuple(left)

    task.ended.connect(end)
    task.start()
