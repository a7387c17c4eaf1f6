"""A project: a folder of plain files from which a session can be gone on with, here or on another machine.

    my project/
        project.json      what was open and how: see `studio.saved_session`; "result" is relative to this folder
        results/
            2031-05-09T14-03-59.123456Z-1f0c22ab/
                result.json, result.npz    what was asked, what came out: see `engine.journal`
            ...

`results` holds the nodules that are in the slices, accepted or waiting, those of the ladder or grid, and the starred
results of the series.
A slice that was made whole is a result, too. A CT is not copied: "source" says where it is, also relative to the
project ("relative_path"), so that a CT kept beside its project is found wherever both are moved. Results are written
first and project.json last: a crash in between leaves the project as it was. Opening one copies its results into the
user's journal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.history import adopt, located
from engine.journal import entries, is_whole
from engine.json_files import parse_json, text_of
from engine.whole_files import names_file, partial_name, write_whole
from studio.saved_session import SavedNodule, SavedSession, from_record, to_record

FILE_NAME = "project.json"
_RESULTS = "results"


def is_project(path: Path) -> bool:
    """Return whether a path is that of a project: its folder, or the file in it."""
    return names_file(path, FILE_NAME)


def save_project(folder: Path, saved: SavedSession, starred: Iterable[Path]) -> None:
    """Write a session to the folder of a project, which is made if need be.

    Parameters
    ----------
    starred : paths of journal entries
        Saved beside those that are in slices, unless they are gone by now.

    Raises
    ------
    InputError
        If the folder holds something else, or cannot be written to.
    """
    if folder.exists() and not is_project(folder) and not _is_free(folder):
        raise InputError(f"{folder} holds other files; choose a new folder, an empty one or one of a project.")
    saved = replace(saved, sweep=saved.sweep.without_lost() if saved.sweep else None)
    there = (entry for entry in starred if is_whole(located(entry)))
    for entry in dict.fromkeys((*saved.entries, *there)):
        adopt(located(entry), folder / _RESULTS)
    record = to_record(_inside(saved))
    record["source"]["relative_path"] = None if saved.made else _way_to(saved.path, folder)
    try:
        write_whole(folder / FILE_NAME, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise InputError(f"The project could not be written to {folder} ({error.strerror}); choose another.") from error


def read_project(path: Path) -> SavedSession:
    """Read a project; entries are paths into it.

    Parameters
    ----------
    path : Path
        Its folder, or the project.json in it.

    Raises
    ------
    InputError
        If it is none, or if the CT is neither where it was nor beside the project.
    """
    folder = path.parent if path.is_file() else path
    try:
        record: Any = parse_json((folder / FILE_NAME).read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} is not a project that can be read ({error}); choose another folder.") from error
    saved = from_record(record, folder)
    if saved.made:
        return saved
    beside = record["source"].get("relative_path")
    if not os.path.exists(saved.path) and beside:
        saved = replace(saved, path=_beside(folder, beside))
    if not os.path.exists(saved.path):
        name = record["source"]["path"]
        raise InputError(f"The CT of this project is not in {name} any more; put it there, or beside the project.")
    return saved


def _beside(folder: Path, relative: object) -> Path:
    try:
        return (folder / text_of(relative)).resolve()
    except (TypeError, ValueError, OSError, RuntimeError) as error:  # RuntimeError: links that lead in a circle.
        raise InputError(f"{folder} is not a project that can be read ({error}); choose another folder.") from error


def project_entries(path: Path) -> list[Path]:
    """Return the folders of all results in a project."""
    folder = path.parent if path.is_file() else path
    return entries(folder / _RESULTS)


def _is_free(folder: Path) -> bool:
    """Whether a folder is empty, or holds only what a first save that failed has left: results, no project.json."""
    if not folder.is_dir():
        return False
    others = (child for child in folder.iterdir() if child.name not in (_RESULTS, partial_name(FILE_NAME)))
    results = (child for child in (folder / _RESULTS).glob("*") if not child.name.startswith("."))
    return not any(others) and all(map(is_whole, results))


def _way_to(path: Path, folder: Path) -> str | None:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # On Windows, there is no way from one drive to another.
        return None


def _inside(saved: SavedSession) -> SavedSession:
    """Return the session with the entries as they are called in a project."""

    def inside(entry: Path) -> Path:
        return Path(_RESULTS) / entry.name

    def moved(nodule: SavedNodule) -> SavedNodule:
        return replace(nodule, entry=inside(nodule.entry))

    candidate = moved(saved.candidate) if saved.candidate else None
    made = inside(saved.made) if saved.made else None
    sweep = saved.sweep.moved(inside) if saved.sweep else None
    return replace(saved, accepted=tuple(map(moved, saved.accepted)), candidate=candidate, made=made, sweep=sweep)
