"""Small prepared data for tests of the VQ-VAE: `made_up_slices`, and crops around nodules beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.training.crops_file import HELD_OUT, TRAINING
from tests.training.made_up_slices import write_made_up_slices
from training.prepared import CROP_SIZE, ImageSource, NoduleRow, ReaderNodule, stored_from_hu, write_nodules

#: Pixels of the crops in mm, and radii of their nodules in pixels: 4.5, 8 and 14 mm across.
SPACING_MM, RADII = 0.5, (4.5, 8, 14)


def write_vqvae_data(prepared: Path) -> Path:
    """Write three slices for each patient, and a crop for each patient and radius, as three of four readers saw it."""
    generator = np.random.default_rng(0)
    write_made_up_slices(prepared)
    write_nodules(
        prepared,
        "made-up",
        [_crop(patient, radius, generator) for patient in (*HELD_OUT, *TRAINING) for radius in RADII],
    )
    return prepared


def _crop(patient: str, radius: float, generator: np.random.Generator) -> NoduleRow:
    rows, columns = np.indices((CROP_SIZE, CROP_SIZE)) - CROP_SIZE / 2 + 0.5
    disc = rows**2 + columns**2 < radius**2
    hu = np.where(disc, 30, -850) + generator.normal(0, 15, disc.shape)
    origin = ImageSource(patient, f"1.2.{patient}", f"1.2.{patient}.{radius}", "made up", 0.0, SPACING_MM, 2.5)
    reader = ReaderNodule(0, -1, (3,) * 5, (0, 0, 2), np.zeros((0, 2), np.float32))
    return NoduleRow(origin, 0, stored_from_hu(hu), disc.astype(np.uint8) * 0b0111, (reader,) * 3)
