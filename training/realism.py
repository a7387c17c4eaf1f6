"""How far generated nodules are from real ones, beside how far real ones are from other real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.ct import CTSlice
from engine.errors import InputError
from engine.nodule import BoundingBox
from engine.window import Window, cut_out
from training.frechet import Features, frechet_distance, image_features, kernel_distance, load_feature_network
from training.held_out_cases import HeldOutCase

#: The crops compared: pixels along a side, and their spacing in mm.
CROP_PIXELS, CROP_SPACING_MM = 32, 0.7

Figures = dict[str, Any]


def nodule_crop(ct_slice: CTSlice, box: BoundingBox) -> Tensor:
    """Cut the crop around the box's centre out of a slice, (1, 1, 32, 32) HU at 0.7 mm."""
    row_mm, column_mm = ct_slice.pixel_spacing
    row, column = box.centre
    window = Window(
        centre=(column, row),
        scale=(CROP_SPACING_MM / column_mm, CROP_SPACING_MM / row_mm),
        spacing_mm=CROP_SPACING_MM,
        box=(0.0, 0.0, float(CROP_PIXELS), float(CROP_PIXELS)),
        size=CROP_PIXELS,
    )
    return cut_out(torch.tensor(ct_slice.hu), window)


def compare_with_real(
    cases: Sequence[HeldOutCase], placed: Sequence[CTSlice], splits: int = 10, seed: int = 0
) -> Figures:
    """Return Frechet and kernel distances, generated against real and real against real.

    The patients are split at random into halves A and B of as many crops each. The floor compares real A with real
    B; then A is replaced by what was generated in its place, with its scores: another set of patients, and the same
    number of crops, on both sides of both numbers. Means over `splits` splits.
    """
    network = load_feature_network()
    real = image_features(network, torch.cat([nodule_crop(case.slice, case.box) for case in cases]))
    made = image_features(
        network, torch.cat([nodule_crop(after, case.box) for case, after in zip(cases, placed, strict=True)])
    )
    return distances_over_splits(real, made, np.array([case.patient for case in cases]), splits, seed)


def distances_over_splits(
    real: Features, made: Features, patients: NDArray[np.str_], splits: int, seed: int
) -> Figures:
    """As `compare_with_real`, for features (N, D) of the same N cases."""
    generator = np.random.default_rng(seed)
    halves = [patient_halves(patients, generator) for _ in range(splits)]
    figures: Figures = {"splits": splits, "crops_a_side": [min(len(a), len(b)) for a, b in halves]}
    for name, distance in (("frechet", frechet_distance), ("kernel", kernel_distance)):
        floors = np.array([distance(real[a], real[b]) for a, b in halves])
        generated = np.array([distance(made[a], real[b]) for a, b in halves])
        figures[name] = {
            "generated": float(generated.mean()),
            "generated_deviation": float(generated.std()),
            "floor": float(floors.mean()),
            "floor_deviation": float(floors.std()),
            "ratio": float(generated.mean() / floors.mean()) if floors.mean() > 0 else None,
        }
    return figures


def patient_halves(
    patients: NDArray[np.str_], generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices, in random order, of two sets of equal size, no patient in both.

    Raises
    ------
    InputError
        If there are too few patients to leave two crops on each side.
    """
    names = generator.permutation(np.unique(patients))
    in_first = np.isin(patients, names[: len(names) // 2])
    first, second = (generator.permutation(np.flatnonzero(side)) for side in (in_first, ~in_first))
    count = min(len(first), len(second))
    if count < 2:
        raise InputError(
            f"{len(names)} patients with {len(patients)} crops cannot be split into two sets of two crops; "
            "give data of more held-out patients."
        )
    return first[:count], second[:count]
