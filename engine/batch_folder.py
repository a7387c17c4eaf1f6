"""The folder of a batch: what was decided when it was begun, and what is made of it so far.

    batch.json           what the batch was begun with: the plan's hash, settings, checkpoint, versions
    rows.jsonl           every nodule of it, decided (`engine.batch_rows`)
    nodules/000001/      a finished nodule: exported files, request.json, row.json (its line of the manifest)
    nodules/000002.failed   one sentence on why there is none
    manifest.csv, manifest.parquet, failures.csv, README.md, card/    written when all rows were gone through

What is made is told from what is there, and from nothing else. A nodule is made in a folder whose name starts with a
full stop, flushed to the disk and renamed: it is there whole or not at all, however the program ends. No file names
what was opened, or a patient.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from engine.batch_rows import BatchRow, read_rows, rows_text
from engine.errors import InputError
from engine.export_folder import check_folder, writing_to
from engine.json_files import object_of, parse_json, time_of
from engine.versions import library_versions
from engine.whole_files import flush, write_whole

if TYPE_CHECKING:
    from filelock import BaseFileLock

FORMAT_VERSION = 1
_RECORD, _ROWS = "batch.json", "rows.jsonl"


@dataclass(frozen=True)
class BatchSettings:
    """What every nodule of a batch has in common; a batch that was begun with other settings is not gone on with.

    Attributes
    ----------
    seed : int
        Of everything that the plan leaves open.
    balance : names from `engine.batch_balance.BALANCES`
    split : shares of train, val and test in percent
    steps, guidance, solver : see `engine.events.SamplingOptions`
    formats : names from `engine.exports.FORMATS`
    checkpoint : str
        Its name.
    checkpoint_sha256 : str
    """

    seed: int
    balance: tuple[str, ...]
    split: tuple[int, ...]
    steps: int
    guidance: float
    solver: str
    formats: tuple[str, ...]
    checkpoint: str
    checkpoint_sha256: str


@dataclass(frozen=True)
class Batch:
    """A batch that was begun.

    Attributes
    ----------
    folder : Path
    settings : BatchSettings
    plan_sha256 : str
    made : datetime
        When it was begun: exports are named after that moment, so that a nodule is the same whenever it is made.
    versions : dict
        Of `engine.versions.library_versions`, when it was begun.
    rows : in the order of the plan
    """

    folder: Path
    settings: BatchSettings
    plan_sha256: str
    made: datetime
    versions: dict[str, str]
    rows: tuple[BatchRow, ...]

    def result_folder(self, row: BatchRow) -> Path:
        """Where the finished nodule lies, once there is one."""
        return self.folder / "nodules" / f"{row.number:06}"

    def is_made(self, row: BatchRow) -> bool:
        """Is the nodule finished?"""
        return self.result_folder(row).is_dir()

    def failure(self, row: BatchRow) -> str:
        """Return why there is no nodule; empty if it is finished, or was not tried yet."""
        if row.problem or self.is_made(row):
            return row.problem
        note = _failure_note(self.result_folder(row))
        return note.read_text("utf-8").strip() if note.is_file() else ""

    def note_failure(self, row: BatchRow, sentence: str) -> None:
        """Keep why a nodule could not be made; it is tried again when the batch is gone on with."""
        write_whole(_failure_note(self.result_folder(row)), sentence + "\n")

    def put(self, row: BatchRow, write: Callable[[Path], None]) -> None:
        """Let `write` fill a folder that becomes the nodule's, whole or not at all.

        If another process was quicker, its nodule stays: it is the same.
        """
        place = self.result_folder(row)
        partial = place.with_name(f".partial-{place.name}-{os.getpid()}")
        partial.mkdir(parents=True)
        try:
            write(partial)
            flush(partial)
            if not place.exists():
                partial.rename(place)
            _failure_note(place).unlink(missing_ok=True)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def clear_partial(self) -> None:
        """Remove what a process that was killed had half made."""
        for leftover in (self.folder / "nodules").glob(".*"):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


def folder_lock(folder: Path) -> BaseFileLock:
    """Return what keeps a second batch out of a folder; it goes with its process, however that ends."""
    from filelock import FileLock

    return FileLock(folder / ".lock")


def take(lock: BaseFileLock, folder: Path) -> None:
    """Take the lock of a folder, which is made if it is not there.

    Raises
    ------
    InputError
        If another process has it, or the folder cannot be written to.
    """
    from filelock import Timeout

    check_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(f"Another batch is at work in {folder}; wait for it, or give another folder.") from error
    except (OSError, RuntimeError) as error:  # RuntimeError: some network folders know no locks.
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"The folder {folder} cannot be written to ({reason}); choose another.") from error


def begin(folder: Path, settings: BatchSettings, plan_sha256: str, rows: Callable[[], list[BatchRow]]) -> Batch:
    """Begin a batch, or go on with the one in the folder.

    Parameters
    ----------
    rows : called for the rows of a batch that is not there yet

    Raises
    ------
    InputError
        If the folder holds something else, or a batch with another plan or other settings.
    """
    if (folder / _RECORD).is_file():
        batch = read_batch(folder)
        check_same(batch, settings, plan_sha256)
        return batch
    if folder.is_dir() and any(not file.name.startswith(".") and file.name != _ROWS for file in folder.iterdir()):
        raise InputError(f"{folder} holds other files; give a new folder, or that of a batch to go on with.")
    text = rows_text(rows())
    record = {
        "format_version": FORMAT_VERSION,
        "made": datetime.now().astimezone().isoformat(),
        "plan_sha256": plan_sha256,
        "rows_sha256": _sha256(text),
        "settings": asdict(settings),
        "versions": library_versions(),
    }
    with writing_to(folder):
        write_whole(folder / _ROWS, text)
        # Last: with it, the batch has begun.
        write_whole(folder / _RECORD, json.dumps(record, indent=2) + "\n")
    return read_batch(folder)


def read_batch(folder: Path) -> Batch:
    """Return the batch in a folder.

    Raises
    ------
    InputError
        If there is none, or its files were altered.
    """
    try:
        record = object_of(parse_json((folder / _RECORD).read_bytes()))
        text = (folder / _ROWS).read_text("utf-8")
        if record["format_version"] != FORMAT_VERSION or record["rows_sha256"] != _sha256(text):
            raise ValueError("altered")
        settings = {name: _frozen(value) for name, value in object_of(record["settings"]).items()}
        return Batch(
            folder,
            BatchSettings(**settings),
            record["plan_sha256"],
            time_of(record["made"]),
            object_of(record["versions"]),
            tuple(read_rows(text)),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{_RECORD} or {_ROWS} in {folder} is missing or was altered; restore them, or begin in a new folder."
        ) from error


def check_same(batch: Batch, settings: BatchSettings, plan_sha256: str) -> None:
    """Refuse to go on with a batch that was begun otherwise.

    Raises
    ------
    InputError
        If it was begun with another plan or other settings.
    """
    if batch.plan_sha256 != plan_sha256:
        raise InputError(
            f"The batch in {batch.folder} was begun with another plan, and this one may have been changed since; "
            "give the plan as it was, or a new folder."
        )
    then, now = asdict(batch.settings), asdict(settings)
    for name in now:
        if then[name] != now[name]:
            raise InputError(
                f"The batch in {batch.folder} was begun with {name} {_told(then[name])}, not {_told(now[name])}; "
                "give the same, or a new folder."
            )


def _told(value: object) -> str:
    """Return a setting as it is typed."""
    return " ".join(map(str, cast("tuple[object, ...]", value))) or "none" if isinstance(value, tuple) else str(value)


def _failure_note(place: Path) -> Path:
    return place.with_name(f"{place.name}.failed")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _frozen(value: Any) -> Any:
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value
