"""JSON that may have been damaged or edited by hand: whatever is wrong with it is a `ValueError` or a `TypeError`.

Python's own reader raises a `RecursionError` of deep nesting, and lets numbers through that overflow wherever they are
computed with: an integer of 400 digits, 1e400, Infinity. Nothing here writes any of these.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn, cast

from engine.ct import WindowLevel

#: Integers fit into 64 bits.
_MOST = 2**63


def parse_json(text: str | bytes) -> Any:
    """Return what JSON holds.

    Raises
    ------
    ValueError
        If it is none, is nested too deeply, or has a number that is not finite or does not fit into 64 bits.
    """
    try:
        return json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def object_of(value: object) -> dict[str, Any]:
    """Return an object, with its names and values, as it is.

    Raises
    ------
    TypeError
        If it is none.
    """
    if not isinstance(value, dict):
        raise TypeError("a list, a text or a number stands where an object belongs")
    return cast("dict[str, Any]", value)


def number_of(value: object) -> float:
    """Return a number as it is.

    Raises
    ------
    TypeError
        If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value


def text_of(value: object) -> str:
    """Return a text as it is.

    Raises
    ------
    TypeError, ValueError
        If it is none, or has a zero byte, which no name of a file can have.
    """
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    if "\0" in value:
        raise ValueError("a text has a zero byte")
    return value


def window_of(record: Mapping[str, Any]) -> WindowLevel:
    """Return the window whose width and level a record gives.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it gives none.
    """
    return WindowLevel(number_of(record["width"]), number_of(record["level"]))


def time_of(text: str) -> datetime:
    """Return a time in ISO 8601.

    Raises
    ------
    TypeError, ValueError
        If it is none, or none that the clocks of this place can show.
    """
    time = datetime.fromisoformat(text)
    try:
        time.astimezone()
    except (OverflowError, OSError) as error:
        raise ValueError(f"{text} is no time that can be shown here") from error
    return time


def _integer(digits: str) -> int:
    value = int(digits)
    if not -_MOST <= value < _MOST:
        raise ValueError("a number is too large")
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
