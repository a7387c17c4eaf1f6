"""The look: one dark theme for reading rooms, one accent, icons."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QFont, QIcon, QPalette
from PySide6.QtWidgets import QApplication, QFrame

import resources

RESOURCES = Path(resources.__path__[0])
ICONS = RESOURCES / "icons"

#: Contrast with `panel`: text 12.6, muted 6.3, disabled 3.3, accent 6.8 to 1.
COLOURS = {
    "view": "#0b0c0d",
    "field": "#16181a",
    "window": "#1b1d20",
    "panel": "#202327",
    "raised": "#2b2f34",
    "hover": "#343940",
    "line": "#2d3136",
    "border": "#3c4249",
    "handle": "#59616a",
    "selected": "#26353f",
    "text": "#e4e6e9",
    "muted": "#a2a8af",
    "disabled": "#747b83",
    "accent": "#62b5e5",
    "accenthover": "#7cc2ea",
    "accentpressed": "#4fa3d4",
    "onaccent": "#0c1216",
    "warning": "#e0b45f",
    "error": "#ee8a78",
}

_FONTS = ["Inter", "Segoe UI", "SF Pro Text", "Noto Sans", "Cantarell", "DejaVu Sans"]


def colour(name: str, alpha: int = 255) -> QColor:
    """Return a colour of the theme; alpha from 0 to 255."""
    chosen = QColor(COLOURS[name])
    chosen.setAlpha(alpha)
    return chosen


def icon(name: str) -> QIcon:
    """Return the icon `resources/icons/<name>.svg`."""
    return QIcon(str(ICONS / f"{name}.svg"))


def line() -> QFrame:
    """Return a horizontal line between parts of a panel."""
    frame = QFrame()
    frame.setProperty("role", "line")
    frame.setFixedHeight(1)
    return frame


ICON_SIZE = QSize(20, 20)


def apply_theme(app: QApplication) -> None:
    """Give the program its look. Call it before the first window."""
    app.setStyle("Fusion")
    app.setPalette(_palette())
    font = QFont()
    font.setFamilies(_FONTS)
    font.setPointSizeF(10)
    app.setFont(font)
    app.setStyleSheet(_style_sheet())
    app.setWindowIcon(icon("nodule-studio"))


def _style_sheet() -> str:
    sheet = (RESOURCES / "studio.qss").read_text(encoding="utf-8")
    sheet = sheet.replace("@icons", ICONS.as_posix())
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
