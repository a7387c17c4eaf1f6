"""One reader's way through a study: what is shown now and next, for how long, and what is answered."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from PySide6.QtCore import QObject, Signal

from engine.ct import CTSlice
from engine.study import Answer, AnswerBook, Study, Trial, Value, order_for, trial_images
from studio.background import Task

Images = tuple[CTSlice, ...]


class TrialClock:
    """Seconds for which a trial was looked at.

    Parameters
    ----------
    now : () -> seconds, of a clock that never goes back
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._before = 0.0
        self._started: float | None = None

    @property
    def seconds(self) -> float:
        """What has been counted."""
        running = 0.0 if self._started is None else self._now() - self._started
        return self._before + running

    def start(self) -> None:
        """Count, or go on counting."""
        if self._started is None:
            self._started = self._now()

    def stop(self) -> None:
        """Count no further."""
        self._before, self._started = self.seconds, None

    def reset(self) -> None:
        """Stop, and count from zero."""
        self._before, self._started = 0.0, None


class Reading(QObject):
    """Shows one trial after the other; an answer is on the disk before the next trial is shown.

    The images of the next trial are read in the background while the current one is looked at.

    Attributes
    ----------
    images_ready : Signal()
        `images` are those of `trial`.
    failed : Signal(str)
        They cannot be read; one sentence. `prepare` tries again.
    """

    images_ready = Signal()
    failed = Signal(str)

    def __init__(self, book: AnswerBook, clock: TrialClock, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._book = book
        self._order = order_for(book.study, book.reader)
        self._images: dict[int, Images] = {}
        self._tasks: dict[int, Task] = {}
        self.clock = clock

    @property
    def study(self) -> Study:
        """The study that is read."""
        return self._book.study

    @property
    def reader(self) -> str:
        """Code of who reads."""
        return self._book.reader

    @property
    def trial(self) -> Trial | None:
        """The trial to be answered now; None at the end."""
        return self._book.next_trial

    @property
    def images(self) -> Images | None:
        """What it shows; None until that is read."""
        return self._images.get(self.trial.number) if self.trial else None

    @property
    def answered(self) -> int:
        """How many trials have an answer."""
        return len(self._book.answers)

    @property
    def count(self) -> int:
        """How many trials there are."""
        return len(self._order)

    def prepare(self) -> None:
        """Read the images of this trial and of the next one; forget all others."""
        wanted = [number for number in self._order if number not in self._book.answers][:2]
        self._images = {number: images for number, images in self._images.items() if number in wanted}
        for number in wanted:
            if number not in self._images and number not in self._tasks:
                self._read(self.study.trial(number))
        if self.images:
            self.images_ready.emit()

    def confirm(self, value: Value, confidence: int | None = None) -> None:
        """Keep the answer to this trial, then go to the next one.

        Raises
        ------
        InputError
            If it cannot be kept; the trial stays, and the clock goes on.
        """
        trial = self.trial
        if trial is None:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        seconds = round(self.clock.seconds, 3)
        self._book.record(Answer(trial.number, trial.kind, value, confidence, seconds, now))
        self.clock.reset()
        self.prepare()

    def close(self) -> None:
        """Stop reading, and let others open the reader's answers."""
        for task in tuple(self._tasks.values()):
            task.stop()
        self._book.close()

    def _read(self, trial: Trial) -> None:
        task = Task(lambda progress: trial_images(self.study, trial), "The images could not be read", self)
        self._tasks[trial.number] = task
        task.succeeded.connect(partial(self._take, trial.number))
        task.failed.connect(partial(self._fail, trial.number))
        task.start()

    def _take(self, number: int, images: Images) -> None:
        del self._tasks[number]
        self._images[number] = images
        if self.trial and self.trial.number == number:
            self.images_ready.emit()

    def _fail(self, number: int, message: str) -> None:
        """Tell it once that trial is to be shown: it is read again then."""
        del self._tasks[number]
        if self.trial and self.trial.number == number:
            self.failed.emit(message)
