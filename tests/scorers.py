"""A tiny seeded scorer, for tests of everything around it."""

from __future__ import annotations

from pathlib import Path

import torch

from engine.scorer import NoduleScorer, ScorerConfig, save_scorer

_FEATURE_MEAN = (2.0, -300.0, 150.0, 0.8, 0.3, 0.5, 0.8, 0.9, -3.0, -3.0)
TINY = ScorerConfig(members=2, channels=(8, 8), hidden=8, feature_mean=_FEATURE_MEAN)


def save_tiny_scorer(folder: Path, config: ScorerConfig = TINY, seed: int = 0) -> Path:
    """Write a scorer of random weights, and return its folder."""
    torch.manual_seed(seed)
    save_scorer(folder, config, NoduleScorer(config).state_dict())
    return folder
