"""From a path to an open volume, in the background; what is open stays open until the next one is whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from engine.ct import CTVolume
from engine.events import GenerationResult
from engine.synthetic_data import synthetic_warning
from studio.background import Progress, Task
from studio.placed import PlacedNodule
from studio.recent_files import remember
from studio.session import Notice, Opening, Session, Severity

if TYPE_CHECKING:
    from engine.ct_files import SeriesInfo

_FAILURE = "The file could not be read"
#: A series, and the result that it is, where it was made whole and that is known.
_Read = tuple[CTVolume, GenerationResult | None]


class Opener(QObject):
    """Reads files for one session, one at a time; a new one ends the one before.

    Attributes
    ----------
    choice_wanted : Signal(Path, list of SeriesInfo)
        There are several series; answer with `read`.
    """

    choice_wanted = Signal(Path, list)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._task: Task | None = None
        #: What was accepted when the user asked for what is being read; nothing is held on to afterwards.
        self._accepted: tuple[PlacedNodule, ...] = ()

    def open(self, path: Path) -> None:
        """Look what is in a file or folder; read it if there is one series, else ask."""

        def look(progress: Progress) -> list[SeriesInfo]:
            from engine.ct_files import list_series  # Imports pydicom and SimpleITK, which take a second.

            return list_series(path, lambda done, count: progress(done / count))

        task = self._begin(Task(look, _FAILURE, self), path)
        task.succeeded.connect(partial(self._choose, path))
        task.start()

    def read(self, path: Path, series_uid: str | None, then: Callable[[], object] = lambda: None) -> None:
        """Read one series and show it; `then` is called once it is shown."""

        def read(progress: Progress) -> _Read:
            from engine.ct_files import read_volume
            from engine.exported_result import made_whole_beside

            volume = read_volume(path, series_uid, lambda done, count: progress(done / count))
            return volume, made_whole_beside(volume)

        task = self._begin(Task(read, _FAILURE, self), path)
        task.progressed.connect(partial(self._show_progress, path))
        task.succeeded.connect(partial(self._show, path, series_uid, then))
        task.start()

    def cancel(self) -> None:
        """Read no further; what is open stays open."""
        if self._task:
            self._task.abandon()
        self._forget()

    def stop(self) -> None:
        """Read no further, and wait until that is so."""
        task = self._task
        self.cancel()
        if task:
            task.wait()

    def _begin(self, task: Task, path: Path) -> Task:
        self.cancel()
        self._task, self._accepted = task, self._session.accepted
        task.failed.connect(self._fail)
        self._session.notice = None
        self._session.opening = Opening(path.name or str(path))
        return task

    def _forget(self) -> None:
        self._task, self._accepted = None, ()
        self._session.opening = None

    def _choose(self, path: Path, found: list[SeriesInfo]) -> None:
        before = self._accepted  # The user asked once, before anything was looked at.
        self._forget()
        candidates = [series for series in found if not series.problem]
        if len(candidates) == 1:
            self.read(path, candidates[0].series_uid)
            self._accepted = before
        elif candidates:
            self.choice_wanted.emit(path, found)
        else:
            self._session.say(found[0].problem, Severity.ERROR)

    def _show(self, path: Path, series_uid: str | None, then: Callable[[], object], read: _Read) -> None:
        """Show what was read; a nodule that was accepted while it was read is not dropped without a question."""
        session, is_asked = self._session, self._session.accepted is not self._accepted
        self._forget()
        show = partial(self._put_in_place, path, series_uid, then, read)
        if is_asked and session.accepted:
            text = f"{path.name or path} has been read; a nodule was accepted meanwhile, and would leave the window."
            session.notice = Notice(text, offer="Open it all the same", do=show)
        else:
            show()

    def _put_in_place(self, path: Path, series_uid: str | None, then: Callable[[], object], read: _Read) -> None:
        volume, made_whole = read
        self._session.show_volume(volume, series_uid)
        self._session.made_whole = made_whole
        then()
        remember(path)
        # Where its own nodule is known, it is marked like all others.
        warnings = tuple(filter(None, (*volume.warnings, "" if made_whole else synthetic_warning(volume))))
        if warnings:
            said = self._session.notice or Notice("")  # What `then` has said stays.
            text = " ".join((*warnings, said.text)).strip()
            self._session.notice = replace(said, text=text, severity=Severity.WARNING)

    def _show_progress(self, path: Path, part: float) -> None:
        if part:  # Before the first slice is read, it is not known how much there is.
            self._session.opening = Opening(path.name or str(path), part)

    def _fail(self, message: str) -> None:
        self._forget()
        self._session.say(message, Severity.ERROR)
