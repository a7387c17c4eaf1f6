"""The contact sheet of a VQ-VAE: held-out slices, what it makes of them, and the difference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.ct import LUNG
from engine.vq_codec import VQCodec
from training.prepared import PreparedSlices
from training.vqvae_reconstruction import reconstruct, spread

#: HU of difference shown as black and as white.
_DIFFERENCE_HU = 100.0


def make_vqvae_sheet(codec: VQCodec, slices: PreparedSlices, way: str = "quantised", rows: int = 6) -> Image.Image:
    """Draw slices spread over those given, one a row: real, reconstructed (lung window), and their difference.

    Parameters
    ----------
    way : one of `training.vqvae_reconstruction.WAYS`
    """
    chosen = spread(len(slices), rows)
    made = reconstruct(codec, slices.images[chosen], (way,))
    difference = made.made[way] - made.real
    columns = (
        _grey(made.real, *LUNG.bounds),
        _grey(made.made[way], *LUNG.bounds),
        _grey(difference, -_DIFFERENCE_HU, _DIFFERENCE_HU),
    )
    return Image.fromarray(np.concatenate([np.concatenate(list(column)) for column in columns], axis=1))


def _grey(hu: NDArray[np.float32], black: float, white: float) -> NDArray[np.uint8]:
    return ((hu - black) / (white - black) * 255).clip(0, 255).astype(np.uint8)
