"""The sheet of keys: every action of the menus with its keys, then what mouse and keys do in parts of the window."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QMainWindow, QScrollArea, QVBoxLayout, QWidget

from studio.dialog_parts import on_screen
from studio.looking_back import SHOW, USE
from studio.menu_actions import MenuAction, menu_actions

#: What is no action of a menu: it depends on where the mouse or the focus is.
GESTURES = {
    "On the slice": {
        "Wheel, Up, Down": "Scroll slices",
        "Page Up, Page Down": "Ten slices at once",
        "Home, End": "First and last slice",
        "Left button": "Draw, move or resize a box; measure, with the ruler (M)",
        "Click": "Select an accepted nodule",
        "Right button": "Window width and level",
        "Middle button, Ctrl and arrows": "Pan",
        "Ctrl and wheel": "Zoom",
        "Hold Space": "Original slice",
        "Left, Right": "Move the divider of a swipe",
        "Shift and arrows": "Move the box",
        "Ctrl, Shift and arrows": "Resize the box",
    },
    "With the crosshair (U)": {
        "Arrows": "Move it by a pixel, and read the HU there",
        "Shift and arrows": "Move it by ten pixels",
        "Return": "Set one end of the ruler (M), then the other",
        "Alt and Up, Down": "Scroll slices",
        "Esc": "Take the ruler away, then the crosshair",
    },
    "In the history": {
        "Click, Left, Right": SHOW,
        "Double-click, Return": USE,
        "S, Del": "Star; delete, or put back what was deleted",
        "Right button": "Menu of all that can be done",
    },
    "In the small pictures of slices": {
        "Click, Up, Down": "Go to a slice",
    },
    "In the queue": {
        "Drag, Alt+Up, Alt+Down": "Reorder waiting jobs",
        "Del": "Cancel a waiting job",
    },
    "In a ladder or grid": {
        "Click, arrows": SHOW,
        "Double-click, Return": USE,
        "Click or Return on a failed one": "Make it again",
    },
}

#: Columns have at least this width, and there are no more of them than the screen has room for.
_COLUMN_WIDTH = 390
_MOST_COLUMNS = 3
#: A heading takes as much room as this many rows.
_HEADING_ROWS = 2
#: What is longer scrolls.
_SIZE = QSize(1240, 740)

Section = tuple[str, list[tuple[str, str]]]


class KeysDialog(QDialog):
    """A table of all keys of a window."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self.setWindowTitle("Keys and mouse")
        size, body = on_screen(_SIZE, window), QWidget()
        columns = QHBoxLayout(body)
        columns.setContentsMargins(24, 4, 24, 16)
        columns.setSpacing(28)
        count = max(1, min(_MOST_COLUMNS, size.width() // _COLUMN_WIDTH))
        for sections in _in_columns([*action_sections(menu_actions(window)), *_gesture_sections()], count):
            columns.addLayout(_column(sections), 1)
        area = QScrollArea(widgetResizable=True)
        area.setWidget(body)
        area.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # The arrow keys scroll.
        area.setAccessibleName("Keys and mouse")
        area.verticalScrollBar().setAccessibleName("Scroll the keys")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.resize(size)


def action_sections(actions: Sequence[MenuAction]) -> list[Section]:
    """Return a section a menu: its title, then keys and text of each action."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for found in actions:
        text = ": ".join((*found.menus[1:], found.text))
        sections.setdefault(found.menus[0], []).append((found.keys, text))
    return list(sections.items())


def _gesture_sections() -> list[Section]:
    return [(title, list(rows.items())) for title, rows in GESTURES.items()]


def _in_columns(sections: list[Section], count: int) -> list[list[Section]]:
    """Share the sections out to columns of about the same height, in their order."""
    heights = [len(rows) + _HEADING_ROWS for _, rows in sections]
    columns: list[list[Section]] = [[] for _ in range(count)]
    above = 0
    for section, height in zip(sections, heights, strict=True):
        middle = above + height / 2
        columns[min(count - 1, int(middle / sum(heights) * count))].append(section)
        above += height
    return columns


def _column(sections: list[Section]) -> QGridLayout:
    layout = QGridLayout()
    layout.setHorizontalSpacing(16)
    layout.setVerticalSpacing(3)
    for title, rows in sections:
        heading = QLabel(title)
        heading.setProperty("role", "heading")
        heading.setContentsMargins(0, 10, 0, 2)
        layout.addWidget(heading, layout.rowCount(), 0, 1, 2)
        for keys, effect in rows:
            row = layout.rowCount()
            name = QLabel(keys)
            name.setProperty("role", "value")
            layout.addWidget(name, row, 0, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
            layout.addWidget(QLabel(effect, wordWrap=True), row, 1)
    layout.setRowStretch(layout.rowCount(), 1)
    layout.setColumnStretch(1, 1)
    return layout
