"""What the menus of a window hold: the one list behind the sheet of keys and the search."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

#: Property of menus that list files, not commands: the sheet of keys leaves them out.
LISTS_FILES = "listsFiles"


@dataclass(frozen=True)
class MenuAction:
    """An action and the menus that lead to it, the outermost first: ("View", "Theme")."""

    menus: tuple[str, ...]
    action: QAction

    @property
    def text(self) -> str:
        """What the menu says, without the mark of its letter."""
        return plain(self.action.text())

    @property
    def keys(self) -> str:
        """All of its keys; empty if it has none."""
        native = QKeySequence.SequenceFormat.NativeText
        return ", ".join(keys.toString(native) for keys in self.action.shortcuts())

    @property
    def why_not(self) -> str | None:
        """Why it is disabled, which its tool tip says; None if it can be used."""
        if self.action.isEnabled():
            return None
        tip = self.action.toolTip()
        return "" if tip.startswith(self.text.rstrip("…")) else tip


def menu_actions(window: QMainWindow, with_files: bool = False) -> list[MenuAction]:
    """Return all actions of the menu bar, in the order of the menus.

    Parameters
    ----------
    with_files : bool
        Also those of menus that list files.
    """
    return [found for action in window.menuBar().actions() for found in _below(action, (), with_files)]


def _below(action: QAction, menus: tuple[str, ...], with_files: bool) -> list[MenuAction]:
    if action.isSeparator() or not action.isVisible():
        return []
    menu = action.menu()
    if not isinstance(menu, QMenu):
        return [MenuAction(menus, action)]
    if menu.property(LISTS_FILES) and not with_files:
        return []
    menu.aboutToShow.emit()  # Some are filled only then.
    return [found for below in menu.actions() for found in _below(below, (*menus, plain(menu.title())), with_files)]


def plain(text: str) -> str:
    """Return the text of a menu or an action without the mark of its letter."""
    return text.replace("&&", "\0").replace("&", "").replace("\0", "&")
