"""Three hints beside what they speak of: one after the other, and each never again."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.first_hints import HINTS
from tests.studio.driving import LEFT, draw_box, generate

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


def test_hints_lie_beside_what_they_speak_of_and_within_the_window(window, qtbot):
    def bubble():
        return window.hints.bubble.geometry()

    view = window.view.geometry()
    view.moveTopLeft(window.view.mapTo(window.centralWidget(), view.topLeft() - view.topLeft()))
    assert view.contains(bubble())
    draw_box(window)
    generate_at = window.panel.placing.generate.mapTo(window.centralWidget(), window.view.rect().topLeft())
    assert bubble().right() == pytest.approx(generate_at.x(), abs=4)
    assert bubble().center().y() == pytest.approx(generate_at.y() + 16, abs=3)
    window.resize(1400, 900)
    QApplication.processEvents()
    moved = window.panel.placing.generate.mapTo(window.centralWidget(), window.view.rect().topLeft())
    assert moved != generate_at
    assert bubble().right() == pytest.approx(moved.x(), abs=4)
    assert window.centralWidget().rect().contains(bubble())


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
