"""Where a nodule goes and what it looks like: the box, and the five LIDC attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError

#: Table 1 of the paper: what each score from 1 to 5 is called.
SCORE_NAMES: dict[str, tuple[str, str, str, str, str]] = {
    "sphericity": ("Linear", "Ovoid/Linear", "Ovoid", "Ovoid/Round", "Round"),
    "margin": ("Poorly defined", "Near poorly defined", "Medium", "Near sharp", "Sharp"),
    "lobulation": ("None", "Nearly none", "Medium", "Nearly marked", "Marked"),
    "spiculation": ("None", "Nearly none", "Medium", "Nearly marked", "Marked"),
    "texture": ("Non-Solid/GGO", "Non-Solid/Mixed", "Part-Solid/Mixed", "Solid/Mixed", "Solid"),
}

#: The order of the attributes wherever they stand in a row (paper, Table 1).
ATTRIBUTE_NAMES: tuple[str, ...] = tuple(SCORE_NAMES)


def is_whole_number(value: object) -> bool:
    """Tell whether a value is an integer, of Python or numpy; 4.0 and True are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


@dataclass(frozen=True)
class NoduleAttributes:
    """Five scores from 1 to 5, or None where a score is not given (paper, Table 1).

    Raises
    ------
    InputError
        If a score is neither None nor a whole number from 1 to 5.
    """

    sphericity: int | None
    margin: int | None
    lobulation: int | None
    spiculation: int | None
    texture: int | None

    def __post_init__(self) -> None:
        for field in fields(self):
            score = getattr(self, field.name)
            if score is not None and not (is_whole_number(score) and 1 <= score <= 5):
                raise InputError(f"{field.name} is {score!r}; give a whole number from 1 to 5.")

    @classmethod
    def from_scores(cls, scores: Sequence[int | None]) -> NoduleAttributes:
        """Make attributes from five scores in the order of Table 1."""
        if len(scores) != len(ATTRIBUTE_NAMES):
            raise InputError(f"{len(scores)} scores were given; give five: {', '.join(ATTRIBUTE_NAMES)}.")
        return cls(*scores)

    @property
    def scores(self) -> tuple[int | None, ...]:
        """The five scores in the order of Table 1."""
        return astuple(self)


#: Sides of boxes, in mm, that the nodule generator is made for.
BOX_SIDE_MM = (4.0, 60.0)


@dataclass(frozen=True)
class BoundingBox:
    """A square of pixels on a slice: rows [row, row + side), columns [column, column + side).

    Made right on construction, so that an empty box or one off the slice cannot exist.

    Raises
    ------
    InputError
        If the side is below 2 pixels or the box does not lie wholly on a slice of `slice_shape`.
    """

    row: int
    column: int
    side: int
    slice_shape: tuple[int, int]

    def __post_init__(self) -> None:
        rows, columns = self.slice_shape
        if self.side < 2:
            raise InputError(f"The box has a side of {self.side} pixels; draw one of 2 pixels or more.")
        inside = 0 <= self.row <= rows - self.side and 0 <= self.column <= columns - self.side
        if not inside:
            raise InputError(
                f"The box (row {self.row}, column {self.column}, side {self.side}) leaves the slice "
                f"of {rows} x {columns} pixels; move it or make it smaller."
            )

    @classmethod
    def nearest(cls, row: float, column: float, side: float, slice_shape: tuple[int, int]) -> BoundingBox:
        """Return the box on the slice that is nearest to the one asked for: shrunk, then moved in."""
        fitted = max(2, min(round(side), *slice_shape))
        top = min(max(round(row), 0), slice_shape[0] - fitted)
        left = min(max(round(column), 0), slice_shape[1] - fitted)
        return cls(top, left, fitted, slice_shape)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the box into an array of (rows, columns)."""
        return slice(self.row, self.row + self.side), slice(self.column, self.column + self.side)

    def mask(self) -> NDArray[np.bool_]:
        """Return the box as a mask of its slice: bool of (rows, columns), True inside."""
        mask = np.zeros(self.slice_shape, np.bool_)
        mask[self.slices] = True
        return mask

    @property
    def centre(self) -> tuple[float, float]:
        """Centre as (row, column) in pixels; pixel (0, 0) covers [0, 1) x [0, 1)."""
        return self.row + self.side / 2, self.column + self.side / 2

    def side_mm(self, pixel_spacing: tuple[float, float]) -> float:
        """Return the side in mm: the longer one where pixels, (row, column) mm, are not square."""
        return self.side * max(pixel_spacing)

    def check_side(self, pixel_spacing: tuple[float, float]) -> None:
        """Refuse a box that the nodule generator is not made for.

        Raises
        ------
        InputError
            If its side is below 4 mm or above 60 mm.
        """
        side, (smallest, largest) = self.side_mm(pixel_spacing), BOX_SIDE_MM
        if not smallest <= side <= largest:
            wanted = "larger" if side < smallest else "smaller"
            raise InputError(f"The box is {side:.1f} mm wide; draw a {wanted} one, of {smallest:g} to {largest:g} mm.")

    def moved_to(self, row: float, column: float) -> BoundingBox:
        """Return the box with its top left corner as near to (row, column) as the slice allows."""
        return self.nearest(row, column, self.side, self.slice_shape)
