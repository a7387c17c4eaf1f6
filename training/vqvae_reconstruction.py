"""How well a VQ-VAE gives slices back, where it matters: in lung and in nodules, with its code book and without it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.lungs import lung_mask
from engine.vq_codec import VQCodec
from training.code_book import usage
from training.prepared import READERS, PreparedNodules, PreparedSlices, hu_from_stored
from training.vqvae_samples import halve, halve_stored

#: PSNR is taken over this range, which holds everything but bone.
PSNR_RANGE_HU = (-1000.0, 400.0)
#: Nodules are counted together by their diameter in mm: below the first, above the last, and between.
DIAMETER_NAMES = ("below 6 mm", "6 to 10 mm", "above 10 mm")
_DIAMETERS_MM = (6.0, 10.0)
#: With the code book, as `VQCodec.decode` works, and without it.
WAYS = ("quantised", "unquantised")
_SLICES_AT_ONCE, _NODULES_AT_ONCE = 4, 64

Figures = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Images and what a codec makes of them.

    Attributes
    ----------
    real : float32 (N, H, W), HU within the codec's range
    made : the same for each of `WAYS` asked for
    codes : int64 (N, H / factor, W / factor), or None if "quantised" is not asked for
    """

    real: NDArray[np.float32]
    made: dict[str, NDArray[np.float32]]
    codes: NDArray[np.int64] | None

    def means(self, way: str, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Mean absolute error in HU within `masks`, (N, H, W), of each image; 0 where a mask is empty."""
        error = np.abs(self.made[way] - self.real) * masks
        return error.sum((1, 2), dtype=np.float64) / np.maximum(1, masks.sum((1, 2)))

    def squared(self, way: str) -> NDArray[np.float64]:
        """Mean squared error of each image in HU^2, (N,), over `PSNR_RANGE_HU`."""
        error = self.made[way].clip(*PSNR_RANGE_HU) - self.real.clip(*PSNR_RANGE_HU)
        return (error**2).mean((1, 2), dtype=np.float64)


@torch.inference_mode()
def reconstruct(codec: VQCodec, stored: NDArray[np.uint16], ways: Sequence[str] = WAYS) -> Reconstruction:
    """Send a batch of images as `training.prepared` stores them, (N, H, W), through a codec and back."""
    real = hu_from_stored(stored)
    latents = codec.encode(torch.from_numpy(real)[:, None].to(next(codec.parameters()).device))
    made: dict[str, Tensor] = {}
    codes = None
    if "quantised" in ways:
        codes = codec.code_indices(latents)
        made["quantised"] = codec.decode_codes(codes)
    if "unquantised" in ways:
        made["unquantised"] = codec.decode_unquantised(latents)
    return Reconstruction(
        real.clip(codec.hu_min, codec.hu_max),
        {way: hu[:, 0].cpu().numpy() for way, hu in made.items()},
        None if codes is None else codes.cpu().numpy(),
    )


def evaluate_vqvae(
    codec: VQCodec,
    slices: PreparedSlices,
    nodules: PreparedNodules | None = None,
    count: int | None = None,
    ways: Sequence[str] = WAYS,
) -> Figures:
    """Measure a codec on slices and, if there are any, on crops around nodules, all of held-out patients.

    Parameters
    ----------
    count : int or None
        Take only so many slices, and eight times as many crops, spread over all.
    ways : of `WAYS`
        Without "quantised", as long as there is no code book, there is no ``code_book`` either.

    Returns
    -------
    ``slices``, ``patients`` and ``nodules``, how many there were; ``code_book``, its size, the share of its codes that
    these slices used and their perplexity; and for each of `ways`:

    ``lung_mae_hu``
        Mean absolute error over all pixels in lung.
    ``psnr_db``, ``psnr_pooled_db``
        Over [-1000, 400]: the mean over the slices, and that of the mean squared error over all slices.
    ``nodule_mae_hu``
        By diameter, the mean over crops of the mean absolute error inside the nodule; None where there is no crop.
    """
    chosen = spread(len(slices), count)
    measures = [
        _measure(reconstruct(codec, slices.images[part], ways), np.stack([_lungs(slices, index) for index in part]))
        for part in _batches(chosen, _SLICES_AT_ONCE)
    ]
    pixels = np.concatenate([one.pixels for one in measures])
    by_diameter, nodule_count = _nodule_errors(codec, nodules, count and 8 * count, ways)
    figures: Figures = {
        "slices": len(chosen),
        "patients": len(set(slices.patients[chosen].tolist())),
        "nodules": nodule_count,
    }
    if "quantised" in ways:
        size = codec.vqvae.config.num_vq_embeddings
        codes = np.concatenate([one.codes for one in measures if one.codes is not None])
        figures["code_book"] = {"codes": size, **usage(codes, size)}
    for way in ways:
        means = np.concatenate([one.means[way] for one in measures])
        squared = np.concatenate([one.squared[way] for one in measures])
        figures[way] = {
            "lung_mae_hu": float((means * pixels).sum() / max(1, pixels.sum())),
            "psnr_db": float(_psnr(squared).mean()),
            "psnr_pooled_db": float(_psnr(squared.mean(keepdims=True))[0]),
            "nodule_mae_hu": by_diameter[way],
        }
    return figures


@dataclass(frozen=True, eq=False)
class _Measures:
    """What is kept of a batch, whose images are let go: by way, errors within masks and in all; pixels of the masks."""

    means: dict[str, NDArray[np.float64]]
    squared: dict[str, NDArray[np.float64]]
    pixels: NDArray[np.int64]
    codes: NDArray[np.int64] | None


def _measure(made: Reconstruction, masks: NDArray[np.bool_]) -> _Measures:
    means = {way: made.means(way, masks) for way in made.made}
    squared = {way: made.squared(way) for way in made.made}
    return _Measures(means, squared, masks.sum((1, 2)), made.codes)


def _batches(rows: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for first in range(0, len(rows), size):
        yield rows[first : first + size]


def spread(rows: int, count: int | None) -> NDArray[np.int64]:
    """Return `count` row numbers, evenly spread over all rows; all of them if there are no more, or for None."""
    return np.arange(rows) if count is None else np.unique(np.linspace(0, rows - 1, count).astype(int))


def _lungs(slices: PreparedSlices, index: int) -> NDArray[np.bool_]:
    return lung_mask(slices.ct_slice(index))


def _psnr(squared: NDArray[np.float64]) -> NDArray[np.float64]:
    peak = PSNR_RANGE_HU[1] - PSNR_RANGE_HU[0]
    return 10 * np.log10(peak**2 / np.maximum(squared, 1e-9))


def _nodule_errors(
    codec: VQCodec, nodules: PreparedNodules | None, count: int | None, ways: Sequence[str]
) -> tuple[dict[str, dict[str, float | None]], int]:
    """Mean errors by way and diameter, and of how many crops.

    Crops are halved: their pixels then are about as large as those of whole slices.
    """
    if nodules is None:
        return {way: dict.fromkeys(DIAMETER_NAMES) for way in ways}, 0
    chosen = spread(len(nodules), count)
    masks = _majority(nodules.reader_masks[chosen])
    halved = halve(masks) >= 0.5
    images = halve_stored(nodules.images[chosen])
    batches = _batches(np.arange(len(images)), _NODULES_AT_ONCE)
    measures = [_measure(reconstruct(codec, images[part], ways), halved[part]) for part in batches]
    group = np.digitize(_diameters_mm(masks, nodules.pixel_spacing[chosen]), _DIAMETERS_MM)
    group[~halved.any((1, 2))] = -1
    means = {way: np.concatenate([one.means[way] for one in measures]) for way in ways}
    by_diameter = {way: _means_by_group(means[way], group) for way in ways}
    return by_diameter, int(np.count_nonzero(group >= 0))


def _means_by_group(errors: NDArray[np.float64], group: NDArray[np.int64]) -> dict[str, float | None]:
    groups = [errors[group == index] for index in range(len(DIAMETER_NAMES))]
    return {name: float(of.mean()) if len(of) else None for name, of in zip(DIAMETER_NAMES, groups, strict=True)}


def _majority(reader_masks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """What at least half of the readers who outlined a nodule took for it, (N, 96, 96)."""
    inside = np.stack([reader_masks >> reader & 1 for reader in range(READERS)])
    readers = (inside.any((2, 3))).sum(0)
    return inside.sum(0) * 2 >= np.maximum(1, readers)[:, None, None]


def _diameters_mm(masks: NDArray[np.bool_], spacing: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of the circles with the masks' areas."""
    return 2 * np.sqrt(masks.sum((1, 2)) / np.pi) * spacing
