"""What the scorer learns by: batches that show every score often enough, and a loss against the readers' spread."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from engine.scorer import SIZE, ScorerConfig, cut_windows, normalised, raw_scores
from training.scorer_samples import ScorerSamples

#: A rare score counts up to so many times as much as if all were as common.
_MOST_WEIGHT = 6.0
#: Shift in pixels of the window, log of the scale, HU of the whole slice and of each pixel, and deviations of features.
_SHIFT, _SCALE, _LEVEL_HU, _NOISE_HU, _FEATURE_NOISE = 2.0, 0.06, 10.0, 20.0, 0.1


@dataclass(frozen=True)
class ScorerOptions:
    """How the scorer is trained; saved with the run. Each is an option of the command.

    Attributes
    ----------
    samples : slices of nodules to be seen
    batch : slices a step
    learning_rate : of AdamW, after a warm-up of 300 steps
    ema_decay : of the averaged weights, at the most: after n steps it is 1 - n^-0.75 (0.996 at 1,500, 0.998 at 4,000)
    balance : 0 lets scores count as often as readers give them, 1 lets every score count the same
    distance : weight of the error of the mean score, beside that of the readers' spread
    seed : of weights, order and augmentation
    """

    samples: int = 120_000
    batch: int = 64
    learning_rate: float = 2e-3
    ema_decay: float = 0.998
    balance: float = 0.8
    distance: float = 1.0
    seed: int = 0

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.samples // self.batch


@dataclass(frozen=True)
class Targets:
    """Of samples and attributes: shares of the scores (N, 5, 5), their mean (N, 5), and weight in the loss (N, 5)."""

    shares: Tensor
    means: Tensor
    weights: Tensor


def make_targets(samples: ScorerSamples, probabilities: NDArray[np.float64], balance: float) -> Targets:
    """Return targets; what no reader scored has no weight.

    Parameters
    ----------
    probabilities : (N,)
        With which samples are drawn: weights make up for what this has balanced already.
    """
    means = samples.means
    levels = np.nan_to_num(np.rint(means)).astype(np.int64)
    weights = np.zeros(means.shape, np.float32)
    for attribute in range(means.shape[1]):
        seen = np.bincount(levels[:, attribute], probabilities, minlength=6)
        seen[0] = 0
        relative = np.where(seen > 0, (seen[1:].sum() / 5 / np.maximum(seen, 1e-9)) ** balance, 0)
        weights[:, attribute] = np.minimum(relative, _MOST_WEIGHT)[levels[:, attribute]]
    tensors = (torch.from_numpy(array) for array in (samples.shares, np.nan_to_num(means, nan=3.0), weights))
    return Targets(*tensors)


def drawing_probabilities(samples: ScorerSamples, balance: float) -> NDArray[np.float64]:
    """Return how probably each sample is drawn, (N,): slices of one nodule share, and rare scores come more often."""
    _, inverse, slices = np.unique(samples.nodules, return_inverse=True, return_counts=True)
    levels = np.nan_to_num(np.rint(samples.means)).astype(np.int64)
    rarity = np.zeros(len(samples))
    for column in levels.T:
        counts = np.bincount(column, minlength=6).astype(np.float64)
        counts[0] = counts.max()
        rarity += (counts.max() / np.maximum(counts, 1))[column] ** (balance / 2)
    probabilities = rarity / np.sqrt(slices[inverse])
    return probabilities / probabilities.sum()


def scorer_inputs(
    samples: ScorerSamples, chosen: NDArray[np.int64], config: ScorerConfig, generator: np.random.Generator | None
) -> tuple[Tensor, Tensor]:
    """Return windows (N, 2, 48, 48) and features (N, 10) of samples, augmented if there is a generator."""
    hu = samples.images[chosen].astype(np.float32)[:, None] - 1000
    mask = samples.masks[chosen].astype(np.float32)[:, None]
    transforms = _transforms(samples.places[chosen], samples.pixel_spacing[chosen], generator)
    features = normalised(torch.from_numpy(samples.features[chosen]), config)
    if generator:
        hu = hu + generator.normal(0, _LEVEL_HU, (len(hu), 1, 1, 1)).astype(np.float32)
        strength = generator.uniform(0, _NOISE_HU, (len(hu), 1, 1, 1)).astype(np.float32)
        hu = hu + strength * generator.standard_normal(hu.shape, np.float32)
        features = features + _FEATURE_NOISE * torch.from_numpy(generator.standard_normal(features.shape, np.float32))
    return cut_windows(torch.from_numpy(hu), torch.from_numpy(mask), transforms), features


def _transforms(
    places: NDArray[np.float32], spacing: NDArray[np.float32], generator: np.random.Generator | None
) -> Tensor:
    """Window -> crop coordinates, (N, 2, 3), as `engine.scorer.to_source`; augmented: turned, mirrored and the like."""
    count = len(places)
    scale = (places[:, 2] / SIZE / spacing).astype(np.float64)
    turn, mirror, shift = np.zeros(count), np.ones(count), np.zeros((count, 2))
    if generator:
        turn = generator.uniform(0, 2 * math.pi, count)
        mirror = generator.choice([-1.0, 1.0], count)
        shift = generator.uniform(-_SHIFT, _SHIFT, (count, 2))
        scale = scale * np.exp(generator.normal(0, _SCALE, count))
    cosine, sine = np.cos(turn) * scale, np.sin(turn) * scale
    linear = np.stack([cosine * mirror, -sine, sine * mirror, cosine], 1).reshape(-1, 2, 2)
    moved = places[:, :2] + (linear @ shift[:, :, None])[:, :, 0]
    return torch.from_numpy(np.concatenate((linear, moved[:, :, None]), axis=2).astype(np.float32))


def scorer_loss(
    logits: Tensor, targets: Targets, chosen: NDArray[np.int64], folds: NDArray[np.int64], options: ScorerOptions
) -> Tensor:
    """Return the loss, a number: cross entropy with the readers' spread, and the error of the mean score.

    Parameters
    ----------
    logits : (N, members, 5, 5)
    chosen : (N,), which samples they are of
    folds : (N,)
        The member that learns nothing of each.
    """
    rows = torch.from_numpy(chosen)
    shares, means = targets.shares[rows][:, None], targets.means[rows][:, None].expand(logits.shape[:3])
    learns = torch.from_numpy(folds)[:, None] != torch.arange(logits.shape[1])
    weights = targets.weights[rows][:, None] * learns[:, :, None]
    spread = -(shares * logits.log_softmax(dim=3)).sum(dim=3)
    distance = functional.smooth_l1_loss(raw_scores(logits)[0], means, reduction="none", beta=0.5)
    return ((spread + options.distance * distance) * weights).sum() / weights.sum().clamp(min=1e-6)
