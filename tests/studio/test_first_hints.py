"""Three hints beside what they speak of: one after the other, and each never again."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.first_hints import HINTS
from tests.studio.driving import LEFT, draw_box, generate
from tests.studio.live_driving import settle_in_box

DRAW, GENERATE, ACCEPT = (hint.text for hint in HINTS)


def shown(window):
    """The hint that is shown; None if there is none."""
    bubble = window.hints.bubble
    return bubble.text.text() if bubble.isVisible() else None


def close_hint(window):
    QTest.mouseClick(window.hints.bubble.close_button, LEFT)


def test_nothing_is_hinted_at_before_a_slice_is_open(make_window):
    assert shown(make_window()) is None


def test_hints_lead_from_one_step_to_the_next_and_never_come_again(window, qtbot, make_window, volume):
    assert shown(window) == DRAW
    draw_box(window)
    assert shown(window) == GENERATE
    generate(window, qtbot)
    assert shown(window) == ACCEPT
    QTest.keyClick(window.view, Qt.Key.Key_A)
    assert shown(window) is None
    again = make_window()
    again.session.show_volume(volume)
    assert shown(again) is None
    draw_box(again)
    assert shown(again) is None


@pytest.mark.parametrize("close", [0, 1])
def test_a_hint_that_is_closed_never_comes_again_the_others_do(window, make_window, volume, close):
    for _ in range(close):
        draw_box(window)
    close_hint(window)
    assert shown(window) is None
    again = make_window()
    again.session.show_volume(volume)
    assert shown(again) is None
    draw_box(again)
    assert shown(again) == (None if close else GENERATE)


def test_the_hint_goes_while_a_nodule_forms_and_while_its_slice_is_out_of_sight(window, qtbot):
    draw_box(window)
    generate(window, qtbot)
    window.session.go_to_slice(0)
    assert shown(window) is None
    window.session.go_to_slice(2)
    assert shown(window) == ACCEPT


def in_centre(window, rect, widget):
    """A rectangle of a widget in the middle of the window, where the hints are."""
    return rect.translated(widget.mapTo(window.centralWidget(), QPoint(0, 0)))


def bubble_beside_generate(window):
    """The bubble, which is beside the button that it speaks of, and within the window."""
    button, bubble = window.panel.placing.generate, window.hints.bubble.geometry()
    generate = in_centre(window, button.rect(), button)
    assert bubble.right() == pytest.approx(generate.x(), abs=4)
    assert bubble.top() < generate.center().y() < bubble.bottom()
    assert window.centralWidget().rect().contains(bubble)
    return bubble


def test_hints_lie_beside_what_they_speak_of_and_within_the_window(window):
    assert in_centre(window, window.view.rect(), window.view).contains(window.hints.bubble.geometry())
    draw_box(window)
    bubble_beside_generate(window)
    window.resize(1400, 900)
    QApplication.processEvents()
    bubble_beside_generate(window)


@pytest.mark.parametrize("size", [(1000, 700), (1000, 900), (1300, 760), (960, 540)])
def test_hints_stay_beside_what_they_speak_of_when_only_what_that_lies_in_moves(window, size):
    window.resize(1000, 820)
    QApplication.processEvents()
    draw_box(window)
    window.resize(*size)
    QApplication.processEvents()
    bubble_beside_generate(window)


def test_hints_do_not_cover_the_scale_bar_where_there_is_room_elsewhere(window):
    draw_box(window)
    given_way = 0
    for height in range(640, 1000, 20):
        window.resize(1280, height)
        QApplication.processEvents()
        bar = in_centre(window, window.view.scale_bar_area.toAlignedRect(), window.view)
        bubble, button = window.hints.bubble.geometry(), window.panel.placing.generate
        assert bar.isValid()
        assert not bar.intersects(bubble)
        middle = in_centre(window, button.rect(), button).center().y()
        assert bubble.top() < middle < bubble.bottom()
        given_way += abs(bubble.center().y() - middle) > 2 or bubble.right() < bar.left()
    assert given_way


def test_a_nodule_that_came_with_its_box_is_no_generate_and_the_hint_comes_when_it_is_needed(live, qtbot):
    assert shown(live) == DRAW
    settle_in_box(live, qtbot)
    assert shown(live) == ACCEPT
    QTest.keyClick(live.view, Qt.Key.Key_Q)
    QTest.keyClick(live.view, Qt.Key.Key_D)
    assert shown(live) == GENERATE
    generate(live, qtbot)
    QTest.keyClick(live.view, Qt.Key.Key_D)
    assert shown(live) is None


def test_a_click_on_generate_is_one_too(window, qtbot):
    draw_box(window)
    QTest.mouseClick(window.panel.placing.generate, LEFT)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    QTest.keyClick(window.view, Qt.Key.Key_D)
    assert shown(window) is None


def test_hints_can_be_had_again(window):
    close_hint(window)
    window.commands["Show the first hints again"].trigger()
    assert shown(window) == DRAW


def test_a_hint_that_is_wanted_again_where_none_is_due_comes_later(window, qtbot):
    draw_box(window)
    generate(window, qtbot)
    QTest.keyClick(window.view, Qt.Key.Key_A)
    window.commands["Show the first hints again"].trigger()
    assert shown(window) is None
    assert window.notice_bar.text.text() == "The hints appear again with the next nodule."


def test_a_screen_reader_reads_the_hint_and_tab_reaches_its_button(window):
    assert window.hints.bubble.accessibleName() == f"Hint: {DRAW}"
    button = window.hints.bubble.close_button
    button.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(button, Qt.Key.Key_Space)
    assert shown(window) is None
