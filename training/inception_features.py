"""The Inception network of the Frechet Inception Distance, for its usual weights (paper, Table 2).

The weights are not part of this project and nothing here downloads them. They are the file
``pt_inception-2015-12-05-6726825d.pth`` of pytorch-fid, which torch-fidelity calls
``weights-inception-2015-12-05-6726825d.pth``: give it (``--inception FILE``), or leave it where those two packages
keep it, in the folder of `torch.hub`. Both packages import torchvision, and torch-fidelity unpickles the file without a
guard, so the network is built here, module for module under the names of that file; the file is read as weights only.
Other weights, torchvision's for one, would fit as well and give numbers that only look like FID's. So the file is
checked by its hash or, as .safetensors, by the shape of its classifier.

Features agree with torch-fidelity's, which are TensorFlow's, where the distance comes from (Heusel et al. 2017).
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from engine.checkpoint import digest_of_file
from engine.errors import InputError
from training.frechet import FeatureNetwork, Features

#: Names under which pytorch-fid and torch-fidelity keep the weights.
WEIGHTS_FILES = ("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth")
#: What the hash of that file begins with.
WEIGHTS_SHA256 = "6726825d"
#: Length of the pooled features.
FEATURES = 2048
#: Of the classifier, which is not used: torchvision's Inception, trained on other labels, knows 1000 classes.
_CLASSES = 1008
_INPUT_SIZE = 299

Kernel = tuple[int, int]
#: (name in the weights file, channels that come out, kernel)
Layer = tuple[str, int, Kernel]
#: Layers one after the other, then layers side by side (or none).
Branch = tuple[list[Layer], list[Layer]]


class _Convolution(nn.Module):
    """Convolution, batch normalisation, ReLU. Padded to keep the size, unless it has a stride or is told not to."""

    def __init__(self, channels: int, out: int, kernel: Kernel, stride: int = 1, padded: bool = True) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2) if padded and stride == 1 else 0
        self.conv = nn.Conv2d(channels, out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, values: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(values)))


class _Mixed(nn.Module):
    """Branches of convolutions and a pooling branch, concatenated.

    With `halves`, the last layer of each branch and the pooling have stride 2, and nothing follows the pooling.
    """

    def __init__(self, channels: int, branches: list[Branch], pool: nn.Module, out: int | None) -> None:
        super().__init__()
        self.pool, self.names = pool, [tuple([name for name, *_ in part] for part in branch) for branch in branches]
        halves = out is None
        for chain, fork in branches:
            widths = [channels, *(width for _, width, _ in chain)]
            for (name, width, kernel), before in zip(chain, widths, strict=False):
                stride = 2 if halves and name == chain[-1][0] else 1
                self.add_module(name, _Convolution(before, width, kernel, stride))
            for name, width, kernel in fork:
                self.add_module(name, _Convolution(widths[-1], width, kernel))
        self.branch_pool = nn.Identity() if out is None else _Convolution(channels, out, (1, 1))

    def forward(self, values: Tensor) -> Tensor:
        outputs: list[Tensor] = []
        for chain, fork in self.names:
            inner = values
            for name in chain:
                inner = self.get_submodule(name)(inner)
            outputs += [self.get_submodule(name)(inner) for name in fork] or [inner]
        return torch.cat([*outputs, self.branch_pool(self.pool(values))], dim=1)


def _chain(prefix: str, *layers: tuple[int, Kernel]) -> list[Layer]:
    """Name the layers of a branch as the weights file does: prefix_1, prefix_2, ..."""
    return [(f"{prefix}_{number}", out, kernel) for number, (out, kernel) in enumerate(layers, start=1)]


_ONE, _THREE, _FIVE, _WIDE, _TALL = (1, 1), (3, 3), (5, 5), (1, 7), (7, 1)


def _average() -> nn.Module:
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)


def _block_a(channels: int, pooled: int) -> _Mixed:
    branches: list[Branch] = [
        ([("branch1x1", 64, _ONE)], []),
        (_chain("branch5x5", (48, _ONE), (64, _FIVE)), []),
        (_chain("branch3x3dbl", (64, _ONE), (96, _THREE), (96, _THREE)), []),
    ]
    return _Mixed(channels, branches, _average(), pooled)


def _block_b(channels: int) -> _Mixed:
    double = _chain("branch3x3dbl", (64, _ONE), (96, _THREE), (96, _THREE))
    return _Mixed(channels, [([("branch3x3", 384, _THREE)], []), (double, [])], nn.MaxPool2d(3, 2), None)


def _block_c(channels: int, width: int) -> _Mixed:
    double = [(width, _ONE), (width, _TALL), (width, _WIDE), (width, _TALL), (192, _WIDE)]
    branches: list[Branch] = [
        ([("branch1x1", 192, _ONE)], []),
        (_chain("branch7x7", (width, _ONE), (width, _WIDE), (192, _TALL)), []),
        (_chain("branch7x7dbl", *double), []),
    ]
    return _Mixed(channels, branches, _average(), 192)


def _block_d(channels: int) -> _Mixed:
    branches: list[Branch] = [
        (_chain("branch3x3", (192, _ONE), (320, _THREE)), []),
        (_chain("branch7x7x3", (192, _ONE), (192, _WIDE), (192, _TALL), (192, _THREE)), []),
    ]
    return _Mixed(channels, branches, nn.MaxPool2d(3, 2), None)


def _block_e(channels: int, pool: nn.Module) -> _Mixed:
    def fork(prefix: str) -> list[Layer]:
        return [(f"{prefix}a", 384, (1, 3)), (f"{prefix}b", 384, (3, 1))]

    branches: list[Branch] = [
        ([("branch1x1", 320, _ONE)], []),
        (_chain("branch3x3", (384, _ONE)), fork("branch3x3_2")),
        (_chain("branch3x3dbl", (448, _ONE), (384, _THREE)), fork("branch3x3dbl_3")),
    ]
    return _Mixed(channels, branches, pool, 192)


class Inception(nn.Module):
    """Inception v3 as it is used for the distance, without its classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Convolution(3, 32, _THREE, stride=2)
        self.Conv2d_2a_3x3 = _Convolution(32, 32, _THREE, padded=False)
        self.Conv2d_2b_3x3 = _Convolution(32, 64, _THREE)
        self.pool_1 = nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1 = _Convolution(64, 80, _ONE)
        self.Conv2d_4a_3x3 = _Convolution(80, 192, _THREE, padded=False)
        self.pool_2 = nn.MaxPool2d(3, 2)
        for name, channels, pooled in (("5b", 192, 32), ("5c", 256, 64), ("5d", 288, 64)):
            self.add_module(f"Mixed_{name}", _block_a(channels, pooled))
        self.Mixed_6a = _block_b(288)
        for name, width in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
            self.add_module(f"Mixed_{name}", _block_c(768, width))
        self.Mixed_7a = _block_d(768)
        self.Mixed_7b = _block_e(1280, _average())
        # The largest, not the mean: so it is in the network that the distance was defined with.
        self.Mixed_7c = _block_e(2048, nn.MaxPool2d(3, stride=1, padding=1))

    def forward(self, grey: Tensor) -> Tensor:
        """Return the pooled features, (N, 2048), of grey images, (N, 1, H, W) of 0 to 255."""
        values = (_enlarge(grey) - 128).expand(-1, 3, -1, -1) / 128
        for layer in self.children():
            values = layer(values)
        return values.mean(dim=(2, 3))


def _enlarge(images: Tensor) -> Tensor:
    """Interpolate (N, C, H, W) linearly to 299 x 299 as TensorFlow 1 did: output pixel i lies at i * H / 299."""
    rows, columns = (_interpolation(length).to(images) for length in images.shape[-2:])
    return rows @ images @ columns.T


def _interpolation(length: int) -> Tensor:
    """Weights (299, length) of the pixels that lie before and after each place."""
    places = torch.arange(_INPUT_SIZE) * (length / _INPUT_SIZE)
    before = places.long()
    weights = torch.zeros(_INPUT_SIZE, length)
    row = torch.arange(_INPUT_SIZE)
    weights[row, before] += 1 - (places - before)
    weights[row, (before + 1).clamp(max=length - 1)] += places - before
    return weights


def inception_network(weights: Path) -> FeatureNetwork:
    """Return Inception, with the weights of a file, as a network whose features are compared.

    Grey is rounded to 256 levels, as it is when FID is computed of files.

    Raises
    ------
    InputError
        If the file does not hold the weights of this network.
    """
    network = load_inception(weights)

    @torch.inference_mode()
    def extract(grey: Tensor) -> Features:
        return network((grey * 255).round()).double().numpy()

    return FeatureNetwork("Inception v3", FEATURES, extract, digest_of_file(weights))


def find_inception_weights(given: Path | None) -> Path | None:
    """Return the file given, else the one that pytorch-fid or torch-fidelity has left on this machine, else None.

    Raises
    ------
    InputError
        If the file given is not there.
    """
    if given is not None:
        if not given.is_file():
            raise InputError(
                f"There is no file {given}; give {WEIGHTS_FILES[0]} as pytorch-fid ships it, or leave --inception out."
            )
        return given
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    return next((folder / name for name in WEIGHTS_FILES if (folder / name).is_file()), None)


def load_inception(path: Path) -> Inception:
    """Load the network with the weights of a file (.pth as it is shipped, or all of it as .safetensors).

    Raises
    ------
    InputError
        If the file does not hold the weights of this network, or others than those of the distance.
    """
    wrong = InputError(
        f"{path} does not hold the Inception weights of the Frechet distance; give {WEIGHTS_FILES[0]} as pytorch-fid "
        f"or torch-fidelity ships it."
    )
    try:
        is_shipped = path.suffix == ".safetensors" or digest_of_file(path).startswith(WEIGHTS_SHA256)
        read = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    except (OSError, RuntimeError, EOFError, SafetensorError, pickle.UnpicklingError):
        raise wrong from None
    network = Inception()
    expected = set(network.state_dict())
    try:
        found = network.load_state_dict({name: read[name] for name in read if name in expected}, strict=False)
        classifier = tuple(read["fc.weight"].shape)
    except (RuntimeError, TypeError, AttributeError, KeyError):
        raise wrong from None
    lacks = any(not name.endswith("num_batches_tracked") for name in found.missing_keys)
    if lacks or not is_shipped or classifier != (_CLASSES, FEATURES):
        raise wrong
    return network.eval().requires_grad_(requires_grad=False)
