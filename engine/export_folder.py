"""Files in a folder, all of them or none: made beside their place, and moved in when the last one is whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.errors import InputError


def check_folder(folder: Path) -> None:
    """Find out, without writing, whether files can be exported to a folder that may not be there yet.

    Raises
    ------
    InputError
        If they cannot.
    """
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise InputError(f"{there} is a file, not a folder; choose another folder to export to.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"The folder {there} cannot be written to; choose another folder to export to.")


def all_or_nothing(write: Callable[[Path], None], folder: Path) -> list[Path]:
    """Let `write` put files and folders into a folder that is made for it, and move them to `folder`; return them.

    What has the same name there is replaced.

    Raises
    ------
    InputError
        If the folder cannot be written to; it is then as it was.
    """
    check_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".nodule-studio-", dir=folder) as temporary:
            made, aside = Path(temporary, "made"), Path(temporary, "aside")
            made.mkdir()
            aside.mkdir()
            write(made)
            return _moved_in(sorted(made.iterdir()), folder, aside)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"The folder {folder} cannot be written to ({reason}); choose another.") from error


def _moved_in(files: Sequence[Path], folder: Path, aside: Path) -> list[Path]:
    """Move what has the same names aside, then the files in. If a move fails, all that were made are taken back."""
    places = [folder / file.name for file in files]
    with ExitStack() as undo:
        for place in places:
            if os.path.lexists(place):
                _move(place, aside / place.name, undo)
        for file, place in zip(files, places, strict=True):
            _move(file, place, undo)
        undo.pop_all()
    return places


def _move(source: Path, target: Path, undo: ExitStack) -> None:
    source.replace(target)
    undo.callback(target.replace, source)
