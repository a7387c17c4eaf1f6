"""A ladder or a grid as it is saved: what is swept, and the results that it has. What it lacks can be made again.

    {
      "slice_index": 66, "across": "texture", "down": "margin" or null,
      "shown": true,                        whether it was in sight
      "cells": [PATH or null, ...],         5 or 25, row by row; null: not made
      "earlier": [PATH, ...]                of the other nodules that the slice had when it began, but for the one
    }                                       that a slice made whole has of its own

PATH: see `studio.saved_session`. What is asked for in all cells follows from any of the results: without one, nothing
is saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.events import GenerationRequest, GenerationResult
from engine.history import located
from engine.journal import is_whole
from engine.json_files import text_of
from engine.nodule import ATTRIBUTE_NAMES
from studio.history import History
from studio.session import Session
from studio.sweep import SCORES, Cell, Sweep, sweep_requests


@dataclass(frozen=True)
class SavedSweep:
    """A sweep, see `studio.sweep.Sweep`; `cells` and `earlier` are the folders of results."""

    slice_index: int
    across: str
    down: str | None
    is_shown: bool
    cells: tuple[Path | None, ...]
    earlier: tuple[Path, ...]

    @property
    def entries(self) -> tuple[Path, ...]:
        """The folders of all its results."""
        return (*(entry for entry in self.cells if entry), *self.earlier)

    def moved(self, where: Callable[[Path], Path]) -> SavedSweep:
        """Return it with its results in other folders."""
        cells = tuple(where(entry) if entry else None for entry in self.cells)
        return replace(self, cells=cells, earlier=tuple(map(where, self.earlier)))

    def without_lost(self) -> SavedSweep | None:
        """Return it without the cells whose files are gone; None if nothing is left, or if its slice cannot be told."""
        cells = tuple(entry if entry and is_whole(located(entry)) else None for entry in self.cells)
        is_told = all(is_whole(located(entry)) for entry in self.earlier)
        return replace(self, cells=cells) if is_told and any(cells) else None


def saved_sweep(session: Session, history: History) -> SavedSweep | None:
    """Return the sweep of a session; None if there is none, or if it has no result that was recorded."""
    sweep = session.sweep
    if sweep is None:
        return None
    cells = tuple(history.entry_of(cell.result) if cell.result else None for cell in sweep.cells)
    others = [history.entry_of(result) for result in sweep.earlier if result is not session.made_whole]
    earlier = tuple(entry for entry in others if entry)
    if not any(cells) or len(earlier) < len(others):
        return None
    return SavedSweep(sweep.slice_index, sweep.across, sweep.down, session.is_sweep_shown, cells, earlier)


def sweep_record(saved: SavedSweep) -> dict[str, Any]:
    """Return a saved sweep as JSON types, see the top of this file."""
    return {
        "slice_index": saved.slice_index,
        "across": saved.across,
        "down": saved.down,
        "shown": saved.is_shown,
        "cells": [entry.as_posix() if entry else None for entry in saved.cells],
        "earlier": [entry.as_posix() for entry in saved.earlier],
    }


def sweep_from(record: Mapping[str, Any], place: Path) -> SavedSweep:
    """Return the saved sweep of a record; relative paths go from `place`.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is none.
    """
    across, down = record["across"], record["down"]
    if across not in ATTRIBUTE_NAMES or down not in (None, *ATTRIBUTE_NAMES) or across == down:
        raise ValueError(f"nothing sweeps {across!r} and {down!r}")
    cells = tuple(None if entry is None else place / text_of(entry) for entry in record["cells"])
    if len(cells) != len(SCORES) ** (2 if down else 1):
        raise ValueError(f"a ladder or grid has {len(cells)} cells")
    earlier = tuple(place / text_of(entry) for entry in record["earlier"])
    return SavedSweep(int(record["slice_index"]), across, down, bool(record["shown"]), cells, earlier)


def restored_sweep(
    saved: SavedSweep,
    results: Mapping[Path, GenerationResult],
    session: Session,
    new_numbers: Callable[[int], Sequence[int]],
) -> Sweep | None:
    """Return the sweep in the open series; what was not made, or is gone, is as if it had been cancelled.

    Parameters
    ----------
    results : by folder
        As they were read.
    new_numbers : (count) -> numbers
        Gives numbers that no job has.

    Returns
    -------
    Sweep or None
        None if no result is left, if it is of another slice, or if not all is known that was in the slice before.
    """
    made = [results.get(entry) if entry else None for entry in saved.cells]
    request = next((result.request for result in made if result), None)
    earlier = tuple(results[entry] for entry in saved.earlier if entry in results)
    if not isinstance(request, GenerationRequest) or len(earlier) < len(saved.earlier):
        return None
    if not _is_in_series(request, saved.slice_index, session):
        return None
    requests = sweep_requests(request, saved.across, saved.down)
    numbers = new_numbers(len(requests))
    cells = tuple(
        Cell(asked, number, result if result and _is_of(result, asked) else None)
        for asked, number, result in zip(requests, numbers, made, strict=True)
    )
    before = (*session.own_results(saved.slice_index), *earlier)
    return Sweep(numbers[0], saved.slice_index, saved.across, saved.down, cells, before)


def _is_in_series(request: GenerationRequest, index: int, session: Session) -> bool:
    """Whether the open series has a slice of that index, and of the size that was asked for."""
    volume, asked = session.volume, request.slice
    if volume is None or not 0 <= index < len(volume):
        return False
    return (asked.shape, asked.pixel_spacing) == (volume.slice_at(index).shape, volume.slice_at(index).pixel_spacing)


def _is_of(result: GenerationResult, asked: GenerationRequest) -> bool:
    """Whether a result is that of a request: somebody may have written another one into the file."""
    made = result.request
    if not isinstance(made, GenerationRequest):
        return False
    is_same = (made.box, made.attributes, made.options) == (asked.box, asked.attributes, asked.options)
    return is_same and np.array_equal(made.slice.hu, asked.slice.hu)
