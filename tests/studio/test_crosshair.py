"""The crosshair: HU and mm without a mouse, by real keys."""

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio import slice_painter
from studio.command_search import CommandSearch
from studio.crosshair import Crosshair
from studio.menu_actions import menu_actions
from studio.ruler import Ruler
from tests.scripted_engine import Gate, ScriptedRunner
from tests.studio.driving import NO_KEY, at, draw_box, generate, move, wheel
from tests.studio.live_driving import made_in_full, settle_in_box

ALT, CTRL = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
KEY = Qt.Key
#: The pixel in the middle of the volume of `conftest.py`.
MIDDLE = (48, 60)


def hu_text(column, index=2):
    """What is said of the HU of the volume of `conftest.py`."""
    return f"−{-int(np.linspace(-900, -700, 120).astype(np.int16)[column] + 10 * index)} HU"


def action_of(window):
    return next(found.action for found in menu_actions(window) if found.text == "Crosshair")


def said(window):
    return window.view.accessibleDescription()


@pytest.fixture
def crossed(window):
    """A window with the crosshair in the middle of the slice."""
    QTest.keyClick(window.view, KEY.Key_U)
    assert window.view.crosshair.pixel == MIDDLE
    return window


@pytest.fixture
def readouts(monkeypatch):
    """What is painted where the HU are told, the last one at the end."""
    painted, paint = [], slice_painter.paint_corners

    def keep(painter, area, texts):
        painted.append(texts["bottom left"])
        paint(painter, area, texts)

    monkeypatch.setattr(slice_painter, "paint_corners", keep)
    return painted


def test_nothing_is_to_be_seen_of_it_before_and_after(window):
    view, action = window.view, action_of(window)
    plain = view.grab().toImage()
    assert not action.isChecked()
    QTest.keyClick(view, KEY.Key_U)
    assert action.isChecked()
    crossed = view.grab().toImage()
    line, pixel = at(view, 20.5, MIDDLE[1] + 0.5), at(view, MIDDLE[0] + 0.5, MIDDLE[1] + 0.5)
    assert crossed.pixelColor(line).saturation() > plain.pixelColor(line).saturation() + 50
    assert crossed.pixelColor(pixel) == plain.pixelColor(pixel)
    QTest.keyClick(view, KEY.Key_U)
    assert not action.isChecked()
    assert view.grab().toImage() == plain


def test_arrows_move_it_and_neither_slice_nor_box(window):
    box = draw_box(window)
    QTest.keyClick(window.view, KEY.Key_U)
    assert window.view.crosshair.pixel == (40, 50)
    for key, modifiers, pixel in (
        (KEY.Key_Right, NO_KEY, (40, 51)),
        (KEY.Key_Down, NO_KEY, (41, 51)),
        (KEY.Key_Down, SHIFT, (51, 51)),
        (KEY.Key_Left, SHIFT, (51, 41)),
        (KEY.Key_Up, NO_KEY, (50, 41)),
        (KEY.Key_Left, Qt.KeyboardModifier.KeypadModifier, (50, 40)),
    ):
        QTest.keyClick(window.view, key, modifiers)
        assert window.view.crosshair.pixel == pixel
    assert window.session.slice_index == 2
    assert window.session.box_here == box
    assert window.session.dragged is None


def test_it_stays_on_the_slice():
    crosshair = Crosshair(Ruler())
    crosshair.put((-3.2, 119.9), (96, 120))
    assert crosshair.pixel == (0, 119)
    crosshair.move(200, 1, (96, 120))
    assert crosshair.pixel == (95, 119)
    crosshair.move(-10, -200, (96, 120))
    assert crosshair.pixel == (85, 0)


def test_the_hu_are_told_where_those_under_the_mouse_are_and_to_screen_readers(window, readouts):
    move(window.view, (48.5, 61.5))
    window.view.grab()
    assert readouts[-1] == f"row 48  column 61\n{hu_text(61)}"
    move(window.view, (10.5, 10.5))
    QTest.keyClick(window.view, KEY.Key_U)
    QTest.keyClick(window.view, KEY.Key_Right)
    window.view.grab()
    assert readouts[-1] == f"row 48  column 61\n{hu_text(61)}"
    assert said(window).startswith(f"row 48, column 61, {hu_text(61)}, Made up, Slice 3 of 5")
    QTest.keyClick(window.view, KEY.Key_Escape)
    window.view.grab()
    assert readouts[-1] == f"row 10  column 10\n{hu_text(10)}"
    assert said(window).startswith("Made up, Slice 3 of 5")


def test_slices_are_scrolled_and_the_slice_panned_under_it(crossed):
    QTest.keyClick(crossed.view, KEY.Key_Down, ALT)
    assert crossed.session.slice_index == 3
    assert said(crossed).startswith(f"row 48, column 60, {hu_text(60, 3)}")
    QTest.keyClick(crossed.view, KEY.Key_Home)
    assert crossed.session.slice_index == 0
    centre = crossed.view.viewport_now.centre
    QTest.keyClick(crossed.view, KEY.Key_Right, CTRL)
    assert crossed.view.viewport_now.centre != centre
    assert crossed.view.crosshair.pixel == MIDDLE


def test_what_it_reads_changes_with_the_nodule_and_space_shows_the_original(window, qtbot):
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_U)
    generate(window, qtbot)
    assert said(window).startswith("row 40, column 50, −100 HU")
    QTest.keyPress(window.view, KEY.Key_Space)
    assert said(window).startswith(f"row 40, column 50, {hu_text(50)}")
    QTest.keyRelease(window.view, KEY.Key_Space)
    QTest.keyClick(window.view, KEY.Key_C)
    assert said(window).startswith(f"row 40, column 50, {hu_text(50).removesuffix(' HU')} → −100 HU")


def test_the_ruler_is_set_by_return_and_makes_no_nodule(window, qtbot):
    draw_box(window)
    view, ruler = window.view, window.view.ruler
    for key in (KEY.Key_U, KEY.Key_M, KEY.Key_Return):
        QTest.keyClick(view, key)
    assert ruler.start == (40.5, 50.5)
    for key in (KEY.Key_Right, KEY.Key_Down):
        QTest.keyClick(view, key, SHIFT)
    assert ruler.length_mm((0.7, 0.7)) == pytest.approx(7 * 2**0.5)
    assert "ruler 9.9 mm" in said(window)
    QTest.keyClick(view, KEY.Key_Enter, Qt.KeyboardModifier.KeypadModifier)
    QTest.keyClick(view, KEY.Key_Left)
    assert ruler.end == (50.5, 60.5)
    for _ in range(2):  # Off and on again.
        assert ("ruler" in said(window)) == ruler.is_on
        QTest.keyClick(view, KEY.Key_M)
    QTest.keyClick(view, KEY.Key_Return)
    assert (ruler.start, ruler.end) == ((50.5, 59.5), None)
    assert "ruler" not in said(window)
    QTest.keyClick(view, KEY.Key_U)
    assert ruler.start is None  # It had one end only.
    assert window.session.job is window.session.candidate is None
    QTest.keyClick(view, KEY.Key_Return)
    qtbot.waitUntil(lambda: window.session.candidate is not None)


def test_return_generates_as_long_as_the_ruler_is_off(window, qtbot):
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_U)
    QTest.keyClick(window.view, KEY.Key_Return)
    qtbot.waitUntil(lambda: window.session.candidate is not None)


def test_return_that_is_held_sets_one_end(crossed):
    QTest.keyClick(crossed.view, KEY.Key_M)
    for is_repeated in (False, True, True):
        QApplication.sendEvent(crossed.view, QKeyEvent(QEvent.Type.KeyPress, KEY.Key_Return, NO_KEY, "", is_repeated))
    assert crossed.view.ruler.is_dragged


def test_both_ends_at_one_pixel_are_no_ruler():
    ruler = Ruler()
    for point in ((1.5, 2.5), (1.5, 2.5)):
        ruler.set_end(point)
    assert ruler.start is None
    ruler.set_end((1.5, 2.5))
    ruler.drag_to((1.5, 3.5))
    ruler.set_end((1.5, 2.5))
    assert ruler.start is None


def test_esc_ends_the_ruler_then_the_crosshair_then_the_job(make_window, volume):
    gate = Gate(2)
    window = make_window(ScriptedRunner(on_step=gate))
    window.session.show_volume(volume)
    draw_box(window)
    for key in (KEY.Key_G, KEY.Key_U, KEY.Key_M, KEY.Key_Return):
        QTest.keyClick(window.view, key)
    left = []
    for _ in range(3):
        QTest.keyClick(window.view, KEY.Key_Escape)
        ruler, crosshair = window.view.ruler.start is not None, window.view.crosshair.is_on
        left.append((ruler, crosshair, window.session.job is not None))
    assert left == [(False, True, True), (False, False, True), (False, False, False)]
    gate.open()


def test_live_pictures_take_no_notice_of_it(live, qtbot):
    first, box = settle_in_box(live, qtbot), live.session.box_here
    live.view.setFocus()
    QTest.keyClick(live.view, KEY.Key_U)
    begun = made_in_full(live, qtbot)
    for modifiers in (SHIFT, NO_KEY):
        QTest.keyClick(live.view, KEY.Key_Right, modifiers)
    assert made_in_full(live, qtbot) == begun
    assert live.session.box_here == box
    assert live.session.candidate is first
    assert live.session.live.is_on


def test_the_view_follows_it_out_of_sight(crossed):
    view = crossed.view
    wheel(view, 12, CTRL)
    zoom = view.viewport_now.zoom
    for _ in range(5):
        QTest.keyClick(view, KEY.Key_Right, SHIFT)
        assert view.rect().contains(at(view, *view.crosshair.at))
    assert view.viewport_now.zoom == zoom
    QTest.keyClick(view, KEY.Key_Escape)
    QTest.keyClick(view, KEY.Key_U)
    assert view.crosshair.pixel == (48, 110)
    QTest.keyClick(view, KEY.Key_Escape)
    for _ in range(20):
        QTest.keyClick(view, KEY.Key_Left, CTRL)
    QTest.keyClick(view, KEY.Key_U)
    assert view.crosshair.pixel == tuple(map(int, view.viewport_now.centre))
    assert view.crosshair.pixel != (48, 110)


def test_it_goes_with_its_series_and_there_is_none_without(crossed, volume):
    crossed.session.show_volume(volume)
    assert not crossed.view.crosshair.is_on
    assert not action_of(crossed).isChecked()
    crossed.session.close_volume()
    QTest.keyClick(crossed, KEY.Key_U)
    assert crossed.session.notice.text == "Open a chest CT first."
    assert not crossed.view.crosshair.is_on
    assert not action_of(crossed).isChecked()


def test_it_is_found_by_words_and_takes_the_keys_to_the_slice(window):
    window.panel.rows["margin"].slider.setFocus()
    window.find_action()
    search = window.findChild(CommandSearch)
    QTest.keyClicks(search.field, "hu pixel")
    assert search.chosen.text == "Crosshair"
    QTest.keyClick(search.field, KEY.Key_Return)
    assert window.view.crosshair.is_on
    assert window.focusWidget() is window.view
