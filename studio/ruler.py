"""A ruler on the slice: the distance between two points in mm."""

from __future__ import annotations

import math
from dataclasses import dataclass

Point = tuple[float, float]


@dataclass
class Ruler:
    """From `start` to `end`, (row, column) in pixels; None while there is none.

    `is_on` : whether a left-drag measures instead of drawing a box.
    """

    is_on: bool = False
    is_dragged: bool = False
    start: Point | None = None
    end: Point | None = None

    def press(self, at: Point) -> None:
        """Begin to measure."""
        self.start, self.end, self.is_dragged = at, None, True

    def drag_to(self, at: Point) -> None:
        """Measure to here."""
        self.end = at

    def release(self) -> None:
        """Leave it as it is; a click that did not move takes it away."""
        self.is_dragged = False
        if self.end is None:
            self.start = None

    def set_end(self, at: Point) -> None:
        """Set one end; once that is set, the other one. Both at one point take it away."""
        if self.is_dragged:
            self.end = at if at != self.start else None
            self.release()
        else:
            self.press(at)

    def clear(self) -> None:
        """Take it away."""
        self.start = self.end = None
        self.is_dragged = False

    def length_mm(self, spacing: Point) -> float:
        """Return its length; `spacing` is (row, column) in mm."""
        if self.start is None or self.end is None:
            return 0.0
        down, right = self.end[0] - self.start[0], self.end[1] - self.start[1]
        return math.hypot(down * spacing[0], right * spacing[1])
