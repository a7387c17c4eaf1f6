"""One cell of a sweep: the box of its result as small picture, how far it is, and what was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from studio.sweep import CellState
from studio.theme import colour, image_colour

_MARGIN = 4.0
#: (rows down, columns right)
_ARROWS: dict[int, tuple[int, int]] = {
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
}
_RETURN = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


@dataclass(frozen=True, eq=False)
class Look:
    """What a cell shows.

    Attributes
    ----------
    image : QImage
        What surrounds the box, as it was before or as it is now.
    size_mm : QSizeF
        Of what the image shows: pixels need not be square.
    part : float
        How much of the nodule is done, from 0 to 1.
    lines : str
        What was measured.
    """

    image: QImage
    size_mm: QSizeF
    state: CellState
    lines: tuple[str, ...]
    part: float = 0.0
    is_in_slice: bool = False

    @property
    def can_retry(self) -> bool:
        """Whether the cell is to be made again."""
        return self.state in (CellState.FAILED, CellState.CANCELLED)


class SweepCell(QAbstractButton):
    """A button with a picture and two lines below it; a small one with one line over its lower edge.

    Return takes the settings, too; the arrow keys lead to the neighbours.

    Attributes
    ----------
    settings_wanted : Signal()
        Double-clicked, or Return.
    left : Signal(int, int)
        An arrow key: so many rows down and columns to the right.
    """

    settings_wanted = Signal()
    left = Signal(int, int)

    def __init__(self, is_small: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_small = is_small
        self._lines = 1 if is_small else 2
        self.look: Look | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def show_look(self, look: Look) -> None:
        """Show how far the cell is."""
        self.look = look
        self.update()

    def sizeHint(self) -> QSize:
        """Large enough to judge a margin."""
        return QSize(132, round(132 + self._lines * self._line_height()))

    def minimumSizeHint(self) -> QSize:
        """Large enough to tell nodules apart."""
        return QSize(72, round(60 + self._lines * self._line_height()))

    def _line_height(self) -> float:
        return QFontMetricsF(_small(self.font())).height()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the plate, the picture in it, and the words below."""
        if self.look is None:
            return
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        area = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        self._paint_plate(painter, area, self.look)
        words = self._lines * self._line_height()
        below = QRectF(area.left() + _MARGIN, area.bottom() - words - _MARGIN, area.width() - 2 * _MARGIN, words)
        beneath = 0.0 if self._is_small else words + _MARGIN
        picture = _fitted(self.look.size_mm, area.adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN - beneath))
        _paint_picture(painter, picture, self.look)
        if self._is_small and self.look.lines:
            painter.fillRect(below, QColor(0, 0, 0, 175))
        painter.setFont(_small(self.font()))
        ink = image_colour if self._is_small else colour
        painter.setPen(ink("text"))
        for number, line in enumerate(self.look.lines):
            self._paint_line(painter, below, number, line)
            painter.setPen(ink("muted"))

    def _paint_plate(self, painter: QPainter, area: QRectF, look: Look) -> None:
        ink = "accent" if look.is_in_slice else "text" if self.hasFocus() else "line"
        painter.setPen(QPen(colour(ink), 1 if ink == "line" else 2))
        painter.setBrush(colour("selected" if look.is_in_slice else "raised" if self.underMouse() else "panel"))
        painter.drawRoundedRect(area, 5, 5)
        if self.hasFocus() and look.is_in_slice:
            painter.setPen(QPen(colour("text"), 1))
            painter.drawRoundedRect(area.adjusted(2, 2, -2, -2), 4, 4)

    def _paint_line(self, painter: QPainter, below: QRectF, number: int, line: str) -> None:
        height = self._line_height()
        where = QRectF(below.left(), below.top() + number * height, below.width(), height)
        elided = painter.fontMetrics().elidedText(line, Qt.TextElideMode.ElideRight, int(where.width()))
        painter.drawText(where, Qt.AlignmentFlag.AlignCenter, elided)

    # --- mouse and keys ------------------------------------------------------------------------------

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Take the settings, too: the first of the two clicks has shown the result."""
        if event.button() is Qt.MouseButton.LeftButton:
            self.settings_wanted.emit()

    def event(self, event: QEvent) -> bool:
        """Take Return and the arrow keys before the window's actions of the same keys do."""
        if event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._act_of(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Act on the cell or go to a neighbour. Space is not of this button: it shows the original in the slice."""
        act = self._act_of(event)
        if act:
            act()
        else:
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Leave Space to the window."""
        event.ignore()

    def _act_of(self, event: QKeyEvent) -> Callable[[], object] | None:
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return None
        if event.key() in _ARROWS:
            down, right = _ARROWS[event.key()]
            return lambda: self.left.emit(down, right)
        return self.settings_wanted.emit if event.key() in _RETURN else None


def _fitted(size: QSizeF, area: QRectF) -> QRectF:
    """Return the largest rectangle of that shape in the middle of an area."""
    fitted = QRectF(area.topLeft(), size.scaled(area.size(), Qt.AspectRatioMode.KeepAspectRatio))
    fitted.moveCenter(area.center())
    return fitted


def _paint_picture(painter: QPainter, where: QRectF, look: Look) -> None:
    painter.fillRect(where, image_colour("view"))
    is_solid = look.state in (CellState.DONE, CellState.RUNNING)
    painter.setOpacity(1.0 if is_solid else 0.3)
    painter.drawImage(where, look.image)
    painter.setOpacity(1.0)
    if look.state is CellState.RUNNING:
        bar = QRectF(where.left(), where.bottom() - 4, where.width(), 4)
        painter.fillRect(bar, QColor(0, 0, 0, 150))
        painter.fillRect(QRectF(bar.topLeft(), QSizeF(bar.width() * look.part, 4)), image_colour("accent"))
    elif not is_solid:
        _paint_state(painter, where, look)


def _paint_state(painter: QPainter, where: QRectF, look: Look) -> None:
    middle = Qt.AlignmentFlag.AlignHCenter
    painter.setFont(_small(painter.font()))
    half = where.height() / 2
    painter.setPen(image_colour("error" if look.state is CellState.FAILED else "text" if look.can_retry else "muted"))
    upper = QRectF(where.left(), where.top(), where.width(), half if look.can_retry else where.height())
    lower = Qt.AlignmentFlag.AlignBottom if look.can_retry else Qt.AlignmentFlag.AlignVCenter
    painter.drawText(upper, middle | lower, look.state.value)
    if look.can_retry:
        painter.setPen(image_colour("accent"))
        painter.drawText(where.adjusted(0, half, 0, 0), middle | Qt.AlignmentFlag.AlignTop, "Retry")


def _small(font: QFont) -> QFont:
    small = QFont(font)
    small.setPointSizeF(font.pointSizeF() * 0.9)
    return small
