"""What a study can be made of: how many images of which truth there are, and how many trials they are enough for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.study import TRIAL_KINDS, TrialKind
from studio.background import Progress

if TYPE_CHECKING:
    from engine.study_sources import Sources

#: No study of a kind has more trials.
_MOST = 999


@dataclass(frozen=True)
class Survey:
    """What there is.

    Attributes
    ----------
    synthetic, real, no_nodule : int
        Images.
    possible : by kind
        The most trials that these are enough for.
    problem : str
        Why the sources cannot be read, or do not fit into the crop, as one sentence; empty if they do.
    sources : Sources or None
        What was read, to be looked through again for other crops.
    """

    synthetic: int = 0
    real: int = 0
    no_nodule: int = 0
    possible: Mapping[TrialKind, int] | None = None
    problem: str = ""
    sources: Sources | None = None


def survey(
    synthetic: Sequence[Path],
    real: Sequence[Path],
    crop_mm: float | None,
    progress: Progress,
    sources: Sources | None = None,
) -> Survey:
    """Look through the sources of a study, which are read if they are not given. Takes some ms an image."""
    from engine.study_choosing import check_crop
    from engine.study_sources import read_sources

    found = sources
    try:
        found = found or read_sources(synthetic, real, lambda done, count: progress(done / max(1, count)))
        check_crop(found, crop_mm)
    except InputError as error:
        return Survey(problem=str(error), sources=found)
    possible: dict[TrialKind, int] = {kind: _most(kind, found, crop_mm, progress) for kind in TRIAL_KINDS}
    return Survey(len(found.synthetic), len(found.real), len(found.no_nodule), possible, sources=found)


def _most(kind: TrialKind, sources: Sources, crop_mm: float | None, progress: Progress) -> int:
    """Return the most trials of a kind, by halving: if there are enough images for n, there are for n - 1."""
    needs_real = kind in ("real_or_synthetic", "forced_choice")
    low, high = 0, min(_MOST, 2 * len(sources.synthetic)) if sources.real or not needs_real else 0
    while low < high:
        progress(1.0)
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _is_enough(kind, middle, sources, crop_mm) else (low, middle - 1)
    return low


def _is_enough(kind: TrialKind, count: int, sources: Sources, crop_mm: float | None) -> bool:
    import numpy as np

    from engine.study_choosing import choose

    try:
        choose({kind: count}, sources, crop_mm, np.random.default_rng(0))
    except InputError:
        return False
    return True
