"""What is shown on a slice besides the slice: overlays, each on a key, and whether grey values are inverted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shown:
    """What is switched on. In the same order as in the View menu."""

    boxes: bool = True
    outlines: bool = False
    lungs: bool = False
    inverted: bool = False


#: Field of `Shown` -> text of the menu and key.
SWITCHES: dict[str, tuple[str, str]] = {
    "boxes": ("Boxes", "X"),
    "outlines": ("Outlines of nodules", "O"),
    "lungs": ("Lungs", "L"),
    "inverted": ("Invert grey values", "I"),
}
