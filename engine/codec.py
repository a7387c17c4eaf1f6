"""HU to model range and back. The only place that scales."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class IdentityCodec:
    """Diffusion at native resolution: HU are clipped and scaled to [-1, 1], nothing is compressed.

    `patch` x `patch` neighbours become channels (pixel unshuffle) before the U-Net and go back after it. That only
    rearranges values, noise included, so the process is the same as on single pixels; the U-Net runs on a grid
    `patch` times smaller, which on a CPU more than halves its time.

    Attributes
    ----------
    hu_min, hu_max : float
        HU that become -1 and 1. Padding values and metal lie outside and are clipped.
    patch : int
        Side of the square of pixels that becomes one position of the U-Net's grid.
    """

    hu_min: float = -1000.0
    hu_max: float = 600.0
    patch: int = 2

    def __post_init__(self) -> None:
        if not self.hu_min < self.hu_max:
            raise ValueError(f"hu_min is {self.hu_min}; it must be below hu_max, {self.hu_max}")

    def encode(self, hu: Tensor) -> Tensor:
        """Turn HU of any shape into [-1, 1]."""
        unit = (hu.clamp(self.hu_min, self.hu_max) - self.hu_min) / (self.hu_max - self.hu_min)
        return unit * 2 - 1

    def decode(self, values: Tensor) -> Tensor:
        """Turn [-1, 1] (clipped to it) of any shape into HU."""
        unit = (values.clamp(-1, 1) + 1) / 2
        return unit * (self.hu_max - self.hu_min) + self.hu_min

    def to_grid(self, pixels: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C * patch^2, H / patch, W / patch)."""
        return functional.pixel_unshuffle(pixels, self.patch)

    def from_grid(self, values: Tensor) -> Tensor:
        """(N, C * patch^2, H / patch, W / patch) -> (N, C, H, W)."""
        return functional.pixel_shuffle(values, self.patch)


def seeded_noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Return standard normal noise, float32, drawn on the CPU so that a seed means the same everywhere."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
