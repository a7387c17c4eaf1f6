"""Prepared data made up: a drawn chest, and crops with a ball in even lung."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tests.phantom import SPACING_MM, phantom_slice
from tests.training.crops_file import ANNOTATIONS, SIZE, TRAINING, disc
from training.prepared import (
    ImageSource,
    NoduleRow,
    ReaderNodule,
    SliceRow,
    stored_from_hu,
    write_nodules,
    write_slices,
)

LUNG, NODULE = -850, 30
RADIUS_MM = 5.6


def origin(patient: str, spacing: float, initial: bool = False) -> ImageSource:
    return ImageSource(patient, f"series of {patient}", "", "made up", 0.0, spacing, 2.5, -1, initial)


def crop_row(patient: str) -> NoduleRow:
    inside = disc(RADIUS_MM / 0.7)
    hu = np.where(inside, NODULE, LUNG) + np.random.default_rng(0).normal(0, 20, (SIZE, SIZE))
    readers = tuple(
        ReaderNodule(0, identifier, (4, 5, 2, 1, 5 - reader), (40, 40, 16), np.zeros((0, 2), np.float32))
        for reader, identifier in enumerate(ANNOTATIONS[:2])
    )
    masks = inside + 2 * disc(RADIUS_MM / 0.7 - 1)
    return NoduleRow(
        origin(patient, 0.7, patient == TRAINING[0]), 0, stored_from_hu(hu), masks.astype(np.uint8), readers
    )


def write_made_up(folder: Path, patients: Iterable[str]) -> Path:
    """Write a slice without a nodule, and a crop that two readers marked, for each patient."""
    hu = stored_from_hu(phantom_slice()[::2, ::2])
    write_slices(folder, "slices", [SliceRow(origin(patient, 2 * SPACING_MM), hu) for patient in patients])
    write_nodules(folder, "nodules", [crop_row(patient) for patient in patients])
    return folder
