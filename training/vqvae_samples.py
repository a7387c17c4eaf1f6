"""What the VQ-VAE is trained on: crops of whole slices, and crops around nodules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.prepared import (
    PreparedNodules,
    PreparedSlices,
    hu_from_stored,
    is_held_out,
    read_nodules,
    read_slices,
)
from training.prepared_files import read_column
from training.vqvae_loss import VQVAEOptions

#: A pixel darker than this is air around the body, or in its airways.
_AIR_HU = -985
#: Pixels a side of a nodule's place in a crop, and how many at its edges are mirrored.
_TILE, _MARGIN = 64, 8


@dataclass(frozen=True, eq=False)
class VQVAEData:
    """Images in memory.

    Attributes
    ----------
    slices : PreparedSlices
    slice_weights : float64 (slices,)
        Probability of each: patients with many slices are drawn more often, but not in proportion.
    nodules : uint16 (crops, 48, 48), or None where there are none
        As stored; pixels as large as those of whole slices are, on the average.
    """

    slices: PreparedSlices
    slice_weights: NDArray[np.float64]
    nodules: NDArray[np.uint16] | None


def read_vqvae_data(prepared: Path) -> VQVAEData:
    """Read all images of the patients who are not held out.

    Raises
    ------
    InputError
        If `prepared` is no prepared data, or has no slices.
    """
    slices = read_slices(prepared, held_out=False)
    _, patient, counts = np.unique(slices.patients, return_inverse=True, return_counts=True)
    weights = 1 / np.sqrt(counts[patient])
    nodules = read_nodules_if_any(prepared, held_out=False)
    halved = None if nodules is None else halve_stored(nodules.images)
    return VQVAEData(slices, weights / weights.sum(), halved)


def read_nodules_if_any(prepared: Path, held_out: bool) -> PreparedNodules | None:
    """Read the crops around nodules; None where no such patient has any, for whole slices are enough.

    Raises
    ------
    InputError
        If there are some and they cannot be read.
    """
    shards = (prepared / "nodules").glob("*.parquet")
    patients = {patient for shard in shards for patient in read_column(shard, "patient_id")}
    return read_nodules(prepared, held_out) if any(is_held_out(patient) == held_out for patient in patients) else None


def halve(images: NDArray[Any]) -> NDArray[np.float64]:
    """Return the means of 2 x 2 pixels: (N, H, W) -> (N, H / 2, W / 2)."""
    count, rows, columns = images.shape
    return images.reshape(count, rows // 2, 2, columns // 2, 2).mean(axis=(2, 4))


def halve_stored(images: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return the same of images as stored, rounded."""
    return np.rint(halve(images)).astype(np.uint16)


def draw_crops(
    data: VQVAEData, options: VQVAEOptions, count: int, generator: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Draw `count` crops.

    Returns
    -------
    hu : float32 (count, 1, crop, crop)
    known : bool (count, 1, crop, crop)
        False where the image was mirrored to fill the crop.
    """
    drawn = [_draw_crop(data, options, generator) for _ in range(count)]
    turned = [_turned(stored, known, generator) for stored, known in drawn]
    hu = torch.from_numpy(hu_from_stored(np.stack([stored for stored, _ in turned])))
    return hu[:, None], torch.from_numpy(np.stack([known for _, known in turned]))[:, None]


def _draw_crop(
    data: VQVAEData, options: VQVAEOptions, generator: np.random.Generator
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    if data.nodules is not None and generator.random() < options.nodule_share:
        return _draw_nodules(data.nodules, options.crop, generator)
    image = data.slices.images[generator.choice(len(data.slices), p=data.slice_weights)]
    crop = _draw_place(image, options.crop, generator)
    return crop, np.ones(crop.shape, np.bool_)


def _draw_place(image: NDArray[np.uint16], side: int, generator: np.random.Generator) -> NDArray[np.uint16]:
    """Cut a square whose middle is in the body, unless there is hardly any."""
    crop = image[:side, :side]
    for _ in range(8):
        row, column = (int(generator.integers(length - side + 1)) for length in image.shape)
        crop = image[row : row + side, column : column + side]
        if hu_from_stored(crop[side // 2, side // 2]) > _AIR_HU:
            break
    return crop


def _draw_nodules(
    nodules: NDArray[np.uint16], side: int, generator: np.random.Generator
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Lay nodules side by side, with mirrored margins, until the crop is full."""
    tiles = side // _TILE
    chosen = nodules[generator.integers(len(nodules), size=tiles**2)]
    margins = ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN))
    padded = np.pad(chosen, margins, "reflect")
    known = np.pad(np.ones(chosen.shape, np.bool_), margins)
    return _laid_out(padded, tiles), _laid_out(known, tiles)


def _laid_out(images: NDArray[Any], tiles: int) -> NDArray[Any]:
    rows = images.reshape(tiles, tiles, _TILE, _TILE).transpose(0, 2, 1, 3)
    return rows.reshape(tiles * _TILE, tiles * _TILE)


def _turned(
    stored: NDArray[np.uint16], known: NDArray[np.bool_], generator: np.random.Generator
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Turn and mirror at random: what is close to the eye has no up and down."""
    turns, mirrored = int(generator.integers(4)), bool(generator.integers(2))
    stored, known = np.rot90(stored, turns), np.rot90(known, turns)
    return (stored[:, ::-1], known[:, ::-1]) if mirrored else (stored, known)
