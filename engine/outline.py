"""A nodule's outline, drawn from its scores: how round, how lobulated and how spiculated LIDC's readers drew nodules.

Lobulation and spiculation of a nodule are a few pixels of its edge: the network learns little of them from its squared
error, and guidance cannot amplify what is not there. So the shape is drawn first, and the network fills it.

An outline is a radius at each angle, log r = sum over k of a_k cos(k angle + phase_k). In LIDC's outlines sphericity
shows in a_2, how long the nodule is; lobulation in the harmonics after it; spiculation in all from the third on; and a
nodule with a poorly defined margin is a little rougher in all. Here lobulation makes lobes above all, k from 3 to 5,
and spiculation finer waves. Each log a_k is normally distributed about a mean that is linear in the scores and in the
logarithm of the diameter. The table, `resources/outlines.json`, is built by `training.build_outlines`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.nodule import ATTRIBUTE_NAMES
from engine.prior import extent_in_box

OUTLINES_FILE = Path(__file__).resolve().parent.parent / "resources" / "outlines.json"
#: The scores that show in the outline, and those that count for one that is not given: the commonest.
SHAPE_SCORES = {"sphericity": 4, "margin": 4, "lobulation": 1, "spiculation": 1}
#: The diameter, in mm, at which that of a nodule adds nothing.
USUAL_DIAMETER_MM = 10.0
_SHAPE_COLUMNS = [ATTRIBUTE_NAMES.index(name) for name in SHAPE_SCORES]
_ANGLES = 256
#: So that outlines do not depend on the noise drawn with the same seed.
_STREAM = 0x6F75746C

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OutlineTable:
    """What is known of the harmonics k = 2, 3, ... of outlines, a row each; logarithms are natural.

    Attributes
    ----------
    mean : (K,)
        Mean of log a_k for a nodule of `USUAL_DIAMETER_MM` and the commonest scores.
    by_score : (K, 4)
        What a score more of each of `SHAPE_SCORES` adds.
    by_size : (K,)
        What twice the diameter adds.
    deviation : (K,)
        Standard deviation of log a_k about that.
    largest : (K,)
        Which no a_k reaches.
    """

    mean: Floats
    by_score: Floats
    by_size: Floats
    deviation: Floats
    largest: Floats


@lru_cache(maxsize=1)
def outline_table() -> OutlineTable:
    """Read the table."""
    stored: dict[str, Any] = json.loads(OUTLINES_FILE.read_text("utf-8"))
    return OutlineTable(**{name: np.array(values) for name, values in stored.items()})


def draw_radii(scores: Sequence[int | None], diameter_mm: float, seed: int) -> Floats:
    """Draw an outline: (256,), the radius at equally spaced angles, about 1.

    Phases and deviations depend on the seed alone: a score that changes bends the same outline more or less.
    """
    table = outline_table()
    generator = np.random.default_rng([_STREAM, seed])
    count = len(table.mean)
    given = [scores[column] for column in _SHAPE_COLUMNS]
    usual = SHAPE_SCORES.values()
    more = np.array([0 if score is None else score - its for score, its in zip(given, usual, strict=True)])
    mean = table.mean + table.by_score @ more + table.by_size * math.log2(diameter_mm / USUAL_DIAMETER_MM)
    drawn = np.exp(mean + table.deviation * generator.standard_normal(count))
    # Limited softly: the lowest scores of sphericity would be one else.
    amplitudes = table.largest * (1 - np.exp(-drawn / table.largest))
    phases = generator.uniform(0, 2 * np.pi, count)
    harmonics, angles = np.arange(2, count + 2), np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    return np.exp((amplitudes[:, None] * np.cos(harmonics[:, None] * angles + phases[:, None])).sum(axis=0))


def fill_outline(radii: Floats, box: Sequence[float], spacing_mm: float, size: int) -> NDArray[np.bool_]:
    """Return which pixels of a window, (size, size), lie inside an outline that fills a box as nodules of LIDC do.

    Parameters
    ----------
    radii : (angles,), see `draw_radii`
    box : (left, top, right, bottom) in window pixels
    spacing_mm : of a window pixel
    """
    left, top, right, bottom = box
    angles = np.arange(len(radii)) * (2 * np.pi / len(radii))
    across = np.stack([radii * np.cos(angles), radii * np.sin(angles)])
    low, high = across.min(axis=1), across.max(axis=1)
    scale = float((high - low).max()) / (_extent_mm(box, spacing_mm) / spacing_mm)
    middle_x, middle_y = (low + high) / 2
    pixels = np.arange(size) + 0.5
    x = (pixels[None, :] - (left + right) / 2) * scale + middle_x
    y = (pixels[:, None] - (top + bottom) / 2) * scale + middle_y
    interpolated: Any = np.interp
    edge = interpolated(np.arctan2(y, x), angles, radii, period=2 * np.pi)
    return np.asarray(np.hypot(x, y) < edge)


def draw_outlines(levels: Tensor, boxes: Tensor, spacing_mm: Tensor, seeds: Sequence[int], size: int) -> Tensor:
    """Draw an outline for each window, none where no score that shows in it is given.

    Parameters
    ----------
    levels : (N, 5) int64
        Scores 1 to 5, or 0 for "not given".
    boxes : (N, 4), in window pixels
    spacing_mm : (N,), of a window pixel
    seeds : N of them
    size : side of the windows

    Returns
    -------
    (N, 1, size, size) float32, 1 inside
    """
    drawn = np.zeros((len(levels), 1, size, size), np.float32)
    told: list[Any] = [values.cpu().numpy().tolist() for values in (levels, boxes, spacing_mm)]
    for index, (scores, box, spacing, seed) in enumerate(zip(*told, seeds, strict=True)):
        if any(scores[column] for column in _SHAPE_COLUMNS):
            given = [score or None for score in scores]
            radii = draw_radii(given, _extent_mm(box, spacing), seed)
            drawn[index, 0] = fill_outline(radii, box, spacing, size)
    return torch.tensor(drawn)


def _extent_mm(box: Sequence[float], spacing_mm: float) -> float:
    """Return the extent of the nodule in a box, (left, top, right, bottom) in window pixels."""
    left, top, right, bottom = box
    return extent_in_box(math.sqrt((right - left) * (bottom - top)) * spacing_mm)
