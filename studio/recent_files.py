"""What was open lately, remembered between starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSettings

_KEY = "recent"
_KEPT = 10


def recent_files() -> list[Path]:
    """Return what was open lately and still exists, the last one first."""
    stored: Any = QSettings().value(_KEY)
    # A list of one comes back as a plain string, and an empty one as None.
    texts: list[str] = [stored] if isinstance(stored, str) else stored or []
    # Not `Path.exists`: it raises where a path may not be looked at, as on a share that is gone.
    return [path for path in map(Path, texts) if os.path.exists(path)]


def remember(path: Path) -> None:
    """Put a file or folder at the front of what was open lately."""
    others = [other for other in recent_files() if other != path]
    QSettings().setValue(_KEY, [str(path) for path in (path, *others)][:_KEPT])
