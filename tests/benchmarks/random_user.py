"""A user who does anything at any moment, with real mouse and key events, drawn from a seed."""

from __future__ import annotations

import random
import time

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.main_window import MainWindow
from studio.score_slider import ScoreSlider
from tests.studio.driving import LEFT, RIGHT, wheel

KEY = Qt.Key
NONE, SHIFT, CTRL, ALT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
)
#: Key, modifiers and how often it is drawn.
_KEYS = (
    (KEY.Key_G, NONE, 14),
    (KEY.Key_Escape, NONE, 8),
    (KEY.Key_Escape, SHIFT, 2),
    (KEY.Key_G, SHIFT, 2),
    (KEY.Key_1, ALT, 1),
    (KEY.Key_N, NONE, 3),
    (KEY.Key_A, NONE, 7),
    (KEY.Key_D, NONE, 3),
    (KEY.Key_Delete, NONE, 4),
    (KEY.Key_B, NONE, 3),
    (KEY.Key_Z, CTRL, 12),
    (KEY.Key_Z, CTRL | SHIFT, 6),
    (KEY.Key_Up, NONE, 4),
    (KEY.Key_Down, NONE, 4),
    (KEY.Key_Left, ALT, 2),
    (KEY.Key_Right, ALT, 2),
    (KEY.Key_Right, SHIFT, 3),
    (KEY.Key_Down, SHIFT | CTRL, 2),
    (KEY.Key_BracketRight, NONE, 2),
    (KEY.Key_Period, NONE, 1),
    (KEY.Key_C, NONE, 1),
    (KEY.Key_W, NONE, 1),
    (KEY.Key_V, NONE, 1),
    (KEY.Key_O, NONE, 1),
    (KEY.Key_L, NONE, 1),
    (KEY.Key_P, NONE, 1),
    (KEY.Key_F, NONE, 1),
)


class RandomUser:
    """Works on a window.

    Attributes
    ----------
    last : str
        What was done last.
    """

    def __init__(self, window: MainWindow, draw: random.Random) -> None:
        self._window, self._session = window, window.session
        self._draw = draw
        self.last = ""

    def act(self) -> None:
        """Do one thing."""
        if self._draw.random() < 0.35:
            act = self._draw.choice((self._draw_box, self._move_box, self._drag_window, self._scroll, self._slide))
            self.last = act.__name__.lstrip("_")
            act()
        else:
            key, modifiers, _ = self._draw.choices(_KEYS, [often for *_, often in _KEYS])[0]
            self.last = f"{key.name} {modifiers.name}"
            QTest.keyClick(self._window.view, key, modifiers)
            if modifiers & SHIFT:
                QTest.keyRelease(self._window.view, KEY.Key_Shift)

    def _point(self) -> QPoint:
        view = self._window.view
        return QPoint(self._draw.randrange(view.width()), self._draw.randrange(view.height()))

    def _drag(self, button: Qt.MouseButton, start: QPoint, end: QPoint) -> None:
        view = self._window.view
        QTest.mousePress(view, button, pos=start)
        for part in (0.3, 0.7, 1.0):
            QTest.mouseMove(view, start + (end - start) * part)
            handle_events(self._draw.choice((0, 0.005)))
        if self._draw.random() < 0.15:
            QTest.keyClick(view, KEY.Key_Escape)
        QTest.mouseRelease(view, button, pos=end)

    def _draw_box(self) -> None:
        start = self._point()
        self._drag(LEFT, start, start + QPoint(self._draw.randint(-120, 120), self._draw.randint(-120, 120)))

    def _move_box(self) -> None:
        viewport, box = self._window.view.viewport_now, self._session.box_here
        if viewport and box:
            self._drag(LEFT, viewport.to_widget(*box.centre).toPoint(), self._point())

    def _drag_window(self) -> None:
        self._drag(RIGHT, self._point(), self._point())

    def _scroll(self) -> None:
        wheel(self._window.view, self._draw.choice((-1, 1)))

    def _slide(self) -> None:
        slider = self._draw.choice(self._window.panel.findChildren(ScoreSlider))
        QTest.keyClick(slider, self._draw.choice((KEY.Key_Left, KEY.Key_Right)))
        self._window.view.setFocus()


def handle_events(seconds: float) -> None:
    """Handle events for so long, once at least."""
    end = time.monotonic() + seconds
    QApplication.processEvents()
    while time.monotonic() < end:
        # Not QTest.qWait: it sleeps with the interpreter's lock held, and the engine thread hardly gets on.
        time.sleep(0.001)
        QApplication.processEvents()
