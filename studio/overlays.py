"""What can be laid over a slice: the lungs, the outline of a nodule, the ruler."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QLineF, QPointF
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from studio import slice_painter
from studio.ruler import Ruler
from studio.theme import colour
from studio.viewport import Viewport

_LUNG_TINT = 46


def tint(mask: Any) -> QImage:
    """Return an image that tints where a mask, bool of (rows, columns), is True."""
    ink = colour("accent", _LUNG_TINT).rgba()
    pixels = np.where(mask, np.uint32(_premultiplied(ink)), np.uint32(0))
    rows, columns = pixels.shape
    return QImage(pixels.data, columns, rows, QImage.Format.Format_ARGB32_Premultiplied).copy()


def _premultiplied(ink: int) -> int:
    alpha = ink >> 24
    channels = [((ink >> shift) & 255) * alpha // 255 for shift in (16, 8, 0)]
    return alpha << 24 | channels[0] << 16 | channels[1] << 8 | channels[2]


def paint_outline(painter: QPainter, viewport: Viewport, mask: Any) -> None:
    """Paint the borders between pixels inside and outside a mask, bool of (rows, columns)."""
    lines = [QLineF(viewport.to_widget(*start), viewport.to_widget(*end)) for start, end in borders(mask)]
    for ink, width in ((QColor(0, 0, 0, 130), 3.0), (colour("warning"), 1.25)):
        painter.setPen(QPen(ink, width))
        painter.drawLines(lines)


def borders(mask: Any) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the sides, from (row, column) to (row, column), at which a pixel in a mask has none as neighbour."""
    found: list[tuple[tuple[int, int], tuple[int, int]]] = []
    padded = np.pad(mask, 1)
    for row, column in np.argwhere(padded[1:] != padded[:-1]):
        found.append(((int(row), int(column) - 1), (int(row), int(column))))
    for row, column in np.argwhere(padded[:, 1:] != padded[:, :-1]):
        found.append(((int(row) - 1, int(column)), (int(row), int(column))))
    return found


def paint_ruler(painter: QPainter, viewport: Viewport, ruler: Ruler) -> None:
    """Paint the ruler with its length."""
    if ruler.start is None or ruler.end is None:
        return
    start, end = viewport.to_widget(*ruler.start), viewport.to_widget(*ruler.end)
    for ink, width in ((QColor(0, 0, 0, 150), 3.5), (colour("text"), 1.5)):
        painter.setPen(QPen(ink, width))
        painter.drawLine(start, end)
        for point in (start, end):
            painter.drawEllipse(point, 3, 3)
    text = f"{ruler.length_mm(viewport.spacing):.1f} mm"
    slice_painter.paint_text(painter, end + QPointF(10, 10), text, colour("text"))
