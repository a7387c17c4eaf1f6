"""Two nodules that see each other are extended at once: both end up in all their slices, whatever ends first."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.nodule import BoundingBox
from studio import commands
from studio.placed import PlacedNodule
from tests.studio.driving import draw_box
from tests.studio.extended import (
    accept_two,
    check_coherent,
    extend,
    hold_in_job,
    hold_in_jobs,
    place,
    slices_by_name,
)

KEY, CONTROL, SHIFT = Qt.Key, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def wait_for_queue(window, qtbot):
    qtbot.waitUntil(lambda: window.session.queue.is_empty and window.session.job is None)


def wait_for_job(window, qtbot, number):
    """Wait until that job has begun, from 1: the queue hands on one at a time."""
    qtbot.waitUntil(lambda: len(window.runner.started) == number)


def extend_both(window, qtbot, columns=(40, 70)):
    """Accept two in slice 6, and extend both; return the gate at which the engine waits in the first part."""
    session = window.session
    session.go_to_slice(5)
    accept_two(window, qtbot, row=30, columns=columns)
    gate = hold_in_job(window, 3)
    for nodule in session.accepted:
        commands.select(session, nodule)
        extend(window)
    return gate


def begin_beside(window, qtbot):
    """Extend one of slice 6; once it is made in slice 7, place another one beside it there, which waits.

    Return the gate at which the engine waits in the third part of the first one.
    """
    session = window.session
    session.go_to_slice(5)
    place(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    in_slice_7, after = hold_in_jobs(window, 3, 5)
    extend(window)
    wait_for_job(window, qtbot, 3)
    session.go_to_slice(6)
    draw_box(window, 30, 70, 20)
    QTest.keyClick(window.view, KEY.Key_G)
    in_slice_7.open()
    qtbot.waitUntil(lambda: session.candidate is not None)
    return after


def extend_beside(window, qtbot):
    """Extend one of slice 6 and, while it is on its way, another one in slice 7; return all parts."""
    gate = begin_beside(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    extend(window)
    gate.open()
    wait_for_queue(window, qtbot)
    return window.session.accepted


@pytest.mark.parametrize("columns", [(40, 70), (40, 50)], ids=["beside", "overlapping"])
@pytest.mark.parametrize(
    "order",
    [
        pytest.param((), id="as queued"),
        pytest.param((4, 5, 6, 7, 1, 2, 3), id="the second first"),
        pytest.param((4, 1, 5, 2, 6, 3, 7), id="by turns"),
    ],
)
def test_both_end_up_in_all_their_slices(wide, qtbot, order, columns):
    session, gate = wide.session, extend_both(wide, qtbot, columns)
    placed = session.accepted
    first = session.queue.running.number
    for to, number in enumerate(order):
        wide.queue.move(first + number, to)
    gate.open()
    wait_for_queue(wide, qtbot)

    whole = session.accepted
    assert slices_by_name(session) == {nodule.result.nodule_sha256(): [3, 4, 5, 6, 7] for nodule in placed}
    check_coherent(session)
    assert all(wide.history.path_of(nodule.result) for nodule in whole)

    QTest.keyClick(wide.view, KEY.Key_Z, CONTROL)
    assert len(session.accepted) == 6
    check_coherent(session)
    QTest.keyClick(wide.view, KEY.Key_Z, CONTROL)
    assert session.accepted == placed
    for _ in range(2):
        QTest.keyClick(wide.view, KEY.Key_Z, CONTROL | SHIFT)
    assert session.accepted == whole


def test_what_is_not_begun_yet_is_made_once(wide, qtbot):
    extend_both(wide, qtbot).open()
    wait_for_queue(wide, qtbot)
    assert len(wide.runner.started) == 2 + 8


def test_only_what_changed_around_a_part_is_made_again_and_before_what_waits(wide, qtbot):
    extend_beside(wide, qtbot)
    assert sorted(slices_by_name(wide.session).values()) == [[3, 4, 5, 6, 7], [4, 5, 6, 7, 8]]
    check_coherent(wide.session)
    assert len(wide.runner.started) == 2 + 4 + 1 + 4


def test_it_says_that_a_part_is_made_again_and_is_not_accepted_if_that_is_cancelled(wide, qtbot):
    session, after = wide.session, begin_beside(wide, qtbot)
    QTest.keyClick(wide.view, KEY.Key_A)
    before = session.accepted
    again = hold_in_job(wide, 7)
    after.open()
    wait_for_job(wide, qtbot, 7)
    assert session.queue.running.slice_index == 6
    said = "The nodule is made again in 1 slice, for there are other nodules beside it by now."
    assert session.notice.text == said
    wide.queue.cancel_all()
    again.open()
    assert session.accepted == before
    assert session.notice.text == "The nodule was not extended: 3 of 4 slices were made; see the history."


def test_one_that_waits_is_not_built_over_and_both_are_extended(wide, qtbot):
    session, gate = wide.session, begin_beside(wide, qtbot)
    waiting, held = session.candidate, hold_in_job(wide, 7)
    extend(wide)
    gate.open()
    wait_for_job(wide, qtbot, 7)
    qtbot.waitUntil(lambda: "goes into them once the one that waits there is accepted" in session.notice.text)
    assert (session.candidate, len(session.accepted)) == (waiting, 1)
    held.open()
    qtbot.waitUntil(lambda: len(session.accepted) == 10)
    assert sorted(slices_by_name(session).values()) == [[3, 4, 5, 6, 7], [4, 5, 6, 7, 8]]
    check_coherent(session)
    QTest.keyClick(wide.view, KEY.Key_Z, CONTROL)
    assert len(session.accepted) == 6
    QTest.keyClick(wide.view, KEY.Key_Z, CONTROL)
    assert (session.candidate, len(session.accepted)) == (waiting, 1)


@pytest.mark.parametrize("how", ["accepted", "discarded", "moved", "undone"])
def test_it_goes_on_once_none_waits_in_its_slices(wide, qtbot, how):
    session = wide.session
    begin_beside(wide, qtbot).open()
    qtbot.waitUntil(lambda: session.queue.is_empty)
    assert len(session.accepted) == 1
    if how == "accepted":
        QTest.keyClick(wide.view, KEY.Key_A)
    elif how == "discarded":
        QTest.keyClick(wide.view, KEY.Key_D)
    elif how == "undone":
        QTest.keyClick(wide.view, KEY.Key_Z, CONTROL)
    else:
        wide.placing.move_box(BoundingBox(140, 180, 20, (200, 240)))
        qtbot.waitUntil(lambda: session.candidate is not None)
        assert len(session.accepted) == 1
        QTest.keyClick(wide.view, KEY.Key_A)
    expected = 6 if how in ("accepted", "moved") else 5
    qtbot.waitUntil(lambda: len(session.accepted) == expected)
    assert [3, 4, 5, 6, 7] in slices_by_name(session).values()
    check_coherent(session)


def test_a_part_that_is_accepted_by_itself_while_it_waits_is_not_there_twice(wide, qtbot):
    session, made = wide.session, []
    wide.queue.job_ended.connect(lambda _, event: made.append(event.result))
    begin_beside(wide, qtbot).open()
    qtbot.waitUntil(lambda: session.queue.is_empty)
    part = next(result for result in made if result.request.extension.offset_mm == 2.5)
    commands.look_back(session, PlacedNodule(6, part))
    QTest.keyClick(wide.view, KEY.Key_A)
    qtbot.waitUntil(lambda: "it has been changed meanwhile" in session.notice.text)
    assert list(slices_by_name(session).values()) == [[5, 6]]


def test_it_is_not_extended_if_another_scan_is_opened_while_it_waits(wide, volume, qtbot):
    session = wide.session
    begin_beside(wide, qtbot).open()
    qtbot.waitUntil(lambda: session.queue.is_empty)
    session.show_volume(volume)
    qtbot.waitUntil(lambda: session.notice is not None)
    assert "another scan or slice was open: 4 of 4 slices were made" in session.notice.text
    assert session.accepted == ()


def test_the_first_may_be_undone_while_the_second_is_on_its_way(wide, qtbot):
    session, gate = wide.session, extend_both(wide, qtbot)
    placed, held = session.accepted, hold_in_job(wide, 8)
    gate.open()
    wait_for_job(wide, qtbot, 8)
    qtbot.waitUntil(lambda: len(session.accepted) == 6)
    QTest.keyClick(wide.view, KEY.Key_Z, CONTROL)
    assert session.accepted == placed
    held.open()
    wait_for_queue(wide, qtbot)
    assert len(session.accepted) == 6
    assert {nodule.continues for nodule in session.accepted[2:]} == {placed[1].result.nodule_sha256()}
    check_coherent(session)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("key", [KEY.Key_Delete, KEY.Key_G])
def test_a_change_of_one_of_them_leaves_the_other_in_all_its_slices(wide, qtbot, which, key):
    session, before = wide.session, extend_beside(wide, qtbot)
    placed = [nodule for nodule in before if not nodule.continues]
    changed, other = placed[which], placed[1 - which]
    session.go_to_slice(changed.slice_index)
    commands.select(session, changed)
    QTest.keyClick(wide.view, key)
    qtbot.waitUntil(lambda: session.accepted != before and session.job is None)

    slices = slices_by_name(session)
    index = other.slice_index
    assert slices[other.result.nodule_sha256()] == [index - 2, index - 1, index, index + 1, index + 2]
    assert len(session.accepted) == (6 if key == KEY.Key_G else 5)
    check_coherent(session)
    QTest.keyClick(wide.view, KEY.Key_Z, CONTROL)
    assert session.accepted == before


def test_a_change_of_a_part_leaves_all_others(wide, qtbot):
    session, before = wide.session, extend_beside(wide, qtbot)
    name = before[0].result.nodule_sha256()
    part = next(nodule for nodule in before if nodule.continues == name and nodule.slice_index == 4)
    session.go_to_slice(4)
    commands.select(session, part)
    QTest.keyClick(wide.view, KEY.Key_Delete)
    qtbot.waitUntil(lambda: session.accepted != before and session.job is None)
    assert sorted(slices_by_name(session).values()) == [[3, 5, 6, 7], [4, 5, 6, 7, 8]]
    check_coherent(session)
    shown = session.shown_hu
    assert np.array_equal(shown[part.place.box.slices], session.volume.hu[4][part.place.box.slices])
