"""In live mode the full nodule is made, once, when a slider or the box is let go, and only if anything has changed."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.studio.driving import LEFT, draw_box, grey_at, grey_of, move, press, release
from tests.studio.live_driving import INSIDE, made_in_full, settle_in_box, settled, sketched, slide

SHIFT = Qt.KeyboardModifier.ShiftModifier
KEY = Qt.Key


def test_a_sketch_without_a_nodule_cannot_be_accepted_and_esc_takes_it_away(live, qtbot):
    settle_in_box(live, qtbot)
    QTest.keyClick(live.view, KEY.Key_D)
    slide(live, "texture", 4, let_go=False)
    sketched(live, qtbot, 4)
    QTest.keyClick(live.view, KEY.Key_A)
    assert live.session.accepted == ()
    QTest.keyClick(live.view, KEY.Key_Escape)
    assert live.session.sketch is None
    assert grey_at(live.view, *INSIDE) == pytest.approx(grey_of(-797), abs=2)
    QTest.mouseRelease(live.panel.rows["texture"].slider, LEFT)
    assert made_in_full(live, qtbot) == 1


def test_the_full_nodule_comes_when_a_new_box_is_let_go(live, qtbot):
    first = settle_in_box(live, qtbot)
    assert first.place == live.session.box
    draw_box(live, 60, 80, 16)
    said = live.notice_bar.text.text()
    assert said == "The nodule that was not accepted is gone; Ctrl+Z brings it back."
    second = settled(live, qtbot)
    assert second.place.box.row == 60
    assert live.notice_bar.text.text() == said
    assert made_in_full(live, qtbot) == 2


def test_the_full_nodule_comes_when_a_slider_is_let_go_though_none_waits(live, qtbot):
    settle_in_box(live, qtbot)
    QTest.keyClick(live.view, KEY.Key_D)
    slide(live, "texture", 4, 2)
    assert settled(live, qtbot).result.request.attributes.texture == 2
    assert made_in_full(live, qtbot) == 2


def test_the_full_nodule_comes_when_keys_have_moved_an_empty_box(live, qtbot):
    settle_in_box(live, qtbot)
    QTest.keyClick(live.view, KEY.Key_D)
    live.view.setFocus()
    QTest.keyPress(live.view, KEY.Key_Shift)
    QTest.keyClick(live.view, KEY.Key_Down, SHIFT)
    QTest.keyClick(live.view, KEY.Key_Down, SHIFT)
    assert live.session.job is None
    QTest.keyRelease(live.view, KEY.Key_Shift)
    assert settled(live, qtbot).place.box.row == 32
    assert made_in_full(live, qtbot) == 2


def test_what_has_changed_nothing_makes_nothing(live, qtbot):
    first = settle_in_box(live, qtbot)
    slide(live, "texture", 5)
    slide(live, "texture", 5, 3, 5)
    press(live.view, INSIDE)
    move(live.view, (45, 70), INSIDE)
    release(live.view, INSIDE)
    assert made_in_full(live, qtbot) == 1
    assert live.session.candidate is first
    # Nor in a box that has been emptied, which is clicked or dragged and put back.
    QTest.keyClick(live.view, KEY.Key_D)
    press(live.view, INSIDE)
    move(live.view, (45, 70), INSIDE)
    release(live.view, INSIDE)
    press(live.view, INSIDE)
    move(live.view, (45, 70))
    QTest.keyClick(live.view, KEY.Key_Escape)
    release(live.view, (45, 70))
    assert made_in_full(live, qtbot) == 1
    assert live.session.candidate is None


def test_what_a_slider_asked_for_in_one_box_makes_nothing_anew_in_another(live, qtbot):
    settle_in_box(live, qtbot)
    QTest.keyClick(live.view, KEY.Key_A)
    before = live.session.accepted
    draw_box(live, 60, 80, 16)
    settled(live, qtbot)
    QTest.keyClick(live.view, KEY.Key_D)
    slider = live.panel.rows["texture"].slider
    slider.setFocus()
    QTest.keyClick(slider, KEY.Key_Left)
    QTest.keyClick(live.view, KEY.Key_BracketRight)
    assert live.session.selected is before[0]
    assert made_in_full(live, qtbot) == 2
    assert live.session.accepted == before
