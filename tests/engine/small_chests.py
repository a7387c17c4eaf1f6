"""CT series for batches: chests of 128 x 128 pixels with lungs in which boxes can be suggested, in milliseconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.conftest import write_series

SIZE, SPACING_MM = 128, 2.5


def chest_slices(count: int = 3, seed: int = 0) -> NDArray[np.int16]:
    """Return (count, 128, 128) HU: a body with two lungs and vessels; no two slices are alike."""
    draw = np.random.default_rng(seed)
    rows, columns = np.indices((SIZE, SIZE)) + 0.5
    hu = np.full((count, SIZE, SIZE), -1000.0)
    hu[:, np.hypot((rows - 64) / 46, (columns - 64) / 58) < 1] = 40
    for middle in (38, 90):
        lung = np.hypot((rows - 64) / 34, (columns - middle) / 21) < 1
        hu[:, lung] = -860
        for row, column in draw.uniform((40, middle - 12), (88, middle + 12), (12, 2)):
            hu[:, np.hypot(rows - row, columns - column) < 1] = 30
    return np.rint(hu + draw.normal(0, 20, hu.shape)).astype(np.int16)


def write_chest(folder: Path, patient: str, slices: int = 3, seed: int = 0) -> Path:
    """Write a chest of a patient as a DICOM series; return its folder."""
    write_series(
        folder,
        chest_slices(slices, seed),
        pixel_spacing=(SPACING_MM, SPACING_MM),
        PatientID=patient,
        PatientName=f"{patient}^Given",
    )
    return folder
