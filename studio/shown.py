"""What is shown of a slice: overlays, each on a key, inverted grey values, and how before and after are compared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Comparison(Enum):
    """How the slice as it was read is compared with the slice as it is now. The values are the texts of the menu."""

    NONE = "Only the slice"
    SIDE_BY_SIDE = "Before | after"
    SWIPE = "Swipe"
    DIFFERENCE = "Difference"


@dataclass(frozen=True)
class Shown:
    """What is switched on, in the same order as in the View menu.

    `divider` is where a swipe goes from before to after: a share of the width, 0 to 1.
    """

    boxes: bool = True
    outlines: bool = False
    lungs: bool = False
    inverted: bool = False
    comparison: Comparison = Comparison.NONE
    divider: float = 0.5


#: Field of `Shown` -> text of the menu and key.
SWITCHES: dict[str, tuple[str, str]] = {
    "boxes": ("Boxes", "X"),
    "outlines": ("Outlines of nodules", "O"),
    "lungs": ("Lungs", "L"),
    "inverted": ("Invert grey values", "I"),
}

#: Comparison -> key.
COMPARISON_KEYS: dict[Comparison, str] = {
    Comparison.SIDE_BY_SIDE: "C",
    Comparison.SWIPE: "W",
    Comparison.DIFFERENCE: "V",
}
