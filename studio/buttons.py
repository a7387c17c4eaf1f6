"""The buttons of the panel."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from studio.theme import ICON_SIZE, icon


def button(text: str, icon_name: str, keys: str, role: str, clicked: Callable[[], object]) -> QPushButton:
    """Return a button that tells its keys; `role` is that of the style sheet, "" for a plain one."""
    made = QPushButton(icon(icon_name), text)
    made.setIconSize(ICON_SIZE)
    made.setToolTip(f"{text} ({keys})")
    made.setProperty("role", role)
    # A click must not take the keys from the slice.
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.clicked.connect(lambda: clicked())
    return made
