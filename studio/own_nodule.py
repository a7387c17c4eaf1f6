"""The nodule that a slice was made whole with: seen, measured and exported like those that are put in, never edited."""

from __future__ import annotations

from collections.abc import Sequence

from engine.measurement import Mask
from studio.placed import PlacedNodule
from studio.session import Session


def own_nodules(session: Session) -> tuple[PlacedNodule, ...]:
    """Return the nodule that the open slice was made whole with, if it was, and its result is known."""
    return tuple(PlacedNodule(0, result) for result in session.own_results(0))


def nodule_described(session: Session) -> PlacedNodule | None:
    """Return the nodule that measurements are shown of: that in the box, or the slice's own where the box is its."""
    if session.nodule_in_box:
        return session.nodule_in_box
    return next((own for own in own_nodules(session) if own.place == session.box), None)


def own_masks(session: Session, later: Sequence[PlacedNodule]) -> list[Mask]:
    """Return where the own nodule of the slice that is shown is to be seen still, bool of (rows, columns).

    What is made in a box covers what was there: the nodules `later`, a sketch, and what is being made.
    """
    boxes = [nodule.place.box for nodule in later]
    if session.sketch_here:
        boxes.append(session.sketch_here.made.request.box)
    if session.job and session.job.slice_index == session.slice_index:
        boxes.append(session.job.request.box)
    masks = [result.measurement.mask.copy() for result in session.own_results(session.slice_index)]
    for mask in masks:
        for box in boxes:
            mask[box.slices] = False
    return masks


def exportable(session: Session) -> tuple[PlacedNodule, ...]:
    """Return what can be written to files: the slice's own nodule, then the accepted ones, built on it."""
    return (*own_nodules(session), *session.accepted)
