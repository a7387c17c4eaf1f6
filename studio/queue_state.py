"""What is in the queue, as immutable values."""

from __future__ import annotations

from dataclasses import dataclass

from engine.events import GenerationRequest


@dataclass(frozen=True)
class QueuedJob:
    """One job of the queue. `number` tells it from all others of this window; it is not the engine's job id.

    `swept` names the attributes that tell the jobs of a sweep apart; it is empty for all others.
    """

    number: int
    slice_index: int
    request: GenerationRequest
    swept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Queue:
    """What is made one after the other, whatever else is done meanwhile.

    Attributes
    ----------
    running : QueuedJob or None
    waiting : QueuedJob, the next one first
    done : int
        How many jobs have ended since the queue was last empty.
    is_held : bool
        A job has failed: the others wait until they are let go on or cancelled.
    """

    running: QueuedJob | None = None
    waiting: tuple[QueuedJob, ...] = ()
    done: int = 0
    is_held: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return self.running is None and not self.waiting

    @property
    def numbers(self) -> frozenset[int]:
        """Of the jobs that run or wait."""
        return frozenset(job.number for job in (*self.waiting, *([self.running] if self.running else [])))
