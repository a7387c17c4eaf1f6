"""The report of a reader study as PDF, A4."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.study_figures import Section, StudyFigures
from engine.study_html import (
    METHODS,
    Table,
    about_text,
    agreement_table,
    confusion_tables,
    figures_table,
    summary_text,
    times_table,
)
from engine.study_plots import Plot

if TYPE_CHECKING:
    from fpdf import FPDF

_FONT = "DejaVu"
#: Width of all text, in mm; sizes of text, in points.
_WIDTH, _TEXT, _SMALL = 170.0, 9.5, 7.5
#: Of a table: share of the width that its first column has, mm a row, and how many rows are not torn apart.
_FIRST_SHARE, _LINE, _KEPT_TOGETHER = 0.34, 5.4, 12
#: A table with more columns than these is broken in two.
_MOST_READERS = 4


def report_pdf(figures: StudyFigures, plots: Sequence[tuple[Section, Sequence[Plot]]], seconds: Plot) -> bytes:
    """Return the report."""
    pdf = _document(figures.study.title)
    _paragraph(pdf, figures.study.title, 18, bold=True)
    _paragraph(pdf, summary_text(figures), _TEXT, grey=True)
    for warning in figures.warnings:
        _paragraph(pdf, f"Note: {warning}", _TEXT, bold=True)
    for section, pictures in plots:
        _section(pdf, section, pictures)
    _heading(pdf, "Time")
    _picture(pdf, seconds)
    _table(pdf, times_table(figures))
    _heading(pdf, "Methods")
    _paragraph(pdf, METHODS, _TEXT)
    _paragraph(pdf, f"Study {figures.study.uid}\nKey SHA-256 {figures.study.key_sha256}", _SMALL, grey=True)
    return bytes(pdf.output())


def _document(title: str) -> FPDF:
    import matplotlib
    from fpdf import FPDF

    class Document(FPDF):
        def footer(self) -> None:
            self.set_y(-14)
            self.set_font(_FONT, size=_SMALL)
            self.set_text_color(120)
            self.cell(0, 6, f"{self.page_no()}", align="R")

    pdf = Document()
    # The core fonts of PDF have Western letters only.
    fonts = Path(matplotlib.get_data_path(), "fonts", "ttf")
    pdf.add_font(_FONT, "", fonts / "DejaVuSans.ttf")
    pdf.add_font(_FONT, "B", fonts / "DejaVuSans-Bold.ttf")
    pdf.set_title(title)
    pdf.set_margins(20, 18, 20)
    pdf.set_auto_page_break(True, 18)
    pdf.add_page()
    return pdf


def _section(pdf: FPDF, section: Section, plots: Sequence[Plot]) -> None:
    _heading(pdf, section.title)
    _paragraph(pdf, about_text(section), _TEXT, grey=True)
    for plot in plots:
        _picture(pdf, plot)
    heading, rows = figures_table(section)
    for first in range(1, len(heading), _MOST_READERS):
        chosen = slice(first, first + _MOST_READERS)
        _table(pdf, ([heading[0], *heading[chosen]], [[row[0], *row[chosen]] for row in rows]))
    _table(pdf, agreement_table(section))
    for table in confusion_tables(section):
        _table(pdf, table)


def _heading(pdf: FPDF, text: str) -> None:
    if pdf.will_page_break(100):
        pdf.add_page()
    pdf.ln(6)
    _paragraph(pdf, text, 13, bold=True)


def _paragraph(pdf: FPDF, text: str, size: float, bold: bool = False, grey: bool = False) -> None:
    pdf.set_font(_FONT, "B" if bold else "", size)
    pdf.set_text_color(90 if grey else 20)
    pdf.multi_cell(_WIDTH, size * 0.5, text, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(1.5)


def _picture(pdf: FPDF, plot: Plot) -> None:
    pdf.image(io.BytesIO(plot.png), w=_WIDTH * plot.width_share, alt_text=plot.text)
    pdf.ln(3)


def _table(pdf: FPDF, table: Table) -> None:
    from fpdf.enums import TableBordersLayout
    from fpdf.fonts import FontFace

    heading, rows = table
    pdf.set_font(_FONT, "", _SMALL)
    pdf.set_text_color(20)
    if pdf.will_page_break(_LINE * min(len(rows) + 1, _KEPT_TOGETHER)):
        pdf.add_page()
    pdf.set_draw_color(205)
    pdf.set_line_width(0.15)
    first = _FIRST_SHARE if len(heading) > 2 else 0.6
    others = (1 - first) / (len(heading) - 1)
    layout: Any = TableBordersLayout.HORIZONTAL_LINES
    with pdf.table(
        [heading, *rows],
        width=int(_WIDTH),
        col_widths=[round(100 * first), *[round(100 * others)] * (len(heading) - 1)],
        text_align=("LEFT", *["RIGHT"] * (len(heading) - 1)),
        borders_layout=layout,
        headings_style=FontFace(emphasis="BOLD"),
        line_height=_SMALL * 0.55,
        padding=(0.6, 1),
    ):
        pass
    pdf.ln(4)
