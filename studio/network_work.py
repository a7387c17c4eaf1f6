"""What a dialog asks of a server: one thing at a time, off the Qt thread, and cancelled without waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.background import Progress, Task

#: Seconds that are waited at the end for all that is left: servers that hang are left to themselves.
_PATIENCE = 5.0


class NetworkWork(QObject):
    """Runs one piece of work at a time; a new one ends the one before.

    It outlives the dialogs: what they have left running ends by itself, at its next progress or when the server
    answers, and cleans up.

    Attributes
    ----------
    changed : Signal()
        Work has begun, gone on or ended: look at the attributes below.
    doing : str
        What is being done, "Sending…"; empty if nothing is.
    part : float
        How much of it is done, from 0 to 1.
    error : str
        One sentence on why the last piece of work failed; empty if it did not.
    """

    changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._task: Task | None = None
        self._left: list[Task] = []
        self.doing, self.part, self.error = "", 0.0, ""

    def start(
        self, doing: str, work: Callable[[Progress], object], failure: str, then: Callable[[Any], object]
    ) -> None:
        """Begin; `then` is called with what the work returns, unless it fails or is cancelled. See `Task`."""
        self.cancel()
        self._task = task = Task(work, failure, self)
        self.doing, self.part, self.error = doing, 0.0, ""
        task.progressed.connect(self._go_on)
        task.succeeded.connect(partial(self._end, then))
        task.failed.connect(self._fail)
        task.start()
        self.changed.emit()

    def cancel(self) -> None:
        """End what is going on, and forget why the last one failed."""
        self._left = [task for task in self._left if task.is_running]
        if self._task:
            self._task.abandon()
            self._left.append(self._task)
        self._task = None
        self.doing, self.part, self.error = "", 0.0, ""
        self.changed.emit()

    def stop(self) -> None:
        """End all that is going on, and wait until that is so, but for servers that hang."""
        self.cancel()
        deadline = monotonic() + _PATIENCE
        for task in self._left:
            task.wait(max(0.0, deadline - monotonic()))
        self._left = []

    def _go_on(self, part: float) -> None:
        self.part = part
        self.changed.emit()

    def _end(self, then: Callable[[Any], object], result: object) -> None:
        self._task, self.doing = None, ""
        then(result)
        self.changed.emit()

    def _fail(self, message: str) -> None:
        self._task, self.doing, self.error = None, "", message
        self.changed.emit()
