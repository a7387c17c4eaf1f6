"""What stands on a slice: boxes, texts in the corners, letters of orientation, scale bar."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen

from studio.theme import image_colour

_MARGIN = 12.0
_HANDLE = 7.0
#: Between two texts beside each other.
_GAP = 12.0
#: At the sides of a view: there are the letters of left and right.
_SIDES = 36.0
#: So much of what is behind a text is hidden that its accent has a contrast of 4.5 to 1 even on white.
_PLATE = 205
_ALIGNMENTS = {
    "left": Qt.AlignmentFlag.AlignLeft,
    "centre": Qt.AlignmentFlag.AlignHCenter,
    "right": Qt.AlignmentFlag.AlignRight,
}


def paint_box(painter: QPainter, rect: QRectF, label: str, view: QRectF, progress: float | None = None) -> None:
    """Paint the box with its handles and the text above it; below it, or at the top of the view, where no room is.

    Parameters
    ----------
    progress : float or None
        From 0 to 1: a box in which a nodule is forming has a bar instead of handles.
    """
    painter.setBrush(Qt.BrushStyle.NoBrush)
    # A dark line beside the bright one keeps the box visible on bone.
    painter.setPen(QPen(QColor(0, 0, 0, 130), 3.0))
    painter.drawRect(rect)
    painter.setPen(QPen(image_colour("accent"), 1.25))
    painter.drawRect(rect)
    if progress is None:
        _paint_handles(painter, rect)
    else:
        _paint_progress(painter, rect, progress)
    if label:
        paint_text(painter, _label_at(QFontMetricsF(painter.font()), rect, label, view), label, image_colour("accent"))


def _label_at(metrics: QFontMetricsF, rect: QRectF, label: str, view: QRectF) -> QPointF:
    """Return where the upper left corner of a box's label is: beside the box, and with all its words in the view."""
    width, height = _text_size(metrics, label)
    below = rect.bottom() + 14  # Clear of the bar.
    if rect.top() - 9 - height >= view.top():
        top = rect.top() - 9 - height
    else:
        top = below if below + height <= view.bottom() else view.top() + _MARGIN
    if not rect.intersects(view):  # It goes out of sight with its box.
        return QPointF(rect.left() + 1, top)
    left = min(rect.left() + 1, view.right() - _SIDES - width)
    return QPointF(max(left, min(view.left() + _SIDES, view.right() - _MARGIN - width)), top)


def _paint_handles(painter: QPainter, rect: QRectF) -> None:
    size = min(_HANDLE, rect.width() * 0.35)
    painter.setPen(QPen(QColor(0, 0, 0, 160), 1.0))
    painter.setBrush(image_colour("accent"))
    for corner in (rect.topLeft(), rect.topRight(), rect.bottomLeft(), rect.bottomRight()):
        painter.drawRect(QRectF(corner.x() - size / 2, corner.y() - size / 2, size, size))


def _paint_progress(painter: QPainter, rect: QRectF, progress: float) -> None:
    bar = QRectF(rect.left(), rect.bottom() + 5, max(rect.width(), 40.0), 3)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 160))
    painter.drawRect(bar.adjusted(-1, -1, 1, 1))
    painter.setBrush(image_colour("accent"))
    painter.drawRect(QRectF(bar.left(), bar.top(), bar.width() * progress, bar.height()))


def paint_accepted(painter: QPainter, rect: QRectF) -> None:
    """Paint the corners of the box of a nodule that was accepted: enough to find it, not enough to hide it."""
    length = max(4.0, min(10.0, rect.width() / 4))
    path = QPainterPath()
    for corner, right, down in (
        (rect.topLeft(), 1, 1),
        (rect.topRight(), -1, 1),
        (rect.bottomLeft(), 1, -1),
        (rect.bottomRight(), -1, -1),
    ):
        path.moveTo(corner + QPointF(right * length, 0))
        path.lineTo(corner)
        path.lineTo(corner + QPointF(0, down * length))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(0, 0, 0, 120), 2.5))
    painter.drawPath(path)
    painter.setPen(QPen(image_colour("text", 190), 1.0))
    painter.drawPath(path)


def paint_text(painter: QPainter, at: QPointF, text: str, ink: QColor | None = None, anchor: str = "top left") -> None:
    """Paint lines of text on a plate that shows on bright tissue only, so that they can be read on any.

    Parameters
    ----------
    anchor : str
        Which point of the text lies at `at`: "top", "middle" or "bottom", then "left", "centre" or "right".
    """
    if not text:
        return
    metrics = QFontMetricsF(painter.font())
    vertical, horizontal = anchor.split()
    width, height = _text_size(metrics, text)
    left = at.x() - {"left": 0.0, "centre": width / 2, "right": width}[horizontal]
    top = at.y() - {"top": 0.0, "middle": height / 2, "bottom": height}[vertical]
    area = QRectF(left, top, width, height)
    _paint_plate(painter, area)
    painter.setPen(ink or image_colour("text"))
    painter.drawText(area, _ALIGNMENTS[horizontal], text)


def _text_size(metrics: QFontMetricsF, text: str) -> tuple[float, float]:
    """Return the width and the height of lines of text."""
    lines = text.split("\n")
    return max(metrics.horizontalAdvance(line) for line in lines), metrics.lineSpacing() * len(lines)


def _paint_plate(painter: QPainter, area: QRectF) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(image_colour("view", _PLATE))
    painter.drawRoundedRect(area.adjusted(-5, -2, 5, 2), 4, 4)


def paint_corners(painter: QPainter, area: QRectF, texts: dict[str, str]) -> None:
    """Paint texts into the corners of an area; keys are "top left" to "bottom right"."""
    inner = area.adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
    corners = {
        "top left": inner.topLeft(),
        "top right": inner.topRight(),
        "bottom left": inner.bottomLeft(),
        "bottom right": inner.bottomRight(),
    }
    for anchor, text in texts.items():
        paint_text(painter, corners[anchor], text, image_colour("text"), anchor)


def beside(font: QFont, area: QRectF, text: str, right: str, letter: str) -> str:
    """Return the text of the upper left corner with lines as long as there is room for: the middle gives way.

    Parameters
    ----------
    right : str
        The text of the upper right corner: it stays whole.
    letter : str
        What stands between them, in the middle of the first line.
    """
    metrics, room = QFontMetricsF(font), area.width() - 2 * _MARGIN
    before_letter = (room - QFontMetricsF(_letter_font(font)).horizontalAdvance(letter)) / 2 - _GAP
    ends, lines = right.split("\n"), text.split("\n")
    for number, line in enumerate(lines):
        end = ends[number] if number < len(ends) else ""
        width = room - metrics.horizontalAdvance(end) - _GAP if end else room
        lines[number] = metrics.elidedText(
            line, Qt.TextElideMode.ElideMiddle, width if number else min(width, before_letter)
        )
    return "\n".join(lines)


def _letter_font(font: QFont) -> QFont:
    """Return the font of the letters of orientation: a little larger, and bolder."""
    large = QFont(font)
    large.setPointSizeF(font.pointSizeF() * 1.15)
    large.setWeight(QFont.Weight.DemiBold)
    return large


def paint_letters(painter: QPainter, area: QRectF, letters: tuple[str, str, str, str]) -> None:
    """Paint the letters of left, right, top and bottom in the middles of the sides of an area."""
    plain = painter.font()
    painter.setFont(_letter_font(plain))
    middle, left, right = area.center(), area.left() + _MARGIN, area.right() - _MARGIN
    ink = image_colour("text")
    paint_text(painter, QPointF(left, middle.y()), letters[0], ink, "middle left")
    paint_text(painter, QPointF(right, middle.y()), letters[1], ink, "middle right")
    paint_text(painter, QPointF(middle.x(), area.top() + _MARGIN), letters[2], ink, "top centre")
    paint_text(painter, QPointF(middle.x(), area.bottom() - _MARGIN), letters[3], ink, "bottom centre")
    painter.setFont(plain)


def _scale_bar_mm(area: QRectF, pixels_per_mm: float) -> int:
    """Return the length of the scale bar: a round number of mm, about a seventh of the area wide."""
    wanted = area.width() / 7 / pixels_per_mm
    return max((mm for mm in (1, 2, 5, 10, 20, 50, 100) if mm <= wanted), default=1)


def _scale_bar_text(length: int) -> str:
    return f"{length // 10} cm" if length >= 10 else f"{length} mm"


def scale_bar_area(font: QFont, area: QRectF, pixels_per_mm: float) -> QRectF:
    """Return where the scale bar of an area is, with its text: at the bottom right."""
    metrics, length = QFontMetricsF(font), _scale_bar_mm(area, pixels_per_mm)
    width = max(length * pixels_per_mm, metrics.horizontalAdvance(_scale_bar_text(length)) + 2)
    height = metrics.height() + 8
    return QRectF(area.right() - _MARGIN - width, area.bottom() - _MARGIN - height, width, height)


def paint_scale_bar(painter: QPainter, area: QRectF, pixels_per_mm: float) -> None:
    """Paint the scale bar of an area, with its length."""
    length = _scale_bar_mm(area, pixels_per_mm)
    plate = scale_bar_area(painter.font(), area, pixels_per_mm)
    _paint_plate(painter, plate)
    painter.setPen(QPen(image_colour("text"), 1.5))
    painter.drawText(plate, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, _scale_bar_text(length))
    right, bottom = plate.right(), plate.bottom()
    left = right - length * pixels_per_mm
    painter.drawPolyline([QPointF(x, bottom - rise) for x, rise in ((left, 5), (left, 0), (right, 0), (right, 5))])


def paint_focus(painter: QPainter, area: QRectF) -> None:
    """Paint the ring of what has the focus."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(image_colour("accent"), 2.0))
    painter.drawRect(area.adjusted(1, 1, -1, -1))
