"""The figures of each kind of trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from engine.nodule import ATTRIBUTE_NAMES
from engine.study_answer import MOST_CONFIDENCE, SIDES, Answer
from engine.study_figures import ALL_READERS, Answered, Confusion, Section
from engine.study_key import KeyImage
from engine.study_scores import score_agreement, score_confusions, score_figures
from engine.study_statistics import (
    NONE,
    Estimate,
    Matrix,
    Vector,
    delong,
    fleiss,
    has_auc,
    mean_correct,
    mean_weighted_kappa,
    over_readers,
    proportion,
    single,
)
from engine.study_trials import TrialKind

#: Ratings from here on say synthetic.
_SYNTHETIC_FROM = 4

Figures = dict[str, dict[str, Estimate]]
#: Tells of an answer, and what is true of its trial, whether it is correct.
Judge = Callable[[Answer, Sequence[KeyImage]], bool]


def section_of(answered: Answered) -> Section:
    """Return the figures of one kind of trial, which has answers."""
    return _SECTIONS[answered.kind](answered)


def score_of(answer: Answer) -> float:
    """Return how sure the reader was of a synthetic image, or of a nodule; the higher, the surer."""
    if answer.kind == "real_or_synthetic":
        return float(cast("int", answer.value))
    confidence = float(answer.confidence or 0)
    return confidence if answer.value is not None else -confidence


def is_positive(truth: Sequence[KeyImage]) -> bool:
    """Return whether there is something to be found: a synthetic nodule."""
    return truth[0].truth == "synthetic"


def is_hit(answer: Answer, truth: Sequence[KeyImage]) -> bool:
    """Return whether a mark lies in the box of the nodule, its edges included."""
    box = truth[0].box
    if answer.value is None or box is None:
        return False
    row, column = cast("tuple[float, float]", answer.value)
    return box[0] <= row <= box[0] + box[2] and box[1] <= column <= box[1] + box[2]


def _says_synthetic(answer: Answer) -> bool:
    return score_of(answer) >= _SYNTHETIC_FROM


def _real_or_synthetic(answered: Answered) -> Section:
    def correct(answer: Answer, truth: Sequence[KeyImage]) -> bool:
        return _says_synthetic(answer) == is_positive(truth)

    ratings = _common(answered, lambda answer: int(score_of(answer)))
    rows = ["Synthetic", "Real"]
    return Section(
        answered.kind,
        "Real or synthetic?",
        f"Ratings from 1 (surely real) to {MOST_CONFIDENCE} (surely synthetic); {_SYNTHETIC_FROM} and more count as "
        "synthetic. Accuracy 0.5 and AUC 0.5 are what guessing gets.",
        answered.trials,
        len(answered.common),
        _joined(
            _shares(answered, "Accuracy", correct),
            _shares(answered, "Synthetic taken for synthetic", correct, is_positive),
            _shares(answered, "Real taken for real", correct, lambda truth: not is_positive(truth)),
            _areas(answered),
        ),
        {
            "Fleiss' kappa, synthetic or real": fleiss((ratings >= _SYNTHETIC_FROM).astype(np.int64)),
            "Weighted kappa of ratings, mean of pairs": mean_weighted_kappa(ratings, MOST_CONFIDENCE),
        },
        {
            "True (rows) and rated": _confusion(
                answered,
                rows,
                [str(rating) for rating in range(1, MOST_CONFIDENCE + 1)],
                lambda answer, truth: (int(not is_positive(truth)), int(score_of(answer)) - 1),
            )
        },
        _curves(answered),
    )


def _forced_choice(answered: Answered) -> Section:
    def side(truth: Sequence[KeyImage]) -> int:
        return [image.truth for image in truth].index("synthetic")

    def chosen(answer: Answer) -> int:
        return SIDES.index(cast("str", answer.value))

    return Section(
        answered.kind,
        "Which one is synthetic?",
        "Two images side by side, one of them synthetic. An accuracy of 0.5 is what guessing gets.",
        answered.trials,
        len(answered.common),
        _shares(answered, "Accuracy", lambda answer, truth: chosen(answer) == side(truth)),
        {"Fleiss' kappa, left or right": fleiss(_common(answered, chosen))},
        {
            "Synthetic one (rows) and chosen": _confusion(
                answered, list(SIDES), list(SIDES), lambda answer, truth: (side(truth), chosen(answer))
            )
        },
        {},
    )


def _rate_attributes(answered: Answered) -> Section:
    ratings = _common(answered, lambda answer: cast("tuple[int, ...]", answer.value))
    return Section(
        answered.kind,
        "Rated attributes",
        "Scores that readers gave, against those asked for of synthetic nodules, and against the known ones of real "
        "nodules. Within 1: share of scores at most 1 away; by level: the mean of that share over the levels that "
        "were asked for, each counting the same. All readers: their mean score.",
        answered.trials,
        len(answered.common),
        score_figures(answered),
        score_agreement(ratings.reshape(len(ratings), len(answered.answers), len(ATTRIBUTE_NAMES))),
        score_confusions(answered),
        {},
    )


def _find_nodule(answered: Answered) -> Section:
    def places(answer: Answer, truth: Sequence[KeyImage]) -> tuple[int, int]:
        if answer.value is None:
            return int(not is_positive(truth)), 2
        return int(not is_positive(truth)), int(not is_hit(answer, truth))

    marks = _common(answered, lambda answer: int(answer.value is not None))
    return Section(
        answered.kind,
        "Find the nodule",
        "A mark is a hit if it lies in the box that the nodule was made in. AUC: of slices with a nodule against those "
        "without, by confidence, wherever the mark is.",
        answered.trials,
        len(answered.common),
        _joined(
            _shares(answered, "Nodules hit", is_hit, is_positive),
            _shares(answered, "Nodules missed, marked elsewhere", _marked_elsewhere, is_positive),
            _shares(
                answered,
                "False marks on slices without",
                lambda answer, _: answer.value is not None,
                lambda truth: not is_positive(truth),
            ),
            _areas(answered),
        ),
        {"Fleiss' kappa, nodule or none": fleiss(marks)},
        {
            "Slice (rows) and answer": _confusion(
                answered, ["With nodule", "Without"], ["Marked in the box", "Marked elsewhere", "No nodule"], places
            )
        },
        _curves(answered),
    )


def _marked_elsewhere(answer: Answer, truth: Sequence[KeyImage]) -> bool:
    return answer.value is not None and not is_hit(answer, truth)


_SECTIONS: dict[TrialKind, Callable[[Answered], Section]] = {
    "real_or_synthetic": _real_or_synthetic,
    "forced_choice": _forced_choice,
    "rate_attributes": _rate_attributes,
    "find_nodule": _find_nodule,
}


def _common(answered: Answered, value: Callable[[Answer], int | tuple[int, ...]]) -> NDArray[np.int64]:
    """Return values of the answers to the common trials: (trials, readers[, values])."""
    given = [[value(book[number]) for book in answered.answers.values()] for number in answered.common]
    return np.array(given, np.int64).reshape(len(given), len(answered.answers), *np.shape(given)[2:])


def _joined(*parts: Figures) -> Figures:
    return {reader: {name: found for part in parts for name, found in part[reader].items()} for reader in parts[0]}


def _shares(
    answered: Answered, name: str, judge: Judge, wanted: Callable[[Sequence[KeyImage]], bool] = lambda truth: True
) -> Figures:
    """Return the share of answers that pass the judge, in the trials wanted, by reader and over all."""
    figures: Figures = {}
    for reader, book in answered.answers.items():
        passed = [judge(book[number], answered.truth[number]) for number in book if wanted(answered.truth[number])]
        figures[reader] = {name: proportion(sum(passed), len(passed))}
    numbers = [number for number in answered.common if wanted(answered.truth[number])]
    books = answered.answers.values()
    table = np.array([[judge(book[number], answered.truth[number]) for number in numbers] for book in books], np.bool_)
    return figures | {ALL_READERS: {name: mean_correct(table) if numbers else NONE}}


def _areas(answered: Answered) -> Figures:
    """Return the AUC by reader and over all."""
    figures: Figures = {}
    for reader, book in answered.answers.items():
        found = _delong(answered, [book], list(book))
        figures[reader] = {"AUC": single(float(found[0][0]), float(found[1][0, 0]), len(book)) if found else NONE}
    books = list(answered.answers.values())
    found = _delong(answered, books, answered.common)
    count = len(books) * len(answered.common)
    return figures | {ALL_READERS: {"AUC": over_readers(found[0], found[1], count) if found else NONE}}


def _delong(
    answered: Answered, books: Sequence[Mapping[int, Answer]], numbers: Sequence[int]
) -> tuple[Vector, Matrix] | None:
    """Return the AUCs and their covariance; None with too few trials of either kind."""
    positive = np.array([is_positive(answered.truth[number]) for number in numbers], np.bool_)
    if not has_auc(positive):
        return None
    return delong(np.array([[score_of(book[number]) for number in numbers] for book in books]), positive)


def _curves(answered: Answered) -> dict[str, tuple[tuple[float, float], ...]]:
    """Return the empirical ROC curve of each reader who has trials of both kinds."""
    curves: dict[str, tuple[tuple[float, float], ...]] = {}
    for reader, book in answered.answers.items():
        scores = np.array([score_of(answer) for answer in book.values()])
        positive = np.array([is_positive(answered.truth[number]) for number in book], np.bool_)
        if has_auc(positive):
            levels = sorted(set(scores.tolist()), reverse=True)
            points = [
                (float((scores[~positive] >= at).mean()), float((scores[positive] >= at).mean())) for at in levels
            ]
            curves[reader] = ((0.0, 0.0), *points)
    return curves


def _confusion(
    answered: Answered,
    truths: Sequence[str],
    answers: Sequence[str],
    place: Callable[[Answer, Sequence[KeyImage]], tuple[int, int]],
) -> Confusion:
    counts = np.zeros((len(truths), len(answers)), np.int64)
    for book in answered.answers.values():
        for number, answer in book.items():
            counts[place(answer, answered.truth[number])] += 1
    return Confusion(tuple(truths), tuple(answers), tuple(map(tuple, counts.tolist())))
