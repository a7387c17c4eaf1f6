"""Scores that readers gave to a nodule's attributes, against those that were asked for or are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from engine.nodule import ATTRIBUTE_NAMES
from engine.study_answer import MOST_SCORE, Answer
from engine.study_figures import ALL_READERS, Answered, Confusion
from engine.study_statistics import (
    NONE,
    Estimate,
    contingency,
    fleiss,
    mean_weighted_kappa,
    proportion,
    spearman,
)

#: What is true of a nodule, and how figures of it are called.
_TRUTHS = {"synthetic": "asked for", "real": "known, real"}

Pairs = tuple[list[int], list[float]]


def score_figures(answered: Answered) -> dict[str, dict[str, Estimate]]:
    """Return rank correlation and shares within 1 by reader and over all, of each attribute.

    Every reader has the same ones, though without a value where that reader has rated no such nodule yet.
    """
    there = {known.truth for (known, *_) in answered.truth.values() if known.scores}
    figures: dict[str, dict[str, Estimate]] = {}
    for reader in (*answered.answers, ALL_READERS):
        figures[reader] = {}
        for truth, told in _TRUTHS.items():
            for index, name in enumerate(ATTRIBUTE_NAMES):
                if truth == "synthetic" or truth in there:
                    pairs = _pairs(answered, reader, truth, index)
                    figures[reader] |= _compared(f"{name.capitalize()} ({told})", pairs)
    return figures


def score_agreement(ratings: NDArray[np.int64]) -> dict[str, float | None]:
    """Return kappas between readers of each attribute; `ratings` is (trials, readers, attributes)."""
    found: dict[str, float | None] = {}
    for index, name in enumerate(ATTRIBUTE_NAMES):
        found[f"{name.capitalize()}: Fleiss' kappa"] = fleiss(ratings[:, :, index])
        weighted = mean_weighted_kappa(ratings[:, :, index], MOST_SCORE)
        found[f"{name.capitalize()}: weighted kappa, mean of pairs"] = weighted
    return found


def score_confusions(answered: Answered) -> dict[str, Confusion]:
    """Count scores asked for of synthetic nodules (rows) and rated, over all readers, of each attribute."""
    levels = tuple(str(level) for level in range(1, MOST_SCORE + 1))
    tables: dict[str, Confusion] = {}
    for index, name in enumerate(ATTRIBUTE_NAMES):
        counts = np.zeros((MOST_SCORE, MOST_SCORE), np.int64)
        for reader in answered.answers:
            asked, rated = _pairs(answered, reader, "synthetic", index)
            counts += contingency(asked, [int(score) for score in rated], MOST_SCORE)
        tables[f"{name.capitalize()}: asked for (rows) and rated"] = Confusion(
            levels, levels, tuple(map(tuple, counts.tolist()))
        )
    return tables


def within_one_by_level(asked: Sequence[int], rated: Sequence[float]) -> float | None:
    """Return the share within 1 of what was asked for, as a mean over the levels asked for."""
    if not asked:
        return None
    near = np.abs(np.subtract(rated, asked)) <= 1
    return float(np.mean([near[np.equal(asked, level)].mean() for level in sorted(set(asked))]))


def _pairs(answered: Answered, reader: str, truth: str, index: int) -> Pairs:
    """Return the scores of one attribute that are true, and those that a reader gave."""
    asked: list[int] = []
    rated: list[float] = []
    numbers = answered.common if reader == ALL_READERS else tuple(answered.answers[reader])
    for number in numbers:
        known = answered.truth[number][0]
        score = known.scores[index] if known.scores and known.truth == truth else None
        if score is not None:
            asked.append(score)
            rated.append(_rated(answered, reader, number, index))
    return asked, rated


def _rated(answered: Answered, reader: str, number: int, index: int) -> float:
    """Return the score that a reader gave; the mean of all."""
    books = answered.answers.values() if reader == ALL_READERS else (answered.answers[reader],)
    return float(np.mean([_scores(book[number])[index] for book in books]))


def _scores(answer: Answer) -> tuple[int, ...]:
    return cast("tuple[int, ...]", answer.value)


def _compared(name: str, pairs: Pairs) -> dict[str, Estimate]:
    asked, rated = pairs
    near = sum(abs(one - other) <= 1 for one, other in zip(asked, rated, strict=True))
    count = len(asked)
    by_level = within_one_by_level(asked, rated)
    return {
        f"{name}: Spearman": Estimate(spearman(asked, rated), count=count),
        f"{name}: within 1": proportion(near, count),
        f"{name}: within 1 by level": Estimate(by_level, count=count) if count else NONE,
    }
