"""The parts of the view that show a slice, each in its own way: one, or two side by side."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QPointF, QRectF

from studio.shown import Comparison

#: Between two panes, in widget pixels.
GAP = 1.0


class Picture(Enum):
    """What a pane shows of the slice."""

    NOW = "now"
    BEFORE = "before"
    AFTER = "after"
    SWIPE = "swipe"
    DIFFERENCE = "difference"


@dataclass(frozen=True)
class Pane:
    """A part of the view, `area` in widget pixels. All panes have one size and one viewport, so they move as one."""

    picture: Picture
    area: QRectF


_ALONE = {
    Comparison.NONE: Picture.NOW,
    Comparison.SWIPE: Picture.SWIPE,
    Comparison.DIFFERENCE: Picture.DIFFERENCE,
}


def panes_of(comparison: Comparison, width: float, height: float) -> tuple[Pane, ...]:
    """Return the panes of a view of that size, from left to right."""
    if comparison is not Comparison.SIDE_BY_SIDE:
        return (Pane(_ALONE[comparison], QRectF(0, 0, width, height)),)
    half = (width - GAP) // 2
    left, right = QRectF(0, 0, half, height), QRectF(width - half, 0, half, height)
    return Pane(Picture.BEFORE, left), Pane(Picture.AFTER, right)


def pane_at(panes: tuple[Pane, ...], point: QPointF) -> Pane:
    """Return the pane at a point of the widget; what lies beyond the first one belongs to the last."""
    return panes[0] if point.x() <= panes[0].area.right() else panes[-1]
