"""Finds the lungs of the slice that is shown, in the background, while they are shown or a box is on it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject

from engine.ct import CTVolume
from engine.lungs import lung_mask
from studio.background import Progress, Task, start_telling
from studio.session import LungsOnSlice, Session, Severity


class LungFinder(QObject):
    """Keeps `session.lungs` up with the slice: one search at a time, that of the slice shown last."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._task: Task | None = None
        for signal in (
            session.shown_changed,
            session.slice_index_changed,
            session.volume_changed,
            session.box_changed,
        ):
            signal.connect(self._find)

    def stop(self) -> None:
        """Look no further, and wait until that is so."""
        if self._task:
            self._task.stop()
            self._task = None

    def _find(self) -> None:
        session, index = self._session, self._session.slice_index
        volume = session.volume
        is_wanted = session.shown.lungs or session.box_here
        if volume is None or not is_wanted or self._task or session.lungs_here is not None:
            return
        self._task = Task(partial(_find_in, volume, index), "The lungs could not be found", self)
        self._task.succeeded.connect(self._show)
        self._task.failed.connect(self._fail)
        start_telling(self._task, session, "Finding the lungs")

    def _show(self, lungs: LungsOnSlice) -> None:
        self._task = None
        if lungs.volume is self._session.volume:
            self._session.lungs = lungs
        self._find()  # The slice may be another one by now.

    def _fail(self, message: str) -> None:
        self._task = None
        self._session.say(message, Severity.ERROR)


def _find_in(volume: CTVolume, index: int, progress: Progress) -> LungsOnSlice:
    return LungsOnSlice(volume, index, lung_mask(volume.slice_at(index)))
