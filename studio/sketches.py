"""Small drawings of what scores look like, for the sliders."""

from __future__ import annotations

import math
from dataclasses import replace

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen, QRadialGradient
from PySide6.QtWidgets import QWidget

from engine.nodule import NoduleAttributes
from studio.theme import colour, image_colour

#: A plain round nodule; each sketch changes one score of it.
_PLAIN = NoduleAttributes(5, 5, 1, 1, 5)
_TISSUE = QColor("#dfe2e5")
_VESSEL = QColor("#565d65")
_TILT = math.radians(-32)
_LOBES = 5
#: Lengths of the spikes beyond the outline, in radii, in turn around the nodule.
_SPIKES = (0.75, 0.35, 0.9, 0.45, 0.6, 0.95, 0.4, 0.8, 0.5, 0.9, 0.35, 0.65, 0.45)


class Sketch(QWidget):
    """A drawing of a nodule that has one score of one attribute."""

    def __init__(self, attribute: str, score: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._attributes = replace(_PLAIN, **{attribute: score})
        self.setFixedSize(QSize(38, 38))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint it on a tile of dark lung."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        tile = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        clip = QPainterPath()
        clip.addRoundedRect(tile, 6, 6)
        painter.fillPath(clip, image_colour("view"))
        painter.setClipPath(clip)
        _paint_vessels(painter, tile)
        paint_nodule(painter, tile.center(), tile.width() * 0.26, self._attributes)
        painter.setClipping(False)
        painter.setPen(QPen(colour("line"), 1))
        painter.drawPath(clip)


def _paint_vessels(painter: QPainter, tile: QRectF) -> None:
    path = QPainterPath(tile.bottomLeft() + QPointF(tile.width() * 0.08, 0))
    path.quadTo(tile.center() + QPointF(-3, 2), tile.topRight() + QPointF(-tile.width() * 0.16, 0))
    path.moveTo(tile.center() + QPointF(1, -3))
    path.quadTo(tile.center() + QPointF(8, 4), tile.bottomRight() + QPointF(0, -tile.height() * 0.2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(_VESSEL, 1.6))
    painter.drawPath(path)


def paint_nodule(painter: QPainter, centre: QPointF, radius: float, attributes: NoduleAttributes) -> None:
    """Paint a nodule with these scores; a score that is not given counts as that of a plain round one."""
    plain = zip(attributes.scores, _PLAIN.scores, strict=True)
    # 0 for the score 1, 1 for the score 5.
    sphericity, margin, lobulation, spiculation, texture = (((score or usual or 1) - 1) / 4 for score, usual in plain)
    outline = _outline(centre, radius, sphericity, lobulation)
    painter.setPen(Qt.PenStyle.NoPen)
    if margin < 1:
        _paint_fuzzy(painter, centre, radius, margin)
        return
    if spiculation > 0:
        painter.fillPath(_spikes(centre, radius, spiculation), _TISSUE)
    ground_glass = QColor(_TISSUE)
    ground_glass.setAlphaF(0.3 if texture < 1 else 1.0)
    painter.fillPath(outline, ground_glass)
    if 0 < texture < 1:
        painter.fillPath(_outline(centre, radius * texture, sphericity, lobulation), _TISSUE)


def _outline(centre: QPointF, radius: float, sphericity: float, lobulation: float) -> QPainterPath:
    """Return a closed outline; the longer axis grows as the shorter one shrinks."""
    short = radius * (0.28 + 0.72 * sphericity)
    long = radius * (1.5 - 0.5 * sphericity)
    path = QPainterPath()
    for step in range(120):
        angle = step / 120 * math.tau
        # Arcs that meet in notches, not waves: that is what lobulated means.
        lobes = 1 + 0.3 * lobulation * (abs(math.sin(angle * _LOBES / 2)) - 0.4)
        x, y = long * lobes * math.cos(angle), short * lobes * math.sin(angle)
        point = centre + _turned(x, y)
        path.lineTo(point) if step else path.moveTo(point)
    path.closeSubpath()
    return path


def _turned(x: float, y: float) -> QPointF:
    return QPointF(x * math.cos(_TILT) - y * math.sin(_TILT), x * math.sin(_TILT) + y * math.cos(_TILT))


def _spikes(centre: QPointF, radius: float, spiculation: float) -> QPainterPath:
    """Return thin rays that leave the outline."""
    path = QPainterPath()
    for number, length in enumerate(_SPIKES):
        angle = number / len(_SPIKES) * math.tau
        tip = centre + QPointF(math.cos(angle), math.sin(angle)) * radius * (1 + spiculation * length)
        path.moveTo(tip)
        for side in (-0.11, 0.11):
            foot = QPointF(math.cos(angle + side), math.sin(angle + side))
            path.lineTo(centre + foot * (0.93 * radius))
        path.closeSubpath()
    return path


def _paint_fuzzy(painter: QPainter, centre: QPointF, radius: float, margin: float) -> None:
    """Paint a round nodule whose rim fades over a width that shrinks with the score."""
    fade = 0.75 * (1 - margin)
    reach = radius * (1 + fade)
    gradient = QRadialGradient(centre, reach)
    clear = QColor(_TISSUE)
    clear.setAlpha(0)
    gradient.setColorAt(max(0.0, (1 - fade) / (1 + fade)) * 0.6, _TISSUE)
    gradient.setColorAt(1, clear)
    painter.setBrush(gradient)
    painter.drawEllipse(centre, reach, reach)
