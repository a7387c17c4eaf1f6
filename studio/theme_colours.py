"""The colours of the two themes, and which of them is in use."""

from __future__ import annotations

from PySide6.QtGui import QColor

#: Calm in a dark room. The image area has these colours in both themes: CT is read on black.
DARK = {
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
    "icon": "#d3d6da",
    "muted": "#a2a8af",
    "disabled": "#7f868e",
    "accent": "#62b5e5",
    "accenthover": "#7cc2ea",
    "accentpressed": "#4fa3d4",
    "onaccent": "#0c1216",
    "warning": "#e0b45f",
    "error": "#ee8a78",
}

#: For a room with daylight. The same names as in the dark theme.
LIGHT = {
    "view": "#e7e9ec",
    "field": "#ffffff",
    "window": "#f1f2f4",
    "panel": "#f8f9fa",
    "raised": "#ffffff",
    "hover": "#e3e7eb",
    "line": "#dcdfe3",
    "border": "#b7bec6",
    "handle": "#a3abb4",
    "selected": "#d8e8f4",
    "text": "#1b1f23",
    "icon": "#343b42",
    "muted": "#545c65",
    "disabled": "#7d858d",
    "accent": "#0b649c",
    "accenthover": "#0d75b5",
    "accentpressed": "#095280",
    "onaccent": "#ffffff",
    "warning": "#7f5300",
    "error": "#ab2c1a",
}

#: The colours in use. Changed in place, for it is read whenever something is painted.
COLOURS = dict(DARK)


def use_colours(colours: dict[str, str]) -> None:
    """Paint with these from now on."""
    COLOURS.update(colours)


def colour(name: str, alpha: int = 255) -> QColor:
    """Return a colour of the theme in use; alpha from 0 to 255."""
    return _with_alpha(COLOURS[name], alpha)


def image_colour(name: str, alpha: int = 255) -> QColor:
    """Return a colour for what is painted on CT: that of the dark theme, whichever is in use."""
    return _with_alpha(DARK[name], alpha)


def _with_alpha(text: str, alpha: int) -> QColor:
    chosen = QColor(text)
    chosen.setAlpha(alpha)
    return chosen
