"""Where the window was and how large, remembered between starts; at the first start it fits on the screen."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QSettings, QSize
from PySide6.QtWidgets import QWidget

from studio.dialog_parts import on_screen

_KEY = "window geometry"
#: Shows all that a nodule needs without scrolling, where the screen has the room.
_WANTED = QSize(1280, 900)


def restore_place(window: QWidget) -> None:
    """Give a window that is not shown yet the place of the last one; without one, a size that its screen has."""
    stored = QSettings().value(_KEY)
    # Qt brings back what would lie on no screen, or would be larger than one: screens come and go.
    if not (isinstance(stored, QByteArray) and window.restoreGeometry(stored)):
        window.resize(on_screen(_WANTED, window))


def store_place(window: QWidget) -> None:
    """Remember where a window is."""
    QSettings().setValue(_KEY, window.saveGeometry())
