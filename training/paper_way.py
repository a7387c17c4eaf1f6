"""Few steps against the paper's way, 1000 steps of DDPM (section 2.2), with the same weights: time and distance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.checkpoint import load_checkpoint
from engine.events import SamplingOptions
from training.frechet import Features, frechet_distance, kernel_distance
from training.slice_conditions import SliceCondition
from training.slice_samples import sample_slices

Figures = dict[str, Any]

#: Random halves of the pairs on which the ratio of distances is looked at again, to see how firm it is.
_SUBSETS = 20


def paper_options(options: SamplingOptions, training_steps: int) -> SamplingOptions:
    """Return the same options but for the paper's solver and number of steps: as many as in training."""
    return replace(options, solver="ddpm", steps=training_steps)


def compare_distances(few: Features, many: Features, real: Features, seed: int = 0) -> Figures:
    """Compare the distances from real slices, (M, D), of slices made in few and in many steps, (N, D) each.

    Both have the same conditions in the same order, and the same N: far fewer than for Table 2, since 1000 steps take
    long, so that the Frechet distances are biased upwards, alike. `deviation` is the standard deviation of the ratio
    over random halves of the pairs; it is that of N / 2.
    """
    generator = np.random.default_rng(seed)
    halves = [generator.permutation(len(few))[: max(2, len(few) // 2)] for _ in range(_SUBSETS)]
    ratios = [frechet_distance(few[half], real) / frechet_distance(many[half], real) for half in halves]
    distances = {"few_steps": frechet_distance(few, real), "paper": frechet_distance(many, real)}
    return {
        "generated": len(few),
        "real": len(real),
        "frechet": {
            **distances,
            "ratio": distances["few_steps"] / distances["paper"],
            "deviation": float(np.std(ratios)),
        },
        "kernel": {"few_steps": kernel_distance(few, real), "paper": kernel_distance(many, real)},
    }


def measure_seconds(
    folder: Path, conditions: Sequence[SliceCondition], options: SamplingOptions, count: int
) -> list[float]:
    """Return the seconds that slices take, one after another, from condition to HU, after a short one to warm up."""
    checkpoint = load_checkpoint(folder)
    sample_slices(checkpoint, conditions[:1], replace(options, steps=min(2, options.steps)))
    seconds: list[float] = []
    for condition in conditions[:count]:
        started = time.perf_counter()
        sample_slices(checkpoint, [condition], options)
        seconds.append(time.perf_counter() - started)
    return seconds
