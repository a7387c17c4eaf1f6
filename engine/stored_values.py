"""HU as the 16-bit stored values of a CT image: HU = stored value * slope + intercept (PS3.3, C.8.2.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ct import HUArray

_INT16 = np.iinfo(np.int16)
_UINT16 = np.iinfo(np.uint16)


@dataclass(frozen=True, eq=False)
class StoredValues:
    """Pixels as a CT image holds them.

    Attributes
    ----------
    array : (rows, columns), int16 or uint16
    slope, intercept : str
        DICOM Decimal Strings.
    exact : bool
        Do slope and intercept give back every HU outside the box, bit for bit?
    """

    array: NDArray[np.int16] | NDArray[np.uint16]
    slope: str
    intercept: str
    exact: bool


def stored_values(hu: HUArray, outside: NDArray[np.bool_], source_rescale: tuple[str, str] | None) -> StoredValues:
    """Return HU as stored values.

    Whole HU are stored as they are. Others are stored with the slope and intercept of the source, which gives
    back what was read; inside the box they are then rounded to the nearest such step. Where that is not known
    (a float NIfTI file, say), the step is the finest power of two with which 16 bits span the slice.

    Parameters
    ----------
    hu : (rows, columns) int16 or float32
    outside : bool array of (rows, columns)
        Pixels that must come back bit for bit.
    source_rescale : slope and intercept of the image that was read, as Decimal Strings
    """
    for slope, intercept in [("1", "0"), source_rescale or ("1", "0")]:
        array = _encode(hu, float(slope), float(intercept))
        if array is not None and _gives_back(array, slope, intercept, hu, outside):
            return StoredValues(array, slope, intercept, exact=True)
    slope, intercept = _finest(hu)
    array = _encode(hu, float(slope), float(intercept))
    if array is None:
        raise ValueError("hu has values that are not finite numbers")
    return StoredValues(array, slope, intercept, _gives_back(array, slope, intercept, hu, outside))


def _finest(hu: HUArray) -> tuple[str, str]:
    """Return the smallest power of two as slope, and the intercept, with which 16 bits span all HU."""
    least, most = float(hu.min()), float(hu.max())
    span = max(most - math.floor(least), 1.0)
    return f"{2.0 ** math.ceil(math.log2(span / _UINT16.max)):.12g}", str(math.floor(least))


def _encode(hu: HUArray, slope: float, intercept: float) -> NDArray[np.int16] | NDArray[np.uint16] | None:
    """Return the nearest stored values; None if they do not fit in 16 bits."""
    steps = np.rint((hu.astype(np.float64) - intercept) / slope)
    least, most = steps.min(), steps.max()
    if least >= _INT16.min and most <= _INT16.max:
        return steps.astype(np.int16)
    if least >= 0 and most <= _UINT16.max:
        return steps.astype(np.uint16)
    return None


def _gives_back(array: NDArray[Any], slope: str, intercept: str, hu: HUArray, where: NDArray[np.bool_]) -> bool:
    decoded = (array.astype(np.float64) * float(slope) + float(intercept)).astype(hu.dtype)
    return np.array_equal(decoded[where], hu[where])
