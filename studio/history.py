"""The results of the journal as a list, newest first. What changes it changes the files first."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from engine import history, journal
from engine.errors import InputError
from engine.events import GenerationResult, SliceSource
from engine.history import Entry
from studio.background import Progress, Task

ENTRY = Qt.ItemDataRole.UserRole
_TOP = QModelIndex()

logger = logging.getLogger(__name__)


class History(QAbstractListModel):
    """The entries of one journal, those in its trash included; `ENTRY` is the role of the `Entry` of a row.

    Parameters
    ----------
    folder : Path
        The journal.

    Attributes
    ----------
    failed : Signal(str)
        Why the journal cannot be read, in one sentence.
    """

    failed = Signal(str)
    _recorded = Signal(object)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.folder = folder
        self._entries: list[Entry] = []
        # Weak: the list must not keep the images of every result in memory.
        self._paths: weakref.WeakKeyDictionary[GenerationResult, Path] = weakref.WeakKeyDictionary()
        self._adopting = threading.Lock()  # Two threads may ask for a copy of the same entry.
        self._task: Task | None = None
        self._recorded.connect(self._add, Qt.ConnectionType.QueuedConnection)

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = _TOP) -> int:
        """Number of entries."""
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the `Entry` of a row; what it is in words is up to the view."""
        return self._entries[index.row()] if role == ENTRY else None

    @property
    def entries(self) -> Sequence[Entry]:
        """All entries, newest first."""
        return tuple(self._entries)

    def load(self) -> None:
        """Read the journal in the background, and remove for good what was deleted long ago."""

        def read(progress: Progress) -> list[Entry]:
            history.tidy(self.folder)
            return history.list_entries(self.folder)

        self._task = Task(read, "The history could not be read", self)
        self._task.succeeded.connect(self._show_loaded)
        self._task.failed.connect(self.failed)
        self._task.start()

    def stop(self) -> None:
        """Wait for the reading of the journal to end."""
        if self._task:
            self._task.stop()

    def record(self, result: GenerationResult) -> Path:
        """Write a result into the journal, then into the list. For the engine thread."""
        path = journal.record(result, self.folder)
        self.remember(result, path)
        self._recorded.emit(path)
        return path

    def remember(self, result: GenerationResult, path: Path) -> None:
        """Know from now on that this is the result of an entry."""
        self._paths[result] = path

    def path_of(self, result: GenerationResult) -> Path | None:
        """Return where the entry of a result is now; None if the result could not be recorded."""
        path = self._paths.get(result)
        return history.located(path) if path else None

    def remember_rebased(self, result: GenerationResult, as_it_was: GenerationResult) -> None:
        """Know from now on that a result has the entry of another one, which was put on a slice as that is now."""
        if as_it_was in self._paths:
            self._paths[result] = self._paths[as_it_was]

    def entry_of(self, result: GenerationResult) -> Path | None:
        """Return where the entry of a result was once: as `path_of`, but no file is looked for."""
        return self._paths.get(result)

    def read(self, path: Path) -> GenerationResult:
        """Read the result of an entry. For any thread.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        result = journal.read(history.located(path))
        self.remember(result, path)
        return result

    def slice_made(self, source: SliceSource) -> GenerationResult | None:
        """Return the slice made whole that a source names; None if it is not in the journal. For any thread."""
        found = history.slice_made(source, self.folder)
        if found:
            self.remember(*found)
        return found[0] if found else None

    # --- changes: of the files, then of the list. Each raises InputError if the files cannot be changed ----

    def star(self, path: Path, starred: bool) -> None:
        """Star an entry, or take its star away."""
        history.star(history.located(path), starred)
        self._change(path, is_starred=starred)

    def delete(self, path: Path) -> None:
        """Move an entry to the trash."""
        self._change(path, path=history.delete(path))

    def put_back(self, path: Path) -> None:
        """Take an entry out of the trash."""
        self._change(path, path=history.put_back(history.located(path)))

    def adopt(self, path: Path) -> Path:
        """Copy an entry from elsewhere into the journal, unless it is there; return the copy. For any thread."""
        with self._adopting:
            copy = history.adopt(path, self.folder)
        self._recorded.emit(copy)
        return copy

    def row_of(self, path: Path) -> int | None:
        """Return the row of an entry, wherever it lies now."""
        return next((row for row, entry in enumerate(self._entries) if entry.path.name == path.name), None)

    def _change(self, of: Path, **changes: Any) -> None:
        row = self.row_of(of)
        if row is not None:
            self._entries[row] = replace(self._entries[row], **changes)
            self.dataChanged.emit(self.index(row), self.index(row))

    def _add(self, path: Path) -> None:
        if self.row_of(path) is not None:
            return
        try:
            entry = history.read_entry(path)
        except InputError as error:  # Gone or altered since it was written: left out, as when all are listed.
            logger.warning("%s", error)
            return
        later = (row for row, other in enumerate(self._entries) if other.path.name < path.name)
        row = next(later, len(self._entries))
        self.beginInsertRows(_TOP, row, row)
        self._entries.insert(row, entry)
        self.endInsertRows()

    def _show_loaded(self, found: list[Entry]) -> None:
        self._task = None
        names = {entry.path.name for entry in found}
        fresh = [entry for entry in self._entries if entry.path.name not in names]  # Recorded meanwhile.
        self.beginResetModel()
        self._entries = sorted((*fresh, *found), key=lambda entry: entry.path.name, reverse=True)
        self.endResetModel()
