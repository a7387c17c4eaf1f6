"""The nodules of one slice, each built on those before it: what remains of them when one is taken away."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from engine.ct import CTSlice
from engine.events import GenerationResult
from engine.nodule import BoundingBox
from studio.rebasing import rebased
from studio.session import PlacedNodule, Session


@dataclass(frozen=True, eq=False)
class Layers:
    """The other nodules of a slice, without one of them.

    Attributes
    ----------
    kept : (nodule as it was, nodule as it is without the one)
        Same HU in its box, bit for bit: where it was made, the one was not in sight.
    stale : PlacedNodule
        Made with the one in sight: its request no longer leads to it.
    slice : CTSlice
        With those that are kept.
    """

    kept: tuple[tuple[PlacedNodule, PlacedNodule], ...]
    stale: tuple[PlacedNodule, ...]
    slice: CTSlice


def without(session: Session, nodule: PlacedNodule) -> Layers:
    """Take an accepted nodule out of its slice; the order of the others stays."""
    assert session.volume is not None
    now = session.volume.slice_at(nodule.slice_index)
    kept: list[tuple[PlacedNodule, PlacedNodule]] = []
    stale: list[PlacedNodule] = []
    for other in session.accepted:
        if other is nodule or other.slice_index != nodule.slice_index:
            continue
        fitting = rebased(other.result, now)
        if fitting is None:
            stale.append(other)
        else:
            kept.append((other, PlacedNodule(other.slice_index, fitting)))
            now = fitting.slice
    return Layers(tuple(kept), tuple(stale), now)


def slice_without(session: Session, nodule: PlacedNodule) -> CTSlice:
    """Return the slice without an accepted nodule, the others as they are: to be looked at, not to be built on."""
    layers = without(session, nodule)
    if not layers.stale:
        return layers.slice
    hu = layers.slice.hu.astype(np.result_type(layers.slice.hu, *(other.result.slice.hu for other in layers.stale)))
    for other in layers.stale:
        hu[other.place.box.slices] = other.result.slice.hu[other.place.box.slices]
    return layers.slice.with_hu(hu)


def in_place_of(session: Session, result: GenerationResult) -> tuple[PlacedNodule, PlacedNodule] | None:
    """Return the accepted nodule that has the box of a result, and the result as it would be instead of it.

    None if there is no such nodule, or if the result was made of something else than the slice without it.
    """
    for nodule in session.accepted:
        layers = without(session, nodule) if nodule.place.box == result.request.box else None
        fitting = rebased(result, layers.slice) if layers and not layers.stale else None
        if fitting:
            return nodule, PlacedNodule(nodule.slice_index, fitting)
    return None


def parts_elsewhere(session: Session, nodules: Collection[PlacedNodule]) -> int:
    """Return how many accepted nodules belong to these and are in other slices: see `studio.extending`."""
    names = {_name(nodule) for nodule in nodules}
    return sum(_name(other) in names for other in session.accepted if other not in nodules)


def _name(nodule: PlacedNodule) -> str:
    """Return what all parts of a nodule over several slices have in common."""
    return nodule.continues or nodule.result.nodule_sha256()


def overlap_text(session: Session, nodule: PlacedNodule) -> str:
    """Return that the box of a nodule overlaps that of another one of its slice; empty if it does not."""
    here = [other for other in session.accepted if other.slice_index == nodule.slice_index]
    under = [
        number
        for number, other in enumerate(here, start=1)
        if other is not nodule and _overlap(other.place.box, nodule.place.box)
    ]
    if not under:
        return ""
    which = f"nodule {under[0]}" if len(under) == 1 else f"nodules {', '.join(map(str, under))}"
    return f"The box overlaps that of {which}; there, this one covers the other."


def _overlap(one: BoundingBox, other: BoundingBox) -> bool:
    is_beside = one.column + one.side <= other.column or other.column + other.side <= one.column
    is_above = one.row + one.side <= other.row or other.row + other.side <= one.row
    return not (is_beside or is_above)
