"""Answers to choose from: a row of buttons with a number and a word, none of which is chosen at first."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QWidget

from studio.theme import colour

_NUMBER_HEIGHT = 22.0
#: Slashes may end a line, too.
_BREAK = "\N{ZERO WIDTH SPACE}"


class ChoiceButton(QAbstractButton):
    """A key, and below it what it stands for."""

    def __init__(self, key: str, words: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key = key
        self._words = words
        self.setCheckable(True)
        # Keys go to the window, which knows what they mean; a focus here would take the arrow keys.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(f"{key}: {words}")
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        """High enough for two lines of words."""
        return QSize(72, 60)

    def minimumSizeHint(self) -> QSize:
        """Wide enough for a long word."""
        return QSize(60, 60)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the plate, the key and the words."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        plate = "accent" if self.isChecked() else "hover" if self.underMouse() else "raised"
        painter.setPen(QPen(colour("accent" if self.isChecked() else "border"), 1))
        painter.setBrush(colour(plate))
        area = QRectF(self.rect())
        painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        font, small = QFont(self.font()), QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold)
        small.setPointSizeF(font.pointSizeF() * 0.82)
        painter.setPen(colour("onaccent" if self.isChecked() else "text"))
        painter.setFont(font)
        painter.drawText(QRectF(0, 3, area.width(), _NUMBER_HEIGHT), Qt.AlignmentFlag.AlignCenter, self._key)
        painter.setFont(small)
        painter.setPen(colour("onaccent" if self.isChecked() else "muted"))
        words = area.adjusted(2, _NUMBER_HEIGHT + 1, -2, -2)
        flags = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
        painter.drawText(words, flags, self._words.replace("/", f"/{_BREAK}").replace("-", f"-{_BREAK}"))


class ChoiceRow(QWidget):
    """Choices on the keys 1, 2, 3 ..., or on others.

    Attributes
    ----------
    chosen : Signal(int)
        Of the user, from 1.
    """

    chosen = Signal(int)

    def __init__(self, name: str, words: Sequence[str], keys: Sequence[str] = (), spacing: int = 4) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self._value: int | None = None
        keys = keys or [str(number) for number in range(1, len(words) + 1)]
        self.buttons = [ChoiceButton(key, word) for key, word in zip(keys, words, strict=True)]
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(spacing)
        for number, button in enumerate(self.buttons, start=1):
            layout.addWidget(button, 1)
            button.clicked.connect(lambda _=False, number=number: self.choose(number))

    @property
    def value(self) -> int | None:
        """What is chosen, from 1."""
        return self._value

    def choose(self, number: int) -> None:
        """Choose one, as the user does; numbers that there are not are passed over."""
        if 1 <= number <= len(self.buttons):
            self.show_value(number)
            self.chosen.emit(number)

    def step(self, by: int) -> None:
        """Choose the next one to the right, or with -1 to the left; the first from an end if none is chosen."""
        if self._value is None:
            self.choose(1 if by > 0 else len(self.buttons))
        else:
            self.choose(min(max(self._value + by, 1), len(self.buttons)))

    def show_value(self, number: int | None) -> None:
        """Show one as chosen, without telling; None for none."""
        self._value = number
        for at, button in enumerate(self.buttons, start=1):
            button.setChecked(at == number)
