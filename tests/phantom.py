"""A made-up chest: for screenshots, benchmarks and tests that may show no patient's data.

Ellipses and random branches in HU, blurred and with correlated noise like that of a soft reconstruction kernel. It
is drawn from a seed and resembles a CT slice only as far as lungs, chest wall, vessels and noise go.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from engine.ct import CTVolume

SIZE = 512
SPACING_MM = 0.7
_AIR, _FAT, _MUSCLE, _LUNG, _BLOOD, _BONE = -1000, -90, 50, -860, 45, 450

Array = NDArray[np.float64]


def _ellipse(row: float, column: float, height: float, width: float, turn: float = 0.0) -> NDArray[np.bool_]:
    rows, columns = np.indices((SIZE, SIZE), dtype=float)
    rows, columns = rows - row, columns - column
    along = columns * np.cos(turn) + rows * np.sin(turn)
    across = rows * np.cos(turn) - columns * np.sin(turn)
    return (along / width) ** 2 + (across / height) ** 2 < 1


def _draw_disc(hu: Array, row: float, column: float, radius: float, value: float) -> None:
    top, left = int(row - radius) - 1, int(column - radius) - 1
    bottom, right = int(row + radius) + 3, int(column + radius) + 3
    rows, columns = np.mgrid[top:bottom, left:right]
    share = np.clip(radius + 0.5 - np.hypot(rows - row, columns - column), 0, 1)
    part = hu[top:bottom, left:right]
    part[...] = np.maximum(part, part + share * (value - part))


def _draw_vessel(
    hu: Array, lung: Array, start: tuple[float, float], angle: float, radius: float, draw: np.random.Generator
) -> None:
    """Walk into the lung, thinning and branching; what leaves the lung again ends."""
    (row, column), entered = start, False
    for _ in range(int(draw.uniform(30, 70))):
        row, column = row + np.sin(angle), column + np.cos(angle)
        inside = bool(lung[int(row) % SIZE, int(column) % SIZE])
        entered |= inside
        if entered and (not inside or radius < 0.45):
            return
        if inside:
            angle += draw.normal(0, 0.09)
            radius *= 0.992
            _draw_disc(hu, row, column, radius, _BLOOD - 500 * max(0.0, 1 - radius))
    if entered:
        for turn in (-1, 1):
            _draw_vessel(hu, lung, (row, column), angle + turn * draw.uniform(0.25, 0.7), radius * 0.8, draw)


def phantom_slice(seed: int = 0, depth: float = 0.0) -> NDArray[np.int16]:
    """Draw one slice, (512, 512) HU, patient's right on the left, front up; `depth` in [-1, 1] widens the lungs."""
    draw = np.random.default_rng(seed)
    hu = np.full((SIZE, SIZE), float(_AIR))
    hu[_ellipse(262, 256, 168, 236)] = _FAT
    hu[_ellipse(262, 256, 156, 222)] = _MUSCLE
    widen = 1 + 0.06 * depth
    right = _ellipse(262, 154, 122 * widen, 82 * widen, 0.12)
    left = _ellipse(264, 362, 120 * widen, 78 * widen, -0.14) & ~_ellipse(300, 296, 62, 66, 0.5)
    lung = (right | left) & ~_ellipse(285, 272, 72, 64, 0.4)
    for angle in np.linspace(0, 2 * np.pi, 22, endpoint=False):
        rib = _ellipse(262 + 138 * np.sin(angle), 256 + 202 * np.cos(angle), 6, 15, angle + np.pi / 2)
        hu[rib & ~lung] = _BONE
    hu[_ellipse(368, 256, 30, 34)] = _BONE - 180
    hu[_ellipse(402, 256, 9, 10)] = _MUSCLE - 20
    hu[_ellipse(222, 250, 14, 15)] = _AIR + 20
    hu[lung] = _LUNG + gaussian_filter(draw.normal(0, 260, hu.shape), 9)[lung]
    for row, column, outwards, side in ((262, 205, np.pi, -1), (262, 362, 0.0, 1)):
        for spread in np.linspace(-1.5, 1.5, 10):
            start = (row + 30 * spread, column - side * 34 * abs(spread) / 1.5 + draw.normal(0, 4))
            _draw_vessel(hu, lung.astype(float), start, outwards + side * spread * 0.8, draw.uniform(1.8, 3.4), draw)
    noise = gaussian_filter(draw.normal(0, 1, hu.shape), 0.8)
    smooth = gaussian_filter(hu, 0.7) + noise / noise.std() * 24
    return np.rint(smooth).clip(-1024, 3071).astype(np.int16)


def phantom_volume(slices: int = 9, seed: int = 0) -> CTVolume:
    """Stack slices, 2.5 mm apart."""
    hu = np.stack([phantom_slice(seed, depth) for depth in np.linspace(-1, 1, slices)])
    positions = tuple((-179.0, -179.0, 2.5 * index) for index in range(slices))
    return CTVolume(hu, (SPACING_MM, SPACING_MM), positions, source=Path("phantom"), description="Made-up chest")
