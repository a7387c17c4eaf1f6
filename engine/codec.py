"""HU to model range and back. The only place that scales."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional


class Codec(Protocol):
    """What stands between HU and the values in which diffusion runs."""

    @property
    def channels(self) -> int:
        """Of the values."""
        ...

    @property
    def factor(self) -> int:
        """Sides of an image are so many times those of its values."""
        ...

    @property
    def patch(self) -> int:
        """Side of the square of values that becomes one position of the U-Net's grid."""
        ...

    @property
    def hu_min(self) -> float:
        """HU below are clipped."""
        ...

    @property
    def hu_max(self) -> float:
        """HU above are clipped."""
        ...

    def encode(self, hu: Tensor) -> Tensor:
        """(N, 1, H, W) HU -> (N, channels, H / factor, W / factor), of the order of 1."""
        ...

    def decode(self, values: Tensor) -> Tensor:
        """(N, channels, H / factor, W / factor) -> (N, 1, H, W) HU."""
        ...

    def preview(self, values: Tensor) -> Tensor:
        """(N, channels, H / factor, W / factor) -> HU, (N, 1, H / factor, W / factor): roughly, and at once."""
        ...

    def to_grid(self, values: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C * patch^2, h / patch, w / patch)."""
        ...

    def from_grid(self, values: Tensor) -> Tensor:
        """(N, C * patch^2, h / patch, w / patch) -> (N, C, h, w)."""
        ...

    def settings(self) -> dict[str, Any]:
        """Return what a checkpoint's manifest says of the codec, as JSON types."""
        ...


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

    @property
    def channels(self) -> int:
        """One: HU."""
        return 1

    @property
    def factor(self) -> int:
        """One: nothing is compressed."""
        return 1

    def encode(self, hu: Tensor) -> Tensor:
        """Turn HU of any shape into [-1, 1]."""
        unit = (hu.clamp(self.hu_min, self.hu_max) - self.hu_min) / (self.hu_max - self.hu_min)
        return unit * 2 - 1

    def decode(self, values: Tensor) -> Tensor:
        """Turn [-1, 1] (clipped to it) of any shape into HU."""
        return self.to_hu(values.clamp(-1, 1))

    def to_hu(self, values: Tensor) -> Tensor:
        """Turn values of any shape and range into HU, not clipped."""
        return (values + 1) / 2 * (self.hu_max - self.hu_min) + self.hu_min

    def preview(self, values: Tensor) -> Tensor:
        """Return what `decode` does, which is quick."""
        return self.decode(values)

    def to_grid(self, values: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C * patch^2, H / patch, W / patch)."""
        return functional.pixel_unshuffle(values, self.patch)

    def from_grid(self, values: Tensor) -> Tensor:
        """(N, C * patch^2, H / patch, W / patch) -> (N, C, H, W)."""
        return functional.pixel_shuffle(values, self.patch)

    def settings(self) -> dict[str, Any]:
        """Return what a checkpoint's manifest says of the codec."""
        return asdict(self)


def seeded_generator(seed: int) -> torch.Generator:
    """Return a source of noise on the CPU, where a seed means the same on all machines."""
    return torch.Generator().manual_seed(seed)


def seeded_noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Return the first standard normal noise of a seed, float32, on the CPU."""
    return torch.randn(shape, generator=seeded_generator(seed))
