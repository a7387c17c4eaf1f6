"""The report of a reader study: HTML and PDF for people, CSV for other programs.

| file                        | what                                                                              |
|-----------------------------|-----------------------------------------------------------------------------------|
| report.html, report.pdf     | all figures, with plots; the HTML needs no other file                             |
| answers.csv                 | one line an answer, with what is true; what each trial was made of is in the key  |
| imrmc-real_or_synthetic.csv | for iMRMC (doIMRMC of its R package): readerID, caseID, modalityID, score, and of |
| imrmc-find_nodule.csv       | each case a row of reader and modality "truth", score 1 with a synthetic nodule   |
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.export_folder import all_or_nothing
from engine.nodule import ATTRIBUTE_NAMES
from engine.study_answer import Answer, Value
from engine.study_figures import Section, StudyFigures
from engine.study_html import report_html
from engine.study_key import KeyImage
from engine.study_pdf import report_pdf
from engine.study_plots import Plot, section_plots, times_plot
from engine.study_sections import is_positive, score_of
from engine.study_trials import TrialKind, check_outside

#: One score a case, and one truth: what iMRMC takes.
_SCORED: tuple[TrialKind, ...] = ("find_nodule", "real_or_synthetic")


def write_report(figures: StudyFigures, out: Path) -> tuple[Path, ...]:
    """Write the report to a folder, all files or none; return them.

    Parameters
    ----------
    out : Path
        Made if it is not there. Files of the same names in it are replaced.

    Raises
    ------
    InputError
        If it cannot be written to, or lies in the study, where readers would see what is true.
    """
    check_outside(figures.study.folder, out, "report")
    plots: list[tuple[Section, Sequence[Plot]]] = [(section, section_plots(section)) for section in figures.sections]
    seconds = times_plot(figures.times)

    def write(into: Path) -> None:
        (into / "report.html").write_text(report_html(figures, plots, seconds), "utf-8")
        (into / "report.pdf").write_bytes(report_pdf(figures, plots, seconds))
        _write_csv(into / "answers.csv", _answer_rows(figures))
        for section in figures.sections:
            if section.kind in _SCORED:
                _write_csv(into / f"imrmc-{section.kind}.csv", _imrmc_rows(figures, section.kind))

    return tuple(all_or_nothing(write, out))


def _write_csv(path: Path, rows: Iterator[Sequence[object]]) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    path.write_text(stream.getvalue(), "utf-8", newline="")


def _imrmc_rows(figures: StudyFigures, kind: TrialKind) -> Iterator[Sequence[object]]:
    yield "readerID", "caseID", "modalityID", "score"
    numbers = [trial.number for trial in figures.study.trials if trial.kind == kind]
    for number in numbers:
        yield "truth", _case(number), "truth", int(is_positive(figures.key.images[number]))
    for reader, book in figures.answers.items():
        for number in numbers:
            if number in book:
                yield reader, _case(number), kind, f"{score_of(book[number]):g}"


def _case(number: int) -> str:
    return f"trial-{number:04d}"


def _answer_rows(figures: StudyFigures) -> Iterator[Sequence[object]]:
    asked = [f"{name}_true" for name in ATTRIBUTE_NAMES]
    yield ("reader", "trial", "kind", "value", "confidence", "seconds", "answered_at", "truth", "box", *asked)
    for reader, book in figures.answers.items():
        for answer in book.values():
            yield reader, *_answer_row(answer, figures.key.images[answer.trial])


def _answer_row(answer: Answer, truth: Sequence[KeyImage]) -> Sequence[object]:
    shown = truth[0]
    scores = shown.scores if len(truth) == 1 and shown.scores else (None,) * len(ATTRIBUTE_NAMES)
    return (
        answer.trial,
        answer.kind,
        _text(answer.value),
        answer.confidence,
        round(answer.seconds, 3),
        answer.answered_at,
        " | ".join(image.truth for image in truth),
        _text(shown.box) if len(truth) == 1 else "",
        *scores,
    )


def _text(value: Value | tuple[int, int, int]) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return " ".join(f"{part:g}" for part in value)
    return str(value)
