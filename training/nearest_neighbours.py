"""Are generated slices copies of training slices? Their nearest ones, beside those of held-out real slices.

A slice that was never seen lies as far from the training slices as another patient's does; a memorised one lies nearer.
Held-out patients are few, and may come from scanners of their own. So training slices are looked at too, each beside
those of other patients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.prepared import hu_from_stored
from training.slice_sets import Images

Figures = dict[str, Any]
Vectors = NDArray[np.floating[Any]]

#: Side of the images whose pixels are compared.
SMALL_PIXELS = 64
_PERCENTILES = (1, 5, 50)
_ROWS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Neighbours:
    """For each of N vectors its nearest one in another set: its distance, float64 (N,), and its index, int64 (N,)."""

    distances: NDArray[np.float64]
    indices: NDArray[np.int64]


def small_pixels(images: Images, hu_range: tuple[float, float]) -> NDArray[np.float32]:
    """Return slices, (N, H, W) as stored, at 64 x 64 by means of blocks, as (N, 4096) HU clipped to a range."""
    count, rows, columns = images.shape
    block = (rows // SMALL_PIXELS, columns // SMALL_PIXELS)
    small = np.empty((count, SMALL_PIXELS**2), np.float32)
    for index, image in enumerate(images):
        hu = np.clip(hu_from_stored(image), *hu_range)
        small[index] = hu.reshape(SMALL_PIXELS, block[0], SMALL_PIXELS, block[1]).mean(axis=(1, 3)).ravel()
    return small


def nearest(
    vectors: Vectors,
    others: Vectors,
    patients: NDArray[np.str_] | None = None,
    other_patients: NDArray[np.str_] | None = None,
) -> Neighbours:
    """Return the nearest of `others`, (M, D), to each of `vectors`, (N, D), by the root of the mean squared difference.

    Parameters
    ----------
    patients, other_patients : (N,) and (M,), optional
        If given, only others of another patient count.

    Raises
    ------
    ValueError
        If there are no others that count.
    """
    if len(others) == 0 or (other_patients is not None and len(np.unique(other_patients)) < 2):
        raise ValueError("there is nothing among which a neighbour could be looked for")
    distances, indices = np.empty(len(vectors)), np.empty(len(vectors), np.int64)
    lengths = np.einsum("md,md->m", others, others, dtype=np.float64)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        part = vectors[start : start + _ROWS_AT_ONCE]
        apart = lengths - 2 * (part @ others.T)
        if patients is not None and other_patients is not None:
            apart[patients[start : start + len(part), None] == other_patients] = np.inf
        closest = apart.argmin(axis=1)
        # Of the nearest alone the difference is taken itself: the expansion above has rounding errors near zero.
        differences = (part - others[closest]).astype(np.float64)
        distances[start : start + len(part)] = np.sqrt((differences**2).mean(axis=1))
        indices[start : start + len(part)] = closest
    return Neighbours(distances, indices)


def share_nearer(generated: Neighbours, real: Neighbours) -> float:
    """Return the share of generated slices that are nearer to a training slice than 99 % of the real ones are.

    0.01 is what slices of other patients would have.
    """
    return float((generated.distances < np.percentile(real.distances, _PERCENTILES[0])).mean())


def percentiles_of(neighbours: Neighbours) -> Figures:
    """Return how near the nearest ones are: the number of slices, the nearest of all, and percentiles."""
    values = np.percentile(neighbours.distances, _PERCENTILES)
    return {
        "count": len(neighbours.distances),
        "nearest": float(neighbours.distances.min()),
        **{f"percentile_{name}": float(value) for name, value in zip(_PERCENTILES, values, strict=True)},
    }
