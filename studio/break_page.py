"""The page of the reader mode between trials: what comes next, a pause, the end, or what went wrong."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from engine.study import TrialKind
from studio.reading_texts import FINAL, TASKS, VIEW_KEYS
from studio.theme import line

_WIDTH = 880


class BreakPage(QFrame):
    """Words, keys and two buttons; shows no image, so that nothing can be looked at off the clock.

    Attributes
    ----------
    go_wanted, stop_wanted : Signal()
    """

    go_wanted = Signal()
    stop_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self.progress, self.title, self.text = QLabel(), QLabel(), QLabel(wordWrap=True)
        self.progress.setProperty("role", "muted")
        self.title.setProperty("role", "title")
        self.keys = QWidget()
        self._tables = QHBoxLayout(self.keys)
        self._tables.setContentsMargins(0, 0, 0, 0)
        self._tables.setSpacing(48)
        self.go, self.stop = QPushButton(), QPushButton("Stop for now   Q")
        self.go.setProperty("role", "primary")
        for button, signal in ((self.go, self.go_wanted), (self.stop, self.stop_wanted)):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setMinimumWidth(168)
            button.clicked.connect(signal)
        self._lay_out()

    def _lay_out(self) -> None:
        column = QWidget()
        column.setFixedWidth(_WIDTH)
        rows = QVBoxLayout(column)
        rows.setSpacing(12)
        for widget in (self.progress, self.title, self.text):
            rows.addWidget(widget)
        rows.addSpacing(4)
        rows.addWidget(line())
        rows.addWidget(self.keys)
        rows.addWidget(line())
        rows.addSpacing(8)
        buttons = QHBoxLayout()
        buttons.addWidget(self.go)
        buttons.addWidget(self.stop)
        buttons.addStretch(1)
        rows.addLayout(buttons)
        outside = QVBoxLayout(self)
        outside.addStretch(2)
        outside.addWidget(column, 0, Qt.AlignmentFlag.AlignHCenter)
        outside.addStretch(3)

    def show_task(self, kind: TrialKind) -> None:
        """Say what is asked in the trials to come."""
        task = TASKS[kind]
        self._say(task.title, f"{task.instruction}\n\n{FINAL} Time counts while an image is shown.", "Begin")
        self._show_keys(task.keys, VIEW_KEYS)

    def show_pause(self, kind: TrialKind) -> None:
        """Say that the clock stands still."""
        self._say("Paused", "The clock stands still, and everything you have confirmed is saved.", "Go on")
        self._show_keys(TASKS[kind].keys, VIEW_KEYS)

    def show_waiting(self) -> None:
        """Say that the images are being read."""
        self._say("One moment", "The next image is being read. The clock stands still.", "")

    def show_failure(self, message: str) -> None:
        """Say what went wrong."""
        self._say("This trial cannot be shown", f"{message}\n\nEverything you have confirmed is saved.", "Try again")

    def show_end(self) -> None:
        """Say that nothing is left to do."""
        self._say("All done", "Every trial is answered and saved. Thank you.", "Close")
        self.stop.hide()

    def show_progress(self, reader: str, answered: int, count: int) -> None:
        """Say who reads, and how far that is."""
        self.progress.setText(f"Reader {reader}  ·  {answered} of {count} answered")

    def _say(self, title: str, text: str, go: str) -> None:
        self.title.setText(title)
        self.text.setText(text)
        self.go.setText(f"{go}   Enter")
        self.go.setVisible(bool(go))
        self.stop.show()
        self._show_keys()

    def _show_keys(self, *tables: Iterable[tuple[str, str]]) -> None:
        while item := self._tables.takeAt(0):
            widget = item.widget()
            if widget:
                widget.hide()
                widget.deleteLater()
        for table in tables:
            self._tables.addWidget(_key_table(table), 0, Qt.AlignmentFlag.AlignTop)
        self._tables.addStretch(1)
        self.keys.setVisible(bool(tables))


def _key_table(table: Iterable[tuple[str, str]]) -> QWidget:
    widget = QWidget()
    grid = QGridLayout(widget)
    grid.setContentsMargins(0, 4, 0, 4)
    grid.setHorizontalSpacing(16)
    grid.setVerticalSpacing(6)
    grid.setColumnStretch(1, 1)
    for row, (key, effect) in enumerate(table):
        name = QLabel(key)
        name.setProperty("role", "value")
        grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(QLabel(effect), row, 1, Qt.AlignmentFlag.AlignTop)
    return widget
