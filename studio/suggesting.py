"""Suggests where a nodule could be, how large, and with which scores: as LIDC's readers marked them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QObject

from engine.ct import CTVolume
from engine.nodule import BoundingBox, NoduleAttributes
from engine.prior import suggest_box, suggest_for_generation, suggest_scores
from studio import commands
from studio.background import Task, start_telling
from studio.placed import BoxOnSlice
from studio.placing import LARGEST_SEED
from studio.plausibility import nodule_extent_mm
from studio.reasons import why_not_suggest_place
from studio.session import Session, Severity
from studio.settings_commands import TakeScores


class Suggesting(QObject):
    """Draws suggestions in the background, one at a time; each is another one, and each can be undone."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._task: Task | None = None
        # From a random one, or every session would begin with the same nodules.
        self._seeds = itertools.count(random.randint(0, LARGEST_SEED))

    def suggest_place(self) -> None:
        """Put the box at a likely place in the lungs of the slice that is shown; or say why not."""
        session, index = self._session, self._session.slice_index
        reason, volume = why_not_suggest_place(session), session.volume
        if reason or volume is None:
            session.say(reason or "")
            return
        draw = partial(suggest_box, volume.slice_at(index))
        self._start(draw, partial(self._put_box, volume, index, self._session.box), "No place could be suggested")

    def suggest_scores(self) -> None:
        """Set scores that occur together in nodules as large as the box; in those of any size without a box."""
        draw = partial(suggest_scores, extent_mm=nodule_extent_mm(self._session))
        self._start(draw, self._take_scores, "No scores could be suggested")

    def suggest_slice(self, then: Callable[[tuple[BoundingBox, float, NoduleAttributes]], None]) -> None:
        """Draw box, pixel spacing in mm and scores of a slice to be made, and hand them to `then`."""
        self._start(suggest_for_generation, then, "No box could be suggested")

    def stop(self) -> None:
        """Suggest nothing more, and wait until that is so."""
        if self._task:
            self._task.stop()

    def _start(self, draw: Callable[[int], object], then: Callable[[Any], None], failure: str) -> None:
        if self._task:  # A key that is held repeats itself faster than lungs are found.
            return
        seed = next(self._seeds)
        self._task = Task(lambda progress: draw(seed), failure, self)
        self._task.succeeded.connect(partial(self._end, then))
        self._task.failed.connect(partial(self._end, partial(self._session.say, severity=Severity.WARNING)))
        start_telling(self._task, self._session, "Finding a suggestion")

    def _end(self, then: Callable[[Any], None], answer: object) -> None:
        self._task = None
        then(answer)

    def _put_box(self, volume: CTVolume, index: int, before: BoxOnSlice | None, box: BoundingBox) -> None:
        """Put the box where it was drawn for, if that slice is still shown and the user has drawn none meanwhile."""
        session = self._session
        if session.volume is volume and session.slice_index == index and session.box == before:
            commands.set_box(session, box, "suggested place")

    def _take_scores(self, suggested: NoduleAttributes) -> None:
        self._session.undo_stack.push(TakeScores(self._session, suggested))
