"""What generated slices are asked to show: the same boxes, scores and noise for every generator that is compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np

from engine.errors import InputError
from engine.nodule import BoundingBox, NoduleAttributes
from engine.prior import paper_box, paper_scores, suggest_for_generation
from training.prepared import SLICE_SIZE, PreparedSlices, ReaderNodule


@dataclass(frozen=True)
class SliceCondition:
    """One slice to be generated.

    Attributes
    ----------
    box : row, column, side in pixels of the slice
    scores : five from 1 to 5 in the order of Table 1; 0 where not given
    spacing_mm : of a pixel
    seed : of the noise
    """

    box: tuple[int, int, int]
    scores: tuple[int, ...]
    spacing_mm: float
    seed: int

    def digest(self) -> str:
        """Name the condition: two are equal if their digests are."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:24]


def draw_reading(readings: list[ReaderNodule], generator: np.random.Generator) -> ReaderNodule:
    """Draw a nodule of a slice, each equally probable, and then one of its readers, as training does."""
    nodules = sorted({reading.nodule for reading in readings})
    nodule = nodules[generator.integers(len(nodules))]
    seen = [reading for reading in readings if reading.nodule == nodule]
    return seen[generator.integers(len(seen))]


def with_all_scores(slices: PreparedSlices) -> tuple[PreparedSlices, dict[str, int]]:
    """Leave readings out that lack a score: what a generator that was always given all five has never seen.

    Returns
    -------
    The slices with only such readings, or as they are where there are none; and how many ``readings`` they had, of
    which how many were ``complete``.
    """
    complete = [[reading for reading in readings if all(reading.scores)] for readings in slices.nodules]
    counts = {"readings": sum(map(len, slices.nodules)), "complete": sum(map(len, complete))}
    return replace(slices, nodules=complete) if counts["complete"] else slices, counts


def draw_conditions(slices: PreparedSlices, count: int, seed: int = 0, prior: str = "data") -> list[SliceCondition]:
    """Draw conditions; condition i does not depend on `count`, so that more of them begin with the same ones.

    Parameters
    ----------
    slices : real ones
    prior : one of `PRIORS`
        "data": a slice, a nodule in it, a reader; box, scores and spacing go together. That is the joint prior of the
        data itself, so that what differs between generated and real slices is not where and how large their nodules
        are. "studio": what the studio suggests, `engine.prior.suggest_for_generation`. "paper": box and scores as the
        paper draws them (section 3.2), the spacing from the slices.

    Raises
    ------
    InputError
        If no slice has a nodule.
    """
    with_nodule = [index for index, readings in enumerate(slices.nodules) if readings]
    if not with_nodule:
        raise InputError("No slice has a nodule whose box could be asked for; prepare or import slices with nodules.")
    draw = PRIORS[prior]
    generators = (np.random.default_rng([seed, index]) for index in range(count))
    return [draw(slices, with_nodule[g.integers(len(with_nodule))], g) for g in generators]


def _from_data(slices: PreparedSlices, chosen: int, generator: np.random.Generator) -> SliceCondition:
    reading = draw_reading(slices.nodules[chosen], generator)
    row, column, side = reading.box
    return SliceCondition(
        box=(int(row), int(column), int(side)),
        scores=tuple(int(score) for score in reading.scores),
        spacing_mm=round(float(slices.pixel_spacing[chosen]), 4),
        seed=_seed(generator),
    )


def _from_studio(_slices: PreparedSlices, _chosen: int, generator: np.random.Generator) -> SliceCondition:
    box, spacing_mm, attributes = suggest_for_generation(_seed(generator))
    return _condition(box, attributes, spacing_mm, generator)


def _from_paper(slices: PreparedSlices, chosen: int, generator: np.random.Generator) -> SliceCondition:
    box, attributes = paper_box((SLICE_SIZE, SLICE_SIZE), _seed(generator)), paper_scores(_seed(generator))
    return _condition(box, attributes, float(slices.pixel_spacing[chosen]), generator)


def _condition(
    box: BoundingBox, attributes: NoduleAttributes, spacing_mm: float, generator: np.random.Generator
) -> SliceCondition:
    scores = tuple(score or 0 for score in attributes.scores)
    return SliceCondition((box.row, box.column, box.side), scores, round(spacing_mm, 4), _seed(generator))


def _seed(generator: np.random.Generator) -> int:
    return int(generator.integers(2**31))


#: Where conditions come from; see `draw_conditions`.
PRIORS: dict[str, Callable[[PreparedSlices, int, np.random.Generator], SliceCondition]] = {
    "data": _from_data,
    "studio": _from_studio,
    "paper": _from_paper,
}
