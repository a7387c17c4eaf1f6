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
from training.frechet import Features, frechet_distance, kernel_difference, kernel_distance
from training.slice_conditions import SliceCondition
from training.slice_samples import sample_slices

Figures = dict[str, Any]

#: How often real slices are set aside at random.
_DRAWS = 20


def paper_options(options: SamplingOptions, training_steps: int) -> SamplingOptions:
    """Return the options of the paper's way: its solver, as many steps as in training, and no guidance."""
    return replace(options, solver="ddpm", steps=training_steps, guidance=1.0)


def compare_distances(few: Features, many: Features, real: Features, seed: int = 0) -> Figures:
    """Compare the distances from real slices, (M, D), of slices made in few and in many steps, (N, D) each.

    Both have the same conditions in the same order, and the same N: far fewer than for Table 2, since 1000 steps take
    long. The bias of Frechet distances of so few slices outweighs what differs between the two, and takes their ratio
    near to 1 whatever they are. So the kernel distance is the judge, which has no such bias: "difference" is that of
    few steps less that of many, "deviation" its standard deviation (`kernel_difference`).
    """
    generator = np.random.default_rng(seed)
    difference, deviation = kernel_difference(few, many, real, generator)
    frechet = {"few_steps": frechet_distance(few, real), "paper": frechet_distance(many, real)}
    return {
        "generated": len(few),
        "real": len(real),
        "kernel": {
            "few_steps": kernel_distance(few, real),
            "paper": kernel_distance(many, real),
            "difference": difference,
            "deviation": deviation,
        },
        "frechet": {**frechet, "ratio": _ratio(frechet), "above_floor": _above_floor(few, many, real, generator)},
    }


def _above_floor(few: Features, many: Features, real: Features, generator: np.random.Generator) -> Figures | None:
    """Return what Frechet distances are without the bias of few slices: less the floor, that of as many real slices.

    N real slices are set aside at random, and all three sets are compared with the rest, so that N and M are the same.
    Means over such draws, and the standard deviation of the floor. None if too few real slices are left.
    """
    count = len(few)
    if len(real) < count + 2:
        return None
    distances: list[list[float]] = []
    for _ in range(_DRAWS):
        order = generator.permutation(len(real))
        aside, rest = real[order[:count]], real[order[count:]]
        distances.append([frechet_distance(one, rest) for one in (few, many, aside)])
    few_steps, paper, floor = np.mean(distances, axis=0).tolist()
    above = {"few_steps": few_steps - floor, "paper": paper - floor}
    return {
        **above,
        "ratio": _ratio(above),
        "floor": floor,
        "floor_deviation": float(np.std(distances, axis=0)[2]),
        "real": len(real) - count,
    }


def _ratio(distances: dict[str, float]) -> float | None:
    """Return that of few steps over that of the paper's way, if both are above zero."""
    return distances["few_steps"] / distances["paper"] if min(distances.values()) > 0 else None


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
