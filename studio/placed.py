"""What lies on a slice of the open series: boxes, finished nodules, and what is being made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.events import GenerationResult, Request
from engine.nodule import BoundingBox


@dataclass(frozen=True)
class BoxOnSlice:
    """A box belongs to the slice on which it was drawn."""

    slice_index: int
    box: BoundingBox


@dataclass(frozen=True)
class PlacedNodule:
    """A finished nodule and the slice that it is on."""

    slice_index: int
    result: GenerationResult

    @property
    def place(self) -> BoxOnSlice:
        """Its slice and its box."""
        return BoxOnSlice(self.slice_index, self.result.request.box)

    @property
    def continues(self) -> str | None:
        """Name of the nodule that goes on here, if it was placed in another slice: see `engine.events.Extension`."""
        extension = self.result.request.extension
        return extension.continues if extension else None

    @property
    def name(self) -> str:
        """Name of the nodule as a whole: what its parts have in common, if it goes over several slices."""
        return self.continues or self.result.nodule_sha256()


def count_whole(nodules: Iterable[PlacedNodule]) -> int:
    """Return how many nodules these are, where one that goes over several slices counts once."""
    parts = tuple(nodules)
    placed = [nodule.name for nodule in parts if not nodule.continues]
    return len(placed) + len({nodule.continues for nodule in parts if nodule.continues} - set(placed))


@dataclass(frozen=True)
class Dragged:
    """A box while it is drawn, moved or resized, and the nodule that goes along with it."""

    box: BoundingBox
    nodule: PlacedNodule | None = None


@dataclass(frozen=True)
class Job:
    """What the engine is sampling for this window: a nodule in an open slice, or the open slice itself.

    `is_edit`: it is part of replacing or removing an accepted nodule; see `studio.editing`.
    """

    job_id: int
    slice_index: int
    request: Request
    is_edit: bool = False

    @property
    def place(self) -> BoxOnSlice:
        """Its slice and its box."""
        return BoxOnSlice(self.slice_index, self.request.box)
