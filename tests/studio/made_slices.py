"""What tests of slices that are made whole share."""

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.nodule import BoundingBox, NoduleAttributes
from studio.main_window import MainWindow
from tests.studio.driving import draw_box

CTRL = Qt.KeyboardModifier.ControlModifier
KEY = Qt.Key
#: No reader gave these: what is drawn for a slice differs.
UNUSUAL = NoduleAttributes(1, 1, 5, 5, 1)


def press_and_wait(window: MainWindow, qtbot) -> np.ndarray:
    """Press Ctrl+G and wait for the slice; return its HU."""
    before = window.session.volume
    QTest.keyClick(window, KEY.Key_G, CTRL)
    qtbot.waitUntil(lambda: window.session.volume is not before and window.session.generated is not None)
    qtbot.waitUntil(lambda: window.session.job is None)
    return window.session.volume.slice_at(0).hu


def forming(window: MainWindow, qtbot) -> None:
    """Press Ctrl+G and wait for the preview of step 2."""
    QTest.keyClick(window, KEY.Key_G, CTRL)
    qtbot.waitUntil(lambda: window.session.preview is not None and window.session.preview.step == 2)


def draw_elsewhere(window: MainWindow) -> BoundingBox:
    """Draw a box far from the one that the slice was made with: drawn over that, wherever it is, it would move it."""
    own = window.session.generated.box
    return draw_box(window, *(60 if edge >= 128 else 180 for edge in (own.row, own.column)), 12)
