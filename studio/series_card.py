"""How a slice looks in the strip of the series: its picture, its number, and what is on it."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from studio.series_pictures import LEAST_SIDE, SeriesPictures
from studio.session import Session
from studio.slice_image import grey_image
from studio.slice_painter import paint_text
from studio.theme import colour, image_colour

_SIDE = LEAST_SIDE
_GAP = 4
CARD = QSize(_SIDE + 2 * _GAP, _SIDE + _GAP)
_DOT = 7.0


def nodules_on(session: Session, index: int) -> int:
    """Return how many nodules are on a slice: the accepted ones, and the one that waits."""
    waits = session.candidate is not None and session.candidate.slice_index == index
    return sum(nodule.slice_index == index for nodule in session.accepted) + waits


def has_box(session: Session, index: int) -> bool:
    """Return whether the box is on a slice."""
    return session.box is not None and session.box.slice_index == index


def slice_words(session: Session, index: int) -> str:
    """Return what is on a slice, in words."""
    count = nodules_on(session, index)
    parts = [f"Slice {index + 1}"]
    if count:
        parts.append("1 nodule" if count == 1 else f"{count} nodules")
    if has_box(session, index):
        parts.append("box")
    return ", ".join(parts)


class SeriesCard(QStyledItemDelegate):
    """Paints a slice in the window of the session."""

    def __init__(self, session: Session, pictures: SeriesPictures, parent: QWidget) -> None:
        super().__init__(parent)
        self._session = session
        self._pictures = pictures

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the size of a card; all are alike."""
        return CARD

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint the picture, or an empty square as long as it is to come; then the marks."""
        card: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        state: QStyle.StateFlag = option.state  # pyright: ignore[reportAttributeAccessIssue]
        square = QRectF(card.left() + _GAP, card.top() + _GAP / 2, _SIDE, _SIDE)
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(square, image_colour("view"))
        self._paint_picture(painter, square, index.row())
        self._paint_marks(painter, square, index.row())
        _paint_number(painter, square, index.row() + 1)
        _paint_frame(painter, square, state)
        painter.restore()

    def _paint_picture(self, painter: QPainter, square: QRectF, index: int) -> None:
        session, small = self._session, self._pictures.of(index)
        if small is None or session.volume is None:
            return
        row_mm, column_mm = session.volume.pixel_spacing
        height, width = small.shape[0] * row_mm, small.shape[1] * column_mm
        scale = _SIDE / max(height, width)
        where = QRectF(0, 0, width * scale, height * scale)
        where.moveCenter(square.center())
        painter.drawImage(where, grey_image(small, session.window, session.shown.inverted))

    def _paint_marks(self, painter: QPainter, square: QRectF, index: int) -> None:
        """Paint a dot for each nodule and a small square for the box, at the top right."""
        marks = ["nodule"] * min(nodules_on(self._session, index), 6) + ["box"] * has_box(self._session, index)
        for place, mark in enumerate(marks):
            at = QRectF(square.right() - 4 - (place + 1) * (_DOT + 3), square.top() + 5, _DOT, _DOT)
            painter.setPen(QPen(QColor(0, 0, 0, 180), 1.0))
            if mark == "nodule":
                painter.setBrush(image_colour("warning"))
                painter.drawEllipse(at)
            else:
                painter.setBrush(image_colour("accent"))
                painter.drawRect(at)


def _paint_number(painter: QPainter, square: QRectF, number: int) -> None:
    font = QFont(painter.font())
    font.setPointSizeF(font.pointSizeF() * 0.85)
    painter.setFont(font)
    paint_text(painter, square.bottomLeft() + QPointF(8, -5), str(number), anchor="bottom left")


def _paint_frame(painter: QPainter, square: QRectF, state: QStyle.StateFlag) -> None:
    is_current = bool(state & QStyle.StateFlag.State_Selected)
    has_focus = is_current and bool(state & QStyle.StateFlag.State_HasFocus)
    if is_current:
        ink, width = colour("text" if has_focus else "accent"), 2
    elif state & QStyle.StateFlag.State_MouseOver:
        ink, width = colour("handle"), 1
    else:
        return
    painter.setPen(QPen(ink, width))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(square.adjusted(width / 2, width / 2, -width / 2, -width / 2), 3, 3)
