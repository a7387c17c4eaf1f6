"""A slider for one attribute: five scores, their names, and drawings of the first and the last."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QSlider, QWidget

from engine.nodule import ATTRIBUTE_NAMES, SCORE_NAMES
from engine.reader_scores import ReaderScores, reader_scores
from engine.score_reading import ScoreReading
from studio.buttons import ReturnButton
from studio.elided_label import ElidedLabel
from studio.sketches import Sketch
from studio.slider_marks import (
    is_far_off,
    paint_disagreement,
    paint_reading,
    paint_shares,
    readers_text,
    reading_text,
)
from studio.theme import colour, icon

_KNOB = 7.0
#: What a reading is.
_READ = "What a scorer, trained on LIDC's readers, sees in this nodule, ± how sure it is (diamond on the slider)."
#: From the top: bars stand on the track.
_TRACK = 15.0
_HEIGHT = 38


class ScoreSlider(QSlider):
    """A slider from 1 to 5 with a number under each stop. A click on a stop goes there.

    It stands in the middle, without a knob, as long as no score is given.
    """

    def __init__(self, readers: ReaderScores, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._readers = readers
        self._reading: tuple[ScoreReading, bool] | None = None
        self._is_given = True
        self.setRange(1, 5)
        self.setPageStep(1)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        """Tall enough for the track and the numbers."""
        return QSize(160, _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Wide enough to tell the stops apart."""
        return QSize(120, _HEIGHT)

    @property
    def score(self) -> int | None:
        """The score that is given; None if none is."""
        return self.value() if self._is_given else None

    def show_score(self, score: int | None) -> None:
        """Show a score without announcing it; None: none is given."""
        self._is_given = score is not None
        self.blockSignals(True)
        self.setValue(score or 3)
        self.blockSignals(False)
        self.update()

    def show_reading(self, reading: ScoreReading | None, is_far_off: bool = False) -> None:
        """Show what was read back of a finished nodule; None: nothing."""
        self._reading = (reading, is_far_off) if reading else None
        self.update()

    def stop_x(self, score: float) -> float:
        """Return where the stop of a score is, in pixels from the left."""
        inset = _KNOB + 3
        return inset + (score - 1) / 4 * (self.width() - 2 * inset)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint how readers scored, track, stops, knob, numbers, and what was read back."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        first, last, now = self.stop_x(1), self.stop_x(5), self.stop_x(self.value())
        paint_shares(painter, self._readers, [self.stop_x(score) for score in range(1, 6)], _TRACK)
        painter.setPen(QPen(colour("border"), 2))
        painter.drawLine(QPointF(first, _TRACK), QPointF(last, _TRACK))
        if self._is_given:
            mean, deviation = self._readers.others[self.value() - 1]
            low, high = self.stop_x(max(mean - deviation, 1.0)), self.stop_x(min(mean + deviation, 5.0))
            paint_disagreement(painter, low, high, _TRACK)
        self._paint_stops(painter)
        painter.setPen(Qt.PenStyle.NoPen)
        if self.hasFocus():
            painter.setBrush(colour("accent", 70))
            painter.drawEllipse(QPointF(now, _TRACK), _KNOB + 3, _KNOB + 3)
        if self._is_given:
            painter.setBrush(colour("accenthover" if self.underMouse() else "accent"))
            painter.drawEllipse(QPointF(now, _TRACK), _KNOB, _KNOB)
        if self._reading:
            reading, is_far_off = self._reading
            paint_reading(painter, self.stop_x(reading.score), _TRACK, is_far_off)

    def _paint_stops(self, painter: QPainter) -> None:
        height = QFontMetricsF(painter.font()).height()
        for score in range(1, 6):
            x = self.stop_x(score)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour("muted"))
            painter.drawEllipse(QPointF(x, _TRACK), 2.5, 2.5)
            painter.setPen(colour("text" if score == self.score else "muted"))
            number = QRectF(x - 10, _TRACK + _KNOB + 2, 20, height)
            painter.drawText(number, Qt.AlignmentFlag.AlignCenter, str(score))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the stop under the mouse."""
        if event.button() is Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._go_to(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the mouse."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go_to(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Tell that the slider is let go."""
        if event.button() is Qt.MouseButton.LeftButton:
            self.setSliderDown(False)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the panel: scrolling past a slider must not change the nodule."""
        event.ignore()

    def _go_to(self, x: float) -> None:
        score = min(range(1, 6), key=lambda score: abs(self.stop_x(score) - x))
        if self._is_given or score != self.value():
            self.setValue(score)
        else:
            self.valueChanged.emit(score)  # It stood there, but not as a score that is given.


class AttributeRow(QWidget):
    """One attribute with its slider, the name of the score, and what 1 and 5 look like."""

    score_chosen = Signal(int)
    ladder_wanted = Signal()

    def __init__(self, attribute: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._attribute = attribute
        title = QLabel(attribute.capitalize())
        title.setProperty("role", "heading")
        self._readers = reader_scores()[attribute]
        self.slider = ScoreSlider(self._readers)
        self.slider.setAccessibleName(attribute.capitalize())
        self._name = ElidedLabel()
        self._name.setProperty("role", "muted")
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(8)
        layout.setVerticalSpacing(0)
        # Cut off where the name of a score is long: what is wider than the panel would push all of it out of sight.
        self.read = ElidedLabel()
        self.read.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self.read.setMinimumWidth(1)
        self.read.setProperty("role", "muted")
        self.read.setAccessibleName(f"{attribute.capitalize()}, read back")
        self.ladder = self._ladder_button()
        header = QHBoxLayout()
        header.setSpacing(8)
        header.addWidget(title)
        header.addWidget(self._name, 1)
        header.addWidget(self.read)
        header.addWidget(self.ladder)
        layout.addWidget(self.slider, 1, 1)  # First: Tab comes to it before it comes to the ladder.
        layout.addLayout(header, 0, 0, 1, 3)
        layout.addWidget(self._sketch(1), 1, 0)
        layout.addWidget(self._sketch(5), 1, 2)
        layout.setColumnStretch(1, 1)
        self.slider.valueChanged.connect(self.score_chosen)

    def _ladder_button(self) -> QPushButton:
        button = ReturnButton(icon("ladder"), "")
        button.setProperty("role", "tiny")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAccessibleName(f"Ladder of {self._attribute}")
        button.clicked.connect(lambda: self.ladder_wanted.emit())
        return button

    def show_why_no_ladder(self, why: str | None) -> None:
        """Say in the tool tip of the ladder what it does, or why not now; a click says that, too."""
        key = ATTRIBUTE_NAMES.index(self._attribute) + 1
        self.ladder.setToolTip(why or f"Ladder: five nodules with {self._attribute} from 1 to 5 (Alt+{key})")

    def _sketch(self, score: int) -> Sketch:
        sketch = Sketch(self._attribute, score)
        name = SCORE_NAMES[self._attribute][score - 1]
        sketch.setToolTip(f"{score}: {name}")
        sketch.setAccessibleName(f"{self._attribute.capitalize()} {score}: {name}")
        return sketch

    def show_score(self, score: int | None) -> None:
        """Show a score without announcing it as chosen; None: none is given, and the model draws what it likes."""
        self.slider.show_score(score)
        name = SCORE_NAMES[self._attribute][score - 1] if score else "Not given"
        self._name.setText(name)
        readers = readers_text(self._attribute, score, self._readers) if score else ""
        self.slider.setToolTip(readers)
        self.slider.setWhatsThis(readers)
        self.slider.setAccessibleDescription(name)

    def show_reading(self, asked: int | None, reading: ScoreReading | None) -> None:
        """Show what was read back of a finished nodule, beside the score that was asked for; None: nothing."""
        far = reading is not None and is_far_off(asked, reading)
        self.slider.show_reading(reading, far)
        self.read.setVisible(reading is not None)
        self.read.setText(reading_text(self._attribute, asked, self.slider.score, reading) if reading else "")
        self.read.setToolTip(f"{self.read.text()}\n{_READ}" if reading else "")
        role = "warning" if far else "muted"
        if self.read.property("role") != role:  # A style sheet is slow to apply.
            self.read.setProperty("role", role)
            self.read.style().polish(self.read)
