"""Where on this computer the slices were opened that results were made of, found by hash.

An export names neither file nor patient unless it is asked to. So that it can be repeated here all the same, one
small file a slice, under the user's data folder, keeps the path of what was opened.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

import platformdirs

_HASH = re.compile(r"[0-9a-f]{64}")


def is_hash(text: object) -> bool:
    """Tell whether a text is a SHA-256 as it is written here; anything else might name a file elsewhere."""
    return isinstance(text, str) and _HASH.fullmatch(text) is not None


def _folder() -> Path:
    return platformdirs.user_data_path("nodule-studio", appauthor=False) / "inputs"


def remember_input(input_sha256: str, source: Path) -> None:
    """Keep the path of what was opened. Nothing is told if it cannot be kept: a path can be given by hand."""
    with contextlib.suppress(OSError):
        _folder().mkdir(parents=True, exist_ok=True)
        # On Linux a name may be bytes of any encoding: it is kept as they are.
        (_folder() / input_sha256).write_bytes(os.fsencode(source.absolute()))


def known_input(input_sha256: str) -> Path | None:
    """Return what was opened, if it is still there."""
    if not is_hash(input_sha256):
        return None
    try:
        source = Path(os.fsdecode((_folder() / input_sha256).read_bytes()))
    except OSError:
        return None
    # Not `Path.exists`: it raises where a path may not be looked at, as on a share that is gone.
    return source if os.path.exists(source) else None
