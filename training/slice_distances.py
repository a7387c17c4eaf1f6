"""How far generated slices are from real ones (paper, Table 2), beside how far real ones are from other real ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.frechet import Features, frechet_distance, kernel_distance
from training.realism import patient_halves

Figures = dict[str, Any]
_DISTANCES = {"frechet": frechet_distance, "kernel": kernel_distance}


def distances_to(real: Features, made: Mapping[str, Features]) -> Figures:
    """Return both distances of each set, (N, D), from the real one, (M, D), as the paper has them: all against all.

    N and M stand beside each number, for the Frechet distance depends on both.
    """
    return {
        name: {
            "generated": len(features),
            "real": len(real),
            **{distance: function(features, real) for distance, function in _DISTANCES.items()},
        }
        for name, features in made.items()
        if min(len(features), len(real)) > 1
    }


def distances_beside_floor(
    real: Features,
    patients: NDArray[np.str_],
    annotations: NDArray[np.object_],
    paired: Mapping[str, Features],
    made: Mapping[str, Features],
    splits: int,
    seed: int,
) -> Figures | None:
    """Return both distances of each set, and of real slices, from real slices of other patients.

    The patients are split at random into halves A and B, and slices with a nodule that B has too, transplanted, are
    left out of A. The floor compares real A with real B; then A is replaced by as many of each set in `made`, or by
    itself as each of `paired` shows it. So all numbers have the same real side and the same N on both sides: the
    largest that the halves and the smallest set allow, since real slices are few. Means and standard deviations over
    `splits` splits. With that N the same, no row depends on what else is in `made`.

    Parameters
    ----------
    real : (M, D)
    patients : (M,)
    annotations : (M,), see `training.slice_sets.SliceSet`
    paired : each (M, D), row for row of the same slices as `real`
    made : each (N, D)

    Returns
    -------
    None if the slices come from fewer than two patients, or leave less than two a side.
    """
    generator = np.random.default_rng(seed)
    rows: dict[str, dict[str, list[float]]] = {name: {d: [] for d in _DISTANCES} for name in ("real", *paired, *made)}
    sides: list[int] = []
    for split in range(splits):
        try:
            a, b = patient_halves(patients, generator)
        except ValueError:
            return None
        a = _without_nodules_of(annotations[b], a, annotations)
        count = min([len(a), *(len(features) for features in made.values())])
        if count < 2:
            return None
        sets = {name: features[a[:count]] for name, features in {"real": real, **paired}.items()}
        for name, features in made.items():
            # Not by the generator of the halves: a row, and the next halves, would depend on what else is compared.
            chosen = np.random.default_rng([seed, split]).permutation(len(features))[:count]
            sets[name] = features[chosen]
        for name, features in sets.items():
            for distance, function in _DISTANCES.items():
                rows[name][distance].append(function(features, real[b[:count]]))
        sides.append(count)
    return {"splits": splits, "a_side": [min(sides), max(sides)], "rows": _summarised(rows)}


def _without_nodules_of(
    others: NDArray[np.object_], indices: NDArray[np.int64], annotations: NDArray[np.object_]
) -> NDArray[np.int64]:
    theirs: set[int] = set().union(*others)
    return np.array([index for index in indices if theirs.isdisjoint(annotations[index])], np.int64)


def _summarised(rows: dict[str, dict[str, list[float]]]) -> Figures:
    return {
        name: {
            distance: {"mean": float(np.mean(values)), "deviation": float(np.std(values))}
            for distance, values in distances.items()
        }
        for name, distances in rows.items()
    }
