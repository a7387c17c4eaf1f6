"""Choose which images make the trials of a study, and in what order they are numbered."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.study_sources import Source, Sources
from engine.study_trials import TRIAL_KINDS, TrialKind

#: Asks what is synthetic.
_TOLD_APART: tuple[TrialKind, ...] = ("real_or_synthetic", "forced_choice")
#: What makes two nodules unlike: a ratio of 1.35 between their boxes' sides counts as much as 60 mm between places.
_SIDE_DEVIATION, _PLACE_DEVIATION_MM = 0.3, 60.0
_SIZES = "of sizes that both sorts have"


@dataclass(frozen=True)
class Item:
    """A trial to be: its kind, and its sources (left, right for a forced choice)."""

    kind: TrialKind
    sources: tuple[Source, ...]


def choose(
    counts: Mapping[TrialKind, int], sources: Sources, crop_mm: float | None, draw: np.random.Generator
) -> list[Item]:
    """Return the trials in the order of their numbers.

    Raises
    ------
    InputError
        If no trial is asked for, a nodule does not fit into its crop, or the sources are not enough: it says how many
        of which are missing.
    """
    wanted = {kind: counts.get(kind, 0) for kind in TRIAL_KINDS}
    if not any(wanted.values()):
        raise InputError(f"The study has no trials; give a count to one or more of {', '.join(TRIAL_KINDS)}.")
    if any(wanted[kind] for kind in _TOLD_APART):
        check_crop(sources, crop_mm)
    made, real = _one_a_place(sources, crop_mm, draw)
    told_apart = [
        *_real_or_synthetic(wanted["real_or_synthetic"], made, real, crop_mm),
        *_forced_choice(wanted["forced_choice"], made, real, crop_mm, draw),
    ]
    shown = {source.scene for item in told_apart for source in item.sources}
    items = [
        *_find_nodule(wanted["find_nodule"], sources, shown, draw),
        *told_apart,
        *_rate_attributes(wanted["rate_attributes"], sources, draw),
    ]
    return [items[index] for index in draw.permutation(len(items))]


def check_crop(sources: Sources, crop_mm: float | None) -> None:
    """Refuse crops that do not hold all nodules.

    Raises
    ------
    InputError
        If there is a larger box: it says which.
    """
    if crop_mm is None:
        return
    for source in (*sources.synthetic, *sources.real):
        side = source.nodule_box.side_mm(source.image.pixel_spacing)
        if side > crop_mm:
            raise InputError(
                f"The box of {side:.1f} mm in {source.line or source.path} does not fit into crops of {crop_mm:g} mm; "
                "give a larger crop."
            )


def searched_and_asked(items: Sequence[Item]) -> int:
    """Return how many slices readers search in find_nodule and are asked about, too: they know what was made there."""
    asked = {source.scene for item in items if item.kind in _TOLD_APART for source in item.sources}
    return sum(item.kind == "find_nodule" and item.sources[0].scene in asked for item in items)


def _find_nodule(count: int, sources: Sources, shown: set[str], draw: np.random.Generator) -> list[Item]:
    """Take scenes that are not shown in other trials as far as there are any."""
    kind: TrialKind = "find_nodule"
    # Where several nodules were put into a slice one after the other, finding the first would count as a mistake.
    alone = [source for source in sources.synthetic if source.is_alone]
    plain = _sized_like(alone, sources.no_nodule)
    found = _last(_apart(_sized_like(sources.no_nodule, alone), None, draw), shown)
    wanted, scenes = count - count // 2, {source.scene for source in plain}
    if len(scenes - {source.scene for source in found[:wanted]}) < count // 2:
        found = _last(found, scenes)  # These are needed to show slices without a nodule.
    nodules = _needed(kind, found, wanted, f"synthetic nodules on different slices {_SIZES}")
    taken = {source.scene for source in nodules}
    free = [source for source in plain if source.scene not in taken]
    empty = _needed(kind, _last(_apart(free, None, draw), shown), count // 2, f"other slices without a nodule {_SIZES}")
    return [Item(kind, (source,)) for source in (*nodules, *empty)]


def _sized_like(others: Sequence[Source], sources: Sequence[Source]) -> list[Source]:
    """Leave out images of a size that none of the others has, if there are any: a black margin, or none, tells them."""
    sizes = {other.image.shape for other in others}
    return [source for source in sources if not sizes or source.image.shape in sizes]


def _last(sources: Sequence[Source], scenes: set[str]) -> list[Source]:
    """Return sources, those of these scenes last."""
    return sorted(sources, key=lambda source: source.scene in scenes)


def _one_a_place(
    sources: Sources, crop_mm: float | None, draw: np.random.Generator
) -> tuple[list[Source], list[Source]]:
    """Return synthetic and real nodules, one a place: where another one was before, the synthetic one would be known.

    How many there are is not left to chance.
    """
    made = _apart(_elsewhere(sources.synthetic, sources.real, crop_mm), crop_mm, draw)
    real = _apart(sources.real, crop_mm, draw)
    return (made, real) if crop_mm is not None else (_sized_like(real, made), _sized_like(made, real))


def _real_or_synthetic(count: int, made: Sequence[Source], real: Sequence[Source], crop_mm: float | None) -> list[Item]:
    kind: TrialKind = "real_or_synthetic"
    ones, others = _alike(kind, (count - count // 2, count // 2), made, real, crop_mm)
    return [Item(kind, (source,)) for source in (*ones, *others)]


def _forced_choice(
    count: int, made: Sequence[Source], real: Sequence[Source], crop_mm: float | None, draw: np.random.Generator
) -> list[Item]:
    kind: TrialKind = "forced_choice"
    ones, others = _alike(kind, (count, count), made, real, crop_mm)
    lefts = draw.permutation(count) < count / 2
    pairs = zip(ones, others, lefts, strict=True)
    return [Item(kind, (one, other) if left else (other, one)) for one, other, left in pairs]


def _rate_attributes(count: int, sources: Sources, draw: np.random.Generator) -> list[Item]:
    kind: TrialKind = "rate_attributes"
    scored = [source for source in sources.real if source.scores]
    reals = count // 2 if scored else 0
    asked = _apart([source for source in sources.synthetic if any(source.scores or ())], None, draw)
    # Slices with nodules of both sorts are needed for the synthetic ones.
    found = _last(_apart(scored, None, draw), {source.scene for source in asked})
    known = _needed(kind, found, reals, "real nodules with scores on different slices")
    made = _needed(kind, _elsewhere(asked, known, None), count - reals, "synthetic nodules on different slices")
    return [Item(kind, (source,)) for source in (*made, *known)]


def _alike(
    kind: TrialKind, counts: tuple[int, int], made: Sequence[Source], real: Sequence[Source], crop_mm: float | None
) -> tuple[list[Source], list[Source]]:
    """Return synthetic and real nodules, as many as `counts` says; of each, those with one number are alike."""
    where = f"on different slices {_SIZES}" if crop_mm is None else f"on different slices or {crop_mm:g} mm apart"
    _needed(kind, made, counts[0], f"synthetic nodules {where}")
    _needed(kind, real, counts[1], f"real nodules {where}")
    unlike = np.array([[_unlikeness(one, other) for other in real] for one in made]).reshape(len(made), len(real))
    # Pairs that are as much alike as can be over all; of these, the best.
    found: Any = import_module("scipy.optimize").linear_sum_assignment(unlike)
    best = sorted(zip(*found, strict=True), key=lambda pair: unlike[pair])[: counts[1]]
    paired = [int(row) for row, _ in best]
    alone = [index for index in range(len(made)) if index not in paired]
    chosen = [made[index] for index in [*paired, *alone][: counts[0]]]
    return chosen, [real[int(column)] for _, column in best]


def _unlikeness(one: Source, other: Source) -> float:
    """How far apart two nodules are in place on their slices, and in the size of their boxes."""
    sides = [source.nodule_box.side_mm(source.image.pixel_spacing) for source in (one, other)]
    places = [_from_middle_mm(source) for source in (one, other)]
    return abs(math.log(sides[0] / sides[1])) / _SIDE_DEVIATION + math.dist(*places) / _PLACE_DEVIATION_MM


def _from_middle_mm(source: Source) -> tuple[float, float]:
    box, (row_mm, column_mm) = source.nodule_box, source.image.pixel_spacing
    row, column = box.centre
    rows, columns = source.image.shape
    return (row - rows / 2) * row_mm, (column - columns / 2) * column_mm


def _apart(sources: Sequence[Source], crop_mm: float | None, draw: np.random.Generator) -> list[Source]:
    """Return sources in random order without those that show what another one shows; how many is not left to chance."""
    mixed = [sources[int(index)] for index in draw.permutation(len(sources))]
    scenes: dict[str, list[Source]] = {}
    for source in mixed:
        scenes.setdefault(source.scene, []).append(source)
    kept = {source for scene in scenes.values() for source in _most_apart(scene, crop_mm)}
    return [source for source in mixed if source in kept]


def _most_apart(scene: Sequence[Source], crop_mm: float | None) -> list[Source]:
    """Return sources of one scene that do not overlap.

    Taking one that overlaps only with sources that all overlap one another never costs another: of these, one could
    be kept at most. Where there is no such one, the one with the fewest is taken.
    """
    if crop_mm is None:
        return list(scene[:1])  # All show the same slice.
    kept: list[Source] = []
    # In an order that is not random, but for those at one place: what is kept may depend on it, and how many.
    ordered = sorted(scene, key=lambda source: source.nodule_box.centre)
    near = {source: {other for other in scene if _overlap(source, other, crop_mm)} for source in ordered}
    while near:
        free = (source for source, around in near.items() if all(around <= near[other] for other in around))
        kept.append(next(free, min(near, key=lambda source: len(near[source]))))
        gone = near[kept[-1]]
        near = {source: around - gone for source, around in near.items() if source not in gone}
    return kept


def _elsewhere(sources: Sequence[Source], others: Sequence[Source], crop_mm: float | None) -> list[Source]:
    """Leave out what would show what one of others shows."""
    return [source for source in sources if not any(_overlap(source, other, crop_mm) for other in others)]


def _overlap(one: Source, other: Source, crop_mm: float | None) -> bool:
    """Would both be recognised as the same place?"""
    if one.scene != other.scene:
        return False
    if crop_mm is None:
        return True
    row_mm, column_mm = one.image.pixel_spacing
    (row, column), (other_row, other_column) = one.nodule_box.centre, other.nodule_box.centre
    return max(abs(row - other_row) * row_mm, abs(column - other_column) * column_mm) < crop_mm


def _needed(kind: TrialKind, found: Sequence[Source], count: int, what: str) -> Sequence[Source]:
    """Return so many of what was found, or say how many are missing."""
    if len(found) < count:
        raise InputError(
            f"{kind} needs {count} {what} and there are {len(found)}; add {count - len(found)} or ask for fewer trials."
        )
    return found[:count]
