"""Two fields for the HU shown as black and as white."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QWidget

from engine.ct import WindowLevel
from studio.buttons import keep_from_wheel, takes_return
from studio.session import Session
from studio.slice_texts import MINUS, signed

_LEAST, _MOST = -4000, 8000


class _Bound(QSpinBox):
    """A field with the minus sign of the texts, in which Return ends the typing, although it is a key of a menu."""

    def textFromValue(self, val: int) -> str:
        """Return the number as the slice says it."""
        return signed(val)

    def valueFromText(self, text: str) -> int:
        """Return the number of a text with either sign."""
        return super().valueFromText(text.replace(MINUS, "-"))

    def validate(self, input: str, pos: int) -> tuple[QValidator.State, str, int]:
        """Take either sign; both are one letter."""
        state, _, pos = super().validate(input.replace(MINUS, "-"), pos)
        return state, input, pos

    def event(self, event: QEvent) -> bool:
        """Take Return before the action of the menu does."""
        return takes_return(event) or super().event(event)


class WindowEntry(QWidget):
    """Shows and changes the window of a session by its bounds; black stays below white."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.black, self.white = (_Bound(minimum=_LEAST, maximum=_MOST, singleStep=10) for _ in range(2))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 0)
        layout.setSpacing(6)
        for field, name in ((self.black, "Black"), (self.white, "White")):
            field.setAccessibleName(f"HU shown as {name.lower()}")
            field.setToolTip(f"HU shown as {name.lower()}; what is beyond looks the same")
            keep_from_wheel(field)
            field.setFixedWidth(84)
            field.lineEdit().setTextMargins(6, 0, 0, 0)
            field.setKeyboardTracking(False)
            field.editingFinished.connect(self._use)
            field.valueChanged.connect(self._use)
            label = QLabel(name)
            label.setProperty("role", "muted")
            label.setContentsMargins(6, 0, 0, 0)
            layout.addWidget(label)
            layout.addWidget(field)
        layout.addWidget(QLabel("HU"))
        session.window_changed.connect(self.show_window)
        self.show_window()

    def show_window(self) -> None:
        """Show the bounds of the window, without setting it again."""
        for field, bound in zip((self.black, self.white), self._session.window.bounds, strict=True):
            field.blockSignals(True)
            field.setValue(round(bound))
            field.blockSignals(False)

    def _use(self) -> None:
        black, white = self.black.value(), self.white.value()
        if (black, white) == tuple(round(bound) for bound in self._session.window.bounds):
            return
        if white <= black:
            white, black = (black + 1, black) if self.sender() is self.black else (white, white - 1)
        self._session.window = WindowLevel(white - black, (white + black) / 2)
