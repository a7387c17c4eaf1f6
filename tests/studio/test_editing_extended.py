"""Nodules over several slices are changed and deleted: no part stays behind, and what was near is made again."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.nodule import BoundingBox
from studio import commands
from studio.placed import PlacedNodule
from tests.scripted_engine import scripted_result
from tests.studio.driving import draw_box, generate
from tests.studio.extended import accept_two, extend, hold_in_job, place, place_and_extend

KEY, CONTROL = Qt.Key, Qt.KeyboardModifier.ControlModifier


def change(window, qtbot, slice_index, key):
    """Select the nodule of that slice, press the key, and wait for what comes of it."""
    session, before = window.session, window.session.accepted
    session.go_to_slice(slice_index)
    QTest.keyClick(window.view, KEY.Key_BracketRight)
    QTest.keyClick(window.view, key)
    qtbot.waitUntil(lambda: session.accepted != before and session.job is None)
    return session.accepted


@pytest.mark.parametrize("key", [KEY.Key_Delete, KEY.Key_G])
def test_a_change_of_a_part_leaves_the_others_and_one_that_is_made_anew_is_still_a_part(sized, qtbot, key):
    before = place_and_extend(sized, qtbot)
    changed = before[2]
    after = change(sized, qtbot, 3, key)
    assert "It goes on in 4 other slices: what is there stays as it was." in sized.session.notice.text
    assert [nodule for nodule in before if nodule is not changed] == [*after[:4]]
    made = [nodule.result.request for nodule in after[4:]]
    assert [request.extension for request in made] == [changed.result.request.extension] * (key == KEY.Key_G)
    slices = len(after)
    assert sized.panel.placing.export_reason.text() == f"1 accepted nodule in {slices} slices"


def test_a_part_that_is_moved_or_looked_back_at_is_still_a_part(sized, qtbot):
    part = place_and_extend(sized, qtbot)[2]
    session, extension = sized.session, part.result.request.extension
    session.go_to_slice(3)
    QTest.keyClick(sized.view, KEY.Key_BracketRight)
    before = session.accepted
    sized.placing.move_box(BoundingBox(32, 42, part.place.box.side, (96, 120)))
    qtbot.waitUntil(lambda: session.accepted is not before and session.job is None)
    assert session.selected.result.request.extension == extension
    assert sized.placing.request_now().extension == extension
    session.accepted = before[:2]
    commands.look_back(session, part)
    generate(sized, qtbot)
    assert session.candidate.result.request.extension == extension


@pytest.mark.parametrize("key", [KEY.Key_Delete, KEY.Key_G])
def test_a_nodule_that_is_changed_where_it_was_placed_is_taken_out_of_the_other_slices(sized, qtbot, key):
    session, before = sized.session, place_and_extend(sized, qtbot)
    session.options = replace(session.options, seed=33)
    session.go_to_slice(2)
    commands.select(session, before[0])
    session.options = replace(session.options, seed=33)
    QTest.keyClick(sized.view, key)
    qtbot.waitUntil(lambda: len(session.accepted) < 2 and session.job is None)
    assert [nodule.slice_index for nodule in session.accepted] == ([2] if key == KEY.Key_G else [])
    assert "It was taken out of 4 other slices, where it went on." in session.notice.text
    if key == KEY.Key_G:
        assert "Shift+A extends it again." in session.notice.text
        extend(sized)
        qtbot.waitUntil(lambda: len(session.accepted) == 5)
        assert {nodule.result.request.options.seed for nodule in session.accepted} == {33}
        QTest.keyClick(sized.view, KEY.Key_Z, CONTROL)
    QTest.keyClick(sized.view, KEY.Key_Z, CONTROL)
    assert session.accepted == before


def test_what_was_made_with_a_part_in_sight_is_made_again_without_it(wide, qtbot):
    session, before = wide.session, place_with_another_beside_a_part(wide, qtbot)
    session.go_to_slice(5)
    commands.select(session, before[0])
    QTest.keyClick(wide.view, KEY.Key_Delete)
    qtbot.waitUntil(lambda: len(session.accepted) == 1 and session.job is None)
    (left,) = session.accepted
    assert (left.slice_index, left.place) == (6, before[-1].place)
    assert np.array_equal(left.result.request.slice.hu, session.volume.slice_at(6).hu)
    assert "A nodule nearby was made again" in session.notice.text
    assert wide.history.path_of(left.result)
    QTest.keyClick(wide.view, KEY.Key_Z, CONTROL)
    assert session.accepted == before


def place_with_another_beside_a_part(window, qtbot):
    """Extend a nodule of slice 5, and accept another one beside its part in slice 6; return all of them."""
    session = window.session
    session.go_to_slice(5)
    place_and_extend(window, qtbot)
    session.go_to_slice(6)
    draw_box(window, 30, 70, 20)
    session.options = replace(session.options, seed=8)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    return session.accepted


@pytest.mark.parametrize("is_undone", [False, True])
@pytest.mark.parametrize("is_near", [False, True])
def test_one_that_waited_comes_back_on_what_was_accepted_in_its_slice_meanwhile(wide, qtbot, is_undone, is_near):
    session = wide.session
    session.go_to_slice(0)
    accept_two(wide, qtbot, row=20, columns=(20, 50))
    before = session.accepted
    session.go_to_slice(6)
    draw_box(wide, 140, 180, 20)
    waiting, gate = generate(wide, qtbot), hold_in_job(wide, 4)
    wide.placing.put_instead(before[0], before[0])
    gate.wait_until_reached(1)
    box = BoundingBox(140, 150 if is_near else 20, 20, (200, 240))
    part = PlacedNodule(6, scripted_result(replace(waiting.result.request, box=box)))
    session.accepted = (*before, part)
    if is_undone:
        gate.open()
        qtbot.waitUntil(lambda: session.job is None)
    else:
        QTest.keyClick(wide.view, KEY.Key_Escape)
        gate.open()
    assert ("is gone; see the history" in session.notice.text if session.notice else False) == is_near
    if is_undone:
        QTest.keyClick(wide.view, KEY.Key_Z, CONTROL)
    assert session.accepted == (*before, part)
    if is_near:
        assert (session.candidate, session.box) == (None, before[0].place)
        return
    assert session.box == waiting.place
    assert np.array_equal(session.candidate.result.request.slice.hu, part.result.slice.hu)
    assert session.candidate.result.nodule_sha256() == waiting.result.nodule_sha256()
    assert wide.history.path_of(session.candidate.result) == wide.history.path_of(waiting.result)


def test_a_change_is_cancelled_by_what_is_accepted_in_another_of_its_slices(wide, qtbot):
    session, before = wide.session, place_with_another_beside_a_part(wide, qtbot)
    gate = hold_in_job(wide, len(wide.runner.started) + 1)
    session.go_to_slice(5)
    commands.select(session, before[0])
    QTest.keyClick(wide.view, KEY.Key_G)
    gate.wait_until_reached(1)
    far = replace(before[1].result.request, slice=before[-1].result.slice, box=BoundingBox(140, 180, 20, (200, 240)))
    session.accepted = (*before, PlacedNodule(6, scripted_result(far)))
    gate.open()
    assert session.job is None
    assert len(session.accepted) == 7


def test_a_nodule_beside_one_that_is_changed_is_extended_again_after_it_was_made_again(wide, qtbot):
    session = wide.session
    session.go_to_slice(5)
    accept_two(wide, qtbot, row=30, columns=(40, 70))
    first, second = session.accepted
    commands.select(session, second)
    extend(wide)
    qtbot.waitUntil(lambda: len(session.accepted) == 6)
    before = session.accepted
    commands.select(session, first)
    QTest.keyClick(wide.view, KEY.Key_Delete)
    qtbot.waitUntil(lambda: len(session.accepted) == 1 and session.job is None)
    assert session.accepted[0].place == second.place
    assert "What was made again was taken out of 4 other slices, where it went on." in session.notice.text
    QTest.keyClick(wide.view, KEY.Key_Z, CONTROL)
    assert session.accepted == before


def test_a_nodule_that_is_changed_while_it_is_extended_leaves_nothing_behind(wide, qtbot):
    session = wide.session
    place(wide, qtbot)
    QTest.keyClick(wide.view, KEY.Key_A)
    gate, (middle,) = hold_in_job(wide, 5), session.accepted
    extend(wide)
    qtbot.waitUntil(lambda: len(wide.runner.started) == 5)
    session.options = replace(session.options, seed=33)
    QTest.keyClick(wide.view, KEY.Key_G)
    gate.open()
    qtbot.waitUntil(lambda: session.job is None and session.queue.is_empty)
    assert [nodule.result.request.options.seed for nodule in session.accepted] == [33]
    QTest.keyClick(wide.view, KEY.Key_Z, CONTROL)
    assert len(session.accepted) == 5
    assert session.accepted[0] is middle


def test_a_part_alone_says_that_what_it_goes_on_from_is_gone(sized, qtbot):
    session, parts = sized.session, place_and_extend(sized, qtbot)
    session.go_to_slice(3)
    QTest.keyClick(sized.view, KEY.Key_BracketRight)
    extend(sized)
    assert session.notice.text == "This nodule was placed in another slice; select it there to extend it."
    session.accepted = parts[1:]
    extend(sized)
    assert session.notice.text == "What this nodule goes on from is no longer there; draw a box for another one."
    assert sized.panel.placing.export_reason.text() == "1 accepted nodule in 4 slices"


def test_undo_of_a_change_leaves_an_extension_that_ended_meanwhile(wide, qtbot):
    session = wide.session
    for index in (0, 5):
        session.go_to_slice(index)
        session.options = replace(session.options, seed=index)
        place(wide, qtbot)
        QTest.keyClick(wide.view, KEY.Key_A)
    gate = hold_in_job(wide, 6)
    extend(wide)
    qtbot.waitUntil(lambda: len(wide.runner.started) == 6)
    before = session.accepted
    session.go_to_slice(0)
    QTest.keyClick(wide.view, KEY.Key_BracketRight)
    QTest.keyClick(wide.view, KEY.Key_G)
    gate.open()
    qtbot.waitUntil(lambda: session.job is None and session.queue.is_empty)
    assert before[0] not in session.accepted
    QTest.keyClick(wide.view, KEY.Key_Z, CONTROL)
    assert len(session.accepted) == 6
    assert set(before) <= set(session.accepted)


def test_a_nodule_out_of_sight_is_not_deleted(sized, qtbot):
    session = sized.session
    place_and_extend(sized, qtbot)
    at, before = session.box.slice_index, session.accepted
    session.go_to_slice(at - 1)
    QTest.keyClick(sized.view, KEY.Key_Delete)
    assert session.notice.text == f"The box is on slice {at + 1}; go there to delete it."
    assert (session.accepted, session.box.slice_index) == (before, at)
