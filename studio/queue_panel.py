"""The queue: what is being made and how far it is, what waits, and in which order."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QSize, Qt
from PySide6.QtGui import QDropEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from studio.buttons import ReturnButton, small_button
from studio.elided_label import ElidedLabel
from studio.history_card import CARD
from studio.queue import JobQueue
from studio.queue_state import QueuedJob
from studio.session import Session
from studio.sweep import swept_text
from studio.theme import icon

_WIDTH = 264
#: From the right edge to the buttons of the rows, with a scroll bar and the frame between.
_BESIDE_BAR = 26
_NUMBER = Qt.ItemDataRole.UserRole


class WaitingJobs(QListWidget):
    """The jobs that wait, the next one first: drag one, or Alt and an arrow key, changes the order; Del cancels."""

    def __init__(self, queue: JobQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self.setObjectName("queue")
        self.setAccessibleName("Waiting jobs")
        self.setToolTip("Drag a job to change the order, or Alt+Up and Alt+Down; Del cancels it")
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setUniformItemSizes(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def show_jobs(self, jobs: tuple[QueuedJob, ...]) -> None:
        """List these jobs; the chosen one stays so. Rows that are there are kept: their buttons are slow to make."""
        chosen = self.number_at(self.currentIndex())
        numbers = {job.number for job in jobs}
        for row in reversed(range(self.count())):
            if self.item(row).data(_NUMBER) not in numbers:
                self.takeItem(row)
        for row, job in enumerate(jobs):
            if row == self.count() or self.item(row).data(_NUMBER) != job.number:
                self._put(row, job)
        kept = next((row for row, job in enumerate(jobs) if job.number == chosen), -1)
        self.setCurrentRow(kept)

    def _put(self, row: int, job: QueuedJob) -> None:
        """Put a job into a row, from a later one if it is there."""
        later = (other for other in range(row + 1, self.count()) if self.item(other).data(_NUMBER) == job.number)
        self.takeItem(next(later, -1))
        item = QListWidgetItem(job_text(job))
        item.setData(_NUMBER, job.number)
        item.setSizeHint(QSize(0, 22))
        self.insertItem(row, item)
        self.setItemWidget(item, self._cancel_button(job))

    def number_at(self, index: QModelIndex) -> int | None:
        """Return the number of the job of a row."""
        return index.data(_NUMBER)

    def _cancel_button(self, job: QueuedJob) -> QWidget:
        """Return a row that is empty but for a button at its end; the text behind it is the list's."""
        row, button = QWidget(), _tiny_cross("Del")
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.setAccessibleName(f"Cancel {job_text(job)}")
        button.clicked.connect(lambda: self._queue.cancel(job.number))
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 2, 0)
        layout.addStretch(1)
        layout.addWidget(button)
        return row

    def dropEvent(self, event: QDropEvent) -> None:
        """Change the order of the queue; the list follows."""
        number = self.number_at(self.currentIndex())
        onto = self.indexAt(event.position().toPoint())
        below = self.dropIndicatorPosition() == QAbstractItemView.DropIndicatorPosition.BelowItem
        to = onto.row() + (1 if below else 0) if onto.isValid() else self.count()
        event.accept()
        # Not a move to Qt, which would remove the row that was dragged: the list is made anew.
        event.setDropAction(Qt.DropAction.IgnoreAction)
        if number is not None:
            self._queue.move(number, to - 1 if to > self.currentRow() else to)

    def event(self, event: QEvent) -> bool:
        """Take Del before the window does, which would delete the box."""
        is_ours = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Delete
        if event.type() is QEvent.Type.ShortcutOverride and is_ours:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Alt and an arrow key move the chosen job, Del cancels it. Space shows the original in the slice."""
        number, row = self.number_at(self.currentIndex()), self.currentRow()
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if event.key() == Qt.Key.Key_Space:
            event.ignore()
        elif number is not None and event.key() == Qt.Key.Key_Delete:
            self._queue.cancel(number)
        elif number is not None and event.key() in steps and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self._queue.move(number, row + steps[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)


class RunningJob(QWidget):
    """The job that is being made, with a button that cancels it and no other."""

    def __init__(self, queue: JobQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self._job: QueuedJob | None = None
        self.text = ElidedLabel()
        self.cancel = _tiny_cross("Esc")
        self.cancel.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.cancel.clicked.connect(self._cancel)
        layout = QHBoxLayout(self)
        # As the rows of the list below: text and button stand above theirs.
        layout.setContentsMargins(13, 0, _BESIDE_BAR, 0)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.cancel)

    def show_job(self, job: QueuedJob | None) -> None:
        """Show that job; None: no row."""
        self._job = job
        self.setVisible(job is not None)
        if job:
            self.text.setText(job_text(job))
            self.cancel.setAccessibleName(f"Cancel {job_text(job)}, which is being made")

    def _cancel(self) -> None:
        # By its number: the next one may run by the time of a click, and is not what was meant.
        if self._job:
            self._queue.cancel(self._job.number)


class QueuePanel(QFrame):
    """Shows the queue of a session while there is one."""

    def __init__(self, session: Session, queue: JobQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setFixedSize(_WIDTH, CARD.height() + 14)
        self.title = QLabel()
        self.title.setProperty("role", "heading")
        self.go_on = small_button("Go on", "Go on with the jobs that wait")
        self.cancel_all = small_button("Cancel all", "Cancel what runs and what waits (Shift+Esc)")
        self.go_on.clicked.connect(lambda: queue.go_on())
        self.cancel_all.clicked.connect(lambda: queue.cancel_all())
        self.progress = QProgressBar(textVisible=False)
        self.progress.setAccessibleName("Progress of the queue")
        self.running = RunningJob(queue)
        self.jobs = WaitingJobs(queue)
        header = QHBoxLayout()
        header.setSpacing(4)
        header.addWidget(self.title, 1)
        header.addWidget(self.go_on)
        header.addWidget(self.cancel_all)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(header)
        layout.addWidget(self.running)
        layout.addWidget(self.progress)
        layout.addWidget(self.jobs, 1)
        session.queue_changed.connect(self.show_queue)
        session.queue_step_changed.connect(self.show_progress)
        self.show_queue()

    def show_queue(self) -> None:
        """Show what runs and what waits."""
        queue = self._session.queue
        self.setVisible(not queue.is_empty)
        self.title.setText(queue_text(self._session))
        self.go_on.setVisible(queue.is_held)
        self.running.show_job(queue.running)
        self.jobs.show_jobs(queue.waiting)
        self.show_progress()

    def show_progress(self) -> None:
        """Show how much of the whole queue is done."""
        queue, step = self._session.queue, self._session.queue_step
        total = queue.done + len(queue.waiting) + (1 if queue.running else 0)
        self.progress.setRange(0, 100 * max(1, total))
        part = step.step / step.steps if step else 0.0
        self.progress.setValue(round(100 * (queue.done + part)))


def _tiny_cross(key: str) -> ReturnButton:
    """Return the button of a row that cancels its job, as a key does."""
    button = ReturnButton(icon("close"), "")
    button.setProperty("role", "tiny")
    button.setToolTip(f"Cancel this job ({key})")
    return button


def queue_text(session: Session) -> str:
    """Return what the queue is doing, in a few words."""
    queue = session.queue
    if queue.is_held:
        return f"{len(queue.waiting)} held after a failure"
    total = queue.done + len(queue.waiting) + (1 if queue.running else 0)
    if queue.running is None:
        return f"{len(queue.waiting)} waiting"
    return f"Making {queue.done + 1} of {total}"


def job_text(job: QueuedJob) -> str:
    """Return what tells one job from another."""
    what = swept_text(job.request, job.swept) if job.swept else f"seed {job.request.options.seed}"
    return f"Slice {job.slice_index + 1}, {what}"
