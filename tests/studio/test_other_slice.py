"""What happens to a nodule that is on another slice than the one shown: nothing unseen."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from tests.studio.driving import LEFT, draw_box, generate

CTRL, SHIFT, KEY = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier, Qt.Key
ELSEWHERE = "The nodule that waits is on slice 1; go there to accept or discard it."


@pytest.fixture
def elsewhere(window, qtbot):
    """A window that shows slice 3; a nodule waits on slice 1."""
    window.session.go_to_slice(0)
    draw_box(window)
    generate(window, qtbot)
    window.session.go_to_slice(2)
    return window


@pytest.mark.parametrize("key", [KEY.Key_A, KEY.Key_D])
def test_a_nodule_on_another_slice_is_neither_accepted_nor_discarded(elsewhere, key):
    session = elsewhere.session
    waiting, steps = session.candidate, session.undo_stack.count()
    QTest.keyClick(elsewhere.view, key)
    assert elsewhere.notice_bar.text.text() == ELSEWHERE
    assert (session.candidate, session.accepted, session.undo_stack.count()) == (waiting, (), steps)
    session.go_to_slice(0)
    QTest.keyClick(elsewhere.view, key)
    assert session.candidate is None
    assert len(session.accepted) == (key == KEY.Key_A)


def test_the_button_refuses_it_too(elsewhere):
    QTest.mouseClick(elsewhere.panel.placing.discard, LEFT)
    assert elsewhere.notice_bar.text.text() == ELSEWHERE
    assert elsewhere.session.candidate is not None


def test_undo_goes_to_what_it_brings_back_and_redo_to_what_took_its_place(elsewhere):
    session, waiting = elsewhere.session, elsewhere.session.candidate
    draw_box(elsewhere)
    assert session.candidate is None
    assert "Ctrl+Z brings it back" in elsewhere.notice_bar.text.text()
    QTest.keyClick(elsewhere.view, KEY.Key_Z, CTRL)
    assert (session.slice_index, session.candidate) == (0, waiting)
    assert session.box_here == waiting.place.box
    QTest.keyClick(elsewhere.view, KEY.Key_Z, CTRL | SHIFT)
    assert (session.slice_index, session.candidate) == (2, None)
    assert session.box_here is not None


def test_undo_of_what_left_nothing_goes_to_where_it_was(window, qtbot):
    draw_box(window)
    window.session.go_to_slice(0)
    QTest.keyClick(window.view, KEY.Key_Z, CTRL)
    assert (window.session.slice_index, window.session.box) == (2, None)
