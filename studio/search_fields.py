"""Which studies to look for."""

from __future__ import annotations

from datetime import date

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QLineEdit, QPushButton, QWidget

from engine.errors import InputError
from engine.pacs_search import StudyFilter


class SearchFields(QWidget):
    """Patient, days and modality; Return in any field searches.

    Attributes
    ----------
    wanted : Signal()
        Search now.
    edited : Signal()
    """

    wanted = Signal()
    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fields = {name: QLineEdit() for name in ("Patient name", "Patient ID", "From", "To", "Modality")}
        self.search = QPushButton("Search", autoDefault=False)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        for column, (name, field) in enumerate(self.fields.items()):
            label = QLabel(name)
            label.setProperty("role", "muted")
            label.setBuddy(field)
            field.setAccessibleName(name)
            field.textChanged.connect(self.edited)
            field.returnPressed.connect(self.wanted)
            grid.addWidget(label, 0, column)
            grid.addWidget(field, 1, column)
            grid.setColumnStretch(column, 1 if column > 1 else 2)
        for name in ("From", "To"):
            self.fields[name].setPlaceholderText("2024-01-31")
        self.fields["Modality"].setText("CT")
        grid.addWidget(self.search, 1, len(self.fields))
        self.search.clicked.connect(self.wanted)

    @property
    def filter(self) -> StudyFilter:
        """What was typed.

        Raises
        ------
        InputError
            If a day is none.
        """
        texts = {name: field.text().strip() for name, field in self.fields.items()}
        first, last = _day(texts["From"]), _day(texts["To"])
        if first and last and first > last:
            raise InputError("The first day is after the last; exchange them.")
        return StudyFilter(texts["Patient name"], texts["Patient ID"], first, last, texts["Modality"].upper())

    @property
    def why_not(self) -> str:
        """One sentence on what is wrong; empty if nothing is."""
        try:
            _ = self.filter
        except InputError as error:
            return str(error)
        return ""


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise InputError(f'"{text}" is not a day; write it as 2024-01-31.') from error
