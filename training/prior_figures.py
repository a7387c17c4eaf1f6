"""The paper's prior against ours, on slices of held-out patients.

    python -m training.prior_figures --data PREPARED

prints two tables. Places: the share of boxes of which at least 80 % lie in the lungs. Our prior looks for such places
in the mask that judges them here, so a second figure judges by the HU alone: the mean share of a box that is air.
Scores: how many combinations are so rare that fewer than 1 in 100 annotations of LIDC have one as rare.

Only the slices are of held-out patients: both priors are made of the annotations of all patients of LIDC, these among
them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from engine.lung_places import LungPlaces, find_lung_places
from engine.lungs import AERATED_BELOW, LEAST_SHARE_IN_LUNG, share_in_lung
from engine.nodule import BoundingBox, NoduleAttributes
from engine.prior import extent_in_box, paper_box, paper_scores, plausibility, suggest_box, suggest_scores
from training.command import command
from training.prepared import PreparedSlices, read_slices

#: Slices with less lung than this are not counted: there is hardly a place to suggest.
LEAST_LUNG_MM2 = 1000.0
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


def slices_with_lung(slices: PreparedSlices) -> list[LungPlaces]:
    """Return the lungs of the slices with at least 10 cm2 of them."""
    every = (find_lung_places(slices.ct_slice(index)) for index in range(len(slices)))
    return [lungs for lungs in every if lungs.mask.sum() * lungs.slice.pixel_spacing[0] ** 2 >= LEAST_LUNG_MM2]


def measure_places(
    slices: Sequence[LungPlaces], draw_box: Callable[[LungPlaces, int], BoundingBox], boxes_each: int
) -> PlaceFigures:
    """Draw boxes in each slice, each from a seed of its own, and measure them."""
    shares: list[float] = []
    air: list[float] = []
    for number, lungs in enumerate(tqdm(slices, unit="slice", leave=False)):
        for each in range(boxes_each):
            box = draw_box(lungs, number * boxes_each + each)
            shares.append(share_in_lung(lungs.mask, box))
            air.append(float((lungs.slice.hu[box.slices] < AERATED_BELOW).mean()))
    return PlaceFigures(float(np.mean(np.array(shares) >= LEAST_SHARE_IN_LUNG)), float(np.mean(air)), len(shares))


def share_of_rare_scores(draw_scores: Callable[[int, float], NoduleAttributes], extent_mm: float, count: int) -> float:
    """Return how many of `count` combinations are rarer than 1 in 100 among nodules of this extent."""
    return float(np.mean([plausibility(draw_scores(seed, extent_mm), extent_mm) < _RARE for seed in range(count)]))


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print two tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of prepared data with whole slices")
    parser.add_argument("--boxes", type=int, default=20, help="boxes drawn in each slice")
    parser.add_argument("--scores", type=int, default=1000, help="combinations of scores drawn for each size")
    options = parser.parse_args(arguments)
    slices = slices_with_lung(read_slices(options.data, held_out=True))
    paper = measure_places(slices, lambda lungs, seed: paper_box(lungs.slice.shape, seed), options.boxes)
    ours = measure_places(slices, lambda lungs, seed: suggest_box(lungs.slice, seed, lungs), options.boxes)
    print(f"{len(slices)} held-out slices with lung, {ours.boxes} boxes\n")
    print("| boxes | at least 80 % in lung | mean share of air |\n|---|---|---|")
    for name, figures in (("paper", paper), ("ours", ours)):
        print(f"| {name} | {figures.in_lung:.1%} | {figures.air:.1%} |")
    print("\n| box | rare scores, paper | rare scores, ours |\n|---|---|---|")
    for side_mm in _SIDES_MM:
        drawn = (lambda seed, _: paper_scores(seed), suggest_scores)
        rare = [f"{share_of_rare_scores(draw, extent_in_box(side_mm), options.scores):.1%}" for draw in drawn]
        print(f"| {side_mm:g} mm | {' | '.join(rare)} |")


if __name__ == "__main__":
    sys.exit(main())
