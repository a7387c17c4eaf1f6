"""What keys and mouse buttons do."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QWidget

KEYS = {
    "Slice": {
        "Wheel, Up and Down": "Scroll slices",
        "Page Up, Page Down": "Ten slices on",
        "Home, End": "First and last slice",
        "Ctrl and wheel": "Zoom",
        "Middle button": "Pan",
        "F": "Show the whole slice",
        "Right button": "Window width and level",
        "1, 2, 3": "Lung, mediastinum, bone",
        "Hold Space": "Original slice",
    },
    "Nodule": {
        "Left button": "Draw a box; move it; resize it at its corners",
        "B": "Box in the middle of the slice",
        "Shift and arrows": "Move the box",
        "Ctrl, Shift and arrows": "Resize the box",
        "Delete": "Delete the box",
        "G, Return": "Generate",
        "Esc": "Cancel",
        "N": "New seed",
        "A": "Accept",
        "D, Backspace": "Discard",
        "Ctrl+Z, Ctrl+Shift+Z": "Undo, redo",
        "Ctrl+E": "Export",
    },
}


class KeysDialog(QDialog):
    """A table of all keys."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys and mouse")
        layout = QGridLayout(self)
        layout.setContentsMargins(24, 16, 24, 24)
        layout.setHorizontalSpacing(24)
        layout.setVerticalSpacing(6)
        for title, keys in KEYS.items():
            heading = QLabel(title)
            heading.setProperty("role", "heading")
            heading.setContentsMargins(0, 8, 0, 0)
            layout.addWidget(heading, layout.rowCount(), 0, 1, 2)
            for key, effect in keys.items():
                row = layout.rowCount()
                name = QLabel(key)
                name.setProperty("role", "value")
                layout.addWidget(name, row, 0, Qt.AlignmentFlag.AlignLeft)
                layout.addWidget(QLabel(effect), row, 1)
