"""Puts a result of the past into a slice of today: the same nodule, if what it was made of is still the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from engine.ct import CTSlice
from engine.events import GenerationResult, SliceRequest, SliceSource
from engine.nodule import BoundingBox
from studio.placed import PlacedNodule
from studio.session import Session

#: What the generator sees around a box lies within so many mm of it, or within this share of its side.
_SEEN_MM, _SEEN_SHARE = 24.0, 0.25


def rebased(result: GenerationResult, now: CTSlice) -> GenerationResult | None:
    """Return the result as if it had been made of the slice `now`; the result itself where that is so anyway.

    Whatever the generator saw, the box and its surroundings, must have the same HU as then. Nodules that have been
    accepted or deleted farther away make no difference to it: the new result has the slice of `now` outside the
    box. None if it is another slice, or if it has changed there.
    """
    request = result.request
    if isinstance(request, SliceRequest):
        return None
    then, box = request.slice, request.box
    if now.shape != then.shape or now.pixel_spacing != then.pixel_spacing:
        return None
    around = _seen(box, now.pixel_spacing)
    if not np.array_equal(now.hu[around], then.hu[around]):
        return None
    if np.array_equal(now.hu, then.hu):
        return result
    inside = result.slice.hu[box.slices]
    hu = now.hu.astype(np.result_type(now.hu, inside))
    hu[box.slices] = inside
    return replace(result, request=replace(request, slice=now), slice=now.with_hu(hu))


def place_now(session: Session, result: GenerationResult) -> PlacedNodule | None:
    """Return the result in the slice of the open series that it was made of; None if there is no such slice.

    Slices are told by their HU, not by their names: a series may have been moved, and two may have one name.
    """
    for index in _slices_to_try(session, result):
        now = session.slice_with_accepted(index)
        moved = rebased(result, now) if now else None
        if moved:
            return PlacedNodule(index, moved)
    return None


def is_from_open_series(session: Session, result: GenerationResult) -> bool:
    """Whether the result says that it is from the series that is open."""
    source = source_of(result)
    return source is not None and source == session.source_of(source.slice_index)


def source_of(result: GenerationResult) -> SliceSource | None:
    """Return where the slice of a result was read from; None if that is not known, or if it was made whole."""
    return result.request.source


def _slices_to_try(session: Session, result: GenerationResult) -> Iterator[int]:
    """Yield the slice that the result says it is from, then all others."""
    source, count = source_of(result), len(session.volume) if session.volume else 0
    first = source.slice_index if source else session.slice_index
    if first < count:
        yield first
    yield from (index for index in range(count) if index != first)


def _seen(box: BoundingBox, spacing: tuple[float, float]) -> tuple[slice, slice]:
    reach = max(_SEEN_MM, _SEEN_SHARE * box.side_mm(spacing))
    rows, columns = (
        slice(max(0, edge.start - round(reach / mm)), edge.stop + round(reach / mm))
        for edge, mm in zip(box.slices, spacing, strict=True)
    )
    return rows, columns
