"""The menu by which the theme is chosen."""

from __future__ import annotations

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from studio.theme import Theme, choose_theme, stored_theme


def theme_menu(window: QWidget) -> QMenu:
    """Return a menu of the themes; the one in use is checked."""
    menu = QMenu("Theme", window)
    group = QActionGroup(menu)
    for number, theme in enumerate(Theme, start=1):
        action = QAction(theme.value, menu, checkable=True, checked=theme is stored_theme())
        action.setShortcut(QKeySequence(f"Ctrl+Alt+{number}"))
        action.setToolTip(f"{_TELLING[theme]}; images stay on black")
        action.triggered.connect(lambda _=False, theme=theme: _choose(theme))
        group.addAction(action)
        menu.addAction(action)
    return menu


_TELLING = {
    Theme.DARK: "Dark, for reading rooms",
    Theme.LIGHT: "Light, for a room with daylight",
    Theme.SYSTEM: "Dark or light as the other programs are",
}


def _choose(theme: Theme) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    choose_theme(app, theme)
