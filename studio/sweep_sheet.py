"""A sweep as one picture for talks and papers: dark on white, each nodule with its scores and what was measured."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter

from engine.ct import WindowLevel
from engine.errors import InputError
from engine.nodule import SCORE_NAMES
from engine.versions import PROGRAM, VERSION
from studio.measured import measured_for
from studio.slice_image import grey_image
from studio.slice_texts import signed
from studio.sweep import SCORES, Cell, Sweep, constants_text, title_text
from studio.thumbnails import around

#: Pixels: side of a picture, gap, height of a line of text, width of the names of rows.
_SIDE, _GAP, _LINE, _ROW_NAMES = 280, 16, 26, 150
_INK, _SOFT = QColor("#16181a"), QColor("#565c63")
_MIDDLE, _LEFT = Qt.AlignmentFlag.AlignCenter, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
SYNTHETIC = "Synthetic nodules made by a generative model for research; not for diagnosis."


def sheet_image(sweep: Sweep, window: WindowLevel, inverted: bool = False) -> QImage:
    """Draw all that has been made of a sweep, in one window; what is missing stays an empty frame.

    The picture says that it is synthetic, and so does its text "Description" in a PNG file.
    """
    lines = len(sweep.swept) + 1
    left = _GAP + (_ROW_NAMES if sweep.down else 0)
    top = _GAP + round(4.2 * _LINE)
    across, down = _SIDE + _GAP, _SIDE + lines * _LINE + _GAP
    rows = len(sweep.cells) // len(SCORES)
    image = QImage(left + len(SCORES) * across, top + rows * down + 2 * _LINE + _GAP, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    _write(painter, QRectF(_GAP, _GAP, image.width(), _LINE), title_text(sweep), 19, is_strong=True)
    _write(painter, QRectF(_GAP, _GAP + _LINE, image.width(), _LINE), constants_text(sweep), 15, _SOFT)
    for column, score in enumerate(SCORES):
        name = QRectF(left + column * across, _GAP + 2.6 * _LINE, _SIDE, _LINE)
        _write(painter, name, _score_text(sweep.across, score), 16, align=_MIDDLE, is_strong=True)
    if sweep.down:
        corner = QRectF(_GAP, _GAP + 2.6 * _LINE, _ROW_NAMES - _GAP, _LINE)
        _write(painter, corner, f"{sweep.across.capitalize()} →", 15, _SOFT, _MIDDLE)
        _write(painter, corner.translated(0, 0.8 * _LINE), f"{sweep.down.capitalize()} ↓", 15, _SOFT, _MIDDLE)
    for row, score in enumerate(SCORES if sweep.down else ()):
        name = QRectF(_GAP, top + row * down, _ROW_NAMES - _GAP, _SIDE)
        _write(painter, name, _score_text(sweep.down or "", score, "\n"), 16, align=_MIDDLE, is_strong=True)
    for number, cell in enumerate(sweep.cells):
        row, column = divmod(number, len(SCORES))
        place = QRectF(left + column * across, top + row * down, _SIDE, _SIDE)
        _draw_cell(painter, place, cell, sweep.swept, window, inverted)
    foot = QRectF(_GAP, image.height() - _GAP - 2 * _LINE, image.width(), _LINE)
    _write(painter, foot, _how(sweep, window), 15, _SOFT)
    _write(painter, foot.translated(0, _LINE), SYNTHETIC, 15, is_strong=True)
    painter.end()
    image.setText("Description", f"{title_text(sweep)}. {constants_text(sweep)}. {SYNTHETIC}")
    return image


def save_sheet(sheet: QImage, path: Path) -> None:
    """Write the picture as a PNG file.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    if not sheet.save(str(path), "PNG"):  # pyright: ignore[reportCallIssue, reportArgumentType]
        raise InputError(f"The picture {path} cannot be written; choose another folder.")


def _draw_cell(
    painter: QPainter, place: QRectF, cell: Cell, swept: tuple[str, ...], window: WindowLevel, inverted: bool
) -> None:
    if cell.result is None:
        painter.setPen(_SOFT)
        painter.drawRect(place)
        _write(painter, place, "Not made", 15, _SOFT, _MIDDLE)
        return
    part = cell.result.slice.hu[around(cell.request.box)]
    row_mm, column_mm = cell.request.slice.pixel_spacing
    size = QSizeF(part.shape[1] * column_mm, part.shape[0] * row_mm)
    where = QRectF(place.topLeft(), size.scaled(place.size(), Qt.AspectRatioMode.KeepAspectRatio))
    where.moveCenter(place.center())
    painter.drawImage(where, grey_image(part, window, inverted))
    mark = QRectF(where.left() + 4, where.bottom() - 20, 74, 16)
    painter.fillRect(mark, QColor(0, 0, 0, 140))
    _write(painter, mark, "synthetic", 12, QColor("white"), _MIDDLE)
    below = QRectF(place.left(), place.bottom() + 2, place.width(), _LINE)
    for number, text in enumerate(_measured_texts(cell, swept)):
        _write(painter, below.translated(0, number * _LINE * 0.85), text, 15, align=_MIDDLE)


def _measured_texts(cell: Cell, swept: tuple[str, ...]) -> list[str]:
    """Return two lines for a ladder, three for a grid: what tells most of each attribute, and the diameter."""
    if cell.result is None:
        return []
    measured = {name: measured_for(name, cell.result.measurement) for name in swept}
    if len(swept) == 1:
        return [value.text for value in measured[swept[0]][:2]]
    if not cell.result.measurement.mask.any():
        return [measured[swept[0]][0].text]
    diameter = measured[swept[0]][-1].text
    return list(dict.fromkeys((*(f"{name}: {values[0].text}" for name, values in measured.items()), diameter)))


def _how(sweep: Sweep, window: WindowLevel) -> str:
    result, options = sweep.results[0], sweep.cells[0].request.options
    made = f"{result.checkpoint_name}, {options.steps} steps, guidance {options.guidance:g}"
    return f"W {window.width:g}  L {signed(window.level)} HU.  {PROGRAM} {VERSION}: {made}."


def _score_text(attribute: str, score: int, separator: str = "  ") -> str:
    return f"{score}{separator}{SCORE_NAMES[attribute][score - 1]}"


def _write(
    painter: QPainter,
    where: QRectF,
    text: str,
    pixels: int,
    ink: QColor = _INK,
    align: Qt.AlignmentFlag = _LEFT,
    is_strong: bool = False,
) -> None:
    font = QFont(painter.font())
    font.setPixelSize(pixels)
    font.setWeight(QFont.Weight.DemiBold if is_strong else QFont.Weight.Normal)
    painter.setFont(font)
    painter.setPen(ink)
    painter.drawText(where, int(align) | int(Qt.TextFlag.TextWordWrap), text)
