"""Files in a folder, all of them or none: made beside their place, and moved in when the last one is whole."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.errors import InputError

#: What is not finished stands in such a folder, which holds a lock: one that nobody holds is of a program that was
#: killed.
_UNFINISHED, _LOCK = ".nodule-studio-", "lock"
#: In it: what has the names of the new files.
_ASIDE = "aside"
#: What `engine.export_series` writes.
_IMAGE = re.compile(r"\d{4,}\.dcm")


def check_folder(folder: Path) -> None:
    """Find out, without writing, whether files can be exported to a folder that may not be there yet.

    Raises
    ------
    InputError
        If they cannot.
    """
    there = folder.absolute()
    try:
        there.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # It may not be looked at, or can be no name.
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"The folder {there} cannot be written to ({reason}); choose another folder to export to."
        ) from error
    while not os.path.exists(there) and there != there.parent:
        there = there.parent
    if not os.path.isdir(there):
        raise InputError(f"{there} is a file, not a folder; choose another folder to export to.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"The folder {there} cannot be written to; choose another folder to export to.")


@contextmanager
def writing_to(folder: Path) -> Generator[None]:
    """Turn what the system says of a folder that cannot be written to into one sentence, an `InputError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"The folder {folder} cannot be written to ({reason}); choose another.") from error


@contextmanager
def unfinished_in(parent: Path) -> Generator[Path]:
    """Make a folder in `parent`, which is made if need be, and remove it afterwards; and those that were left there.

    Where what is done there fails, folders that were made for it go, too.
    """
    from filelock import FileLock

    new = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_killed(parent)
        with TemporaryDirectory(prefix=_UNFINISHED, dir=parent) as temporary, ExitStack() as held:
            # Some network folders know no locks (`NotImplementedError`); nobody can take this one away there either.
            with suppress(OSError, RuntimeError):
                held.enter_context(FileLock(Path(temporary, _LOCK), timeout=0))
            yield Path(temporary)
    except BaseException:
        for folder in new:
            with suppress(OSError):  # Something else is in it by now.
                folder.rmdir()
        raise


def _remove_killed(parent: Path) -> None:
    from filelock import FileLock

    for lock in parent.glob(f"{_UNFINISHED}*/{_LOCK}"):
        # `filelock.Timeout`, too: somebody is at work there.
        with suppress(OSError, RuntimeError), FileLock(lock, timeout=0):
            _put_back(lock.parent / _ASIDE, parent)
            shutil.rmtree(lock.parent, ignore_errors=True)


def _put_back(aside: Path, folder: Path) -> None:
    """Move back what was moved aside for files that never came."""
    for old in aside.iterdir() if aside.is_dir() else ():
        if not os.path.lexists(folder / old.name):
            old.replace(folder / old.name)


def all_or_nothing(
    write: Callable[[Path], None], folder: Path, opened: Path | None = None, series: bool = False
) -> list[Path]:
    """Let `write` put files and folders into a folder that is made for it, and move them to `folder`; return them.

    What has the same name there is replaced, but for `opened`, and what it holds or lies in. `series` says that a
    folder of that name is among it: it is replaced as a whole, and not if it holds what no export wrote.

    Raises
    ------
    InputError
        If the folder cannot be written to, or `opened` or other files of a series would be replaced; it is then as it
        was.
    """
    check_folder(folder)
    if series:
        _check_series(folder)
    with writing_to(folder), unfinished_in(folder) as temporary:
        made, aside = temporary / "made", temporary / _ASIDE
        made.mkdir()
        aside.mkdir()
        write(made)
        files = sorted(made.iterdir())
        if opened is not None and opened.name and opened.exists():
            _check_kept([folder / file.name for file in files], opened.resolve())
        return _moved_in(files, folder, aside)


def _check_series(folder: Path) -> None:
    place = folder / "series"
    with writing_to(folder):
        there = sorted(place.iterdir()) if place.is_dir() and not place.is_symlink() else []
    # Systems put hidden files of their own beside others.
    foreign = [file.name for file in there if not file.name.startswith(".") and not _IMAGE.fullmatch(file.name)]
    if foreign:
        raise InputError(f"{place} holds {foreign[0]}, which no export wrote; give another folder.")


def _check_kept(places: Sequence[Path], opened: Path) -> None:
    for place in places:
        there = place.resolve()
        if place.exists() and (there.is_relative_to(opened) or opened.is_relative_to(there)):
            raise InputError(f"{place} is of what was opened and would be replaced; give another folder.")


def _moved_in(files: Sequence[Path], folder: Path, aside: Path) -> list[Path]:
    """Move what has the same names aside, then the files in. If a move fails, all that were made are taken back."""
    places = [folder / file.name for file in files]
    with ExitStack() as undo:
        for place in places:
            if os.path.lexists(place):
                _move(place, aside / place.name, undo)
        for file, place in zip(files, places, strict=True):
            if os.path.lexists(place):  # It came since: files of two exports must not be mixed.
                raise FileExistsError(errno.EEXIST, f"another export writes {place.name} there")
            _move(file, place, undo)
        undo.pop_all()
    return places


def _move(source: Path, target: Path, undo: ExitStack) -> None:
    source.replace(target)
    undo.callback(target.replace, source)
