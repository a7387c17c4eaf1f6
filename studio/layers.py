"""The nodules of one slice, each built on those before it: what remains of them when some are taken away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.ct import CTSlice
from engine.events import GenerationResult
from engine.nodule import BoundingBox
from studio.own_nodule import own_nodules
from studio.placed import PlacedNodule
from studio.rebasing import rebased
from studio.session import Session


@dataclass(frozen=True, eq=False)
class Layers:
    """The nodules of a slice, without some of them.

    Attributes
    ----------
    out : PlacedNodule
        Those that are taken out.
    kept : (nodule as it was, nodule as it is without those)
        Same HU in its box, bit for bit: where it was made, none of those was in sight.
    stale : PlacedNodule
        Made with one of those in sight: its request no longer leads to it.
    slice : CTSlice
        With those that are kept.
    """

    out: tuple[PlacedNodule, ...]
    kept: tuple[tuple[PlacedNodule, PlacedNodule], ...]
    stale: tuple[PlacedNodule, ...]
    slice: CTSlice

    @property
    def shown(self) -> CTSlice:
        """The slice with those that are stale, too, as they are: to be looked at, not to be built on."""
        if not self.stale:
            return self.slice
        hu = self.slice.hu.astype(np.result_type(self.slice.hu, *(other.result.slice.hu for other in self.stale)))
        for other in self.stale:
            hu[other.place.box.slices] = other.result.slice.hu[other.place.box.slices]
        return self.slice.with_hu(hu)

    @property
    def results(self) -> tuple[GenerationResult, ...]:
        """Of all nodules that are shown: where boxes overlap, a later one covers the others."""
        return (*(new.result for _, new in self.kept), *(other.result for other in self.stale))


def without(session: Session, *out: PlacedNodule) -> Layers:
    """Take accepted nodules of one slice out of it; the order of the others stays."""
    assert session.volume is not None
    index = out[0].slice_index
    now = session.volume.slice_at(index)
    kept: list[tuple[PlacedNodule, PlacedNodule]] = []
    stale: list[PlacedNodule] = []
    for other in session.accepted:
        if other.slice_index != index or any(other is gone for gone in out):
            continue
        fitting = rebased(other.result, now)
        if fitting is None:
            stale.append(other)
        else:
            # The nodule itself where nothing has changed: others know it as that.
            kept.append((other, other if fitting is other.result else PlacedNodule(index, fitting)))
            now = fitting.slice
    return Layers(out, tuple(kept), tuple(stale), now)


def taken_out(session: Session, nodule: PlacedNodule) -> dict[int, Layers]:
    """Take an accepted nodule out of its slice and, where it was placed there, out of those in which it goes on.

    What is stale must be made again and is another nodule then: that, too, goes on nowhere any more.

    Returns
    -------
    dict : by slice index, that of the nodule first
    """
    out = [nodule]
    while True:
        indices = dict.fromkeys(gone.slice_index for gone in out)
        layers = {index: without(session, *(gone for gone in out if gone.slice_index == index)) for index in indices}
        others = (nodule, *(stale for each in layers.values() for stale in each.stale))
        names = {other.result.nodule_sha256() for other in others if not other.continues}
        parts = [other for other in session.accepted if other.continues in names and other not in out]
        if not parts:
            return layers
        out += parts


def slice_without(session: Session, nodule: PlacedNodule) -> CTSlice:
    """Return the slice without an accepted nodule, the others as they are: see `Layers.shown`."""
    return without(session, nodule).shown


def in_place_of(session: Session, result: GenerationResult) -> tuple[PlacedNodule, PlacedNodule] | None:
    """Return the accepted nodule that has the box of a result, and the result as it would be instead of it.

    None if there is no such nodule, or if the result was made of something else than the slice without it.
    """
    for nodule in session.accepted:
        if nodule.place.box == result.request.box:
            fitting = rebased(result, slice_without(session, nodule))
            if fitting:
                return nodule, PlacedNodule(nodule.slice_index, fitting)
    return None


def parts_elsewhere(session: Session, nodule: PlacedNodule) -> int:
    """Return in how many other slices an accepted nodule goes on, or was placed: see `studio.extending`."""
    name = nodule.name
    return sum(other.name == name for other in session.accepted if other.slice_index != nodule.slice_index)


def overlap_text(session: Session, nodule: PlacedNodule) -> str:
    """Return that the box of a nodule overlaps that of another one of its slice, or of its own; else nothing."""
    here = [other for other in session.accepted if other.slice_index == nodule.slice_index]
    under = [
        number
        for number, other in enumerate(here, start=1)
        if other is not nodule and _overlap(other.place.box, nodule.place.box)
    ]
    over_own = any(
        own.slice_index == nodule.slice_index and _overlap(own.place.box, nodule.place.box)
        for own in own_nodules(session)
    )
    numbered = f"nodule{'s' if len(under) > 1 else ''} {', '.join(map(str, under))}" if under else ""
    which = " and ".join(filter(None, ("the slice's own nodule" if over_own else "", numbered)))
    return f"The box overlaps that of {which}; there, this one covers the other." if which else ""


def _overlap(one: BoundingBox, other: BoundingBox) -> bool:
    is_beside = one.column + one.side <= other.column or other.column + other.side <= one.column
    is_above = one.row + one.side <= other.row or other.row + other.side <= one.row
    return not (is_beside or is_above)
