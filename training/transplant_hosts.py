"""The slices that nodules are transplanted into."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.lung_places import LungPlaces, find_lung_places
from training.prepared import PreparedSlices, read_slices

#: What the source of a slice with a transplanted nodule ends with.
TRANSPLANTED = " with transplant"
#: The lungs of so many slices are kept, half a megabyte each: of all slices of LIDC, they would be gigabytes.
_KEPT = 1000
#: Slices with less lung than this are left out.
_LEAST_LUNG_MM2 = 6000.0


@dataclass(frozen=True, eq=False)
class Hosts:
    """Slices, and how often each is drawn: weights (N,) that add up to 1. Lungs are found when asked for."""

    slices: PreparedSlices
    weights: NDArray[np.float64]
    _lungs: dict[int, LungPlaces | None] = field(default_factory=dict[int, "LungPlaces | None"])

    def draw(self, generator: np.random.Generator) -> int:
        """Draw a slice."""
        return int(generator.choice(len(self.weights), p=self.weights))

    def patient(self, index: int) -> str:
        """Patient of a slice."""
        return str(self.slices.patients[index])

    def lungs(self, index: int) -> LungPlaces | None:
        """Return the lungs of a slice, or None if there is too little of them."""
        if index not in self._lungs:
            if len(self._lungs) >= _KEPT:
                del self._lungs[next(iter(self._lungs))]  # the one that was found first
            places = find_lung_places(self.slices.ct_slice(index))
            enough = places.mask.sum() * float(self.slices.pixel_spacing[index]) ** 2 >= _LEAST_LUNG_MM2
            self._lungs[index] = places if enough else None
        return self._lungs[index]


def read_hosts(data: Path, held_out: bool) -> Hosts:
    """Read the slices of the held-out patients, or of all others.

    A patient counts with the square root of the number of slices, so that long scans do not drown single slices.
    Slices that already hold a transplanted nodule are never drawn. Scores of nodules that the slices have are as given.

    Raises
    ------
    InputError
        If there are none.
    """
    try:
        slices = read_slices(data, held_out, trusted=False)
    except InputError as error:
        raise InputError(f"{error} Nodules are transplanted into slices.") from error
    real = ~np.char.endswith(slices.sources, TRANSPLANTED)
    if not real.any():
        raise InputError(f'"{data}" has only slices with transplants; add slices as they were scanned.')
    _, patient = np.unique(slices.patients, return_inverse=True)
    weights = np.where(real, np.maximum(1, np.bincount(patient, real))[patient] ** -0.5, 0)
    return Hosts(slices, weights / weights.sum())
