"""A slider for one attribute: five scores, their names, and drawings of the first and the last."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSlider, QWidget

from engine.nodule import SCORE_NAMES
from studio.sketches import Sketch
from studio.theme import colour

_KNOB = 7.0
_TRACK = 11.0


class ScoreSlider(QSlider):
    """A slider from 1 to 5 with a number under each stop. A click on a stop goes there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setRange(1, 5)
        self.setPageStep(1)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        """Tall enough for the track and the numbers."""
        return QSize(160, 36)

    def minimumSizeHint(self) -> QSize:
        """Wide enough to tell the stops apart."""
        return QSize(120, 36)

    def stop_x(self, score: int) -> float:
        """Return where the stop of a score is, in pixels from the left."""
        inset = _KNOB + 3
        return inset + (score - 1) / 4 * (self.width() - 2 * inset)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint track, stops, knob and numbers."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        first, last, now = self.stop_x(1), self.stop_x(5), self.stop_x(self.value())
        painter.setPen(QPen(colour("border"), 2))
        painter.drawLine(QPointF(first, _TRACK), QPointF(last, _TRACK))
        self._paint_stops(painter)
        painter.setPen(Qt.PenStyle.NoPen)
        if self.hasFocus():
            painter.setBrush(colour("accent", 70))
            painter.drawEllipse(QPointF(now, _TRACK), _KNOB + 3, _KNOB + 3)
        painter.setBrush(colour("accenthover" if self.underMouse() else "accent"))
        painter.drawEllipse(QPointF(now, _TRACK), _KNOB, _KNOB)

    def _paint_stops(self, painter: QPainter) -> None:
        height = QFontMetricsF(painter.font()).height()
        for score in range(1, 6):
            x = self.stop_x(score)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour("muted"))
            painter.drawEllipse(QPointF(x, _TRACK), 2.5, 2.5)
            painter.setPen(colour("text" if score == self.value() else "muted"))
            number = QRectF(x - 10, _TRACK + _KNOB + 2, 20, height)
            painter.drawText(number, Qt.AlignmentFlag.AlignCenter, str(score))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the stop under the mouse."""
        if event.button() is Qt.MouseButton.LeftButton:
            self._go_to(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the mouse."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go_to(event.position().x())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the panel: scrolling past a slider must not change the nodule."""
        event.ignore()

    def _go_to(self, x: float) -> None:
        self.setValue(min(range(1, 6), key=lambda score: abs(self.stop_x(score) - x)))


class AttributeRow(QWidget):
    """One attribute with its slider, the name of the score, and what 1 and 5 look like."""

    score_chosen = Signal(int)

    def __init__(self, attribute: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._attribute = attribute
        title = QLabel(attribute.capitalize())
        title.setProperty("role", "heading")
        self.slider = ScoreSlider()
        self.slider.setAccessibleName(attribute.capitalize())
        self._name = QLabel()
        self._name.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._name.setProperty("role", "muted")
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(8)
        layout.setVerticalSpacing(2)
        layout.addWidget(title, 0, 0, 1, 3)
        layout.addWidget(self._sketch(1), 1, 0, 2, 1, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self.slider, 1, 1)
        layout.addWidget(self._name, 2, 1)
        layout.addWidget(self._sketch(5), 1, 2, 2, 1, Qt.AlignmentFlag.AlignTop)
        layout.setColumnStretch(1, 1)
        self.slider.valueChanged.connect(self.score_chosen)

    def _sketch(self, score: int) -> Sketch:
        sketch = Sketch(self._attribute, score)
        name = SCORE_NAMES[self._attribute][score - 1]
        sketch.setToolTip(f"{score}: {name}")
        sketch.setAccessibleName(f"{self._attribute.capitalize()} {score}: {name}")
        return sketch

    def show_score(self, score: int) -> None:
        """Show a score without announcing it as chosen."""
        self.slider.blockSignals(True)
        self.slider.setValue(score)
        self.slider.blockSignals(False)
        self.slider.update()
        name = SCORE_NAMES[self._attribute][score - 1]
        self._name.setText(name)
        self.slider.setAccessibleDescription(name)
