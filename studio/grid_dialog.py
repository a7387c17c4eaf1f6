"""Asks which two attributes a grid sweeps."""

from __future__ import annotations

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QComboBox, QDialog, QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from engine.nodule import ATTRIBUTE_NAMES
from studio.reasons import why_not_generate
from studio.session import Session
from studio.sweeping import Sweeping

_KEY = "grid"


class GridDialog(QDialog):
    """Starts a grid of the session's nodule."""

    def __init__(self, session: Session, sweeping: Sweeping, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._sweeping = sweeping
        self.setWindowTitle("Grid")
        self.setMinimumWidth(420)
        down, _, across = str(QSettings().value(_KEY) or "texture sphericity").partition(" ")
        self.down, self.across = _choice("From top to bottom", down), _choice("From left to right", across)
        self.reason = QLabel(wordWrap=True)
        self.reason.setProperty("role", "muted")
        self.start = QPushButton("Make 25 nodules", default=True)
        self.start.setProperty("role", "primary")
        self.close_button = QPushButton("Cancel", autoDefault=False)
        self.start.clicked.connect(self._start)
        self.close_button.clicked.connect(self.reject)
        self._lay_out()
        for choice in (self.down, self.across):
            choice.currentIndexChanged.connect(self._show_state)
        self._show_state()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(12)
        heading = QLabel("Two attributes, each from 1 to 5, at one place and with one seed")
        heading.setProperty("role", "heading")
        form, buttons = QFormLayout(), QHBoxLayout()
        form.setSpacing(8)
        form.addRow("From top to bottom", self.down)
        form.addRow("From left to right", self.across)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.start)
        layout.addWidget(heading)
        layout.addLayout(form)
        layout.addWidget(self.reason)
        layout.addLayout(buttons)

    def _show_state(self) -> None:
        why = why_not_generate(self._session)
        if self.down.currentIndex() == self.across.currentIndex():
            why = "Choose two different attributes; for one alone take a ladder."
        self.start.setEnabled(why is None)
        self.start.setToolTip(why or "")
        self.reason.setText(why or "They come into the queue; the slice stays free meanwhile.")

    def _start(self) -> None:
        down, across = (ATTRIBUTE_NAMES[choice.currentIndex()] for choice in (self.down, self.across))
        QSettings().setValue(_KEY, f"{down} {across}")
        self.accept()
        self._sweeping.start(across, down)


def _choice(name: str, attribute: str) -> QComboBox:
    choice = QComboBox()
    choice.addItems([name.capitalize() for name in ATTRIBUTE_NAMES])
    choice.setAccessibleName(name)
    choice.setCurrentIndex(ATTRIBUTE_NAMES.index(attribute) if attribute in ATTRIBUTE_NAMES else 0)
    return choice
