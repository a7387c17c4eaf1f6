"""Training samples of the nodule generator: windows, boxes and scores, drawn and augmented a batch at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.window import WindowGrid, sample
from training.nodule_crops import READERS, NoduleCrops

#: Fraction of the nodule's extent that a box adds to it: from tight to loose.
_MARGIN = (0.05, 0.9)
#: Added to every box, in mm: outlines run half a pixel inside what a user would draw around.
_LEAST_MARGIN_MM = 1.0
#: How often the box is drawn around the outline that most readers agree on, not around the one reader's.
_CONSENSUS = 0.25
#: How far the box may lie off the window's centre, in window pixels.
_JITTER = 3.0


@dataclass(frozen=True)
class Samples:
    """A batch.

    Attributes
    ----------
    hu : (N, 1, size, size) float32
    nodule : (N, 1, size, size) bool
        Inside of the nodule as it was measured; of the outline that the box was drawn around where it was not.
    known : (N, 1, size, size) bool
        False where the window reaches over the edge of the crop.
    boxes : (N, 4), window pixels: left, top, right, bottom
    spacing_mm : (N,)
    levels : (N, 5) int64, scores or 0 for "not given"
    """

    hu: Tensor
    nodule: Tensor
    known: Tensor
    boxes: Tensor
    spacing_mm: Tensor
    levels: Tensor


def draw_batch(
    crops: NoduleCrops, weights: NDArray[np.float64], grid: WindowGrid, count: int, generator: np.random.Generator
) -> Samples:
    """Draw units by `weights`, (units,), and augment them.

    The batch depends on `generator` alone, so that a run taken up again at a step goes on as if it had not stopped.
    """
    units = generator.choice(len(crops), size=count, p=weights)
    return _make_samples(crops, units, grid, generator, augment=True)


def fixed_batch(crops: NoduleCrops, units: NDArray[np.int64], grid: WindowGrid, seed: int) -> Samples:
    """Make samples of the given units without augmentation; box margins are drawn from `seed`."""
    return _make_samples(crops, units, grid, np.random.default_rng(seed), augment=False)


def _make_samples(
    crops: NoduleCrops, units: NDArray[np.int64], grid: WindowGrid, generator: np.random.Generator, augment: bool
) -> Samples:
    crop = crops.unit_crop[units]
    outlines = _outlines(crops, units, generator)
    extent_mm, centres = _extents(outlines, crops.pixel_spacing[crop])
    side_mm = extent_mm * (1 + generator.uniform(*_MARGIN, len(units))) + _LEAST_MARGIN_MM
    spacing = grid.spacing_mm * np.maximum(1, side_mm / grid.largest_box_mm)
    if augment:
        spacing = spacing * np.exp(generator.normal(0, 0.06, len(units)))
    to_crop = _transforms(centres, spacing / crops.pixel_spacing[crop], generator, augment)
    hu = _hu(crops, crop, generator, augment)
    outlined = sample(torch.from_numpy(outlines[:, None]).float(), to_crop, grid.size, "nearest") > 0.5
    spacing_mm = torch.from_numpy(spacing.astype(np.float32))
    return Samples(
        hu=sample(hu, to_crop, grid.size, "bicubic"),
        nodule=_as_measured(crops, crop, to_crop, outlined),
        known=_known(to_crop, hu.shape[-1], grid.size),
        boxes=_boxes_around(outlined, torch.from_numpy(side_mm.astype(np.float32)) / spacing_mm, generator),
        spacing_mm=spacing_mm,
        levels=torch.from_numpy(crops.unit_scores[units]),
    )


def _as_measured(crops: NoduleCrops, crop: NDArray[np.int64], to_crop: Tensor, outlined: Tensor) -> Tensor:
    if crops.seen is None:
        return outlined
    measured = torch.from_numpy(crops.seen[crop, None]).float()
    found = measured.flatten(1).any(dim=1)[:, None, None, None]
    return torch.where(found, sample(measured, to_crop, outlined.shape[-1], "nearest") > 0.5, outlined)


def _outlines(crops: NoduleCrops, units: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.bool_]:
    """The outline for each unit, (N, rows, columns): its reader's, or now and then the consensus of at least half."""
    masks, readers = crops.masks[crops.unit_crop[units]], crops.unit_reader[units]
    own = ((masks >> readers[:, None, None].astype(np.uint8)) & 1).astype(bool)
    votes = np.stack([(masks >> reader) & 1 for reader in range(READERS)]).astype(np.int64)
    annotated = votes.any(axis=(2, 3)).sum(axis=0)
    agreed = votes.sum(axis=0) * 2 >= annotated[:, None, None]
    agreed &= votes.any(axis=0)
    use_consensus = (generator.random(len(units)) < _CONSENSUS) & agreed.any(axis=(1, 2))
    return np.where(use_consensus[:, None, None], agreed, own)


def _extents(outlines: NDArray[np.bool_], spacing: NDArray[np.float32]) -> tuple[NDArray[np.float64], Tensor]:
    """Largest extent along an axis in mm, (N,), and centre (x, y) in crop pixels, (N, 2)."""
    extents: list[NDArray[np.int64]] = []
    centres: list[NDArray[np.float64]] = []
    for axis in (1, 2):
        line: Any = outlines.any(axis=axis)
        first = line.argmax(axis=1)
        last = line.shape[1] - line[:, ::-1].argmax(axis=1)
        extents.append(last - first)
        centres.append((first + last) / 2)
    return np.max(extents, axis=0) * spacing.astype(np.float64), torch.from_numpy(np.stack(centres, 1)).float()


def _transforms(centres: Tensor, scale: NDArray[np.float64], generator: np.random.Generator, augment: bool) -> Tensor:
    """Window coordinates -> crop coordinates, (N, 2, 3): scaled, and (augmented) turned, mirrored and shifted."""
    count = len(centres)
    turn, mirror, shift = np.zeros(count), np.ones(count), np.zeros((count, 2))
    if augment:
        turn = generator.integers(4, size=count) * (math.pi / 2)
        turn = turn + np.where(generator.random(count) < 0.5, generator.uniform(-math.pi / 4, math.pi / 4, count), 0)
        mirror = generator.choice([-1.0, 1.0], size=count)
        shift = generator.uniform(-_JITTER, _JITTER, (count, 2))
    cosine, sine = np.cos(turn) * scale, np.sin(turn) * scale
    linear = torch.from_numpy(np.stack([cosine * mirror, -sine, sine * mirror, cosine], 1)).float().reshape(-1, 2, 2)
    moved = (linear @ torch.from_numpy(shift).float()[:, :, None])[:, :, 0]
    return torch.cat((linear, (centres + moved)[:, :, None]), dim=2)


def _hu(crops: NoduleCrops, crop: NDArray[np.int64], generator: np.random.Generator, augment: bool) -> Tensor:
    """HU of whole crops, (N, 1, rows, columns); augmented: rounding to grey levels undone by noise, small shift."""
    grey = crops.images[crop].astype(np.float32)
    if augment:
        grey += generator.random(grey.shape, dtype=np.float32) - 0.5
    hu = grey * crops.hu_scale[crop, None, None] + crops.hu_offset[crop, None, None]
    if augment:
        hu += generator.normal(0, 15, (len(crop), 1, 1)).astype(np.float32)
    return torch.from_numpy(hu[:, None])


def _known(to_crop: Tensor, crop_size: int, size: int) -> Tensor:
    """Where windows lie on the crop: a frame of ones, one pixel narrower than the crop, sampled likewise."""
    inside = torch.zeros(len(to_crop), 1, crop_size, crop_size)
    inside[:, :, 1:-1, 1:-1] = 1
    return sample(inside, to_crop, size, "nearest") > 0.5


def _boxes_around(nodule: Tensor, side: Tensor, generator: np.random.Generator) -> Tensor:
    """Square boxes (N, 4) of about `side` pixels that hold the nodule, which lies anywhere inside them."""
    size = nodule.shape[-1]
    low, high = [], []
    for axis in (2, 3):  # columns (left, right), then rows (top, bottom)
        line = nodule[:, 0].any(dim=axis - 1).float()
        low.append(line.argmax(dim=1).float())
        high.append(size - line.flip(1).argmax(dim=1).float())
    first, last = torch.stack(low, 1), torch.stack(high, 1)
    side = torch.maximum(side, (last - first).amax(dim=1) + 1).clamp(max=size - 2)[:, None]
    place = torch.from_numpy(generator.uniform(0, 1, tuple(first.shape)).astype(np.float32))
    start = last - side + place * (first - last + side)
    # A box in the middle of the leeway is what a user draws; one that touches the nodule on a side is rare.
    start = 0.6 * (first + last - side) / 2 + 0.4 * start
    start = start.clamp(min=1).minimum(size - 1 - side)
    return torch.cat((start, start + side), dim=1)
