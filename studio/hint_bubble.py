"""A hint over the window: one sentence, a button that closes it, and a tip towards what it speaks of."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from studio.buttons import ReturnButton
from studio.theme import colour, icon

_TEXT_WIDTH = 280
_TIP = 8


class HintBubble(QFrame):
    """Hidden at first.

    Attributes
    ----------
    closed : Signal()
        By its button.
    """

    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._tip_at: float | None = None
        self.text = QLabel(wordWrap=True)
        self.text.setFixedWidth(_TEXT_WIDTH)
        self.close_button = ReturnButton(icon("close"), "")
        self.close_button.setProperty("role", "tiny")
        self.close_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.close_button.setAccessibleName("Close the hint for good")
        self.close_button.setToolTip("Close; this hint will not come again")
        self.close_button.clicked.connect(self.closed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 6 + _TIP, 8)
        layout.setSpacing(6)
        layout.addWidget(self.text)
        layout.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    def show_text(self, text: str) -> None:
        """Say this, and be as large as it needs."""
        self.text.setText(text)
        self.setAccessibleName(f"Hint: {text}")
        self.text.setFixedHeight(self.text.heightForWidth(_TEXT_WIDTH))
        self.adjustSize()

    def point_right(self, at: float | None) -> None:
        """Have a tip at the right, so far below the upper edge; none without a number."""
        self._tip_at = at
        self.update()

    @property
    def tip_range(self) -> tuple[float, float]:
        """How far below the upper edge a tip may be, at least and at most."""
        return _TIP + 8.0, self.height() - _TIP - 8.0

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the plate, with its tip."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        plate = QRectF(self.rect()).adjusted(1, 1, -1 - _TIP, -1)
        shape = QPainterPath()
        shape.addRoundedRect(plate, 6, 6)
        if self._tip_at is not None:
            tip = QPainterPath()
            middle = QPointF(plate.right(), self._tip_at)
            up, out = QPointF(-1, -_TIP), QPointF(_TIP, 0)
            tip.addPolygon(QPolygonF([middle + up, middle + out, middle + QPointF(-1, _TIP)]))
            tip.closeSubpath()
            shape = shape.united(tip)
        painter.setPen(QPen(colour("accent"), 1.5))
        painter.setBrush(colour("raised"))
        painter.drawPath(shape)
