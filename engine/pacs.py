"""Send exports to a PACS, and fetch a series to open; `engine.pacs_search` finds it.

Whatever fails, fails with one sentence (`engine.errors.InputError`). Imports no network library before it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.export_folder import unfinished_in, writing_to
from engine.pacs_connection import Connection
from engine.pacs_objects import DicomObject
from engine.pacs_search import checked_uid, text_of
from engine.pacs_service import Progress, Refusal, Service, service_of

if TYPE_CHECKING:
    from pydicom import Dataset

_MOST_IMAGES = 100_000
_MOST_NAMED = 3


def check_connection(connection: Connection) -> None:
    """Find out whether a server is there and talks to us: C-ECHO, or a search for one study.

    Raises
    ------
    InputError
        If not.
    """
    service_of(connection).check()


def send_objects(
    objects: Sequence[DicomObject], connection: Connection, progress: Progress = lambda done, count: None
) -> int:
    """Send DICOM objects as they are, each in its own transfer syntax; return how many.

    To send again does no harm: objects keep their SOP Instance UIDs, by which a server knows them.

    Parameters
    ----------
    progress : called with (objects done, objects in all); what it raises ends the sending

    Raises
    ------
    InputError
        If the server cannot be reached or breaks off, or a file cannot be read; or, after all others were sent, if the
        server refused some.
    """
    try:
        refused = service_of(connection).store(objects, progress)
    except OSError as error:
        what = f'"{error.filename}"' if error.filename else "A file"
        raise InputError(f"{what} cannot be read ({error.strerror or error}); export it again.") from error
    if refused:
        raise InputError(_refusal_sentence(refused, len(objects)))
    return len(objects)


def fetch_series(
    connection: Connection,
    study_uid: str,
    series_uid: str,
    folder: Path,
    progress: Progress = lambda done, count: None,
) -> Path:
    """Fetch a CT series into a folder that `engine.ct_files` opens; return the folder.

    Parameters
    ----------
    folder : made; must not be there, or be empty
    progress : called with (images done, images in all); what it raises ends the download

    Raises
    ------
    InputError
        If the server cannot be reached or breaks off, if images are missing, or if what came is no CT that can be
        opened. Of a download that is not whole nothing is left; if it was killed, until the next one to that place.
    """
    service, study_uid, series_uid = service_of(connection), checked_uid(study_uid), checked_uid(series_uid)
    with writing_to(folder):
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise InputError(f"{folder} is there already; choose another folder for what is fetched.")
    expected = _images(service, study_uid, series_uid)
    with writing_to(folder), unfinished_in(folder.parent) as temporary:
        made = temporary / folder.name
        made.mkdir()
        _receive(service, expected, made, (study_uid, series_uid), progress)
        _require_openable(made)
        made.replace(folder)
    return folder


def _images(service: Service, study_uid: str, series_uid: str) -> set[str]:
    """Return the SOP Instance UIDs that the server says a series has."""
    keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid, "SOPInstanceUID": ""}
    found = {text_of(match, "SOPInstanceUID") for match in service.find("IMAGE", keys, _MOST_IMAGES)} - {""}
    if not found:
        raise InputError(f"The server has no images of the series {series_uid}; search again.")
    return found


def _receive(service: Service, expected: set[str], folder: Path, uids: tuple[str, str], progress: Progress) -> None:
    taken: set[str] = set()

    def take(dataset: Dataset) -> None:
        uid = text_of(dataset, "SOPInstanceUID")
        # Some servers end a search after the first hundreds of images, and send all of them nevertheless.
        is_of_series = uid in expected or text_of(dataset, "SeriesInstanceUID") == uids[1]
        if uid in taken or not is_of_series:  # Sent twice, or nothing that was asked for.
            return
        taken.add(uid)
        _save(dataset, folder / f"{len(taken):04}.dcm")  # Numbered, not named after what a server sends.
        progress(len(taken), max(len(taken), len(expected)))

    progress(0, len(expected))
    service.retrieve(*uids, take)
    missing = expected - taken
    if missing:
        raise InputError(f"{len(missing)} of {len(expected)} images did not arrive; fetch the series again.")


def _save(dataset: Dataset, file: Path) -> None:
    try:
        dataset.save_as(file, enforce_file_format=True)
    except OSError:
        raise
    except Exception as error:  # pydicom lets through whatever damaged bytes set off
        raise InputError("The server sent an image that is damaged; ask who runs it.") from error


def _require_openable(folder: Path) -> None:
    from engine.ct_files import list_series

    problems = [info.problem for info in list_series(folder)]
    if all(problems):
        raise InputError(problems[0])


def _refusal_sentence(refused: Sequence[Refusal], count: int) -> str:
    reasons: dict[str, list[str]] = {}
    for refusal in refused:
        reasons.setdefault(refusal.reason, []).append(refusal.one.file.name)
    parts = [f"{_names(names)} ({reason})" for reason, names in list(reasons.items())[:_MOST_NAMED]]
    rest = "; the others are there" if len(refused) < count else ""
    return f"{len(refused)} of {count} objects were refused: {', '.join(parts)}{rest}."


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return shown if len(names) <= _MOST_NAMED else f"{shown} and {len(names) - _MOST_NAMED} more"
