"""A crosshair on the slice: where HU are read and the ruler is set without a mouse."""

from __future__ import annotations

from studio.ruler import Point, Ruler


class Crosshair:
    """A pixel of the slice that keys move.

    Attributes
    ----------
    is_on : bool
        Whether it is shown.
    pixel : (row, column) or None
        Where it is, or was when it was shown last; None before that.
    """

    def __init__(self, ruler: Ruler) -> None:
        self._ruler = ruler
        self.is_on = False
        self.pixel: tuple[int, int] | None = None

    @property
    def at(self) -> Point | None:
        """The middle of its pixel, as an image point."""
        return (self.pixel[0] + 0.5, self.pixel[1] + 0.5) if self.pixel else None

    def put(self, at: Point, shape: tuple[int, int]) -> None:
        """Put it onto the pixel at an image point, or the nearest one of a slice of `shape`, (rows, columns)."""
        row, column = (min(max(int(where // 1), 0), size - 1) for where, size in zip(at, shape, strict=True))
        self.pixel = row, column

    def move(self, down: int, right: int, shape: tuple[int, int]) -> None:
        """Move it by pixels, not off the slice; an end of the ruler that is not set yet goes with it."""
        if self.at is None:
            return
        self.put((self.at[0] + down, self.at[1] + right), shape)
        if self._ruler.is_dragged:
            self._ruler.drag_to(self.at)

    def set_ruler_end(self) -> None:
        """Set one end of the ruler here; once that is set, the other one."""
        if self.at is not None:
            self._ruler.set_end(self.at)
