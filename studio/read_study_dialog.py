"""Asks which study is to be read, and by whom."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QComboBox, QDialog, QPushButton, QVBoxLayout, QWidget

from engine.errors import InputError
from engine.study import Study, open_study, read_answers
from studio.dialog_parts import PathField, choose_folder, heading, row, wrapped

_FOLDER_KEY = "study folder"


class ReadStudyDialog(QDialog):
    """Accepted, it has a `study` and a `reader`."""

    def __init__(self, folder: Path | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Read a study")
        self.study: Study | None = None
        self._problem = ""
        self.folder = PathField(
            "Folder of the study", choose_folder, str(folder or QSettings().value(_FOLDER_KEY) or "")
        )
        self.readers = QComboBox()
        self.readers.setAccessibleName("Reader")
        self.readers.setPlaceholderText("Choose a reader")
        self.reason = wrapped("muted")
        self.cancel_button = QPushButton("Cancel", autoDefault=False)
        self.read = QPushButton("Read", default=True)
        self.read.setProperty("role", "primary")
        self._lay_out()
        self.folder.changed.connect(self._open)
        self.readers.currentIndexChanged.connect(self._show_state)
        self.cancel_button.clicked.connect(self.reject)
        self.read.clicked.connect(self.accept)
        self._open()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(8)
        layout.addWidget(heading("Folder of the study"))
        layout.addWidget(self.folder)
        layout.addSpacing(8)
        layout.addWidget(heading("Reader"))
        layout.addWidget(self.readers)
        layout.addSpacing(8)
        layout.addWidget(self.reason)
        layout.addStretch(1)
        layout.addLayout(row(None, self.cancel_button, self.read))
        self.setMinimumSize(560, 280)

    @property
    def reader(self) -> str:
        """Code of who reads; empty as long as none is chosen."""
        return self.readers.currentText()

    def accept(self) -> None:
        """Remember the folder for the next time."""
        if self.study and self.reader:
            QSettings().setValue(_FOLDER_KEY, str(self.study.folder))
            super().accept()

    def _open(self) -> None:
        before, path = self.reader, self.folder.path
        self.study, self._problem = None, ""
        try:
            self.study = open_study(path) if path else None
        except InputError as error:
            self._problem = str(error)
        known = self.study.readers if self.study else ()
        self.readers.clear()
        self.readers.addItems(known)
        # Answers stay with the reader under whom they were given: nobody is one without having said so.
        self.readers.setCurrentIndex(0 if len(known) == 1 else self.readers.findText(before))
        self.readers.setEnabled(self.study is not None)
        self._show_state()

    def _show_state(self) -> None:
        can, text = self._state()
        self.read.setEnabled(can)
        self.reason.setText(text)

    def _state(self) -> tuple[bool, str]:
        """Return whether there is something to be read, and in one sentence what, or why not."""
        if self.study is None:
            return False, self._problem or "Choose the folder of a study."
        if not self.reader:
            return False, "Choose a reader."
        try:
            answered = len(read_answers(self.study, self.reader))
        except InputError as error:
            return False, str(error)
        count = len(self.study.trials)
        if answered == count:
            return False, f"{self.reader} has answered all {count} trials."
        done = f"{answered} of {count} trials are answered; it goes on from there." if answered else f"{count} trials."
        return True, done
