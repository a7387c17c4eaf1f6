"""The paper's prior against ours, on slices of held-out patients.

    python -m training.prior_figures --data PREPARED

prints two tables. Places: the share of boxes of which at least 80 % lie in the lungs. Our prior looks for such places
in the mask that judges them here, so a second figure judges by the HU alone: the mean share of a box that is air.
Scores: how many combinations are so rare that fewer than 1 in 100 annotations of LIDC have one as rare.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from engine.ct import CTSlice
from engine.errors import InputError
from engine.lung_places import LEAST_SHARE_IN_LUNG
from engine.lungs import lung_mask, share_in_lung
from engine.nodule import BoundingBox, NoduleAttributes
from engine.prior import paper_box, paper_scores, plausibility, suggest_box, suggest_scores
from training.prepared import PreparedSlices, read_slices

#: Slices with less lung than this are not counted: there is hardly a place to suggest.
LEAST_LUNG_MM2 = 1000.0
#: Air in lung is darker.
_AIR_BELOW = -420
#: Combinations of scores that are rarer than this are counted.
_RARE = 0.01
#: Of the boxes that scores are drawn for, mm: small, usual and large nodules.
_SIDES_MM = (8.0, 14.0, 30.0)


@dataclass(frozen=True)
class PlaceFigures:
    """How well boxes lie: share with 80 % or more in the lungs, mean share of air, and their number."""

    in_lung: float
    air: float
    boxes: int


def slices_with_lung(slices: PreparedSlices) -> list[CTSlice]:
    """Return the slices with at least 10 cm2 of lung."""
    found: list[CTSlice] = []
    for index in range(len(slices)):
        spacing = float(slices.pixel_spacing[index])
        ct_slice = CTSlice(slices.hu(index), (spacing, spacing))
        if lung_mask(ct_slice).sum() * spacing**2 >= LEAST_LUNG_MM2:
            found.append(ct_slice)
    return found


def measure_places(
    slices: Sequence[CTSlice], draw_box: Callable[[CTSlice, int], BoundingBox], boxes_each: int
) -> PlaceFigures:
    """Draw boxes in each slice, each from a seed of its own, and measure them."""
    shares: list[float] = []
    air: list[float] = []
    for number, ct_slice in enumerate(tqdm(slices, unit="slice", leave=False)):
        mask = lung_mask(ct_slice)
        for each in range(boxes_each):
            box = draw_box(ct_slice, number * boxes_each + each)
            shares.append(share_in_lung(mask, box))
            air.append(float((ct_slice.hu[box.slices] < _AIR_BELOW).mean()))
    return PlaceFigures(float(np.mean(np.array(shares) >= LEAST_SHARE_IN_LUNG)), float(np.mean(air)), len(shares))


def share_of_rare_scores(draw_scores: Callable[[int, float], NoduleAttributes], side_mm: float, count: int) -> float:
    """Return how many of `count` combinations are rarer than 1 in 100 among nodules for a box of this side."""
    return float(np.mean([plausibility(draw_scores(seed, side_mm), side_mm) < _RARE for seed in range(count)]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print two tables in Markdown; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of prepared data with whole slices")
    parser.add_argument("--boxes", type=int, default=20, help="boxes drawn in each slice")
    parser.add_argument("--scores", type=int, default=1000, help="combinations of scores drawn for each size")
    options = parser.parse_args(arguments)
    try:
        slices = slices_with_lung(read_slices(options.data, held_out=True))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    paper = measure_places(slices, lambda ct_slice, seed: paper_box(ct_slice.shape, seed), options.boxes)
    ours = measure_places(slices, suggest_box, options.boxes)
    print(f"{len(slices)} held-out slices with lung, {ours.boxes} boxes\n")
    print("| boxes | at least 80 % in lung | mean share of air |\n|---|---|---|")
    for name, figures in (("paper", paper), ("ours", ours)):
        print(f"| {name} | {figures.in_lung:.1%} | {figures.air:.1%} |")
    print("\n| box | rare scores, paper | rare scores, ours |\n|---|---|---|")
    for side_mm in _SIDES_MM:
        drawn = (lambda seed, _: paper_scores(seed), suggest_scores)
        rare = [f"{share_of_rare_scores(draw, side_mm, options.scores):.1%}" for draw in drawn]
        print(f"| {side_mm:g} mm | {' | '.join(rare)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
