"""Keeps up how usual the scores are in LIDC: in the background, for the table behind it is read first."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject

from engine.nodule import NoduleAttributes
from engine.prior import extent_in_box, plausibility_sentence
from studio.background import Progress, Task
from studio.session import Session

#: What the sentence depends on: the scores and the extent of the nodule in mm.
_Asked = tuple[NoduleAttributes, float | None]


class Plausibility(QObject):
    """Keeps `session.plausibility` up with the scores and the box: one look-up at a time, the last one wanted."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._task: Task | None = None
        self._answered: _Asked | None = None
        for signal in (
            session.attributes_changed,
            session.box_changed,
            session.volume_changed,
            session.generated_changed,
        ):
            signal.connect(self.update)

    def update(self) -> None:
        """Look up the scores and the size that are set now, if that has not been done."""
        asked = self._session.attributes, nodule_extent_mm(self._session)
        if self._task or asked == self._answered:
            return
        self._task = Task(partial(_look_up, asked), "How usual these scores are could not be looked up", self)
        # A table that cannot be read is no reason to stop anybody: the line says so, and no notice.
        self._task.succeeded.connect(partial(self._show, asked))
        self._task.failed.connect(partial(self._show, asked))
        self._task.start()

    def stop(self) -> None:
        """Look up nothing more, and wait until that is so."""
        if self._task:
            self._task.stop()

    def _show(self, asked: _Asked, sentence: str) -> None:
        self._task, self._answered = None, asked
        self._session.plausibility = sentence
        self.update()  # The scores may be others by now.


def nodule_extent_mm(session: Session) -> float | None:
    """Return how large the nodule is that the box is for; None without a box.

    The box of a slice that was made whole is as large as its nodule; others leave room around it.
    """
    side_mm = session.box_side_mm
    return side_mm if side_mm is None or session.generated else extent_in_box(side_mm)


def _look_up(asked: _Asked, progress: Progress) -> str:
    return plausibility_sentence(*asked)
