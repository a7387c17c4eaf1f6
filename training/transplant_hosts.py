"""The slices that nodules are transplanted into."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTSlice
from engine.errors import InputError
from engine.lung_places import LungPlaces, find_lung_places
from training.prepared import PreparedSlices, read_slices

#: Slices with less lung than this are left out.
_LEAST_LUNG_MM2 = 6000.0


@dataclass(frozen=True, eq=False)
class Hosts:
    """Slices, and how often each is drawn: weights (N,) that add up to 1. Lungs are found when first asked for."""

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
            spacing = float(self.slices.pixel_spacing[index])
            places = find_lung_places(CTSlice(self.slices.hu(index), (spacing, spacing)))
            enough = places.mask.sum() * spacing**2 >= _LEAST_LUNG_MM2
            self._lungs[index] = places if enough else None
        return self._lungs[index]


def read_hosts(data: Path, held_out: bool) -> Hosts:
    """Read the slices of the held-out patients, or of all others.

    A patient counts with the square root of the number of slices, so that long scans do not drown single slices.

    Raises
    ------
    InputError
        If there are none.
    """
    try:
        slices = read_slices(data, held_out)
    except InputError as error:
        raise InputError(f"{error} Nodules are transplanted into slices.") from error
    _, patient, count = np.unique(slices.patients, return_inverse=True, return_counts=True)
    weights = count[patient] ** -0.5
    return Hosts(slices, weights / weights.sum())
