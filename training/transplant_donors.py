"""The nodules that are transplanted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.lung_walls import direction_to, find_wall, wall_distance
from training.nodule_crops import SMALLEST_SHARE
from training.prepared import PreparedNodules, read_nodules
from training.transplant import NoduleShare, cut_nodule


@dataclass(frozen=True, eq=False)
class CutDonor:
    """A nodule ready to be put into a slice.

    Attributes
    ----------
    nodule : NoduleShare
    wall_mm : float
        From its rim to the wall of the lung.
    wall_angle : float
        Where the wall is seen from the nodule's centre, from x to y; NaN if none is in sight.
    """

    nodule: NoduleShare
    wall_mm: float
    wall_angle: float


@dataclass(frozen=True, eq=False)
class Donors:
    """Crops, and how often each is drawn: weights (N,) that add up to 1."""

    nodules: PreparedNodules
    weights: NDArray[np.float64]

    def draw(self, generator: np.random.Generator) -> int:
        """Draw a crop."""
        return int(generator.choice(len(self.weights), p=self.weights))

    def patient(self, index: int) -> str:
        """Patient of a crop."""
        return str(self.nodules.patients[index])

    def cut(self, index: int) -> CutDonor:
        """Cut the nodule out of a crop."""
        hu, spacing = self.nodules.hu(index), float(self.nodules.pixel_spacing[index])
        masks = self.nodules.reader_masks[index]
        wall = find_wall(hu, masks > 0, spacing)
        nodule = cut_nodule(hu, masks, wall, spacing)
        return CutDonor(nodule, wall_distance(masks > 0, wall, spacing), direction_to(wall, *nodule.centre))


def read_donors(data: Path, held_out: bool) -> Donors:
    """Read the nodules of the held-out patients, or of all others.

    A nodule counts as often as readers marked it; its crops share that by their area, those at its upper and lower
    end left out (`SMALLEST_SHARE`). Scores are as given: whether they are to be trusted goes into the row.

    Raises
    ------
    InputError
        If there are none.
    """
    nodules = read_nodules(data, held_out, trusted=False)
    area = np.count_nonzero(nodules.reader_masks, axis=(1, 2)).astype(np.float64)
    _, number = np.unique(np.char.add(nodules.series_uids, nodules.nodules.astype(str)), return_inverse=True)
    largest, readers = np.zeros(number.max() + 1), np.zeros(number.max() + 1)
    np.maximum.at(largest, number, area)
    np.maximum.at(readers, number, (nodules.annotation_ids >= 0).sum(axis=1).astype(np.float64))
    kept = np.where(area >= np.maximum(2, SMALLEST_SHARE * largest[number]), area, 0)
    weights = readers[number] * kept / np.maximum(np.bincount(number, kept), 1)[number]
    return Donors(nodules, weights / weights.sum())
