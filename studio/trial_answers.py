"""What a reader answers with: one panel a kind of trial, which works with the mouse and with keys."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from engine.nodule import SCORE_NAMES
from engine.study import SIDES, TrialKind, Value
from studio.choices import ChoiceRow
from studio.reading_texts import CONFIDENCE, REALNESS
from studio.trial_view import TrialView

Key = Qt.Key
_ACROSS: dict[int, int] = {Key.Key_Left: -1, Key.Key_Right: 1}
#: Rows down, columns right.
_ARROWS: dict[int, tuple[int, int]] = {
    Key.Key_Up: (-1, 0),
    Key.Key_Down: (1, 0),
    Key.Key_Left: (0, -1),
    Key.Key_Right: (0, 1),
}
#: Pixels of the image by which the cross moves while an arrow key is held.
_STRIDE = 4


class AnswerPanel(QWidget):
    """Controls for one kind of trial.

    Attributes
    ----------
    changed : Signal()
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.rows = QVBoxLayout(self)
        self.rows.setContentsMargins(0, 0, 0, 0)
        self.rows.setSpacing(8)

    @property
    def value(self) -> Value:
        """The answer as it is now; of use where `missing` is empty."""
        raise NotImplementedError

    @property
    def confidence(self) -> int | None:
        """How sure the reader is; None where that is not asked for."""
        return None

    @property
    def missing(self) -> str:
        """What is still to be answered, as one sentence; empty if nothing is."""
        raise NotImplementedError

    def clear(self) -> None:
        """Answer nothing."""
        raise NotImplementedError

    def take_key(self, event: QKeyEvent) -> bool:
        """Answer with a key; return whether it was one for this."""
        raise NotImplementedError

    def take_click(self, image: int, row: float, column: float) -> None:
        """Answer with a click on an image, counted from 0, where that means something."""


class RealnessPanel(AnswerPanel):
    """From surely real to surely synthetic."""

    def __init__(self) -> None:
        super().__init__()
        self.choices = ChoiceRow("Real or synthetic", REALNESS)
        self.choices.chosen.connect(self.changed)
        self.rows.addWidget(self.choices)

    @property
    def value(self) -> Value:
        """From 1 to 6."""
        return self.choices.value

    @property
    def missing(self) -> str:
        """What is to be done."""
        return "" if self.choices.value else "Choose from 1 to 6."

    def clear(self) -> None:
        """Choose nothing."""
        self.choices.show_value(None)

    def take_key(self, event: QKeyEvent) -> bool:
        """Take digits, and the arrows left and right."""
        return _choose_by_key(self.choices, event)


class SidePanel(AnswerPanel):
    """Left or right; a click on an image chooses it, too."""

    def __init__(self, view: TrialView) -> None:
        super().__init__()
        self._view = view
        words = tuple(f"{side.capitalize()} image" for side in SIDES)
        self.choices = ChoiceRow("Which image", words, ("\N{LEFTWARDS ARROW}", "\N{RIGHTWARDS ARROW}"))
        self.choices.chosen.connect(self._show)
        self.rows.addWidget(self.choices)

    @property
    def value(self) -> Value:
        """Of `SIDES`."""
        return SIDES[self.choices.value - 1] if self.choices.value else None

    @property
    def missing(self) -> str:
        """What is to be done."""
        return "" if self.choices.value else "Choose the left or the right image."

    def clear(self) -> None:
        """Choose nothing."""
        self.choices.show_value(None)
        self._view.choose(None)

    def take_click(self, image: int, row: float, column: float) -> None:
        """Choose the image that was clicked."""
        self.choices.choose(image + 1)

    def take_key(self, event: QKeyEvent) -> bool:
        """Take the arrows left and right."""
        if event.key() not in _ACROSS:
            return False
        if not event.isAutoRepeat():
            self.choices.choose(1 if event.key() == Key.Key_Left else 2)
        return True

    def _show(self, number: int) -> None:
        self._view.choose(number - 1)
        self.changed.emit()


class ScoresPanel(AnswerPanel):
    """Five attributes with the names of Table 1; digits go to the attribute that is marked."""

    def __init__(self) -> None:
        super().__init__()
        self.choices: list[ChoiceRow] = []
        self._titles: list[QLabel] = []
        self._current = 0
        self.rows.setSpacing(4)
        for number, (attribute, names) in enumerate(SCORE_NAMES.items()):
            title = QLabel()
            row = ChoiceRow(attribute.capitalize(), names)
            row.chosen.connect(partial(self._take, number))
            self.choices.append(row)
            self._titles.append(title)
            self.rows.addWidget(title)
            self.rows.addWidget(row)
            self.rows.addSpacing(6)
        self._mark(0)

    @property
    def value(self) -> Value:
        """Five scores, those that are given."""
        return tuple(row.value for row in self.choices if row.value)

    @property
    def missing(self) -> str:
        """What is to be done."""
        left = [name for name, row in zip(SCORE_NAMES, self.choices, strict=True) if not row.value]
        return f"Score {' and '.join((', '.join(left[:-1]), left[-1]) if len(left) > 1 else left)}." if left else ""

    def clear(self) -> None:
        """Score nothing, beginning with the first."""
        for row in self.choices:
            row.show_value(None)
        self._mark(0)

    def take_key(self, event: QKeyEvent) -> bool:
        """Take digits and arrows."""
        if event.key() in (Key.Key_Up, Key.Key_Down):
            by = -1 if event.key() == Key.Key_Up else 1
            self._mark(min(max(self._current + by, 0), len(self.choices) - 1))
            return True
        if event.isAutoRepeat():
            return True  # A digit that is held would score the next attributes, too.
        number = _digit(event)
        if number and number <= len(self.choices[self._current].buttons):
            self.choices[self._current].choose(number)
            self._mark(min(self._current + 1, len(self.choices) - 1))
            return True
        return _choose_by_key(self.choices[self._current], event)

    def _take(self, number: int, score: int) -> None:
        self._mark(number)
        self.changed.emit()

    def _mark(self, number: int) -> None:
        self._current = number
        for at, (title, attribute) in enumerate(zip(self._titles, SCORE_NAMES, strict=True)):
            arrow = "  \N{BLACK DOWN-POINTING SMALL TRIANGLE}" if at == number else ""
            title.setText(f"<b>{attribute.capitalize()}{arrow}</b>")
            title.setProperty("role", "value" if at == number else "")
            title.style().unpolish(title)
            title.style().polish(title)


class PlacePanel(AnswerPanel):
    """A mark on the image, or none; and how sure."""

    def __init__(self, view: TrialView) -> None:
        super().__init__()
        self._view = view
        self.state = QLabel(wordWrap=True)
        self.nothing = QPushButton("No nodule   N")
        self.nothing.setCheckable(True)
        self.nothing.setAccessibleName("No nodule (N)")
        self.nothing.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.nothing.clicked.connect(lambda: self._see_nothing(self.nothing.isChecked()))
        how = QLabel("How sure are you?")
        how.setProperty("role", "heading")
        self.choices = ChoiceRow("How sure you are", CONFIDENCE)
        self.choices.chosen.connect(self.changed)
        for widget in (self.state, self.nothing):
            self.rows.addWidget(widget)
        self.rows.addSpacing(12)
        for widget in (how, self.choices):
            self.rows.addWidget(widget)
        self.clear()

    @property
    def value(self) -> Value:
        """(row, column) of the mark, or None."""
        return self._view.mark

    @property
    def confidence(self) -> int | None:
        """From 1 to 6."""
        return self.choices.value

    @property
    def missing(self) -> str:
        """What is to be done."""
        if not self._view.mark and not self.nothing.isChecked():
            return "Mark the nodule: click on it, or move the cross with the arrow keys and press Enter. Or press N."
        return "" if self.choices.value else "Say how sure you are, from 1 to 6."

    def clear(self) -> None:
        """Mark nothing."""
        self.choices.show_value(None)
        self.nothing.setChecked(False)
        self._view.set_mark(None)
        self._show()

    def take_click(self, image: int, row: float, column: float) -> None:
        """Mark what was clicked."""
        self._view.cross = None
        self._view.set_mark((round(row, 2), round(column, 2)))
        self.nothing.setChecked(False)
        self._show()
        self.changed.emit()

    def take_key(self, event: QKeyEvent) -> bool:
        """Take arrows, Enter while there is a cross, N and digits."""
        key, cross = event.key(), self._view.cross
        if key in _ARROWS:
            step = _STRIDE if event.isAutoRepeat() else 1
            down, right = _ARROWS[key]
            self._view.move_cross(down * step, right * step)
        elif key in (Key.Key_Return, Key.Key_Enter) and cross:
            self.take_click(0, *cross)
        elif event.isAutoRepeat():
            pass  # An N that is held would be taken back.
        elif key == Key.Key_N:
            self._see_nothing(not self.nothing.isChecked())
        else:
            return _choose_by_key(self.choices, event)
        return True

    def _see_nothing(self, is_nothing: bool) -> None:
        self.nothing.setChecked(is_nothing)
        self._view.cross = None
        self._view.set_mark(None)
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        if self._view.mark:
            self.state.setText("Marked. Click elsewhere to move the mark.")
        else:
            self.state.setText("No nodule." if self.nothing.isChecked() else "Nothing is marked yet.")


def make_panels(view: TrialView) -> dict[TrialKind, AnswerPanel]:
    """Return one panel a kind of trial."""
    return {
        "find_nodule": PlacePanel(view),
        "real_or_synthetic": RealnessPanel(),
        "forced_choice": SidePanel(view),
        "rate_attributes": ScoresPanel(),
    }


def _digit(event: QKeyEvent) -> int:
    """Return the digit of a key; 0 if it is none."""
    return int(event.text()) if event.text() in tuple("123456789") else 0


def _choose_by_key(choices: ChoiceRow, event: QKeyEvent) -> bool:
    if event.isAutoRepeat():
        return True
    if event.key() in _ACROSS:
        choices.step(_ACROSS[event.key()])
        return True
    number = _digit(event)
    if 1 <= number <= len(choices.buttons):
        choices.choose(number)
        return True
    return False
