"""Keeps what is open in a small file, so that the next start can go on where this one stopped, however it stopped.

The studio offers the last session on its first page and does not open it by itself: at the next start most readers
want the next patient, the screen may be somebody else's by then, and a file that made the program end must not
end it again and again. It is one click, or the Return key, away.
"""

from __future__ import annotations

import itertools
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout
from PySide6.QtCore import QObject, QTimer

from engine.errors import InputError
from engine.json_files import parse_json
from engine.whole_files import write_whole
from studio.history import History
from studio.saved_jobs import unmade_jobs
from studio.saved_session import SavedSession, from_record, saved_session, to_record
from studio.session import Session
from studio.slice_making import SliceMaking

#: What changes is written this much later, in ms: once for a drag over many slices, not once a slice.
_DELAY_MS = 400

logger = logging.getLogger(__name__)


def take_session_file(folder: Path) -> tuple[Path, BaseFileLock]:
    """Take the file of the session that was saved last, of those that no other studio has; a new one if all are taken.

    Several studios may be open at once: each writes a file of its own, `session.json`, `session-2.json` and so on, and
    none says of another, which is running, that it ended without being closed.

    Returns
    -------
    path, lock
        The file need not exist. It is taken as long as the lock is referred to, or until the process ends.
    """
    known = sorted(folder.glob("session*.json"), key=_saved_at, reverse=True)
    names = itertools.chain(["session.json"], (f"session-{number}.json" for number in itertools.count(2)))
    paths = itertools.chain(known, (folder / name for name in names))
    path = next(paths)
    while not _take(lock := FileLock(path.with_suffix(".lock"), timeout=0)):
        path = next(paths)
    return path, lock


def _take(lock: BaseFileLock) -> bool:
    try:
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        return False
    except (OSError, RuntimeError) as error:  # Nothing can be written there, which is said when it is tried.
        logger.warning("Whether another studio is open cannot be told: %s", error)
    return True


def _saved_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # Replaced at this moment.
        return 0.0


def read_session(path: Path) -> SavedSession | None:
    """Return what was open last; None if nothing was, or if it cannot be read."""
    try:
        return from_record(parse_json(path.read_bytes()), path.parent)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, InputError) as error:
        logger.warning("The last session cannot be read: %s", error)
        return None


class Autosave(QObject):
    """Writes the session of a window to its file whenever it has changed; never in the thread of the window.

    A scan that a slice has taken the place of is written beside the slice as long as there is a way back: how its
    nodules lie in it would be nowhere else. While the slice forms, the file stays as it is: cancelled, it has changed
    nothing. What the queue has still to make is written, too, so that the next start can offer it.
    """

    def __init__(
        self, session: Session, history: History, slices: SliceMaking, path: Path, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._history = history
        self._slices = slices
        self._path = path
        self._writer = ThreadPoolExecutor(1, "autosave")
        self._is_stopped = False
        self._last: SavedSession | None = None
        self._timer = QTimer(self, singleShot=True, interval=_DELAY_MS)
        self._timer.timeout.connect(self._write)
        for signal in (
            session.volume_changed,
            session.slice_index_changed,
            session.window_changed,
            session.framing_changed,
            session.shown_changed,
            session.box_changed,
            session.attributes_changed,
            session.options_changed,
            session.candidate_changed,
            session.accepted_changed,
            session.exported_changed,
            session.sweep_changed,
            session.is_sweep_shown_changed,
            session.queue_changed,
        ):
            signal.connect(self._write_soon)

    def stop(self) -> None:
        """Write a last time, that the program was closed, and wait until it is on the disk. Once is enough."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._timer.stop()
        self._write(ended=True)
        self._writer.shutdown()

    def _write_soon(self) -> None:
        # Not put off by the next change, or a long drag would never be written.
        if not self._is_stopped and not self._timer.isActive():
            self._timer.start()

    def _write(self, ended: bool = False) -> None:
        saved, behind = saved_session(self._session, self._history, ended), self._slices.behind
        if saved:
            unmade = unmade_jobs(self._session)
            saved = replace(saved, behind=behind.saved if behind else None, unmade=unmade)
        elif ended and self._last:
            saved = replace(self._last, ended=True)
        if saved:  # Nothing open is nothing to go on with: what was open before stays on offer.
            self._last = saved
            self._writer.submit(self._write_now, json.dumps(to_record(saved), indent=1))

    def _write_now(self, text: str) -> None:
        try:
            write_whole(self._path, text)
        except OSError as error:
            logger.warning("The session could not be saved: %s", error)
