"""A code book from the latents that it is for: k-means, so that no code is idle and none is missing where many are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from engine.errors import InputError

_ROUNDS = 12


def fit_codes(latents: NDArray[np.float32], count: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Return `count` codes, (count, channels), for latents (positions, channels): Lloyd's algorithm.

    It starts from different positions drawn at random. A code that stands for nothing is moved, every round, to one of
    the positions that are worst represented.

    Raises
    ------
    InputError
        If there are fewer different latents than codes.
    """
    different = np.unique(latents, axis=0)
    if len(different) < count:
        raise InputError(f"{len(different)} different latents cannot make {count} codes; give fewer --codes.")
    codes = different[generator.choice(len(different), count, replace=False)]
    for _ in range(_ROUNDS):
        distances, nearest = KDTree(codes).query(latents)
        uses = np.bincount(nearest, minlength=count)
        sums = [np.bincount(nearest, weights=channel, minlength=count) for channel in latents.T]
        codes = (np.stack(sums, axis=1) / np.maximum(uses, 1)[:, None]).astype(np.float32)
        idle = np.flatnonzero(uses == 0)
        codes[idle] = latents[np.argsort(distances)[len(latents) - len(idle) :]]
    return codes


def usage(indices: NDArray[np.int64], count: int) -> dict[str, float]:
    """Return the share of codes that were used, and their perplexity: as many, all used alike, would say as much."""
    uses = np.bincount(indices.ravel(), minlength=count)
    share = uses[uses > 0] / uses.sum()
    return {"used": float((uses > 0).mean()), "perplexity": float(np.exp(-(share * np.log(share)).sum()))}
