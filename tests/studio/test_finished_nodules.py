"""What becomes of a finished nodule: accepted, discarded, undone, compared, dragged elsewhere, deleted."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from tests.studio.driving import LEFT, at, drag, draw_box, generate, grey_at, grey_of, move, press, release, wheel

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
KEY = Qt.Key
INSIDE = (40, 50)


def test_accept_keeps_the_nodule_and_the_next_one_builds_on_it(window, qtbot):
    draw_box(window)
    first = generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    assert window.session.candidate is None
    assert window.session.accepted == (first,)
    assert grey_at(window.view, *INSIDE) == pytest.approx(grey_of(-100), abs=1)
    draw_box(window, 60, 80, 16)
    second = generate(window, qtbot)
    assert second.result.request.slice is first.result.slice
    QTest.keyClick(window.view, KEY.Key_A)
    assert window.session.accepted == (first, second)


@pytest.mark.parametrize("key", [KEY.Key_D, KEY.Key_Backspace])
def test_discard_brings_back_the_original(window, qtbot, key):
    draw_box(window)
    generate(window, qtbot)
    QTest.keyClick(window.view, key)
    assert window.session.candidate is None
    assert window.session.box_here is not None
    assert grey_at(window.view, *INSIDE) == pytest.approx(grey_of(-797), abs=2)


def test_undo_and_redo_walk_through_everything(window, qtbot):
    session, stack = window.session, window.session.undo_stack
    box = draw_box(window)
    first = generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    QTest.keyClick(window.view, KEY.Key_N)
    QTest.keyClick(window.view, KEY.Key_G)
    qtbot.waitUntil(lambda: session.accepted not in ((), (first,)))
    (second,) = session.accepted
    draw_box(window, 60, 80, 16)
    third = generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_D)
    states = [
        (session.box, session.candidate, session.accepted),
    ]
    while stack.canUndo():
        QTest.keyClick(window.view, KEY.Key_Z, CTRL)
        states.append((session.box, session.candidate, session.accepted))
    place = first.place
    assert place.box == box
    expected = [
        (third.place, None, (second,)),
        (third.place, third, (second,)),
        (third.place, None, (second,)),
        (place, None, (second,)),
        (place, None, (first,)),
        (place, first, ()),
        (place, None, ()),
        (None, None, ()),
    ]
    assert states == expected
    for state in reversed(expected[:-1]):
        QTest.keyClick(window.view, KEY.Key_Z, CTRL | SHIFT)
        assert (session.box, session.candidate, session.accepted) == state


def test_space_shows_the_original_while_it_is_held(window, qtbot):
    draw_box(window)
    generate(window, qtbot)
    for step in (lambda: None, lambda: QTest.keyClick(window.view, KEY.Key_A)):
        step()
        QTest.keyPress(window.view, KEY.Key_Space)
        assert grey_at(window.view, *INSIDE) == pytest.approx(grey_of(-797), abs=2)
        QTest.keyRelease(window.view, KEY.Key_Space)
        assert grey_at(window.view, *INSIDE) == pytest.approx(grey_of(-100), abs=1)


def test_the_original_is_not_shown_for_ever_if_another_window_gets_the_release(window, qtbot):
    window.activateWindow()
    QTest.keyPress(window.view, KEY.Key_Space)
    window.show_keys()
    qtbot.waitUntil(lambda: not window.session.original_shown)
    QApplication.activeModalWidget().close()


def test_the_compare_button_shows_the_original_while_it_is_pressed(window, qtbot):
    draw_box(window)
    generate(window, qtbot)
    QTest.mousePress(window.panel.placing.compare, LEFT)
    assert window.session.original_shown
    QTest.mouseRelease(window.panel.placing.compare, LEFT)
    assert not window.session.original_shown


def test_dragging_a_candidate_generates_it_elsewhere(window, qtbot):
    draw_box(window)
    first = generate(window, qtbot)
    window.panel.rows["texture"].slider.setValue(1)
    QTest.keyClick(window.view, KEY.Key_N)
    press(window.view, INSIDE)
    move(window.view, (45, 70), (50, 90))
    # The old place shows what was there before; the nodule hangs on the mouse, half transparent.
    assert grey_at(window.view, 35, 45) == pytest.approx(grey_of(-805), abs=2)
    assert grey_of(-800) < grey_at(window.view, 50, 90) < grey_of(-100)
    release(window.view, (50, 90))
    qtbot.waitUntil(lambda: window.session.candidate not in (None, first))
    moved = window.session.candidate.result
    assert (moved.request.box.row, moved.request.box.column) == (40, 80)
    assert moved.request.attributes == first.result.request.attributes
    assert moved.request.options == first.result.request.options
    assert window.session.options == moved.request.options
    assert grey_at(window.view, *INSIDE) == pytest.approx(grey_of(-797), abs=2)
    assert (moved.slice.hu[30:50, 40:60] == first.result.request.slice.hu[30:50, 40:60]).all()
    QTest.keyClick(window.view, KEY.Key_Z, CTRL)
    QTest.keyClick(window.view, KEY.Key_Z, CTRL)
    assert window.session.candidate is first


def test_resizing_the_box_of_a_candidate_makes_it_in_that_size(window, qtbot):
    draw_box(window)
    first = generate(window, qtbot)
    drag(window.view, (50, 60), (54, 64))
    qtbot.waitUntil(lambda: window.session.candidate not in (None, first))
    assert window.session.candidate.place.box.side == 24
    assert window.session.candidate.result.request.options == first.result.request.options
    QTest.keyClick(window.view, KEY.Key_Z, CTRL)
    QTest.keyClick(window.view, KEY.Key_Z, CTRL)
    assert window.session.candidate is first


def test_a_click_selects_an_accepted_nodule_and_delete_removes_it(window, qtbot):
    draw_box(window)
    first = generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    draw_box(window, 60, 80, 16)
    QTest.mouseClick(window.view, LEFT, pos=at(window.view, *INSIDE))
    assert window.session.selected is first
    QTest.keyClick(window.view, KEY.Key_Delete)
    assert window.session.accepted == ()
    assert grey_at(window.view, *INSIDE) == pytest.approx(grey_of(-797), abs=2)
    QTest.keyClick(window.view, KEY.Key_Z, CTRL)
    assert window.session.accepted == (first,)


def test_selecting_another_nodule_says_that_the_candidate_is_gone(window, qtbot):
    draw_box(window)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    drag(window.view, (65, 75), (45, 55))
    candidate = generate(window, qtbot)
    # In its own box a click is not meant for what lies below.
    QTest.mouseClick(window.view, LEFT, pos=at(window.view, 48, 57))
    assert window.session.candidate is candidate
    QTest.mouseClick(window.view, LEFT, pos=at(window.view, 34, 45))
    assert window.session.candidate is None
    assert "Ctrl+Z" in window.notice_bar.text.text()


def test_nodules_of_different_slices_do_not_touch_each_other(window, qtbot):
    draw_box(window)
    first = generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    wheel(window.view, -1)
    draw_box(window)
    second = generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    assert second.slice_index == 3
    assert (second.result.request.slice.hu == window.session.volume.hu[3]).all()
    assert window.session.slice_with_accepted(2) is first.result.slice
