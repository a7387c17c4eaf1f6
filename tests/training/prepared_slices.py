"""A small folder of prepared slices, a tiny VQ-VAE to encode them, and what a training on them is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine.vq_codec import save_vq_codec
from tests.checkpoints import tiny_vq_codec
from tests.training.crops_file import HELD_OUT, TRAINING
from training.prepared import ImageSource, ReaderNodule, SliceRow, stored_from_hu, write_description, write_slices

#: Of the first slice of each patient: a nodule that three readers saw, and one that one saw.
READERS_OF_NODULES = (3, 1)
OUTLINE = np.zeros((0, 2), np.float32)


def reading(nodule: int, box: tuple[int, int, int], scores: tuple[int, ...] = (4, 4, 1, 1, 5)) -> ReaderNodule:
    return ReaderNodule(nodule, -1, scores, box, OUTLINE)


def write_prepared(folder: Path, seed: int = 0) -> Path:
    """Two slices of each made-up patient: one with two nodules (see `READERS_OF_NODULES`), and one with one."""
    generator = np.random.default_rng(seed)
    rows = []
    for patient in (*HELD_OUT, *TRAINING):
        first = [reading(0, (100 + k, 80, 20), (4, 4, 1 + k, 1, 5)) for k in range(3)] + [reading(1, (150, 140, 12))]
        for index, nodules in enumerate((first, [reading(2, (90, 150, 30), (2, 1, 5, 5, 1))])):
            hu = generator.normal(-850, 30, (256, 256))
            for seen in nodules:
                row, column, side = seen.box
                hu[row : row + side, column : column + side] = 30
            origin = ImageSource(
                patient, "1.2", f"1.2.{index}", "made up", float(index), 1.4, 2.5, is_from_initial=True
            )
            rows.append(SliceRow(origin, stored_from_hu(hu), tuple(nodules)))
    write_description(folder, "tests")
    write_slices(folder, "made-up", rows)
    return folder


def write_vqvae(folder: Path, seed: int = 0) -> Path:
    save_vq_codec(tiny_vq_codec(seed), folder)
    return folder


def write_training_data(folder: Path) -> dict[str, Any]:
    """Write both; return them as `train_slice` takes them, with a folder of latents that all runs share."""
    vqvae = str(write_vqvae(folder / "vqvae"))
    return {"data": write_prepared(folder / "prepared"), "vqvae": vqvae, "latents": folder / "latents"}
