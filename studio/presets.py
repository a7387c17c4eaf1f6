"""Window presets that the user can change; remembered between starts."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSettings

from engine.ct import WINDOW_PRESETS, WindowLevel
from engine.errors import InputError

_KEY = "presets"


def stored_presets() -> dict[str, WindowLevel]:
    """Return the presets by their names: as the user has changed them, else as they are delivered."""
    return {name: _stored(name) or preset for name, preset in WINDOW_PRESETS.items()}


def store_preset(name: str, window: WindowLevel) -> None:
    """Change a preset for good."""
    QSettings().setValue(f"{_KEY}/{name}", f"{window.width:g} {window.level:g}")


def forget_presets() -> None:
    """Have all presets as they are delivered."""
    QSettings().remove(_KEY)


def _stored(name: str) -> WindowLevel | None:
    text: Any = QSettings().value(f"{_KEY}/{name}")
    try:
        width, level = map(float, str(text).split())
        return WindowLevel(width, level)
    except (ValueError, InputError):
        return None
