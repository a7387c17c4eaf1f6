"""Files and folders that are whole at every moment: the old ones until the new ones are on the disk."""

from __future__ import annotations

import os
from pathlib import Path


def partial_name(name: str) -> str:
    """Return the name under which a file of that name is written until it is whole."""
    return f".{name}.new"


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, text in UTF-8 with its line ends as they are; its folder is made if it is not there.

    Raises
    ------
    OSError
        If it cannot be written; it is then as it was.
    """
    partial = path.with_name(partial_name(path.name))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with partial.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def flush(folder: Path) -> None:
    """Have files on the disk before their folder gets its name: a power cut leaves no empty ones under it.

    Raises
    ------
    OSError
        If one of them cannot be opened for writing.
    """
    for file in (path for path in folder.rglob("*") if path.is_file()):
        with file.open("rb+") as opened:
            os.fsync(opened.fileno())


def names_file(path: Path, name: str) -> bool:
    """Tell whether a path is that of a file of that name, or of a folder that holds one.

    It is not where it may not be looked at, as on a share that is gone: there `Path.is_file` raises.
    """
    return os.path.isfile(path / name) or (path.name == name and os.path.isfile(path))
