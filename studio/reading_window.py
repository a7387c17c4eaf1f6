"""The reader mode: a window of its own that fills the screen, with only what a reader needs.

    BREAK (what comes next, a pause, the end) -> TRIAL -> TRIAL -> BREAK ...

The clock runs on TRIAL alone, and only while the window is active: when another one becomes active, it pauses.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from engine.errors import InputError
from engine.study import TrialKind
from studio.break_page import BreakPage
from studio.reading import Reading
from studio.trial_page import TrialPage

Key = Qt.Key
_GO = (Key.Key_Return, Key.Key_Enter, Key.Key_Space)


class ReadingWindow(QWidget):
    """Leads one reader through a study. It can be closed at any time: what was confirmed is on the disk.

    It takes `reading` over, and ends it when it is closed.

    Attributes
    ----------
    closed : Signal()
    """

    closed = Signal()

    def __init__(self, reading: Reading, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        reading.setParent(self)
        self._reading = reading
        self._waits = False
        self._shown: int | None = None
        self._kind: TrialKind | None = None
        self.setWindowFlag(Qt.WindowType.Window)
        # The history would tell what is synthetic.
        self.setWindowModality(Qt.WindowModality.ApplicationModal)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Reading")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.resize(1280, 800)
        self.rest, self.trials = BreakPage(), TrialPage()
        self.pages = QStackedWidget()
        self.pages.addWidget(self.rest)
        self.pages.addWidget(self.trials)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pages)
        self._connect()
        self._lead_on()
        reading.prepare()

    def _connect(self) -> None:
        self.rest.go_wanted.connect(self.go_on)
        self.rest.stop_wanted.connect(self.close)
        self.trials.confirm_wanted.connect(self.confirm)
        self.trials.pause_wanted.connect(self.pause)
        self._reading.images_ready.connect(self._take_images)
        self._reading.failed.connect(self._show_failure)

    @property
    def is_reading(self) -> bool:
        """Whether a trial is shown and the clock runs."""
        return self.pages.currentWidget() is self.trials

    def go_on(self) -> None:
        """Show the trial that is to be answered, as soon as its images are there; at the end, close."""
        trial = self._reading.trial
        if trial is None:
            self.close()
            return
        self._kind = trial.kind
        if self._reading.images:
            self._show_trial()
        else:
            self._waits = True
            self._rest(self.rest.show_waiting)
            self._reading.prepare()

    def pause(self) -> None:
        """Hide the trial and stop its clock; what was begun of an answer stays."""
        trial = self._reading.trial
        if trial and self.is_reading:
            self._rest(lambda: self.rest.show_pause(trial.kind))

    def confirm(self) -> None:
        """Keep the answer, if it is whole, and go to the next trial; or say why it cannot be kept."""
        answer = self.trials.answer
        if answer.missing:
            return
        try:
            self._reading.confirm(answer.value, answer.confidence)
        except InputError as error:
            self.trials.show_error(str(error))
            return
        self._lead_on()

    def _lead_on(self) -> None:
        """Show the next trial of the same kind at once; before another kind, what it asks for."""
        trial = self._reading.trial
        if trial is None:
            self._rest(self.rest.show_end)
        elif trial.kind == self._kind:
            self.go_on()
        else:
            self._rest(lambda: self.rest.show_task(trial.kind))

    def _rest(self, show: Callable[[], None]) -> None:
        reading = self._reading
        reading.clock.stop()
        show()
        self.rest.show_progress(reading.reader, reading.answered, reading.count)
        self.pages.setCurrentWidget(self.rest)

    def _show_trial(self) -> None:
        self._waits = False
        self._load()
        self.pages.setCurrentWidget(self.trials)
        self.trials.show_progress(self._reading.answered, self._reading.count)
        if self.isActiveWindow():
            self._reading.clock.start()
        else:
            self.pause()

    def _load(self) -> None:
        """Put the trial on its page, unless it is there: after a pause, with what was begun of an answer."""
        trial, images = self._reading.trial, self._reading.images
        if trial and images and trial.number != self._shown:
            self.trials.show_trial(trial, images, self._reading.study.window)
            self._shown = trial.number

    def _take_images(self) -> None:
        if self._waits:
            self._show_trial()

    def _show_failure(self, message: str) -> None:
        self._waits = False
        self._rest(lambda: self.rest.show_failure(message))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """All keys arrive here; the page that is shown knows what they mean."""
        if self.is_reading:
            self.trials.take_key(event)
        elif event.key() in _GO and self.rest.go.isVisible() and not event.isAutoRepeat():
            self.go_on()
        elif event.key() == Key.Key_Q:
            self.close()

    def changeEvent(self, event: QEvent) -> None:
        """Pause when another window becomes active."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.ActivationChange and not self.isActiveWindow():
            self.pause()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Let go of the answers; they are on the disk."""
        self._reading.clock.stop()
        self._reading.close()
        self.closed.emit()
        event.accept()
