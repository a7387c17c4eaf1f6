"""A small study of noise, written without a build: for tests of reading, answering and analysing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.ct import LUNG, CTSlice
from engine.study import MOST_CONFIDENCE, Answer, Study, Trial, TrialKind
from engine.study_trials import TRIAL_KINDS, TrialImages, write_study

SHAPE = (40, 48)
BOX = (10, 14, 9)
UID = "5f0f5f63-5b05-4a35-8d54-1b2b36a9a3a7"


def made_up_study(
    folder: Path,
    readers: tuple[str, ...] = ("anna", "ben", "R-3"),
    counts: dict[TrialKind, int] | None = None,
    key_sha256: str = "0" * 64,
    shape: tuple[int, int] = SHAPE,
) -> Study:
    """Write a study with trials of noise, kind after kind; without counts, two of each kind."""
    counts = counts or dict.fromkeys(TRIAL_KINDS, 2)
    draw = np.random.default_rng(5)

    def ct_slice() -> CTSlice:
        return CTSlice(draw.integers(-1000, 400, shape).astype(np.int16), (0.7, 0.7))

    trials = [
        TrialImages(
            kind,
            tuple(ct_slice() for _ in range(2 if kind == "forced_choice" else 1)),
            BOX if kind == "rate_attributes" else None,
        )
        for kind, count in counts.items()
        for _ in range(count)
    ]
    return write_study(folder, "Noise", readers, trials, LUNG, UID, 11, key_sha256)


def made_up_answer(trial: Trial, draw: np.random.Generator, seconds: float = 2.5) -> Answer:
    """Return an answer at random."""
    confidence = None
    match trial.kind:
        case "real_or_synthetic":
            value = int(draw.integers(1, MOST_CONFIDENCE + 1))
        case "forced_choice":
            value = ("left", "right")[int(draw.integers(2))]
        case "rate_attributes":
            value = tuple(int(score) for score in draw.integers(1, 6, 5))
        case "find_nodule":
            value = (float(draw.uniform(0, trial.shape[0])), float(draw.uniform(0, trial.shape[1])))
            confidence = int(draw.integers(1, MOST_CONFIDENCE + 1))
    return Answer(trial.number, trial.kind, value, confidence, seconds, "2031-05-09T14:03:59+00:00")
