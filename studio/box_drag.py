"""What a drag does to the box: pure functions of where it began and where it is now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QPointF, QRectF

from engine.nodule import BoundingBox

#: Handles reach this far from their corner, in widget pixels; less on a small box, so that it can still be moved.
_HANDLE_REACH = 9.0


class Grip(Enum):
    """What of a box was gripped."""

    NOTHING = "nothing"
    INSIDE = "inside"
    TOP_LEFT = "top left"
    TOP_RIGHT = "top right"
    BOTTOM_LEFT = "bottom left"
    BOTTOM_RIGHT = "bottom right"


def grip_at(point: QPointF, rect: QRectF) -> Grip:
    """Return what of a box, which lies at `rect` in the widget, is under a point of the widget."""
    reach = max(4.0, min(_HANDLE_REACH, rect.width() * 0.3))
    corners = {
        Grip.BOTTOM_RIGHT: rect.bottomRight(),
        Grip.TOP_LEFT: rect.topLeft(),
        Grip.TOP_RIGHT: rect.topRight(),
        Grip.BOTTOM_LEFT: rect.bottomLeft(),
    }
    for grip, corner in corners.items():
        offset = point - corner
        if max(abs(offset.x()), abs(offset.y())) <= reach:
            return grip
    return Grip.INSIDE if rect.contains(point) else Grip.NOTHING


@dataclass(frozen=True)
class BoxDrag:
    """One drag of the mouse. Image points are (row, column), continuous.

    Attributes
    ----------
    grip : Grip
        NOTHING draws a new box, INSIDE moves it, a corner resizes it.
    start : (row, column)
        Where the drag began.
    box : BoundingBox or None
        The box when the drag began; None draws one.
    slice_shape : (rows, columns)
    """

    grip: Grip
    start: tuple[float, float]
    box: BoundingBox | None
    slice_shape: tuple[int, int]

    def to(self, row: float, column: float) -> BoundingBox:
        """Return the box with the mouse at an image point. It never leaves the slice."""
        if self.box is None or self.grip is Grip.NOTHING:
            return spanned(self.start, (row, column), self.slice_shape)
        if self.grip is Grip.INSIDE:
            down, right = row - self.start[0], column - self.start[1]
            return self.box.moved_to(self.box.row + down, self.box.column + right)
        return spanned(_opposite(self.box, self.grip), (row, column), self.slice_shape)


def _opposite(box: BoundingBox, grip: Grip) -> tuple[float, float]:
    """Return the corner that stays where it is."""
    bottom, right = box.row + box.side, box.column + box.side
    row = bottom if grip in (Grip.TOP_LEFT, Grip.TOP_RIGHT) else box.row
    column = right if grip in (Grip.TOP_LEFT, Grip.BOTTOM_LEFT) else box.column
    return row, column


def spanned(fixed: tuple[float, float], free: tuple[float, float], slice_shape: tuple[int, int]) -> BoundingBox:
    """Return the largest square on the slice from a corner that stays towards a point.

    Parameters
    ----------
    fixed : (row, column)
        Corner that stays; moved onto the slice and to the nearest border between pixels.
    free : (row, column)
        Where the opposite corner is wanted. The farther of both directions gives the side.
    """
    row, column = (min(max(round(at), 0), size) for at, size in zip(fixed, slice_shape, strict=True))
    down, right = free[0] - row, free[1] - column
    # Room to the border of the slice in the direction of the drag, on both axes.
    room_down = slice_shape[0] - row if down >= 0 else row
    room_right = slice_shape[1] - column if right >= 0 else column
    side = max(2, min(round(max(abs(down), abs(right))), room_down, room_right))
    top = row if down >= 0 else row - side
    left = column if right >= 0 else column - side
    return BoundingBox.nearest(top, left, side, slice_shape)
