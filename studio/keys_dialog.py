"""What keys and mouse buttons do."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QWidget

KEYS = {
    "Slice": {
        "Wheel, Up and Down": "Scroll slices",
        "Page Up, Page Down": "Ten slices on",
        "Home, End": "First and last slice",
        "Ctrl and wheel": "Zoom",
        "Middle button": "Pan",
        "F, Ctrl+0": "Show the whole slice; one pixel on one",
        "Right button": "Window width and level",
        "1, 2, 3": "Lung, mediastinum, bone",
        "Ctrl+1, Ctrl+2, Ctrl+3": "Change that preset to the window that is in use",
        "I": "Invert grey values",
        "L, X, O": "Lungs, boxes, outlines of nodules",
        "M": "Ruler: drag with the left button",
        "Hold Space": "Original slice",
    },
    "Nodule": {
        "Left button": "Draw a box; move it; resize it at its corners",
        "B": "Box in the middle of the slice",
        "P, Shift+P": "Suggest a place; suggest scores; again for another one",
        "Shift and arrows": "Move the box",
        "Ctrl, Shift and arrows": "Resize the box",
        "Delete": "Delete the box",
        "G, Return": "Generate",
        "Ctrl+G": "Generate a whole slice; on one that was generated, with its box and scores",
        "Shift+G": "Try 10 seeds, one after the other",
        "Esc, Shift+Esc": "Cancel what is being made; cancel all jobs",
        "N": "New seed",
        "A": "Accept",
        "D, Backspace": "Discard",
        "Ctrl+Z, Ctrl+Shift+Z": "Undo, redo",
        "Ctrl+E": "Export",
    },
    "History": {
        "H": "Show or hide the history",
        "Click, Alt+Left, Alt+Right": "Show a result in its slice; the newer one, the older one",
        "Double-click, Return": "Show a result and take its settings",
        "Ctrl+R, Ctrl+Shift+R": "Take its settings; restore all of it, its CT too",
        "S": "Star",
        "Del, Shift+Del": "Delete a result, in the history and from anywhere",
        "Alt+Up, Alt+Down, Del": "Change the order of waiting jobs, cancel one",
        "Ctrl+S, Ctrl+Alt+O": "Save and open a project",
        "Ctrl+Shift+T": "Reopen the last session",
    },
}

_COLUMNS = (("Slice", "History"), ("Nodule",))


class KeysDialog(QDialog):
    """A table of all keys."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys and mouse")
        columns = QHBoxLayout(self)
        columns.setContentsMargins(24, 16, 24, 24)
        columns.setSpacing(40)
        for titles in _COLUMNS:
            columns.addLayout(_column(titles))


def _column(titles: tuple[str, ...]) -> QGridLayout:
    layout = QGridLayout()
    layout.setHorizontalSpacing(24)
    layout.setVerticalSpacing(6)
    for title in titles:
        heading = QLabel(title)
        heading.setProperty("role", "heading")
        heading.setContentsMargins(0, 8, 0, 0)
        layout.addWidget(heading, layout.rowCount(), 0, 1, 2)
        for key, effect in KEYS[title].items():
            row = layout.rowCount()
            name = QLabel(key)
            name.setProperty("role", "value")
            layout.addWidget(name, row, 0, Qt.AlignmentFlag.AlignLeft)
            layout.addWidget(QLabel(effect), row, 1)
    layout.setRowStretch(layout.rowCount(), 1)
    return layout
