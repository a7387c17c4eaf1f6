"""The look: a dark theme for reading rooms and a light one, from one style sheet; one accent, icons."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path

from PySide6.QtCore import QSettings, QSize, Qt
from PySide6.QtGui import QFont, QIcon, QPalette
from PySide6.QtWidgets import QApplication, QFrame

import resources
from studio.theme_colours import COLOURS, DARK, LIGHT, colour, image_colour, use_colours
from studio.theme_icons import ICONS, icon

__all__ = [
    "ICON_SIZE",
    "RESOURCES",
    "Theme",
    "apply_theme",
    "choose_theme",
    "colour",
    "icon",
    "image_colour",
    "line",
    "stored_theme",
]

RESOURCES = Path(resources.__path__[0])
ICON_SIZE = QSize(20, 20)

_FONTS = ["Inter", "Segoe UI", "SF Pro Text", "Noto Sans", "Cantarell", "DejaVu Sans"]
_KEY = "theme"


class Theme(Enum):
    """Which colours the program has; the values are the texts of the menu."""

    DARK = "Dark"
    LIGHT = "Light"
    SYSTEM = "As the system"


def stored_theme() -> Theme:
    """Return the theme that was chosen last; the dark one if none was."""
    stored = str(QSettings().value(_KEY))
    return next((theme for theme in Theme if theme.value == stored), Theme.DARK)


def apply_theme(app: QApplication) -> None:
    """Give the program its look. Call it once, before the first window."""
    app.setStyle("Fusion")
    font = QFont()
    font.setFamilies(_FONTS)
    font.setPointSizeF(13 if sys.platform == "darwin" else 10)  # Macs count 72 points to the inch, others 96.
    app.setFont(font)
    app.setWindowIcon(QIcon(str(ICONS / "nodule-studio.svg")))
    # Where the system is followed, it may change at any time.
    app.styleHints().colorSchemeChanged.connect(lambda: _paint_again(app))
    _follow(app, stored_theme())


def choose_theme(app: QApplication, theme: Theme) -> None:
    """Use another theme from now on, also after the next start."""
    QSettings().setValue(_KEY, theme.value)
    _follow(app, theme)


def _follow(app: QApplication, theme: Theme) -> None:
    # Frames of windows, and dialogs of the system, follow as far as the system lets them.
    app.styleHints().setColorScheme(_scheme_of(theme))
    _paint_again(app)


def _scheme_of(theme: Theme) -> Qt.ColorScheme:
    schemes = {Theme.DARK: Qt.ColorScheme.Dark, Theme.LIGHT: Qt.ColorScheme.Light}
    return schemes.get(theme, Qt.ColorScheme.Unknown)


def _is_light(app: QApplication) -> bool:
    """Return whether the light colours are wanted; of a system that tells no scheme the dark ones."""
    theme = stored_theme()
    return theme is Theme.LIGHT or (theme is Theme.SYSTEM and app.styleHints().colorScheme() is Qt.ColorScheme.Light)


def _paint_again(app: QApplication) -> None:
    """Use the colours that are wanted now; nothing is done if they are in use."""
    wanted = LIGHT if _is_light(app) else DARK
    if wanted == COLOURS and app.styleSheet():
        return
    use_colours(wanted)
    app.setPalette(_palette())
    app.setStyleSheet(_style_sheet())


def line() -> QFrame:
    """Return a horizontal line between parts of a panel."""
    frame = QFrame()
    frame.setProperty("role", "line")
    frame.setFixedHeight(1)
    return frame


def _style_sheet() -> str:
    sheet = (RESOURCES / "studio.qss").read_text(encoding="utf-8")
    sheet = sheet.replace("@icons", ICONS.as_posix())
    sheet = sheet.replace("@checkmark", "check-mark-light" if COLOURS == LIGHT else "check-mark")
    # Longest first: "@accent" is the beginning of "@accenthover".
    for name in sorted(COLOURS, key=len, reverse=True):
        sheet = sheet.replace(f"@{name}", COLOURS[name])
    return sheet


def _palette() -> QPalette:
    role = QPalette.ColorRole
    palette = QPalette()
    for which, name in {
        role.Window: "window",
        role.Base: "field",
        role.AlternateBase: "panel",
        role.Button: "raised",
        role.ToolTipBase: "raised",
        role.Highlight: "accent",
        role.HighlightedText: "onaccent",
        role.WindowText: "text",
        role.Text: "text",
        role.ButtonText: "text",
        role.ToolTipText: "text",
        role.PlaceholderText: "muted",
        role.Link: "accent",
    }.items():
        palette.setColor(which, colour(name))
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, colour("disabled"))
    return palette
