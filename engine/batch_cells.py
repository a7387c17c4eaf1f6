"""What may stand in a cell of a batch's plan: each reader takes its text and says in a sentence what is wrong with it.

An empty cell, and "suggest", leave the choice to the program wherever there is one.
"""

from __future__ import annotations

import math
import re

from engine.errors import InputError
from engine.events import MOST_SEED
from engine.nodule import BOX_SIDE_MM
from engine.prior import LEAST_SIDE_MM, extent_in_box

SUGGEST, NOT_GIVEN = "suggest", "none"
#: More nodules of one line are a slip of the keyboard.
MOST_OF_A_LINE = 1_000_000
_EVERY_SCORE = (1, 2, 3, 4, 5)
#: Nothing here has more digits, and Python reads no numbers of thousands of them.
_WHOLE = re.compile(r"\d{1,20}")
_NUMBER = rf"{_WHOLE.pattern}(?:\.\d{{1,20}})?"
_RANGE = re.compile(rf"({_NUMBER})(?:\s*-\s*({_NUMBER}))?")


def is_open(text: str) -> bool:
    """Tell whether a cell leaves the choice to the program."""
    return text.lower() in ("", SUGGEST)


def read_slices(text: str) -> tuple[int, int] | None:
    """Read the index of a slice, or a range of them, both ends included; None: any slice."""
    return None if is_open(text) else _whole_range("slice", text, "an index from 0, a range such as 30-90, or suggest")


def read_box(text: str) -> tuple[int, int, int] | None:
    """Read `ROW COLUMN SIDE` in pixels; None: to be suggested."""
    if is_open(text):
        return None
    words = text.replace(",", " ").split()
    if len(words) != 3 or not all(_WHOLE.fullmatch(word) for word in words):
        raise InputError(f"box is {text!r}; give ROW COLUMN SIDE in pixels, such as 210 150 28, or suggest.")
    row, column, side = map(int, words)
    return row, column, side


def read_extent(text: str) -> tuple[float, float] | None:
    """Read the extent of a nodule, or a range of extents, in mm; None: as in LIDC."""
    if is_open(text):
        return None
    # To tenths of a mm within what boxes can hold, so that what the sentence names is taken.
    smallest, largest = math.ceil(10 * extent_in_box(LEAST_SIDE_MM)) / 10, int(10 * extent_in_box(BOX_SIDE_MM[1])) / 10
    wanted = f"millimetres from {smallest:g} to {largest:g}, a range such as 5-12, or suggest"
    least, most = _range("size_mm", text, wanted)
    if not smallest <= least <= most <= largest:
        raise InputError(f"size_mm is {text!r}; give {wanted}.")
    return least, most


def read_scores(name: str, text: str) -> tuple[int, ...] | None:
    """Read which scores an attribute may have: one, several, or a range; None: its score is not given to the model."""
    if is_open(text):
        return _EVERY_SCORE
    if text.lower() == NOT_GIVEN:
        return None
    wanted = "a score from 1 to 5, a range such as 3-5, several such as 1 4-5, suggest or none"
    scores: set[int] = set()
    for word in text.replace(",", " ").split():
        first, last = _whole_range(name, word, wanted)
        if first < 1 or last > 5:
            raise InputError(f"{name} is {text!r}; give {wanted}.")
        scores.update(range(first, last + 1))
    return tuple(sorted(scores))


def read_seeds(text: str) -> tuple[int, int] | None:
    """Read a seed or a range of seeds; None: drawn."""
    if is_open(text):
        return None
    first, last = _whole_range("seed", text, f"a whole number up to {MOST_SEED}, or a range such as 1-50")
    if last > MOST_SEED:
        raise InputError(f"seed is {text!r}; give a whole number up to {MOST_SEED}, or a range such as 1-50.")
    return first, last


def read_count(text: str, seeds: tuple[int, int] | None) -> int:
    """Read how many nodules a line asks for: as many as it has seeds, if it does not say; else one."""
    given = 1 if seeds is None else seeds[1] - seeds[0] + 1
    if text == "" and given <= MOST_OF_A_LINE:
        return given
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= MOST_OF_A_LINE:
        asked = f"count is {text!r}" if text else f"{given} seeds are asked for"
        raise InputError(f"{asked}; give a whole number from 1 to {MOST_OF_A_LINE}.")
    if seeds is not None and seeds[0] != seeds[1] and int(text) > given:
        raise InputError(f"count is {text} but there are {given} seeds; give as many seeds, or none.")
    if seeds is not None and seeds[0] + int(text) - 1 > MOST_SEED:
        raise InputError(
            f"count is {text} and the first seed {seeds[0]}; seeds go up to {MOST_SEED}, begin with a lower one."
        )
    return int(text)


def _whole_range(name: str, text: str, wanted: str) -> tuple[int, int]:
    least, most = _range(name, text, wanted)
    if "." in text:
        raise InputError(f"{name} is {text!r}; give {wanted}.")
    return int(least), int(most)


def _range(name: str, text: str, wanted: str) -> tuple[float, float]:
    found = _RANGE.fullmatch(text)
    least, most = (float(found[1]), float(found[2] or found[1])) if found else (math.nan, math.nan)
    if not least <= most:
        raise InputError(f"{name} is {text!r}; give {wanted}.")
    return least, most
