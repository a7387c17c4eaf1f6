"""What a reader study has shown: its figures, from the readers' answers and the key.

Each reader's figures are of all that the reader answered. Those over all readers are of the trials that every reader
with any answer to that kind has answered, for readers and cases drawn at random, or for cases alone, where attributes
were rated; see `engine.study_statistics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from engine.errors import InputError
from engine.study import answers_path, read_answers
from engine.study_answer import Answer
from engine.study_figures import Answered, StudyFigures, Times
from engine.study_key import Key, read_key
from engine.study_sections import section_of
from engine.study_trials import TRIAL_KINDS, Study, TrialKind, open_study


def analyse_study(folder: Path, key: Path) -> StudyFigures:
    """Compute the figures of a study.

    Raises
    ------
    InputError
        If the key is not the one that the study was sealed with, answers are damaged or of unknown trials, or there are
        none.
    """
    study = open_study(folder)
    truth = read_key(study, key)
    answers = {reader: read_answers(study, reader) for reader in study.readers}
    _check_files(study)
    if not any(answers.values()):
        raise InputError(f"{folder} has no answers yet; analyse the study when its readers have read.")
    kinds = [answered for kind in TRIAL_KINDS if (answered := _answered(kind, study, truth, answers)).answers]
    return StudyFigures(
        study,
        truth,
        answers,
        tuple(section_of(answered) for answered in kinds),
        {answered.kind: _times(answered) for answered in kinds},
        _warnings(study, answers),
    )


def _check_files(study: Study) -> None:
    """Refuse answers of readers whom the study does not know: a renamed file would be left out silently."""
    known = {answers_path(study, reader).name for reader in study.readers}
    folder = answers_path(study, study.readers[0]).parent
    for path in sorted(folder.glob("*.jsonl")):
        # Systems put hidden files of their own beside others.
        if path.name not in known and not path.name.startswith("."):
            raise InputError(f"{path} is of no reader of this study; name it after one of {', '.join(study.readers)}.")


def _answered(kind: TrialKind, study: Study, key: Key, answers: Mapping[str, Mapping[int, Answer]]) -> Answered:
    numbers = [trial.number for trial in study.trials if trial.kind == kind]
    given = {reader: {number: book[number] for number in numbers if number in book} for reader, book in answers.items()}
    begun = {reader: book for reader, book in given.items() if book}
    common = tuple(number for number in numbers if all(number in book for book in begun.values()))
    return Answered(kind, len(numbers), begun, {number: key.images[number] for number in numbers}, common)


def _times(answered: Answered) -> dict[str, Times]:
    times: dict[str, Times] = {}
    for reader, book in answered.answers.items():
        lower, median, upper = np.percentile([answer.seconds for answer in book.values()], (25, 50, 75))
        times[reader] = Times(len(book), float(lower), float(median), float(upper))
    return times


def _warnings(study: Study, answers: Mapping[str, Mapping[int, Answer]]) -> tuple[str, ...]:
    total = len(study.trials)
    unfinished = {reader: len(book) for reader, book in answers.items() if len(book) < total}
    found = [
        f"{reader} has answered {count} of {total} trials."
        if count
        else f"{reader} has not begun, and is in none of the figures."
        for reader, count in unfinished.items()
    ]
    if any(unfinished.values()):
        found.append("Figures over all readers are of the trials that all who began that kind have answered.")
    return tuple(found)
