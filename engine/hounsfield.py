"""From stored values to Hounsfield units, and whether values can be Hounsfield units at all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ct import HUArray
from engine.errors import InputError

#: Every axial slice has air in it, which is near -1000 HU. Values that never go below this are not HU.
AIR_BELOW = -200
#: HU beyond these are padding and metal: what is learned from is clipped to them, as in the paper (section 2.1).
LEARNED_HU = (-1000, 2500)


def to_hu(stored: NDArray[Any], slope: float, intercept: float) -> HUArray:
    """Return stored * slope + intercept (DICOM PS3.3, C.11.1): int16 where that is exact, else float32.

    Parameters
    ----------
    stored : integer array of any shape
    slope, intercept : Rescale Slope and Rescale Intercept
    """
    if slope.is_integer() and intercept.is_integer():
        return compact(stored.astype(np.int64) * int(slope) + int(intercept))
    return compact(stored * np.float64(slope) + np.float64(intercept))


def compact(values: NDArray[Any]) -> HUArray:
    """Return values as int16 if all are whole numbers of its range, else as float32."""
    limits = np.iinfo(np.int16)
    fits = values.min() >= limits.min and values.max() <= limits.max
    if fits and (values.dtype.kind in "iu" or np.array_equal(values, np.rint(values))):
        return values.astype(np.int16)
    return values.astype(np.float32)


def stacked(planes: list[HUArray]) -> HUArray:
    """Return slices of (rows, columns) as one array of (slices, rows, columns), int16 if all of them are."""
    if all(plane.dtype == np.int16 for plane in planes):
        return np.stack(planes, dtype=np.int16)
    return np.stack(planes, dtype=np.float32)


def require_hu(values: NDArray[Any], name: str) -> None:
    """Refuse values that cannot be Hounsfield units of a whole axial slice.

    Parameters
    ----------
    values : array of any shape
    name : str
        Of the file, for the message.

    Raises
    ------
    InputError
        If no value is below `AIR_BELOW`, or one is not a number.
    """
    lowest, highest = float(values.min()), float(values.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise InputError(f'"{name}" has pixels that are not numbers (NaN or infinite); give them a HU first.')
    if lowest > AIR_BELOW:
        raise InputError(
            f'"{name}" has values from {lowest:g} to {highest:g}, which are not Hounsfield units '
            "(air is -1000); open a CT in Hounsfield units."
        )
