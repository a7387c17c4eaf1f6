"""The figures of a reader study, as `engine.study_analysis` finds them and `engine.study_report` shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.study_answer import Answer
from engine.study_key import Key, KeyImage
from engine.study_statistics import Estimate
from engine.study_trials import Study, TrialKind

ALL_READERS = "All readers"


@dataclass(frozen=True)
class Confusion:
    """How often what was true (rows) was answered with what (columns), over all readers."""

    truths: tuple[str, ...]
    answers: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Section:
    """The figures of one kind of trial.

    Attributes
    ----------
    kind : TrialKind
    title : str
    method : str
        What the figures mean, for people.
    trials : int
        Of this kind.
    common : int
        Trials that all readers who began this kind have answered: what figures over all rest on, and agreement.
    figures : by reader, `ALL_READERS` last; then by name
    agreement : by name
        Between readers: kappas.
    confusions : by name
    curves : by reader
        ROC: (share of false positives, share of true positives), from (0, 0) to (1, 1).
    """

    kind: TrialKind
    title: str
    method: str
    trials: int
    common: int
    figures: Mapping[str, Mapping[str, Estimate]]
    agreement: Mapping[str, float | None]
    confusions: Mapping[str, Confusion]
    curves: Mapping[str, tuple[tuple[float, float], ...]]


@dataclass(frozen=True)
class Times:
    """Seconds that a reader took for the trials of one kind."""

    answers: int
    lower_quartile: float
    median: float
    upper_quartile: float


@dataclass(frozen=True)
class StudyFigures:
    """All that a study has shown.

    Attributes
    ----------
    study : Study
    key : Key
    answers : by reader, then by the number of the trial
    sections : one a kind that has answers, in the order of `TRIAL_KINDS`
    times : by kind, then by reader
    warnings : tuple of str
        Who has not finished, and what follows.
    """

    study: Study
    key: Key
    answers: Mapping[str, Mapping[int, Answer]]
    sections: tuple[Section, ...]
    times: Mapping[TrialKind, Mapping[str, Times]]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Answered:
    """The answers to the trials of one kind, and what is true of these.

    Attributes
    ----------
    answers : by reader with any, then by the number of the trial
    truth : by the number of the trial
    common : numbers of the trials that all of these readers have answered
    """

    kind: TrialKind
    trials: int
    answers: Mapping[str, Mapping[int, Answer]]
    truth: Mapping[int, tuple[KeyImage, ...]]
    common: tuple[int, ...]
