"""A sweep: one seed and one place, with one attribute from 1 to 5 (a ladder) or two of them (a grid)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from engine.events import GenerationRequest, GenerationResult
from engine.nodule import SCORE_NAMES

if TYPE_CHECKING:
    from studio.queue_state import Queue

SCORES = (1, 2, 3, 4, 5)


class CellState(Enum):
    """WAITING -> RUNNING -> DONE or FAILED; a waiting or running one -> CANCELLED; FAILED, CANCELLED -> WAITING."""

    WAITING = "Waiting"
    RUNNING = "Forming"
    DONE = "Done"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


@dataclass(frozen=True, eq=False)
class Cell:
    """One nodule of a sweep.

    Attributes
    ----------
    number : int
        Of its job in the queue; another one after a retry.
    result : GenerationResult or None
        What has been made.
    failure : str
        Why nothing could be made, one sentence; empty if that has not happened.
    """

    request: GenerationRequest
    number: int
    result: GenerationResult | None = None
    failure: str = ""

    def state(self, queue: Queue) -> CellState:
        """Return how far it is: what is neither made nor failed nor in the queue has been cancelled."""
        if self.result or self.failure:
            return CellState.DONE if self.result else CellState.FAILED
        if queue.running and queue.running.number == self.number:
            return CellState.RUNNING
        is_waiting = any(job.number == self.number for job in queue.waiting)
        return CellState.WAITING if is_waiting else CellState.CANCELLED


@dataclass(frozen=True, eq=False)
class Sweep:
    """A ladder or a grid.

    Attributes
    ----------
    number : int
        Tells it from all other sweeps of this window.
    across : str
        The attribute that goes from 1 to 5 from left to right.
    down : str or None
        The attribute that goes from 1 to 5 from top to bottom; None for a ladder.
    cells : 5 or 25, row by row
    earlier : GenerationResult
        Of the other nodules that the slice had when the sweep began: each result shows them, too.
    """

    number: int
    slice_index: int
    across: str
    down: str | None
    cells: tuple[Cell, ...]
    earlier: tuple[GenerationResult, ...] = ()

    @property
    def swept(self) -> tuple[str, ...]:
        """The attributes that change, the one from top to bottom first."""
        return (self.down, self.across) if self.down else (self.across,)

    @property
    def results(self) -> tuple[GenerationResult, ...]:
        """What has been made so far."""
        return tuple(cell.result for cell in self.cells if cell.result)

    def unfinished(self, queue: Queue) -> tuple[Cell, ...]:
        """Return the cells that are still to come."""
        return tuple(cell for cell in self.cells if cell.state(queue) in (CellState.WAITING, CellState.RUNNING))

    def to_retry(self, queue: Queue) -> tuple[Cell, ...]:
        """Return the cells that have failed or were cancelled."""
        return tuple(cell for cell in self.cells if cell.state(queue) in (CellState.FAILED, CellState.CANCELLED))

    def with_outcome(self, number: int, result: GenerationResult | None = None, failure: str = "") -> Sweep:
        """Return the sweep after the end of a job, which may be none of its own."""
        cells = (
            replace(cell, result=result, failure=failure) if cell.number == number else cell for cell in self.cells
        )
        return replace(self, cells=tuple(cells))

    def with_numbers(self, anew: dict[int, int]) -> Sweep:
        """Return the sweep with other jobs for some cells: old number -> new number."""
        cells = (
            replace(cell, number=anew[cell.number], failure="") if cell.number in anew else cell for cell in self.cells
        )
        return replace(self, cells=tuple(cells))


def sweep_requests(request: GenerationRequest, across: str, down: str | None = None) -> tuple[GenerationRequest, ...]:
    """Return the request with the scores 1 to 5 of one attribute, or of two: row by row, `down` the slower one."""
    rows: Sequence[dict[str, int]] = [{down: score} for score in SCORES] if down else [{}]
    return tuple(
        replace(request, attributes=replace(request.attributes, **row, **{across: score}))
        for row in rows
        for score in SCORES
    )


def score_of(request: GenerationRequest, attribute: str) -> int | None:
    """Return the score of one attribute."""
    score: int | None = getattr(request.attributes, attribute)
    return score


def swept_text(request: GenerationRequest, swept: Sequence[str]) -> str:
    """Return the scores that tell one cell from another: "texture 2, sphericity 4"."""
    return ", ".join(f"{name} {score_of(request, name)}" for name in swept)


def title_text(sweep: Sweep) -> str:
    """Return what is swept: "Sphericity, 1 to 5", "Texture and sphericity, 1 to 5"."""
    return f"{' and '.join(sweep.swept).capitalize()}, 1 to 5"


def constants_text(sweep: Sweep) -> str:
    """Return what all cells have in common: the scores that stay, the seed and the slice."""
    request = sweep.cells[0].request
    scores = (
        f"{name} {score}"
        for name, score in zip(SCORE_NAMES, request.attributes.scores, strict=True)
        if name not in sweep.swept and score
    )
    return ", ".join((*scores, f"seed {request.options.seed}", f"slice {sweep.slice_index + 1}")).capitalize()
