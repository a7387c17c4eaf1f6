"""Read-back: measures a finished nodule and reads its scores as LIDC's readers would give them.

    read_back(result.slice, result.measurement)     the five scores, or None
    result.measurement.scores["texture"].score      the same, as it comes with every result

Free of torch until it is called. Without the scorer's folder nothing is read, and all else works.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from engine.checkpoint import CHECKPOINTS
from engine.ct import CTSlice
from engine.errors import InputError
from engine.measurement import NoduleMeasurement, measure_nodule
from engine.nodule import BoundingBox
from engine.score_reading import ReadBack

if TYPE_CHECKING:
    from engine.scorer import Scorer

#: The scorer that comes with the program.
DEFAULT_SCORER = CHECKPOINTS / "scorer"

logger = logging.getLogger(__name__)


def measure_and_read(before: CTSlice | None, after: CTSlice, box: BoundingBox) -> NoduleMeasurement:
    """Measure the nodule in `box` of `after`, as `engine.measurement.measure_nodule` does, and read its scores."""
    measurement = measure_nodule(before, after, box)
    return replace(measurement, scores=read_back(after, measurement))


def read_back(ct_slice: CTSlice, measurement: NoduleMeasurement) -> ReadBack | None:
    """Return the five scores of a measured nodule; None if no nodule was found, or there is no scorer."""
    scorer = _scorer(DEFAULT_SCORER)
    return scorer.read(ct_slice, measurement) if scorer else None


@lru_cache(maxsize=1)
def _scorer(folder: Path) -> Scorer | None:
    """Load a scorer once. One that is damaged must not cost the user a finished nodule: it is as if there was none."""
    if not folder.is_dir():
        return None
    from engine.scorer import load_scorer

    try:
        return load_scorer(folder)
    except InputError as error:
        logger.warning("%s", error)
        return None
