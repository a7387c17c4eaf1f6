"""Principal components and preview map of a VQ-VAE's latents, measured on training slices."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from engine.vq_codec import LatentStatistics, VQCodec
from training.prepared import PreparedSlices, hu_from_stored
from training.vqvae_reconstruction import spread

_SLICES_AT_ONCE = 4
#: Components of a smaller share of the variance are left out: in bf16, a tenth of one or more would be rounding.
_LEAST_SHARE = 1e-4


@torch.inference_mode()
def measure_statistics(codec: VQCodec, slices: PreparedSlices, count: int = 48) -> LatentStatistics:
    """Measure the latents of up to `count` slices, spread over all that are given.

    The preview map is the least-squares fit from normalised latents to the means of `factor` x `factor` pixels.
    """
    plain = VQCodec(codec.vqvae, pixels=codec.pixels)
    chosen = slices.images[spread(len(slices), count)]
    device = next(codec.parameters()).device
    latents: list[NDArray[np.float64]] = []
    targets: list[NDArray[np.float64]] = []
    for first in range(0, len(chosen), _SLICES_AT_ONCE):
        hu = torch.from_numpy(hu_from_stored(chosen[first : first + _SLICES_AT_ONCE]))[:, None].to(device)
        latents.append(plain.encode(hu).movedim(1, -1).flatten(0, 2).cpu().double().numpy())
        targets.append(functional.avg_pool2d(codec.to_images(hu), codec.factor).flatten().cpu().double().numpy())
    return _fit(np.concatenate(latents), np.concatenate(targets))


def _fit(latents: NDArray[np.float64], targets: NDArray[np.float64]) -> LatentStatistics:
    mean = latents.mean(0)
    variances, directions = np.linalg.eigh(np.cov(latents.T))
    kept = np.flatnonzero(variances >= _LEAST_SHARE * variances.sum())[::-1]  # the largest first
    components = (directions[:, kept] / np.sqrt(variances[kept])).T
    normalised = (latents - mean) @ components.T
    *weights, bias = np.linalg.lstsq(np.column_stack((normalised, np.ones(len(normalised)))), targets)[0].tolist()
    # The signs of components are chance: with these, more is brighter.
    signs = np.where(np.array(weights) < 0, -1.0, 1.0)
    rows = tuple(tuple(row) for row in (components * signs[:, None]).tolist())
    return LatentStatistics(tuple(mean.tolist()), rows, tuple(np.multiply(weights, signs).tolist()), bias)
