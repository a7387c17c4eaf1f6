"""What dialogs are made of: headings, explanations, rows, fields for paths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

from studio.buttons import small_button

#: What a window's frame takes of the screen: it is no part of the window's size, and not known before it is shown.
_FRAME = QSize(16, 40)


class PathField(QWidget):
    """A path that can be typed, or chosen in a dialog.

    Attributes
    ----------
    changed : Signal()

    Parameters
    ----------
    name : str
        For screen readers, and the title of the dialog.
    choose : (parent, title, path so far) -> path, or "" if none was chosen
    """

    changed = Signal()

    def __init__(self, name: str, choose: Callable[[QWidget, str, str], str], text: str = "") -> None:
        super().__init__()
        self._name = name
        self._choose = choose
        self.text = QLineEdit(text)
        self.text.setAccessibleName(name)
        self.browse = QPushButton("Browse…", autoDefault=False)
        self.browse.setAccessibleName(f"Browse: {name}")
        self.text.textChanged.connect(self.changed)
        self.browse.clicked.connect(self._browse)
        layout = row(self.text, self.browse)
        layout.setContentsMargins(0, 0, 0, 0)
        self.setLayout(layout)

    @property
    def path(self) -> Path | None:
        """The path; None if the field is empty."""
        text = self.text.text().strip()
        return Path(text).expanduser() if text else None

    def _browse(self) -> None:
        chosen = self._choose(self, self._name, self.text.text())
        if chosen:
            self.text.setText(chosen)


def choose_folder(parent: QWidget, title: str, start: str) -> str:
    """Ask for a folder; return "" if none was chosen."""
    return QFileDialog.getExistingDirectory(parent, title, start)


def choose_new_file(parent: QWidget, title: str, start: str) -> str:
    """Ask for a file to be written; return "" if none was chosen."""
    return QFileDialog.getSaveFileName(parent, title, start, "JSON (*.json)")[0]


def choose_file(parent: QWidget, title: str, start: str) -> str:
    """Ask for a file that is there; return "" if none was chosen."""
    return QFileDialog.getOpenFileName(parent, title, start, "JSON (*.json);;All files (*)")[0]


def on_screen(wanted: QSize, widget: QWidget) -> QSize:
    """Return that size of a window, or as much of it as the screen of a widget has room for."""
    return wanted.boundedTo(widget.screen().availableGeometry().size() - _FRAME)


def heading(text: str) -> QLabel:
    """Return the heading of a part."""
    label = QLabel(text)
    label.setProperty("role", "heading")
    return label


def wrapped(role: str = "", text: str = "") -> QLabel:
    """Return a label for sentences, which can be copied; `role` is that of the style sheet."""
    label = QLabel(text, wordWrap=True)
    label.setProperty("role", role)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def list_button(text: str, clicked: Callable[[], object]) -> QPushButton:
    """Return a small button for below a list, which Enter in another field does not press."""
    button = small_button(text, "")
    button.setAutoDefault(False)
    button.clicked.connect(lambda: clicked())
    return button


def row(*widgets: QWidget | None) -> QHBoxLayout:
    """Return widgets side by side; fields take the room there is, and None stretches."""
    layout = QHBoxLayout()
    layout.setSpacing(8)
    for widget in widgets:
        if widget is None:
            layout.addStretch(1)
        else:
            layout.addWidget(widget, 1 if isinstance(widget, QLineEdit) else 0)
    return layout
