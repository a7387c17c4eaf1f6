"""The page of the reader mode with a trial on it: images, question, answer, progress, and nothing else."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from engine.ct import WINDOW_PRESETS, CTSlice, WindowLevel
from engine.nodule import BoundingBox
from engine.study import Trial
from studio.dialog_parts import row
from studio.reading_texts import FINAL, TASKS
from studio.trial_answers import AnswerPanel, make_panels
from studio.trial_view import TrialView

Key, Modifier = Qt.Key, Qt.KeyboardModifier
_PANEL_WIDTH = 460
_ZOOM_STEP = 1.2
#: Pixels of the screen by which an arrow key pans; steps by which one changes the window.
_PAN, _WINDOW = 40.0, 8.0
_ARROWS: dict[int, tuple[int, int]] = {
    Key.Key_Left: (-1, 0),
    Key.Key_Right: (1, 0),
    Key.Key_Up: (0, -1),
    Key.Key_Down: (0, 1),
}
#: The presets as they are delivered, whatever a user has made of them: alike for all readers.
_PRESET_KEYS: dict[int, WindowLevel] = {
    getattr(Key, f"Key_{name[0]}"): preset for name, preset in WINDOW_PRESETS.items()
}


class TrialPage(QWidget):
    """Shows a trial and takes an answer.

    Attributes
    ----------
    confirm_wanted, pause_wanted : Signal()
    """

    confirm_wanted = Signal()
    pause_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = TrialView()
        self.panels = make_panels(self.view)
        self.answer: AnswerPanel = next(iter(self.panels.values()))
        self.progress, self.question = QLabel(), QLabel(wordWrap=True)
        self.bar = QProgressBar(textVisible=False)
        self.message = QLabel(wordWrap=True)
        self.missing = QLabel(wordWrap=True)
        self.confirm = _button("Confirm   Enter", self.confirm_wanted)
        self.pause = _button("Pause   Esc", self.pause_wanted)
        self.presets = {name: _button(f"{name}   {name[0]}") for name in WINDOW_PRESETS}
        self.fit = _button("Fit   F")
        self.to_box = _button("Box   Z")
        self._style()
        self._lay_out()
        self._connect()

    def _style(self) -> None:
        self.progress.setProperty("role", "muted")
        self.question.setProperty("role", "title")
        self.bar.setAccessibleName("Progress")
        self.message.setProperty("role", "warning")
        self.missing.setProperty("role", "muted")
        self.confirm.setProperty("role", "primary")
        for button in (*self.presets.values(), self.to_box, self.fit):
            button.setProperty("role", "small")
        for panel in self.panels.values():
            panel.hide()

    def _lay_out(self) -> None:
        side = QFrame()
        side.setObjectName("panel")
        side.setFixedWidth(_PANEL_WIDTH)
        rows = QVBoxLayout(side)
        rows.setContentsMargins(20, 20, 20, 20)
        rows.setSpacing(8)
        rows.addLayout(row(self.progress, None, self.pause))
        rows.addWidget(self.bar)
        rows.addSpacing(12)
        rows.addWidget(self.question)
        rows.addSpacing(8)
        for panel in self.panels.values():
            rows.addWidget(panel)
        rows.addSpacing(8)
        rows.addWidget(self.missing)
        rows.addWidget(self.message)
        rows.addWidget(self.confirm)
        final = QLabel(FINAL)
        final.setProperty("role", "muted")
        rows.addWidget(final)
        rows.addStretch(1)
        rows.addLayout(row(*self.presets.values(), None, self.to_box, self.fit))
        beside = QHBoxLayout(self)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(0)
        beside.addWidget(self.view, 1)
        beside.addWidget(side)

    def _connect(self) -> None:
        for name, button in self.presets.items():
            button.setAccessibleName(f"{name} window ({name[0]})")
            button.clicked.connect(lambda _=False, name=name: self.view.use_window(WINDOW_PRESETS[name]))
        self.fit.clicked.connect(self.view.reset)
        self.to_box.setAccessibleName("Zoom to the box (Z)")
        self.to_box.clicked.connect(self.view.zoom_to_box)
        self.view.clicked.connect(self._take_click)
        for panel in self.panels.values():
            panel.changed.connect(self._show_missing)

    def show_trial(self, trial: Trial, images: tuple[CTSlice, ...], window: WindowLevel) -> None:
        """Show a trial that is not answered at all yet."""
        box = BoundingBox(*trial.box, slice_shape=trial.shape) if trial.box else None
        self.view.show_images(images, box, window)
        self.to_box.setVisible(box is not None)
        self.answer = self.panels[trial.kind]
        for panel in self.panels.values():
            panel.setVisible(panel is self.answer)
        self.answer.clear()
        self.question.setText(TASKS[trial.kind].question)
        self.message.clear()
        self._show_missing()

    def show_progress(self, answered: int, count: int) -> None:
        """Say which of how many trials this is."""
        self.progress.setText(f"{answered + 1} of {count}")
        self.bar.setRange(0, count)
        self.bar.setValue(answered)

    def show_error(self, message: str) -> None:
        """Say why the answer could not be kept."""
        self.message.setText(message)
        self.message.setVisible(bool(message))

    def take_key(self, event: QKeyEvent) -> None:
        """Do what a key stands for: view, answer, confirmation or pause."""
        key = event.key()
        if key == Key.Key_Escape:
            self.pause_wanted.emit()
        elif self._change_view(event) or self.answer.take_key(event):
            pass
        elif key in (Key.Key_Return, Key.Key_Enter) and not event.isAutoRepeat():
            self.confirm_wanted.emit()

    def _take_click(self, image: int, row: float, column: float) -> None:
        self.answer.take_click(image, row, column)

    def _change_view(self, event: QKeyEvent) -> bool:
        key, modifiers = event.key(), event.modifiers()
        if key in _ARROWS and modifiers & Modifier.ControlModifier:
            self.view.change_window(*(_WINDOW * step for step in _ARROWS[key]))
        elif key in _ARROWS and modifiers & Modifier.ShiftModifier:
            self.view.pan(QPointF(*(-_PAN * step for step in _ARROWS[key])))
        elif key in (Key.Key_Plus, Key.Key_Equal, Key.Key_Minus):
            self.view.zoom(1 / _ZOOM_STEP if key == Key.Key_Minus else _ZOOM_STEP)
        elif key == Key.Key_F:
            self.view.reset()
        elif key == Key.Key_Z:
            self.view.zoom_to_box()
        elif key in _PRESET_KEYS:
            self.view.use_window(_PRESET_KEYS[Key(key)])
        else:
            return False
        return True

    def _show_missing(self) -> None:
        missing = self.answer.missing
        self.missing.setText(missing)
        self.missing.setVisible(bool(missing))
        self.confirm.setEnabled(not missing)
        self.confirm.setToolTip(missing)
        self.show_error("")


def _button(text: str, clicked: object = None) -> QPushButton:
    """Return a button that leaves the keys to the window."""
    button = QPushButton(text)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    if clicked is not None:
        button.clicked.connect(clicked)
    return button
