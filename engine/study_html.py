"""The report of a reader study as one HTML file, and the words that the PDF shares with it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from engine.study_figures import ALL_READERS, Section, StudyFigures
from engine.study_plots import Plot
from engine.study_statistics import Estimate

#: A table as text: heading cells, then rows of cells.
Table = tuple[list[str], list[list[str]]]

METHODS = (
    "Intervals are of 95 %. One reader's shares: Wilson's score interval. One reader's AUC: DeLong. Over all readers: "
    "the mean, for readers and cases both drawn at random (Obuchowski and Rockette, one modality, degrees of freedom "
    "of Hillis), and for cases alone where all readers have the same figure. Rated attributes over all readers: the "
    "share of the readers' mean scores, with Wilson's score interval, for cases alone. A dash stands where there are "
    "too few answers, or all of them are the same."
)

_STYLE = """
body { font: 15px/1.5 "Helvetica Neue", Arial, sans-serif; color: #1c1c1c; max-width: 860px; margin: 40px auto;
       padding: 0 24px; }
h1 { font-size: 26px; margin-bottom: 4px; } h2 { font-size: 19px; margin-top: 44px; border-top: 1px solid #ddd;
     padding-top: 20px; } h3 { font-size: 15px; margin: 24px 0 6px; }
p.about { color: #555; }
p.warning { background: #fff4dc; border-left: 4px solid #d99a00; padding: 8px 12px; margin: 8px 0; }
table { border-collapse: collapse; font-size: 13px; margin: 10px 0; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 12px 4px 0; text-align: right; border-bottom: 1px solid #e6e6e6; vertical-align: top; }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; } td span { color: #777; font-size: 12px; }
.wide { overflow-x: auto; } img { display: block; margin: 14px 0; height: auto; }
"""


def report_html(figures: StudyFigures, plots: Sequence[tuple[Section, Sequence[Plot]]], seconds: Plot) -> str:
    """Return the report; pictures are in it."""
    study = figures.study
    parts = [
        f"<h1>{escape(study.title)}</h1>",
        f'<p class="about">{escape(summary_text(figures))}</p>',
        *(f'<p class="warning">{escape(warning)}</p>' for warning in figures.warnings),
    ]
    for section, pictures in plots:
        parts += _section(section, pictures)
    parts += ["<h2>Time</h2>", _picture(seconds), _table(times_table(figures))]
    parts += ["<h2>Methods</h2>", f"<p>{escape(METHODS)}</p>"]
    parts.append(f'<p class="about">Study {escape(study.uid)}, key SHA-256 {escape(study.key_sha256)}</p>')
    head = f'<meta charset="utf-8"><title>{escape(study.title)}</title><style>{_STYLE}</style>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(parts) + "\n</body></html>\n"


def summary_text(figures: StudyFigures) -> str:
    """Return a sentence on who read what."""
    readers, trials = len(figures.study.readers), len(figures.study.trials)
    given = sum(map(len, figures.answers.values()))
    return f"Readers: {readers}. Trials: {trials}. Answers: {given} of {readers * trials}."


def about_text(section: Section) -> str:
    """Return what the figures of a section mean, and what those over all readers rest on."""
    return (
        f'{section.method} The column "{ALL_READERS}" and agreement rest on {section.common} of {section.trials} '
        "trials: those that all who began have answered."
    )


def figures_table(section: Section) -> Table:
    """Return the figures of a section that anybody has: a row a figure, a column a reader."""
    readers = list(section.figures)
    rows: list[list[str]] = []
    for name in section.figures[readers[0]]:
        found = [section.figures[reader][name] for reader in readers]
        if any(figure.value is not None for figure in found):
            rows.append([name, *map(figure_text, found)])
    return ["", *readers], rows


def agreement_table(section: Section) -> Table:
    """Return the kappas of a section."""
    rows = [[name, "–" if kappa is None else f"{kappa:.2f}"] for name, kappa in section.agreement.items()]
    return ["Agreement between readers", "Kappa"], rows


def confusion_tables(section: Section) -> list[Table]:
    """Return counts of what was true and what was answered, but for those that a plot of the section shows."""
    if section.kind == "rate_attributes":
        return []
    return [
        (
            [name, *table.answers],
            [[truth, *map(str, row)] for truth, row in zip(table.truths, table.counts, strict=True)],
        )
        for name, table in section.confusions.items()
    ]


def times_table(figures: StudyFigures) -> Table:
    """Return the seconds a trial by kind and reader."""
    rows = [
        [f"{kind.replace('_', ' ')}, {reader}", str(found.answers), f"{found.median:.1f}", quartiles]
        for kind, readers in figures.times.items()
        for reader, found in readers.items()
        for quartiles in [f"{found.lower_quartile:.1f} to {found.upper_quartile:.1f}"]
    ]
    return ["Seconds a trial", "Answers", "Median", "Quartiles"], rows


def figure_text(found: Estimate) -> str:
    """Return a figure with its interval."""
    if found.value is None:
        return "–"
    if found.low is None or found.high is None:
        return f"{found.value:.2f}"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _section(section: Section, plots: Sequence[Plot]) -> list[str]:
    return [
        f"<h2>{escape(section.title)}</h2>",
        f'<p class="about">{escape(about_text(section))}</p>',
        *map(_picture, plots),
        _table(figures_table(section)),
        _table(agreement_table(section)),
        *map(_table, confusion_tables(section)),
    ]


def _picture(plot: Plot) -> str:
    data = base64.b64encode(plot.png).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{escape(plot.text)}" style="width:{plot.width_share:.0%}">'


def _table(table: Table) -> str:
    heading, rows = table
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heading)
    body = "\n".join(f"<tr><td>{escape(row[0])}</td>{''.join(map(_cell, row[1:]))}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def _cell(text: str) -> str:
    """Show an interval below its figure, in grey."""
    value, _, interval = escape(text).partition(" (")
    return f"<td>{value}<br><span>{interval.removesuffix(')')}</span></td>" if interval else f"<td>{value}</td>"
