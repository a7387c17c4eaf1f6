"""What came out: the nodule's mask, measured from the finished slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTSlice
from engine.nodule import BoundingBox


@dataclass(frozen=True, eq=False)
class NoduleMeasurement:
    """A nodule as it can be measured in a slice.

    Attributes
    ----------
    mask : bool array of (rows, columns) of the slice
        Pixels of the nodule; all False if no nodule was found.
    diameter_mm : float
        Of the circle with the area of the mask; 0 if no nodule was found.
    mean_hu : float
        Mean HU inside the mask; mean HU of the central third of the box if no nodule was found.
    """

    mask: NDArray[np.bool_]
    diameter_mm: float
    mean_hu: float


def measure_nodule(before: CTSlice, after: CTSlice, box: BoundingBox) -> NoduleMeasurement:
    """Measure the nodule that was placed in `box` of `after`; `before` is the slice without it."""
    raise NotImplementedError
