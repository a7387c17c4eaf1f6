"""HU as the 16-bit stored values of CT images: HU = stored value * slope + intercept (PS3.3, C.8.2.1)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ct import HUArray

_INT16 = np.iinfo(np.int16)
_UINT16 = np.iinfo(np.uint16)

#: HU of (rows, columns), and which of them must come back bit for bit.
Plane = tuple[HUArray, NDArray[np.bool_]]
#: Slope and intercept, as Decimal Strings.
Rescale = tuple[str, str]


@dataclass(frozen=True)
class Encoding:
    """How all images of a series hold HU: many readers take what the first one says for all of them.

    Attributes
    ----------
    slope, intercept : str
        DICOM Decimal Strings.
    dtype : int16 or uint16
    """

    slope: str
    intercept: str
    dtype: type[np.int16] | type[np.uint16]

    def record(self) -> dict[str, str]:
        """Return it as JSON types; `encoding_from` reads it."""
        return {"slope": self.slope, "intercept": self.intercept, "type": self.dtype.__name__}


def encoding_from(record: Mapping[str, Any]) -> Encoding:
    """Return the encoding of an `Encoding.record`.

    Raises
    ------
    KeyError, ValueError, TypeError
        If it is none.
    """
    if not all(math.isfinite(float(record[name])) for name in ("slope", "intercept")) or float(record["slope"]) == 0:
        raise ValueError("slope or intercept is no number to store HU with")
    return Encoding(record["slope"], record["intercept"], {"int16": np.int16, "uint16": np.uint16}[record["type"]])


@dataclass(frozen=True, eq=False)
class StoredValues:
    """Pixels as a CT image holds them.

    Attributes
    ----------
    array : (rows, columns), int16 or uint16
    encoding : Encoding
    exact : bool
        Do slope and intercept give back every HU outside the box, bit for bit?
    """

    array: NDArray[np.int16 | np.uint16]
    encoding: Encoding
    exact: bool


def encoding_of(planes: Sequence[Plane], source_rescales: Iterable[Rescale | None] = ()) -> Encoding:
    """Return one encoding for all slices of a series.

    Whole HU are stored as they are. Others are stored with the slope and intercept of the source, which gives back
    what was read; inside boxes they are then rounded to the nearest such step. Where that is not known (a float NIfTI
    file, say) or not one for all slices, the step is the finest power of two with which 16 bits span them all.

    Parameters
    ----------
    planes : of all slices
    source_rescales : of the images that were read; None where one is not known

    Raises
    ------
    ValueError
        If there are HU that are not finite numbers.
    """
    if all(hu.dtype == np.int16 for hu, _ in planes):  # Of most scans: nothing needs to be tried.
        return Encoding("1", "0", np.int16)
    known = [rescale for rescale in source_rescales if rescale is not None]
    for slope, intercept in dict.fromkeys([("1", "0"), *known]):
        encoding = _faithful(planes, slope, intercept)
        if encoding is not None:
            return encoding
    return _finest(planes)


def stored_values(hu: HUArray, outside: NDArray[np.bool_], encoding: Encoding) -> StoredValues:
    """Return the HU of one slice as stored values.

    Parameters
    ----------
    hu : (rows, columns) int16 or float32
    outside : bool array of (rows, columns)
        Pixels that must come back bit for bit.
    encoding : Encoding
        Of planes of which this is one: see `encoding_of`.
    """
    steps = _steps(hu, encoding.slope, encoding.intercept)
    exact = _gives_back(steps, encoding.slope, encoding.intercept, hu, outside)
    return StoredValues(steps.astype(encoding.dtype), encoding, exact)


def nearest_stored(hu: HUArray, encoding: Encoding) -> NDArray[np.int16 | np.uint16] | None:
    """Return the stored values nearest to HU of any shape; None if the encoding's type does not hold them all."""
    steps = _steps(hu, encoding.slope, encoding.intercept)
    limits = _INT16 if encoding.dtype is np.int16 else _UINT16
    is_held = bool(((steps >= limits.min) & (steps <= limits.max)).all())
    return steps.astype(encoding.dtype) if is_held else None


def _faithful(planes: Sequence[Plane], slope: str, intercept: str) -> Encoding | None:
    """Return the encoding with that slope and intercept; None if 16 bits cannot, or HU that must come back do not."""
    least, most = np.float64(0), np.float64(0)
    for hu, outside in planes:
        steps = _steps(hu, slope, intercept)
        least, most = np.minimum(least, steps.min()), np.maximum(most, steps.max())
        if _type_for(least, most) is None or not _gives_back(steps, slope, intercept, hu, outside):
            return None
    dtype = _type_for(least, most)
    return Encoding(slope, intercept, dtype) if dtype else None


def _finest(planes: Sequence[Plane]) -> Encoding:
    """Return the encoding whose slope is the smallest power of two with which 16 bits span all HU."""
    least = float(np.min([hu.min() for hu, _ in planes]))
    most = float(np.max([hu.max() for hu, _ in planes]))
    if not math.isfinite(most - least):
        raise ValueError("hu has values that are not finite numbers")
    start = math.floor(least)
    slope = 2.0 ** math.ceil(math.log2(max(most - start, 1.0) / _UINT16.max))
    # From the least HU on, all are 0 or above.
    return Encoding(f"{slope:.12g}", str(start), np.uint16)


def _steps(hu: HUArray, slope: str, intercept: str) -> NDArray[np.float64]:
    """Return the nearest stored values."""
    return np.rint((hu.astype(np.float64) - float(intercept)) / float(slope))


def _type_for(least: np.float64, most: np.float64) -> type[np.int16] | type[np.uint16] | None:
    """Return the type that holds stored values in that range; None if 16 bits do not, or they are no numbers."""
    if least >= _INT16.min and most <= _INT16.max:
        return np.int16
    return np.uint16 if least >= 0 and most <= _UINT16.max else None


def _gives_back(steps: NDArray[Any], slope: str, intercept: str, hu: HUArray, outside: NDArray[np.bool_]) -> bool:
    decoded = (steps * float(slope) + float(intercept)).astype(hu.dtype)
    return not bool(((decoded != hu) & outside).any())
