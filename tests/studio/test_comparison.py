"""Before and after: side by side, by a swipe, by their difference; each by its key, with real mouse and keys."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolButton

from engine.ct import WindowLevel
from studio.panes import Picture, pane_at, panes_of
from studio.shown import Comparison
from studio.slice_pictures import difference_colours, difference_image
from tests.studio.driving import LEFT, RIGHT, at, draw_box, generate, grey_of, wheel

CTRL = Qt.KeyboardModifier.ControlModifier
KEY = Qt.Key
#: In the box of `draw_box`, and away from it; HU of the volume of `conftest.py` there, and of the nodule.
INSIDE, OUTSIDE = (40, 48), (80, 100)
NODULE = grey_of(-100)


@pytest.fixture
def compared(window, qtbot):
    """A window with a nodule that waits to be accepted, without its box and its words."""
    draw_box(window)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_X)
    window.notice_bar.hide()
    return window


def colour_at(view, point, pane=0):
    """Colour that a pane of the view shows at an image point."""
    where = at(view, *point) + view.panes[pane].area.topLeft().toPoint()
    return view.grab().toImage().pixelColor(where * view.devicePixelRatio())


def before(point):
    """Grey of the slice as it was read, in the lung window."""
    return grey_of(np.linspace(-900, -700, 120).astype(np.int16)[point[1]] + 20)


def drag_in_pane(view, pane, start, end, button=LEFT):
    """Drag in a pane from one image point to another."""
    corner = view.panes[pane].area.topLeft().toPoint()
    QTest.mousePress(view, button, pos=at(view, *start) + corner)
    middle = tuple((a + b) / 2 for a, b in zip(start, end, strict=True))
    for point in (middle, end):
        QTest.mouseMove(view, at(view, *point) + corner)
    QTest.mouseRelease(view, button, pos=at(view, *end) + corner)


def test_before_and_after_lie_side_by_side(compared):
    view = compared.view
    QTest.keyClick(view, KEY.Key_C)
    assert [pane.picture for pane in view.panes] == [Picture.BEFORE, Picture.AFTER]
    assert colour_at(view, INSIDE, 0).value() == pytest.approx(before(INSIDE), abs=2)
    assert colour_at(view, INSIDE, 1).value() == pytest.approx(NODULE, abs=2)
    for pane in (0, 1):
        assert colour_at(view, OUTSIDE, pane).value() == pytest.approx(before(OUTSIDE), abs=2)
    QTest.keyClick(view, KEY.Key_C)
    assert [pane.picture for pane in view.panes] == [Picture.NOW]


def test_both_panes_move_as_one_and_both_take_the_mouse(compared):
    view, session = compared.view, compared.session
    QTest.keyClick(view, KEY.Key_C)
    fitted = view.viewport_now
    assert fitted.size == (view.panes[1].area.width(), view.height())
    right = at(view, *INSIDE) + view.panes[1].area.topLeft().toPoint()
    held = view.viewport_now.to_image(at(view, *INSIDE))
    wheel(view, 3, CTRL, pos=right)
    assert view.viewport_now.zoom > fitted.zoom
    in_pane = right - view.panes[1].area.topLeft().toPoint()
    assert view.viewport_now.to_image(in_pane) == pytest.approx(held, abs=0.1)
    QTest.keyClick(view, KEY.Key_F)
    drag_in_pane(view, 1, (60, 60), (80, 80))
    box = session.box_here
    assert (box.row, box.column, box.side) == (60, 60, 20)
    width = session.window.width
    drag_in_pane(view, 1, (30, 30), (30, 60), RIGHT)
    assert session.window.width > width


def test_the_cursor_is_shown_in_the_other_pane_too(compared):
    view = compared.view
    QTest.keyClick(view, KEY.Key_C)
    plain = colour_at(view, OUTSIDE, 1)
    QTest.mouseMove(view, at(view, *OUTSIDE))
    assert colour_at(view, OUTSIDE, 1).saturation() > plain.saturation() + 50
    assert colour_at(view, OUTSIDE, 0) == plain


def test_a_swipe_shows_before_left_of_its_divider(compared):
    view, session = compared.view, compared.session
    QTest.keyClick(view, KEY.Key_W)
    # The box is left of the middle.
    assert colour_at(view, INSIDE).value() == pytest.approx(before(INSIDE), abs=2)
    knob = QPoint(view.width() // 2, view.height() // 2)
    goal = at(view, 60, 20)
    QTest.mousePress(view, LEFT, pos=knob)
    QTest.mouseMove(view, goal)
    QTest.mouseRelease(view, LEFT, pos=goal)
    assert session.shown.divider == pytest.approx(goal.x() / view.width(), abs=0.01)
    assert colour_at(view, INSIDE).value() == pytest.approx(NODULE, abs=2)
    assert session.box_here.row == 30  # Dragging the divider draws no box and moves none.
    for _ in range(30):
        QTest.keyClick(view, KEY.Key_Right)
    assert colour_at(view, INSIDE).value() == pytest.approx(before(INSIDE), abs=2)
    assert session.slice_index == 2


def test_a_divider_stays_in_the_view(compared):
    view = compared.view
    QTest.keyClick(view, KEY.Key_W)
    for _ in range(60):
        QTest.keyClick(view, KEY.Key_Left)
    assert compared.session.shown.divider == 0
    QTest.keyClick(view, KEY.Key_V)
    QTest.keyClick(view, KEY.Key_Right)
    assert compared.session.shown.divider == 0  # Only a swipe has one.


def test_the_difference_is_in_colour_and_the_rest_dim(compared):
    view = compared.view
    compared.session.window = WindowLevel(3000, 0)
    QTest.keyClick(view, KEY.Key_V)
    rise = -100 - (np.linspace(-900, -700, 120).astype(np.int16)[INSIDE[1]] + 20)
    expected, shown = difference_colours(1001)[round((rise / 1500 + 1) * 500)], colour_at(view, INSIDE)
    assert shown.getRgb() == pytest.approx(expected.getRgb(), abs=4)
    dim = colour_at(view, OUTSIDE)
    assert dim.saturation() == 0
    assert 0 < dim.value() < 60


def test_colours_tell_rise_from_fall_and_end_at_half_the_window():
    was = np.array([[-800, -800, -800, -800, -800]], np.int16)
    now = np.array([[-800, -300, -1300, 900, -550]], np.int16)
    image = difference_image(was, now, WindowLevel(1000, -500))
    none, rise, fall, more, half = (image.pixelColor(column, 0) for column in range(5))
    assert none == QColor(16, 16, 16)  # (-800 + 1000) / 1000 * 255 * 0.32
    assert rise.red() > rise.blue()
    assert fall.blue() > fall.red()
    assert more == rise
    assert half.value() < rise.value()


def test_space_shows_the_original_in_the_middle_of_a_comparison(compared):
    view = compared.view
    QTest.keyClick(view, KEY.Key_V)
    QTest.keyPress(view, KEY.Key_Space)
    assert colour_at(view, INSIDE).value() == pytest.approx(before(INSIDE), abs=2)
    QTest.keyRelease(view, KEY.Key_Space)
    assert colour_at(view, INSIDE).saturation() > 50


def test_one_way_to_compare_takes_the_place_of_another(compared):
    view, session = compared.view, compared.session
    button = next(button for button in compared.findChildren(QToolButton) if button.text() == "Compare")
    assert not button.isChecked()
    for key, way in (("C", Comparison.SIDE_BY_SIDE), ("W", Comparison.SWIPE), ("V", Comparison.DIFFERENCE)):
        QTest.keyClick(view, key.lower())
        assert session.shown.comparison is way
        assert button.isChecked()
        assert [action.text() for action in button.menu().actions() if action.isChecked()] == [way.value]
    QTest.keyClick(view, KEY.Key_V)
    assert session.shown.comparison is Comparison.NONE
    assert not button.isChecked()


def test_ctrl_and_arrows_pan(compared):
    view = compared.view
    centre = view.viewport_now.centre
    QTest.keyClick(view, KEY.Key_Down, CTRL)
    QTest.keyClick(view, KEY.Key_Right, CTRL)
    assert view.viewport_now.centre[0] > centre[0]
    assert view.viewport_now.centre[1] > centre[1]
    assert compared.session.slice_index == 2


def test_panes_share_the_width():
    left, right = panes_of(Comparison.SIDE_BY_SIDE, 401, 300)
    assert left.area.size() == right.area.size()
    assert right.area.right() == 401
    assert pane_at((left, right), left.area.center()) is left
    assert pane_at((left, right), right.area.center()) is right
