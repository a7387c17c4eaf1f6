"""The scorer: small networks that give the five LIDC scores of a nodule as readers would, and how sure they are.

It was trained on real nodules of LIDC-IDRI (`training.train_scorer`). It sees the nodule where `engine.measurement`
found it: HU and mask in a window as large as the nodule asks for, and a few plain measures. For each attribute it
gives how probable each score from 1 to 5 is among readers.

Sphericity, lobulation and spiculation are read from measures of the shape alone, which do not know how large the nodule
is. LIDC's readers call large nodules lobulated and spiculated, and small ones hardly ever: a scorer that knows the
size agrees better with them, and tells less of what became of a score that was asked for, as the box settles the size.

    scorer.json          settings, calibration, hash of the weights and a hash of itself
    scorer.safetensors   weights, fp16
    README.md            the card, with its errors on patients that it had not seen
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor, nn

from engine.checkpoint import digest_of_file, digest_of_manifest, save_halves
from engine.ct import CTSlice
from engine.errors import InputError
from engine.json_files import object_of, parse_json
from engine.measurement import NoduleMeasurement
from engine.nodule import ATTRIBUTE_NAMES
from engine.score_reading import ReadBack, ScoreReading
from engine.window import sample

FORMAT_VERSION = 3
MANIFEST = "scorer.json"
WEIGHTS = "scorer.safetensors"
#: Pixels a side of the window.
SIZE = 48
#: The window's side: so many times the nodule's extent and so many mm more, within these bounds.
_SIDE_FACTOR, _SIDE_MORE_MM, _SIDE_MM = 1.5, 8.0, (16.0, 64.0)
#: HU that the network tells apart.
_HU_RANGE = (-1000.0, 300.0)
#: What `features_of` returns, in this order.
FEATURES = (
    "log diameter",
    "mean HU",
    "SD of HU",
    "circularity",
    "edge sharpness",
    "solid part",
    "axis ratio",
    "solidity",
    "log lobes",
    "log raggedness",
)
#: What tells of the shape, and not of the size; and the attributes that are read from these alone.
SHAPE_FEATURES = ("circularity", "axis ratio", "solidity", "log lobes", "log raggedness")
SHAPE_ATTRIBUTES = ("sphericity", "lobulation", "spiculation")
_SHAPE_COLUMNS = [FEATURES.index(name) for name in SHAPE_FEATURES]
_OTHER_ATTRIBUTES = [name for name in ATTRIBUTE_NAMES if name not in SHAPE_ATTRIBUTES]
#: Where each attribute is among those of the shape and then the others.
_IN_ORDER = [[*SHAPE_ATTRIBUTES, *_OTHER_ATTRIBUTES].index(name) for name in ATTRIBUTE_NAMES]
#: Added to amplitudes of the edge, which may be 0, before logarithms are taken.
_LEAST_AMPLITUDE = 0.01
_LEVELS = torch.arange(1.0, 6.0)

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class ScorerConfig:
    """Everything about a scorer but its weights.

    Attributes
    ----------
    members : networks whose logits are averaged, each trained without another part of the patients
    channels : of the convolutions; all but the second halve the resolution
    hidden : width of the layer before the last, half of it in the part that reads shape
    feature_mean, feature_deviation : by which the features of `FEATURES` are normalised
    stretch : (5, 2), for each attribute a and b of score = a + b * (mean of the network's probabilities)
    deviation_factor : (5,), by which the standard deviation of those probabilities is multiplied
    training : what it was trained on and how; for people
    """

    members: int = 4
    channels: tuple[int, ...] = (16, 32, 48, 64)
    hidden: int = 64
    feature_mean: tuple[float, ...] = (0.0,) * len(FEATURES)
    feature_deviation: tuple[float, ...] = (1.0,) * len(FEATURES)
    stretch: tuple[tuple[float, float], ...] = ((0.0, 1.0),) * 5
    deviation_factor: tuple[float, ...] = (1.0,) * 5
    training: dict[str, Any] = field(default_factory=dict[str, Any])


class NoduleScorer(nn.Module):
    """Windows (N, 2, 48, 48) and normalised features (N, 10) -> logits (N, members, 5 attributes, 5 scores)."""

    def __init__(self, config: ScorerConfig) -> None:
        super().__init__()
        self.members = nn.ModuleList(_Member(config.channels, config.hidden) for _ in range(config.members))

    def forward(self, windows: Tensor, features: Tensor) -> Tensor:
        """Return the logits of each member."""
        return torch.stack([member(windows, features) for member in self.members], dim=1)


class _Member(nn.Module):
    def __init__(self, channels: tuple[int, ...], hidden: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index, (before, width) in enumerate(zip((2, *channels), channels, strict=False)):
            stride = 1 if index == 1 else 2
            layers += [
                nn.Conv2d(before, width, 3, stride, padding=1),
                nn.GroupNorm(8, width),
                nn.SiLU(),
            ]
        layers += [nn.Conv2d(channels[-1], channels[-1], 3, padding=1), nn.GroupNorm(8, channels[-1]), nn.SiLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Dropout(0.3),
            nn.Linear(2 * channels[-1] + len(FEATURES), hidden),
            nn.SiLU(),
            nn.Dropout(0.3),
            nn.Linear(hidden, 5 * len(_OTHER_ATTRIBUTES)),
        )
        self.shape = nn.Sequential(
            nn.Linear(len(SHAPE_FEATURES), hidden // 2),
            nn.SiLU(),
            nn.Dropout(0.1),
            nn.Linear(hidden // 2, 5 * len(SHAPE_ATTRIBUTES)),
        )

    def forward(self, windows: Tensor, features: Tensor) -> Tensor:
        maps = self.features(windows)
        pooled = torch.cat((maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3)), features), dim=1)
        logits = torch.cat((self.shape(features[:, _SHAPE_COLUMNS]), self.head(pooled)), dim=1)
        return logits.reshape(-1, 5, 5)[:, _IN_ORDER]


@dataclass(frozen=True)
class Scorer:
    """A scorer, loaded. `sha256` names it."""

    config: ScorerConfig
    sha256: str
    network: NoduleScorer

    @torch.inference_mode()
    def read(self, ct_slice: CTSlice, measurement: NoduleMeasurement) -> ReadBack | None:
        """Return the five scores of a measured nodule; None if no nodule was found."""
        if measurement.plain is None:
            return None
        place = scorer_place(measurement.mask, ct_slice.pixel_spacing)
        hu, mask = (_as_batch(plane) for plane in (ct_slice.hu, measurement.mask))
        windows = cut_windows(hu, mask, to_source(place, ct_slice.pixel_spacing))
        features = normalised(torch.tensor(features_of(measurement))[None], self.config)
        scores, deviations = expected_scores(self.network(windows, features).mean(dim=1), self.config)
        return {
            name: ScoreReading(float(score), float(deviation))
            for name, score, deviation in zip(ATTRIBUTE_NAMES, scores[0], deviations[0], strict=True)
        }


def _as_batch(plane: NDArray[Any]) -> Tensor:
    """(rows, columns) -> (1, 1, rows, columns) float32."""
    return torch.tensor(plane.astype(np.float32))[None, None]


def scorer_place(mask: NDArray[np.bool_], pixel_spacing: tuple[float, float]) -> tuple[float, float, float]:
    """Return where the scorer looks: centre (x, y) in pixels and side in mm of its window, from the nodule's mask."""
    rows, columns = np.nonzero(mask)
    height, width = int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1
    extent = max(height * pixel_spacing[0], width * pixel_spacing[1])
    side = min(max(_SIDE_FACTOR * extent + _SIDE_MORE_MM, _SIDE_MM[0]), _SIDE_MM[1])
    return float(columns.min()) + width / 2, float(rows.min()) + height / 2, side


def to_source(place: tuple[float, float, float], pixel_spacing: tuple[float, float]) -> Tensor:
    """(1, 2, 3): window coordinates, from its centre, -> slice coordinates. See `engine.window.sample`."""
    x, y, side = place
    row_mm, column_mm = pixel_spacing
    return torch.tensor([[[side / SIZE / column_mm, 0.0, x], [0.0, side / SIZE / row_mm, y]]])


def cut_windows(hu: Tensor, mask: Tensor, transforms: Tensor) -> Tensor:
    """Cut what the network sees, (N, 2, 48, 48), out of HU and masks (N, 1, rows, columns) float32.

    Parameters
    ----------
    transforms : (N, 2, 3), see `to_source`
    """
    low, high = _HU_RANGE
    windows = sample(torch.cat((hu.clamp(low, high), mask), dim=1), transforms, SIZE, "bicubic")
    grey = (windows[:, :1] - (low + high) / 2) / ((high - low) / 2)
    return torch.cat((grey.clamp(-1, 1), windows[:, 1:].clamp(0, 1)), dim=1)


def features_of(measurement: NoduleMeasurement) -> Plane:
    """Return `FEATURES` of a nodule that was found, (10,) float32; NaN where they cannot be measured."""
    plain = measurement.plain
    if plain is None:
        raise ValueError("no nodule was found")
    values = (
        math.log(max(measurement.diameter_mm, 1.0)),
        measurement.mean_hu,
        plain.sd_hu,
        plain.circularity,
        plain.edge_sharpness,
        plain.solid_part,
        plain.axis_ratio,
        plain.solidity,
        _log_amplitude(plain.lobes),
        _log_amplitude(plain.raggedness),
    )
    return np.array([math.nan if value is None else value for value in values], np.float32)


def _log_amplitude(amplitude: float | None) -> float | None:
    return None if amplitude is None else math.log(amplitude + _LEAST_AMPLITUDE)


def normalised(features: Tensor, config: ScorerConfig) -> Tensor:
    """Return features (N, 10) with mean 0 and standard deviation 1; 0 where they are not known."""
    centred = (features - torch.tensor(config.feature_mean)) / torch.tensor(config.feature_deviation)
    return centred.nan_to_num(0.0).clamp(-4, 4)


def expected_scores(logits: Tensor, config: ScorerConfig) -> tuple[Tensor, Tensor]:
    """Return scores, (N, 5) from 1 to 5, and the standard deviations of their errors, (N, 5)."""
    mean, deviation = raw_scores(logits)
    stretch = torch.tensor(config.stretch)
    scores = stretch[:, 0] + stretch[:, 1] * mean
    return scores.clamp(1, 5), deviation * torch.tensor(config.deviation_factor)


def raw_scores(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation, both (..., 5), of the probabilities of the five scores, (..., 5, 5)."""
    probabilities = logits.softmax(dim=-1)
    mean = (probabilities * _LEVELS).sum(dim=-1)
    variance = (probabilities * (_LEVELS - mean[..., None]) ** 2).sum(dim=-1)
    return mean, variance.clamp(min=1e-6).sqrt()


def save_scorer(folder: Path, config: ScorerConfig, weights: Mapping[str, Tensor]) -> None:
    """Write a scorer; weights are stored as fp16."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest: dict[str, Any] = {"format_version": FORMAT_VERSION, **json.loads(json.dumps(asdict(config)))}
    manifest["weights_sha256"] = save_halves(weights, folder / WEIGHTS)
    manifest["sha256"] = digest_of_manifest(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def load_scorer(folder: Path) -> Scorer:
    """Verify a scorer folder and load it; it always runs on the CPU, in float32.

    Raises
    ------
    InputError
        If the folder is no scorer, or is damaged or altered.
    """
    try:
        manifest = object_of(parse_json((folder / MANIFEST).read_bytes()))
        weights_sha256 = digest_of_file(folder / WEIGHTS)
        whole = manifest["sha256"] == digest_of_manifest(manifest) and manifest["weights_sha256"] == weights_sha256
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"There is no whole scorer in {folder}; get a fresh copy of the folder.") from error
    altered = InputError(f"The scorer in {folder} was altered or is of another version; get a fresh copy of it.")
    if not whole or manifest.get("format_version") != FORMAT_VERSION:
        raise altered
    try:
        config = _config_of(manifest)
    except (ValueError, KeyError, TypeError) as error:  # Its hash can be made anew.
        raise altered from error
    network = NoduleScorer(config)
    network.load_state_dict(load_file(folder / WEIGHTS))
    return Scorer(config, manifest["sha256"], network.float().eval().requires_grad_(False))


def _config_of(manifest: dict[str, Any]) -> ScorerConfig:
    settings = {name: manifest[name] for name in ScorerConfig.__dataclass_fields__}
    for name in ("channels", "feature_mean", "feature_deviation", "deviation_factor"):
        settings[name] = tuple(settings[name])
    settings["stretch"] = tuple((float(a), float(b)) for a, b in settings["stretch"])
    return ScorerConfig(**settings)
