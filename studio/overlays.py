"""What can be laid over a slice: the lungs, the outline of a nodule, the ruler, the crosshair."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QLineF, QPointF
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from studio import slice_painter
from studio.ruler import Point, Ruler
from studio.theme import image_colour
from studio.viewport import Viewport

_LUNG_TINT = 46
#: The lines of the crosshair end so far from its middle, in widget pixels, and not within its pixel.
_CROSSHAIR_GAP = 7.0


def tint(mask: Any) -> QImage:
    """Return an image that tints where a mask, bool of (rows, columns), is True."""
    ink = image_colour("accent", _LUNG_TINT).rgba()
    pixels = np.where(mask, np.uint32(ink), np.uint32(0))
    rows, columns = pixels.shape
    # Painted faster; and it owns its pixels, while the first image only borrows those of the array.
    image = QImage(pixels.data, columns, rows, QImage.Format.Format_ARGB32)
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


def paint_outline(painter: QPainter, viewport: Viewport, mask: Any) -> None:
    """Paint the borders between pixels inside and outside a mask, bool of (rows, columns)."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    if not rows.size:
        return
    top, left = int(rows[0]), int(columns[0])
    # A nodule is a small part of its slice, and this is painted with every preview.
    near = borders(mask[top : rows[-1] + 1, left : columns[-1] + 1])
    lines = [
        QLineF(viewport.to_widget(top + a, left + b), viewport.to_widget(top + c, left + d)) for (a, b), (c, d) in near
    ]
    for ink, width in ((QColor(0, 0, 0, 130), 3.0), (image_colour("warning"), 1.25)):
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
    for ink, width in ((QColor(0, 0, 0, 150), 3.5), (image_colour("text"), 1.5)):
        painter.setPen(QPen(ink, width))
        painter.drawLine(start, end)
        for point in (start, end):
            painter.drawEllipse(point, 3, 3)
    text = f"{ruler.length_mm(viewport.spacing):.1f} mm"
    slice_painter.paint_text(painter, end + QPointF(10, 10), text, image_colour("text"))


def paint_crosshair(painter: QPainter, viewport: Viewport, at: Point) -> None:
    """Paint lines from the sides of the view towards the pixel around an image point: what is there stays in sight."""
    middle, (width, height) = viewport.to_widget(*at), viewport.size
    x, y = middle.x(), middle.y()
    down, right = (max(_CROSSHAIR_GAP, spacing * viewport.zoom / 2) for spacing in viewport.spacing)
    lines = [
        QLineF(0, y, x - right, y),
        QLineF(x + right, y, width, y),
        QLineF(x, 0, x, y - down),
        QLineF(x, y + down, x, height),
    ]
    for ink, thickness in ((QColor(0, 0, 0, 130), 3.0), (image_colour("accent"), 1.25)):
        painter.setPen(QPen(ink, thickness))
        painter.drawLines(lines)
