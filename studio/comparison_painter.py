"""What is painted to compare before and after: the swipe with its divider, titles, and colours with their HU."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QLinearGradient, QPainter, QPen

from engine.ct import WindowLevel
from studio.panes import Pane, Picture
from studio.slice_painter import paint_text
from studio.slice_pictures import SlicePictures, difference_colours, difference_reach
from studio.slice_texts import signed
from studio.theme import image_colour
from studio.viewport import Viewport

_MARGIN = 12.0
_KNOB = 13.0
#: A press this near to the divider, in widget pixels, takes hold of it.
_REACH = 6.0
_CROSS = 7.0
_BAR = QRectF(0, 0, 10, 132)
#: From the bottom of a pane: there is the scale bar.
_BAR_ABOVE = 62.0
#: Titles stand below the letter at the top, and not in less room than this.
_TITLE_TOP, _TITLE_ROOM = 46.0, 190.0


def divider_x(viewport: Viewport, divider: float) -> float:
    """Return where the divider is in a pane, in widget pixels."""
    return round(divider * viewport.size[0])


def is_on_divider(viewport: Viewport, divider: float, point: QPointF) -> bool:
    """Return whether a point of the pane is on the divider."""
    return abs(point.x() - divider_x(viewport, divider)) <= _REACH or is_on_knob(viewport, divider, point)


def is_on_knob(viewport: Viewport, divider: float, point: QPointF) -> bool:
    """Return whether a point of the pane is on the knob of the divider, which nothing else may cover."""
    away = point - QPointF(divider_x(viewport, divider), viewport.size[1] / 2)
    return QPointF.dotProduct(away, away) <= _KNOB**2


def paint_swipe(painter: QPainter, viewport: Viewport, pictures: SlicePictures, divider: float) -> None:
    """Paint the slice as it was left of the divider, as it is right of it."""
    at, (width, height) = divider_x(viewport, divider), viewport.size
    for picture, area in (
        (Picture.BEFORE, QRectF(0, 0, at, height)),
        (Picture.AFTER, QRectF(at, 0, width - at, height)),
    ):
        painter.save()
        painter.setClipRect(area, Qt.ClipOperation.IntersectClip)
        painter.drawImage(viewport.image_rect, pictures.image(picture))
        painter.restore()


def paint_divider(painter: QPainter, viewport: Viewport, divider: float) -> None:
    """Paint the divider, the knob by which it is dragged, and what is on either side."""
    at, (width, height) = divider_x(viewport, divider), viewport.size
    for ink, thickness in ((QColor(0, 0, 0, 150), 3.0), (image_colour("text", 220), 1.0)):
        painter.setPen(QPen(ink, thickness))
        painter.drawLine(QPointF(at, 0), QPointF(at, height))
    knob = QPointF(at, height / 2)
    painter.setPen(QPen(image_colour("text", 220), 1.25))
    painter.setBrush(image_colour("window", 235))
    painter.drawEllipse(knob, _KNOB, _KNOB)
    for side in (-1, 1):
        tip = knob + QPointF(side * 8, 0)
        painter.drawPolyline([tip + QPointF(-side * 4, -4), tip, tip + QPointF(-side * 4, 4)])
    if at > _TITLE_ROOM:
        paint_text(painter, QPointF(at - _MARGIN, _TITLE_TOP), "Before", anchor="top right")
    if width - at > _TITLE_ROOM:
        paint_text(painter, QPointF(at + _MARGIN, _TITLE_TOP), "After", anchor="top left")


def paint_border(painter: QPainter, panes: tuple[Pane, ...]) -> None:
    """Paint the line between two panes."""
    gap = QRectF(panes[0].area.topRight(), panes[1].area.bottomLeft())
    painter.fillRect(gap, image_colour("border"))


def paint_cross(painter: QPainter, at: QPointF) -> None:
    """Paint where the cursor of the other pane points to."""
    for ink, thickness in ((QColor(0, 0, 0, 150), 3.0), (image_colour("accent"), 1.25)):
        painter.setPen(QPen(ink, thickness))
        painter.drawLine(at - QPointF(_CROSS, 0), at + QPointF(_CROSS, 0))
        painter.drawLine(at - QPointF(0, _CROSS), at + QPointF(0, _CROSS))


def paint_colour_bar(painter: QPainter, area: QRectF, window: WindowLevel) -> None:
    """Paint the colours of differences with their HU, at the right of an area and above its scale bar."""
    bar = _BAR.translated(area.right() - _MARGIN - _BAR.width(), area.bottom() - _BAR_ABOVE - _BAR.height())
    metrics = QFontMetricsF(painter.font())
    reach = difference_reach(window)
    labels = {0.0: f"+{reach:.0f}", 0.5: "0", 1.0: signed(-reach)}
    words = max(metrics.horizontalAdvance(text) for text in (*labels.values(), "HU"))
    plate = bar.adjusted(-words - 14, -metrics.height() - 12, 6, metrics.height() / 2 + 2)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(image_colour("view", 170))
    painter.drawRoundedRect(plate, 4, 4)
    painter.fillRect(bar, _bar_colours(bar))
    painter.setPen(QPen(image_colour("border"), 1.0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(bar)
    painter.setPen(image_colour("text"))
    for share, text in {**labels, -(metrics.height() + 4) / bar.height(): "HU"}.items():
        middle = bar.top() + share * bar.height()
        line = QRectF(plate.left(), middle - metrics.height() / 2, bar.left() - 6 - plate.left(), metrics.height())
        painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)


def _bar_colours(bar: QRectF) -> QLinearGradient:
    """Return the colours from fall, at the bottom, to rise."""
    gradient = QLinearGradient(bar.bottomLeft(), bar.topLeft())
    colours = difference_colours(33)
    for number, ink in enumerate(colours):
        gradient.setColorAt(number / (len(colours) - 1), ink)
    return gradient
