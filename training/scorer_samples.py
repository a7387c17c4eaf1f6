"""What the scorer is trained on: slices of nodules as `engine.measurement` sees them, and all readers' scores.

The mask is measured, not a reader's: the scorer will never see a reader's outline, and must not learn from one. A box
is drawn around the readers' outlines as a user could have drawn it, and the nodule in it is measured.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.ct import CTSlice
from engine.errors import InputError
from engine.measurement import NoduleMeasurement, measure_nodule
from engine.nodule import BoundingBox
from engine.scorer import features_of, scorer_place
from training.prepared import PreparedNodules, read_nodules

#: Slices in which the readers' outline is smaller than this share of the nodule's largest one are left out: a solid
#: nodule's upper and lower end look like ground glass.
SMALLEST_SHARE = 0.4
#: No more slices of one nodule than this, the largest ones: those that a user would choose.
MOST_SLICES = 4
#: Share of the extent that the box adds to it, and mm, as for the nodule generator.
_MARGIN, _LEAST_MARGIN_MM = (0.1, 0.8), 1.0


@dataclass(frozen=True, eq=False)
class ScorerSamples:
    """Slices of nodules (N), measured.

    Attributes
    ----------
    images : uint16 (N, 96, 96), as stored in prepared data
    masks : uint8 (N, 96, 96), 1 inside the measured nodule
    pixel_spacing : float32 (N,), mm
    places : float32 (N, 3), see `engine.scorer.scorer_place`
    features : float32 (N, 10), see `engine.scorer.features_of`
    patients : str (N,)
    nodules : int64 (N,), the same number for slices of the same nodule
    readers : int8 (N, readers, 5), scores of the nodule's readers, 0 where not given
    """

    images: NDArray[np.uint16]
    masks: NDArray[np.uint8]
    pixel_spacing: NDArray[np.float32]
    places: NDArray[np.float32]
    features: NDArray[np.float32]
    patients: NDArray[np.str_]
    nodules: NDArray[np.int64]
    readers: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.images)

    def chosen(self, keep: NDArray[Any]) -> ScorerSamples:
        """Return some of the samples, by a mask or by indices."""
        return ScorerSamples(**{name: value[keep] for name, value in vars(self).items()})

    @property
    def shares(self) -> NDArray[np.float32]:
        """Share of the readers that gave each score, (N, 5 attributes, 5 scores); all 0 where none gave one."""
        counts = np.stack([(self.readers == score).sum(axis=1) for score in range(1, 6)], axis=2).astype(np.float32)
        return counts / np.maximum(counts.sum(axis=2, keepdims=True), 1)

    @property
    def means(self) -> NDArray[np.float32]:
        """Mean of the readers' scores, (N, 5); NaN where none gave one."""
        shares = self.shares
        means = (shares * np.arange(1, 6, dtype=np.float32)).sum(axis=2)
        return np.where(shares.sum(axis=2) > 0, means, np.nan).astype(np.float32)


def fold_of(patient: str, folds: int) -> int:
    """Return which part of the patients one belongs to, 0 to folds - 1, by another byte of the hash of the split."""
    return hashlib.sha256(patient.encode()).digest()[1] % folds


def load_samples(prepared: Path, held_out: bool) -> ScorerSamples:
    """Measure the nodules of prepared data, in boxes that are the same every time.

    Raises
    ------
    InputError
        If `prepared` is no prepared data, or has no such nodules, or none that can be measured.
    """
    crops = read_nodules(prepared, held_out)
    generator = np.random.default_rng(0)
    numbers, readers = readers_of_nodules(crops)
    chosen: list[int] = []
    measured: list[NoduleMeasurement] = []
    for index in tqdm(_large_slices(crops, numbers), unit="slice", leave=False):
        spacing = float(crops.pixel_spacing[index])
        ct_slice = CTSlice(crops.hu(index), (spacing, spacing))
        measurement = measure_nodule(None, ct_slice, box_around(crops.reader_masks[index], spacing, generator))
        if measurement.mask.any():
            chosen.append(index)
            measured.append(measurement)
    if not measured:
        raise InputError(f'No nodule can be measured in "{prepared}"; give prepared data with outlines of nodules.')
    kept = np.array(chosen, np.int64)
    spacings = crops.pixel_spacing[kept]
    places = [scorer_place(its.mask, (float(mm), float(mm))) for its, mm in zip(measured, spacings, strict=True)]
    return ScorerSamples(
        images=crops.images[kept],
        masks=np.stack([its.mask for its in measured]).astype(np.uint8),
        pixel_spacing=spacings,
        places=np.array(places, np.float32),
        features=np.stack([features_of(its) for its in measured]),
        patients=crops.patients[kept],
        nodules=numbers[kept],
        readers=readers[numbers[kept]],
    )


def readers_of_nodules(crops: PreparedNodules) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Number the nodules: that of each crop, (crops,); and all their readers' scores, (nodules, readers, 5)."""
    names = [f"{series} {nodule}" for series, nodule in zip(crops.series_uids, crops.nodules, strict=True)]
    numbers = np.unique(names, return_inverse=True)[1].astype(np.int64)
    # A slice lists those readers only who outlined the nodule in it.
    by_annotation: list[dict[int, NDArray[np.int64]]] = [{} for _ in range(int(numbers.max()) + 1)]
    for crop, reader in np.argwhere(crops.annotation_ids >= 0).tolist():
        by_annotation[int(numbers[crop])][int(crops.annotation_ids[crop, reader])] = crops.scores[crop, reader]
    scores = np.zeros((len(by_annotation), max(map(len, by_annotation)), 5), np.int8)
    for nodule, readers in enumerate(by_annotation):
        for place, its in enumerate(readers.values()):
            scores[nodule, place] = its
    return numbers, scores


def _large_slices(crops: PreparedNodules, numbers: NDArray[np.int64]) -> list[int]:
    """Return the crops with the largest outlines of each nodule."""
    areas = np.count_nonzero(crops.reader_masks, axis=(1, 2))
    chosen: list[int] = []
    for of_nodule in np.split(np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers))[:-1]):
        largest_first = of_nodule[np.argsort(-areas[of_nodule], kind="stable")][:MOST_SLICES]
        least = max(2.0, SMALLEST_SHARE * areas[largest_first[0]])
        chosen += [int(index) for index in largest_first if areas[index] >= least]
    return sorted(chosen)


def box_around(readers: NDArray[np.uint8], spacing: float, generator: np.random.Generator) -> BoundingBox:
    """Draw a box around all readers' outlines, (rows, columns) of bits, with a user's leeway."""
    edges = [np.flatnonzero((readers > 0).any(axis=axis)) for axis in (1, 0)]
    extent = max(int(edge[-1] - edge[0]) + 1 for edge in edges)
    side = extent * (1 + generator.uniform(*_MARGIN)) + _LEAST_MARGIN_MM / spacing
    leeway = 0.4 * (side - extent)
    row, column = ((edge[0] + edge[-1] + 1 - side) / 2 + generator.uniform(-0.5, 0.5) * leeway for edge in edges)
    rows, columns = readers.shape
    return BoundingBox.nearest(float(row), float(column), side, (rows, columns))
