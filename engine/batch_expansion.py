"""From a plan to definite rows: the slice, box, scores and seed of every nodule, drawn once.

The same plan, inputs and seed give the same rows. Sources are opened one after the other, and the lungs of a slice are
found once for all nodules that are tried in it in one go through the slices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from engine.batch_balance import Draws, extent_of
from engine.batch_plan import Plan, PlanLine
from engine.batch_rows import BatchRow
from engine.batch_sources import OpenVolume, patient_identity, split_of
from engine.ct import CTVolume
from engine.errors import InputError
from engine.job_runner import failure_sentence
from engine.lung_places import LungPlaces, find_lung_places
from engine.lungs import share_in_lung
from engine.nodule import BoundingBox

#: So many slices are tried for a box that has no room in the first.
_SLICES_TRIED = 20
#: Seeds that are drawn are short enough to be typed.
_LARGEST_DRAWN_SEED = 2**31


@dataclass
class _Draft:
    """A nodule that is not decided yet: its line, which one of the line it is, and slices to try, the next one last."""

    line: PlanLine
    index: int
    slices: list[int]
    seeds: tuple[int, int, int]
    row: BatchRow | None = field(default=None)

    @property
    def seed(self) -> int:
        """Of the noise."""
        first = self.line.first_seed
        return self.seeds[0] if first is None else first + self.index


def expand(
    plan: Plan,
    volumes: OpenVolume,
    draws: Draws,
    seed: int,
    shares: tuple[int, ...],
    progress: Callable[[int], object] = lambda _: None,
    tell: Callable[[str], object] = lambda _: None,
) -> list[BatchRow]:
    """Return the rows of a plan, in its order; what cannot be made is a row with a problem.

    Parameters
    ----------
    volumes : OpenVolume
    draws : Draws
        Draws what the plan leaves open.
    seed : int
        Of everything that is drawn.
    shares : see `engine.batch_sources.split_of`
    progress : called with the number of nodules that were decided
    tell : called with a sentence on an input that cannot be used, its names and UIDs left in: for people at the screen
    """
    found = [BatchRow(0, number, problem) for number, problem in plan.problems.items()]
    for (source, series_uid), lines in _by_source(plan.lines.values()):
        try:
            volume = volumes.read(source, series_uid)
            found += _rows_of_volume(volume, lines, draws, seed, shares, progress)
        except Exception as error:
            # Whatever a file may do to its reader, the other files are read.
            reason = failure_sentence(error, "The input could not be used")
            tell(f"Line {lines[0].number}: {reason}")
            found += [_refused(line, reason) for line in lines for _ in range(line.count)]
    ordered = sorted(found, key=lambda row: row.line)
    return [replace(row, number=number) for number, row in enumerate(ordered, 1)]


def _rows_of_volume(
    volume: CTVolume,
    lines: Iterable[PlanLine],
    draws: Draws,
    seed: int,
    shares: tuple[int, ...],
    progress: Callable[[int], object],
) -> list[BatchRow]:
    rows: list[BatchRow] = []
    drafts = [draft for line in lines for draft in _drafts(line, volume, seed, rows)]
    _decide(drafts, volume, draws, progress)
    identity = patient_identity(volume)
    return rows + [_of_patient(draft.row, identity, shares) for draft in drafts if draft.row is not None]


def _by_source(lines: Iterable[PlanLine]) -> Iterable[tuple[tuple[Path, str | None], list[PlanLine]]]:
    """Return lines by what they open, in the order in which that first stands in the plan."""
    sources: dict[tuple[Path, str | None], list[PlanLine]] = {}
    for line in lines:
        sources.setdefault((line.source, line.series_uid), []).append(line)
    return sources.items()


def _refused(line: PlanLine, reason: str) -> BatchRow:
    return BatchRow(0, line.number, line.about(reason))


def _of_patient(row: BatchRow, identity: str, shares: tuple[int, ...]) -> BatchRow:
    from engine.export_identity import pseudonym

    return row if row.problem else replace(row, patient=pseudonym(identity), split=split_of(identity, shares))


def _drafts(line: PlanLine, volume: CTVolume, seed: int, found: list[BatchRow]) -> list[_Draft]:
    """Return the nodules of a line, each with slices and seeds of its own; rows with a problem go to `found`."""
    first, last = line.slices or (0, len(volume) - 1)
    try:
        volume.slice_at(last)
    except InputError as error:
        found += [_refused(line, str(error))] * line.count
        return []
    drafts: list[_Draft] = []
    for index in range(line.count):
        draw = np.random.default_rng([seed, line.number, index])
        slices: list[int] = (first + draw.permutation(last - first + 1)[:_SLICES_TRIED]).tolist()
        noise, place, scores = (int(drawn) for drawn in draw.integers(_LARGEST_DRAWN_SEED, size=3))
        drafts.append(_Draft(line, index, slices, (noise, place, scores)))
    return drafts


def _decide(drafts: list[_Draft], volume: CTVolume, draws: Draws, progress: Callable[[int], object]) -> None:
    """Give each draft its row, slice by slice; those without room in their slice go on to their next one."""
    lungless: set[int] = set()
    waiting: list[_Draft] = drafts
    while waiting:
        by_slice = groupby(sorted(waiting, key=lambda draft: draft.slices[-1]), lambda draft: draft.slices[-1])
        for index, group in by_slice:
            places = None if index in lungless else find_lung_places(volume.slice_at(index))
            if places is not None and not places.mask.any():
                lungless.add(index)
            for draft in group:
                _decide_in_slice(draft, index, volume, places, draws)
                progress(draft.row is not None)
        waiting = [draft for draft in drafts if draft.row is None]


def _decide_in_slice(draft: _Draft, index: int, volume: CTVolume, places: LungPlaces | None, draws: Draws) -> None:
    try:
        if places is None:
            raise InputError("There is no lung in the slices that were tried; name slices with lung.")
        draft.row = _decided(draft, index, places, draws)
    except InputError as error:
        draft.slices.pop()
        if not draft.slices or draft.line.box is not None:
            draft.row = _refused(draft.line, str(error))


def _decided(draft: _Draft, index: int, places: LungPlaces, draws: Draws) -> BatchRow:
    line, ct_slice = draft.line, places.slice
    _, place_seed, score_seed = draft.seeds
    if line.box is None:
        box = draws.box(places, line.extent_mm, place_seed)
    else:
        box = BoundingBox(*line.box, slice_shape=ct_slice.shape)
    box.check_side(ct_slice.pixel_spacing)
    extent = extent_of(box, ct_slice.pixel_spacing)
    attributes = draws.scores(line.scores, extent, score_seed)
    from_lungs = places.from_middle_mm(box) if places.mask.any() else None
    draws.count(attributes, extent, from_lungs)
    return BatchRow(
        number=0,
        line=line.number,
        slice_index=index,
        box=(box.row, box.column, box.side),
        scores=attributes.scores,
        seed=draft.seed,
        input_sha256=ct_slice.sha256(),
        lung_share=round(share_in_lung(places.mask, box), 4),
        from_lungs_mm=from_lungs and (round(from_lungs[0], 2), round(from_lungs[1], 2)),
    )
