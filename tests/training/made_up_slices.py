"""A small folder of prepared slices: two lungs in a body, a disc for a nodule, noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.training.crops_file import HELD_OUT, TRAINING
from training.prepared import ImageSource, ReaderNodule, SliceRow, stored_from_hu, write_slices

SIZE = 256


def chest_hu(generator: np.random.Generator, nodule: tuple[int, int, int] | None) -> NDArray[np.float64]:
    """HU of (256, 256); `nodule` is row, column and radius in pixels."""
    rows, columns = np.indices((SIZE, SIZE)) + 0.5

    def ellipse(row: float, column: float, height: float, width: float) -> NDArray[np.bool_]:
        return ((rows - row) / height) ** 2 + ((columns - column) / width) ** 2 < 1

    width = generator.uniform(30, 38)
    hu = np.full((SIZE, SIZE), -1000.0)
    hu[ellipse(128, 128, 95, 115)] = 40
    hu[ellipse(128, 75, 62, width) | ellipse(128, 181, 62, width)] = -850
    if nodule:
        hu[ellipse(nodule[0], nodule[1], nodule[2], nodule[2])] = 30
    return hu + generator.normal(0, 20, hu.shape)


def write_made_up_slices(prepared: Path, slices_a_patient: int = 3) -> Path:
    """Write slices of two held-out and three training patients; the last slice of each patient has no nodule."""
    generator = np.random.default_rng(0)
    rows: list[SliceRow] = []
    for patient in (*HELD_OUT, *TRAINING):
        for index in range(slices_a_patient):
            radius = 4 + index
            centre = (110 + 10 * index, 75)
            box = (centre[0] - radius - 1, centre[1] - radius - 1, 2 * radius + 2)
            readings = tuple(
                ReaderNodule(0, -1, (5, 4, 1 + reader, 0, 5 - index), box, np.zeros((0, 2), np.float32))
                for reader in range(2)
            )
            has_nodule = index < slices_a_patient - 1
            hu = chest_hu(generator, (*centre, radius) if has_nodule else None)
            origin = ImageSource(patient, f"1.2.{patient}", f"1.2.{patient}.{index}", "made-up", 5.0 * index, 1.4, 2.5)
            rows.append(SliceRow(origin, stored_from_hu(hu), readings if has_nodule else ()))
    write_slices(prepared, "made-up", rows)
    return prepared
