"""The slice, driven by mouse and keys."""

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine.ct import BONE, LUNG, MEDIASTINUM
from tests.studio.driving import LEFT, MIDDLE, NO_KEY, RIGHT, at, drag, draw_box, grey_at, move, press, release, wheel

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
KEY, NO_BUTTON = Qt.Key, Qt.MouseButton.NoButton


def edges(box):
    return box.row, box.column, box.side


def test_the_middle_slice_is_shown_first(window):
    assert window.session.slice_index == 2
    # -880 HU on the left, -680 on the right, in the lung window: (HU + 1350) / 1500 of white.
    assert grey_at(window.view, 30, 2) == pytest.approx((-877 + 1350) / 1500 * 255, abs=2)
    assert grey_at(window.view, 30, 118) == pytest.approx((-683 + 1350) / 1500 * 255, abs=2)


def test_the_wheel_scrolls_slices(window):
    wheel(window.view, 1)
    assert window.session.slice_index == 1
    wheel(window.view, -2)
    assert window.session.slice_index == 3
    wheel(window.view, -9)
    assert window.session.slice_index == 4


def test_small_turns_of_a_touch_pad_add_up(window):
    for _ in range(3):
        wheel(window.view, -0.4)
    assert window.session.slice_index == 3


@pytest.mark.parametrize(
    ("key", "index"),
    [
        (KEY.Key_Up, 1),
        (KEY.Key_Down, 3),
        (KEY.Key_PageUp, 0),
        (KEY.Key_PageDown, 4),
        (KEY.Key_Home, 0),
        (KEY.Key_End, 4),
    ],
)
def test_keys_scroll_slices(window, key, index):
    QTest.keyClick(window.view, key)
    assert window.session.slice_index == index


def test_the_scroll_bar_scrolls_slices_and_follows(window):
    window.slice_bar.setValue(4)
    assert window.session.slice_index == 4
    QTest.keyClick(window.view, KEY.Key_Home)
    assert window.slice_bar.value() == 0


def test_right_drag_changes_the_window(window):
    view, before = window.view, window.session.window
    press(view, (50, 50), RIGHT)
    QTest.mouseMove(view, at(view, 50, 50) + QPoint(40, -20))
    release(view, (50, 60), RIGHT)
    after = window.session.window
    assert after.width > before.width
    assert after.level < before.level
    assert window.session.box is None


def test_half_pixels_of_a_right_drag_add_up(window):
    view, level = window.view, window.session.window.level
    press(view, (50, 50), RIGHT)
    start = QPointF(at(view, 50, 50))
    for number in range(1, 41):
        where = start + QPointF(0, number / 2)
        event = QMouseEvent(QEvent.Type.MouseMove, where, view.mapToGlobal(where), NO_BUTTON, RIGHT, NO_KEY)
        QApplication.sendEvent(view, event)
    release(view, (50, 50), RIGHT)
    assert window.session.window.level == pytest.approx(level + 20 * 1500 / 400, abs=1)


@pytest.mark.parametrize(("key", "preset"), [(KEY.Key_1, LUNG), (KEY.Key_2, MEDIASTINUM), (KEY.Key_3, BONE)])
def test_presets_are_on_the_keys_1_to_3(window, key, preset):
    QTest.keyClick(window.view, KEY.Key_2)
    QTest.keyClick(window.view, key)
    assert window.session.window == preset
    checked = [action.text() for action in window.presets if action.isChecked()]
    assert checked == [{LUNG: "Lung", MEDIASTINUM: "Mediastinum", BONE: "Bone"}[preset]]


def test_a_preset_in_use_stays_checked_when_it_is_clicked(window):
    window.presets[0].trigger()
    assert window.presets[0].isChecked()


def test_ctrl_and_wheel_zoom_around_the_mouse(window):
    view, mouse = window.view, at(window.view, 20, 30)
    under, zoom = view.viewport_now.to_image(mouse), view.viewport_now.zoom
    wheel(view, 3, CTRL, mouse)
    assert view.viewport_now.zoom == pytest.approx(zoom * 1.2**3)
    assert view.viewport_now.to_image(mouse) == pytest.approx(under)
    assert window.session.slice_index == 2


def test_middle_drag_pans_and_f_fits(window):
    view, fitted = window.view, window.view.viewport_now
    start, movement = at(view, 50, 50), QPoint(60, 40)
    QTest.mousePress(view, MIDDLE, pos=start)
    QTest.mouseMove(view, start + movement)
    QTest.mouseRelease(view, MIDDLE, pos=start + movement)
    assert view.viewport_now.to_widget(50, 50).toPoint() == (fitted.to_widget(50, 50) + movement).toPoint()
    QTest.keyClick(view, KEY.Key_F)
    assert view.viewport_now == fitted


def test_a_larger_window_shows_a_fitted_slice_larger_and_leaves_a_zoomed_one(window, qtbot):
    view = window.view
    fitted = view.viewport_now.zoom
    window.resize(1300, 1000)
    qtbot.waitUntil(lambda: view.viewport_now.zoom > fitted)
    wheel(view, 2, CTRL)
    zoomed = view.viewport_now
    window.resize(1000, 800)
    qtbot.waitUntil(lambda: view.viewport_now.size != zoomed.size)
    assert view.viewport_now.zoom == zoomed.zoom
    assert view.viewport_now.centre == zoomed.centre


def test_left_drag_draws_a_square_in_pixels_of_the_slice(window):
    draw_box(window, 30, 40, 20)
    assert window.session.box.slice_index == 2


def test_a_box_that_is_drawn_cannot_leave_the_slice(window):
    drag(window.view, (80, 100), (150, 160))
    assert edges(window.session.box_here) == (80, 100, 16)
    drag(window.view, (20, 10), (-30, -30))
    assert edges(window.session.box_here) == (10, 0, 10)


def test_a_click_draws_nothing(window):
    QTest.mouseClick(window.view, LEFT, pos=at(window.view, 40, 40))
    assert window.session.box is None
    assert window.session.undo_stack.isClean()


def test_the_box_is_moved_by_its_inside_and_stops_at_the_border(window):
    draw_box(window)
    drag(window.view, (40, 50), (45, 62))
    assert edges(window.session.box_here) == (35, 52, 20)
    drag(window.view, (45, 62), (400, 400))
    assert edges(window.session.box_here) == (76, 100, 20)


@pytest.mark.parametrize(
    ("corner", "end", "result"),
    [
        ((50, 60), (60, 64), (30, 40, 30)),
        ((30, 40), (25, 38), (25, 35, 25)),
        ((30, 60), (20, 66), (20, 40, 30)),
        ((50, 40), (52, 38), (30, 38, 22)),
        ((50, 60), (200, 200), (30, 40, 66)),
    ],
)
def test_each_corner_resizes_the_box(window, corner, end, result):
    draw_box(window)
    drag(window.view, corner, end)
    assert edges(window.session.box_here) == result


def test_a_drag_takes_effect_when_it_ends_and_escape_ends_it_without(window):
    draw_box(window)
    press(window.view, (40, 50))
    move(window.view, (45, 55), (50, 60))
    assert edges(window.session.box_here) == (30, 40, 20)
    QTest.keyClick(window.view, KEY.Key_Escape)
    release(window.view, (50, 60))
    assert edges(window.session.box_here) == (30, 40, 20)


def test_a_notice_that_comes_during_a_drag_does_not_end_it(window):
    press(window.view, (30, 40))
    move(window.view, (35, 45), (45, 55))
    height = window.view.height()
    window.session.say("This takes room from the slice.")
    QApplication.processEvents()
    assert window.view.height() < height
    move(window.view, (50, 60))
    release(window.view, (50, 60))
    assert edges(window.session.box_here) == (30, 40, 20)


def test_the_cursor_tells_what_a_drag_would_do(window, qtbot):
    draw_box(window)
    shapes = {
        (10, 10): Qt.CursorShape.CrossCursor,
        (40, 50): Qt.CursorShape.SizeAllCursor,
        (30, 40): Qt.CursorShape.SizeFDiagCursor,
        (30, 60): Qt.CursorShape.SizeBDiagCursor,
    }
    for point, shape in shapes.items():
        move(window.view, point)
        qtbot.waitUntil(lambda shape=shape: window.view.cursor().shape() == shape)


def nudge(view, *keys, modifiers=SHIFT):
    """Press keys while Shift is held; `QTest` would release it after each."""
    for key in keys:
        QApplication.sendEvent(view, QKeyEvent(QEvent.Type.KeyPress, key, modifiers))
        QApplication.sendEvent(view, QKeyEvent(QEvent.Type.KeyRelease, key, modifiers))
    QApplication.sendEvent(view, QKeyEvent(QEvent.Type.KeyRelease, KEY.Key_Shift, modifiers))


def test_shift_and_arrows_move_the_box_as_one_step_of_undo(window):
    draw_box(window)
    nudge(window.view, KEY.Key_Right, KEY.Key_Right, KEY.Key_Down, KEY.Key_Left, KEY.Key_Right)
    assert edges(window.session.box_here) == (31, 42, 20)
    assert window.session.slice_index == 2
    window.session.undo_stack.undo()
    assert edges(window.session.box_here) == (30, 40, 20)


def test_ctrl_shift_and_arrows_resize_the_box_and_stop_at_the_border(window):
    draw_box(window, 30, 90, 20)
    nudge(window.view, KEY.Key_Right, KEY.Key_Down, KEY.Key_Down, modifiers=SHIFT | CTRL)
    assert edges(window.session.box_here) == (30, 90, 23)
    nudge(window.view, *[KEY.Key_Right] * 12, modifiers=SHIFT | CTRL)
    assert edges(window.session.box_here) == (30, 90, 30)
    nudge(window.view, *[KEY.Key_Up] * 40, modifiers=SHIFT | CTRL)
    assert edges(window.session.box_here) == (30, 90, 2)


def test_the_keyboard_alone_makes_a_box(window):
    QTest.keyClick(window.view, KEY.Key_B)
    assert edges(window.session.box_here) == (37, 49, 21)


def test_delete_removes_the_box_and_undo_brings_it_back(window):
    box = draw_box(window)
    QTest.keyClick(window.view, KEY.Key_Delete)
    assert window.session.box is None
    QTest.keyClick(window.view, KEY.Key_Z, CTRL)
    assert window.session.box_here == box
    QTest.keyClick(window.view, KEY.Key_Z, CTRL | SHIFT)
    assert window.session.box is None


def test_the_box_stays_on_its_slice_and_undo_goes_there(window):
    draw_box(window)
    wheel(window.view, -1)
    assert window.session.box_here is None
    wheel(window.view, -1)
    window.session.undo_stack.undo()
    assert window.session.slice_index == 2
    assert window.session.box is None


def test_plain_pixels_instead_of_smooth_enlargement(window):
    wheel(window.view, 12, CTRL)
    window.view.set_smooth(False)
    # Within one pixel of the slice nothing changes.
    assert grey_at(window.view, 48.1, 60.1) == grey_at(window.view, 48.9, 60.9)
