"""A small evaluation of two tiny slice generators, with a quick network in the place of those that take long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

from tests.checkpoints import save_tiny_slice_checkpoint
from tests.training.made_up_slices import write_made_up_slices
from training import evaluate_slice
from training.frechet import FeatureNetwork

SMALL = ["--count", "5", "--steps", "2", "--splits", "2", "--pairs", "2", "--time-count", "1", "--batch", "4"]
#: Few training steps, so that DDPM takes as few.
SCHEDULE = {
    "num_train_timesteps": 5,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
    "beta_start": 0.0015,
    "beta_end": 0.0195,
}
FIRST, STUDIO = "(1) input nodule mask", "studio"


def save_generators(root: Path) -> list[Path]:
    """Write the checkpoints of `FIRST` and `STUDIO`."""
    return [
        save_tiny_slice_checkpoint(root / conditioning, conditioning, size=256, scheduler=SCHEDULE)
        for conditioning in ("paper-1", "tokens")
    ]


def arguments(generators: Sequence[Path], prepared: Path, out: Path, *more: str) -> list[str]:
    folders = [str(folder) for folder in generators]
    return ["slice", "--checkpoint", *folders, "--data", str(prepared), "--out", str(out), *SMALL, *more]


def brightness(grey: Tensor) -> NDArray[np.float64]:
    """Mean and deviation of each quarter of images, (N, 1, H, W): (N, 8)."""
    half = grey.shape[2] // 2
    flat = grey.unfold(2, half, half).unfold(3, half, half).flatten(1, 3).flatten(2)
    return np.concatenate([flat.mean(2).double().numpy(), flat.std(2).double().numpy()], axis=1)


@contextmanager
def quick_networks() -> Iterator[None]:
    """Both networks are `brightness` here."""

    def network(name: str) -> FeatureNetwork:
        return FeatureNetwork(name, 8, brightness, f"hash of {name}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate_slice, "efficientnet_lite0", lambda: network("EfficientNet-Lite0"))
        patch.setattr(evaluate_slice, "inception_network", lambda _: network("Inception v3"))
        yield


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    """`quick_networks` for all tests of a file."""
    with quick_networks():
        yield


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up slices, as prepared data."""
    return write_made_up_slices(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def generators(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The checkpoints of `FIRST` and `STUDIO`."""
    return save_generators(tmp_path_factory.mktemp("generators"))
