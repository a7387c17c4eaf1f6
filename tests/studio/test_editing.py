"""Accepted nodules are selected, moved, changed and deleted; the others of the slice stay."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.events import Extension, Finished
from engine.request_file import read_request
from studio.exporting import ExportChoices, export_nodules
from studio.placed import PlacedNodule
from tests.scripted_engine import Gate, ScriptedRunner, raising
from tests.studio.driving import LEFT, at, drag, draw_box, generate, grey_at, grey_of, move, press

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
KEY = Qt.Key
#: Far enough from each other not to be in each other's sight; and one beside the first.
FIRST, FAR, NEAR = (20, 20, 20), (140, 180, 20), (20, 50, 20)
MIDDLE, FAR_MIDDLE, NEAR_MIDDLE = (30, 30), (150, 190), (30, 60)
TEXTURE = {7: 1, 8: 3, 9: 5}


@pytest.fixture
def opened(make_window, wide_volume):
    """A window with a slice that has room, and a gate that may hold the engine at step 1."""
    gate, is_held = Gate(1), []
    window = make_window(ScriptedRunner(on_step=lambda step: gate(step) if is_held else None))
    window.session.show_volume(wide_volume)
    window.gate, window.hold = gate, lambda: is_held.append(True)
    yield window
    gate.open()


def add(window, qtbot, seed, place):
    """Draw a box and accept a nodule in it; the seed tells it from the others."""
    session = window.session
    draw_box(window, *place)
    session.options = replace(session.options, seed=seed)
    session.attributes = replace(session.attributes, texture=TEXTURE[seed])
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    return session.accepted[-1]


def click(window, point):
    QTest.mouseClick(window.view, LEFT, pos=at(window.view, *point))


def changed(window, qtbot, before):
    """Wait until the accepted nodules are others than before; return them."""
    qtbot.waitUntil(lambda: window.session.accepted != before and window.session.job is None)
    return window.session.accepted


def assert_is_chain(session):
    """Each nodule is built on what lies below it, so that each request leads to what is seen."""
    below = session.volume.hu[0]
    for nodule in session.accepted:
        request = nodule.result.request
        np.testing.assert_array_equal(request.slice.hu, below)
        outside = ~request.box.mask()
        np.testing.assert_array_equal(nodule.result.slice.hu[outside], below[outside])
        below = nodule.result.slice.hu
    np.testing.assert_array_equal(session.shown_hu, below)


def seeds(nodules):
    return [nodule.result.request.options.seed for nodule in nodules]


def test_a_click_shows_the_scores_and_the_seed_of_a_nodule(opened, qtbot):
    first, _ = add(opened, qtbot, 7, FIRST), add(opened, qtbot, 9, FAR)
    click(opened, MIDDLE)
    assert opened.session.selected is first
    assert opened.panel.rows["texture"].slider.value() == 1
    assert opened.panel.sampling.seed.value() == 7
    assert "seed 7" in opened.panel.placing.status.text()
    assert opened.panel.placing.generate.text() == "Generate again"
    QTest.keyClick(opened.view, KEY.Key_Z, CTRL)
    assert opened.panel.sampling.seed.value() == 9


def test_keys_go_from_nodule_to_nodule(opened, qtbot):
    first, second = add(opened, qtbot, 7, FIRST), add(opened, qtbot, 9, FAR)
    seen = []
    for key in (KEY.Key_BracketRight, KEY.Key_BracketRight, KEY.Key_BracketLeft):
        QTest.keyClick(opened.view, key)
        seen.append(opened.session.selected)
    assert seen == [first, second, first]


def test_keys_say_that_there_is_no_nodule(opened):
    QTest.keyClick(opened.view, KEY.Key_BracketRight)
    assert opened.notice_bar.text.text() == "There is no accepted nodule on this slice."


def test_seeds_for_a_selected_nodule_start_without_it(opened, qtbot):
    first, far = add(opened, qtbot, 7, FIRST), add(opened, qtbot, 9, FAR)
    click(opened, MIDDLE)
    opened.queue.try_seeds()
    queue = opened.session.queue
    before = queue.running.request.slice.hu
    opened.queue.cancel_all()
    np.testing.assert_array_equal(before[first.place.box.slices], opened.session.volume.hu[0][first.place.box.slices])
    np.testing.assert_array_equal(before[far.place.box.slices], far.result.slice.hu[far.place.box.slices])
    assert opened.session.accepted == (first, far)


class WaryRunner(ScriptedRunner):
    """Makes nodules whose HU tell how many others were in the slice."""

    def __call__(self, request, job_id):
        for event in super().__call__(request, job_id):
            if isinstance(event, Finished):
                hu = event.result.slice.hu.copy()
                hu[request.box.slices] += 10 * np.count_nonzero(np.diff(request.slice.hu) > 200) // 20
                event = Finished(job_id, replace(event.result, slice=event.result.slice.with_hu(hu)))
            yield event


@pytest.mark.parametrize("waits", [False, True])
def test_a_seed_for_one_with_a_near_neighbour_is_put_in_after_that_was_made_again(
    make_window, wide_volume, qtbot, waits
):
    runner = WaryRunner(steps=1)
    window = make_window(runner)
    session = window.session
    session.show_volume(wide_volume)
    before = (add(window, qtbot, 7, FIRST), add(window, qtbot, 8, NEAR))
    click(window, MIDDLE)
    QTest.keyClick(window.view, KEY.Key_5, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: session.sweep is not None and len(session.sweep.results) == 5)
    if waits:
        draw_box(window, *FAR)
        waiting = generate(window, qtbot)
    window.sweeping.show(session.sweep.cells[2])
    runner.started.clear()
    session.notice.do()
    neighbour, chosen = changed(window, qtbot, before)
    assert seeds((neighbour, chosen)) == [8, 7]
    assert len(runner.started) == 2  # The chosen one, too: its neighbour is another one now.
    assert chosen.result.request.attributes.texture == session.attributes.texture == 3
    assert session.selected is chosen
    assert "A nodule nearby was made again" in session.notice.text
    assert_is_chain(session)
    assert all(window.history.path_of(nodule.result) for nodule in session.accepted)
    QTest.keyClick(window.view, KEY.Key_Z, CTRL)
    assert session.accepted == before
    if waits:
        assert session.candidate is waiting


def replace_while_one_waits(window, qtbot):
    """Put a nodule instead of itself and stop where its neighbour is made again; return both, and one that waits."""
    before = (add(window, qtbot, 7, FIRST), add(window, qtbot, 8, NEAR))
    draw_box(window, *FAR)
    waiting = generate(window, qtbot)
    window.hold()
    window.placing.put_instead(before[0], before[0])
    window.gate.wait_until_reached(1)
    return before, waiting


def test_cancelling_that_leaves_what_waited(opened, qtbot):
    before, waiting = replace_while_one_waits(opened, qtbot)
    assert opened.session.candidate is None
    QTest.keyClick(opened.view, KEY.Key_Escape)
    opened.gate.open()
    assert opened.session.accepted == before
    assert opened.session.candidate is waiting
    assert opened.session.box == waiting.place


def test_what_waited_is_said_to_be_gone_when_another_box_is_drawn_meanwhile(opened, qtbot):
    before, waiting = replace_while_one_waits(opened, qtbot)
    draw_box(opened, 140, 60, 20)
    opened.gate.open()
    assert opened.session.accepted == before
    assert opened.session.candidate is None
    assert opened.session.notice.text == "The nodule that was not accepted is gone; see the history."
    assert opened.history.path_of(waiting.result)


def test_one_that_is_made_again_to_be_put_in_goes_on_from_where_it_did(opened, qtbot):
    before = (add(opened, qtbot, 7, FIRST), add(opened, qtbot, 8, NEAR))
    extension = Extension("a" * 64, 2.5)
    result = before[0].result
    made = replace(result, request=replace(result.request, extension=extension))
    opened.placing.put_instead(before[0], PlacedNodule(0, made))
    _, chosen = changed(opened, qtbot, before)
    assert chosen.result is not made  # Its neighbour was made again first.
    assert chosen.result.request.extension == extension


def test_a_moved_nodule_is_made_anew_and_far_ones_stay_bit_for_bit(opened, qtbot):
    before = (add(opened, qtbot, 7, FIRST), add(opened, qtbot, 9, FAR))
    click(opened, MIDDLE)
    drag(opened.view, MIDDLE, (40, 90))
    far, moved = changed(opened, qtbot, before)
    assert seeds((far, moved)) == [9, 7]
    assert (moved.place.box.row, moved.place.box.column) == (30, 80)
    assert moved.result.request.attributes == before[0].result.request.attributes
    inside = far.place.box.slices
    np.testing.assert_array_equal(far.result.slice.hu[inside], before[1].result.slice.hu[inside])
    assert grey_at(opened.view, *MIDDLE) == pytest.approx(grey_of(-875), abs=3)
    assert opened.session.selected is moved
    assert_is_chain(opened.session)
    assert opened.history.path_of(far.result) == opened.history.path_of(before[1].result)
    QTest.keyClick(opened.view, KEY.Key_Z, CTRL)
    assert opened.session.accepted == before
    assert opened.session.selected is before[0]
    QTest.keyClick(opened.view, KEY.Key_Z, CTRL | SHIFT)
    assert opened.session.accepted == (far, moved)


def test_changed_scores_replace_the_nodule(opened, qtbot):
    before = (add(opened, qtbot, 7, FIRST), add(opened, qtbot, 9, FAR))
    click(opened, MIDDLE)
    opened.panel.rows["texture"].slider.setValue(4)
    QTest.keyClick(opened.view, KEY.Key_G)
    _, new = changed(opened, qtbot, before)
    assert new.result.request.attributes.texture == 4
    assert new.place == before[0].place
    assert "Ctrl+Z" in opened.notice_bar.text.text()
    QTest.keyClick(opened.view, KEY.Key_Z, CTRL)
    assert opened.session.accepted == before
    assert opened.panel.rows["texture"].slider.value() == 1
    QTest.keyClick(opened.view, KEY.Key_Z, CTRL | SHIFT)
    assert opened.panel.rows["texture"].slider.value() == 4


def test_what_is_set_while_a_change_forms_stays_set(opened, qtbot):
    before = (add(opened, qtbot, 7, FIRST),)
    opened.panel.rows["texture"].slider.setValue(4)
    opened.hold()
    QTest.keyClick(opened.view, KEY.Key_G)
    opened.panel.rows["texture"].slider.setValue(2)
    opened.session.options = replace(opened.session.options, seed=8)
    opened.gate.open()
    (new,) = changed(opened, qtbot, before)
    assert new.result.request.attributes.texture == 4
    assert (opened.session.attributes.texture, opened.session.options.seed) == (2, 8)


def test_a_slider_does_not_keep_a_nodule_from_being_deleted(opened, qtbot):
    before = (add(opened, qtbot, 7, FIRST), add(opened, qtbot, 8, NEAR))
    click(opened, MIDDLE)
    opened.live.switch(True)
    opened.hold()
    QTest.keyClick(opened.view, KEY.Key_Delete)
    opened.panel.rows["texture"].slider.setValue(2)
    opened.gate.open()
    assert seeds(changed(opened, qtbot, before)) == [8]


def test_a_resized_box_makes_it_in_that_size(opened, qtbot):
    before = (add(opened, qtbot, 7, FIRST),)
    drag(opened.view, (40, 40), (46, 46))
    (new,) = changed(opened, qtbot, before)
    assert new.place.box.side == 26
    assert seeds([new]) == [7]


def test_a_neighbour_that_had_it_in_sight_is_made_again(opened, qtbot):
    before = (add(opened, qtbot, 7, FIRST), add(opened, qtbot, 8, NEAR), add(opened, qtbot, 9, FAR))
    click(opened, MIDDLE)
    drag(opened.view, MIDDLE, (100, 60))
    after = changed(opened, qtbot, before)
    assert seeds(after) == [9, 8, 7]
    neighbour = after[1].result.request
    assert (neighbour.box, neighbour.attributes) == (before[1].place.box, before[1].result.request.attributes)
    assert "A nodule nearby was made again" in opened.notice_bar.text.text()
    assert_is_chain(opened.session)
    assert all(opened.history.path_of(nodule.result) for nodule in after)


@pytest.mark.parametrize("place", [FAR, NEAR])
def test_delete_removes_a_nodule_and_the_others_stay(opened, qtbot, place):
    before = (add(opened, qtbot, 7, FIRST), add(opened, qtbot, 8, place))
    click(opened, MIDDLE)
    QTest.keyClick(opened.view, KEY.Key_Delete)
    assert seeds(changed(opened, qtbot, before)) == [8]
    assert opened.session.box is None
    assert_is_chain(opened.session)
    QTest.keyClick(opened.view, KEY.Key_Z, CTRL)
    assert opened.session.accepted == before


def test_delete_removes_a_nodule_that_is_on_the_move(opened, qtbot):
    before = (add(opened, qtbot, 7, FIRST),)
    opened.hold()
    drag(opened.view, MIDDLE, (100, 60))
    opened.gate.wait_until_reached(1)
    QTest.keyClick(opened.view, KEY.Key_Delete)
    opened.gate.open()
    assert changed(opened, qtbot, before) == ()


def test_where_boxes_overlap_the_last_one_lies_on_top_and_that_is_said(opened, qtbot):
    before = (add(opened, qtbot, 7, FIRST), add(opened, qtbot, 9, FAR))
    click(opened, MIDDLE)
    drag(opened.view, MIDDLE, (140, 180))
    far, moved = changed(opened, qtbot, before)
    assert "overlaps that of nodule 1" in opened.notice_bar.text.text()
    assert opened.session.shown_hu[145, 185] == -93
    assert opened.session.shown_hu[158, 198] == -91
    assert_is_chain(opened.session)
    QTest.keyClick(opened.view, KEY.Key_Delete)
    (left,) = changed(opened, qtbot, (far, moved))
    np.testing.assert_array_equal(left.result.slice.hu, far.result.slice.hu)


@pytest.mark.parametrize("keys", [(KEY.Key_Escape,), (KEY.Key_Z, CTRL)], ids=["Esc", "Ctrl+Z"])
@pytest.mark.parametrize("place", [FAR, NEAR])
def test_a_cancelled_change_changes_nothing(opened, qtbot, place, keys):
    before = (add(opened, qtbot, 7, FIRST), add(opened, qtbot, 8, place))
    click(opened, MIDDLE)
    opened.hold()
    drag(opened.view, MIDDLE, (100, 60))
    opened.gate.wait_until_reached(1)
    assert opened.session.box.box.row == 90
    QTest.keyClick(opened.view, *keys)
    opened.gate.open()
    assert opened.session.job is None
    assert opened.session.accepted == before
    assert opened.session.selected is before[0]


def test_a_change_that_fails_changes_nothing_and_says_why(make_window, wide_volume, qtbot, caplog):
    error = []
    window = make_window(ScriptedRunner(on_step=lambda step: error and error.pop()(step)))
    window.session.show_volume(wide_volume)
    before = (add(window, qtbot, 7, FIRST),)
    error.append(raising(MemoryError(), at=1))
    drag(window.view, MIDDLE, (100, 60))
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert "memory is full" in window.notice_bar.text.text()
    assert window.session.accepted == before
    assert window.session.selected is before[0]


def test_a_nodule_that_is_moved_again_while_it_forms_ends_where_it_is_left(opened, qtbot):
    before = (add(opened, qtbot, 7, FIRST),)
    opened.hold()
    drag(opened.view, MIDDLE, (100, 60))
    opened.gate.wait_until_reached(1)
    drag(opened.view, (100, 60), (100, 160))
    opened.gate.open()
    (new,) = changed(opened, qtbot, before)
    assert new.place.box.column == 150
    QTest.keyClick(opened.view, KEY.Key_Z, CTRL)
    assert opened.session.accepted == before


def test_a_nodule_on_the_move_leaves_its_place_and_hangs_on_the_mouse(opened, qtbot):
    add(opened, qtbot, 7, FIRST)
    press(opened.view, MIDDLE)
    move(opened.view, (60, 60), (100, 100))
    assert grey_at(opened.view, 22, 22) == pytest.approx(grey_of(-878), abs=3)
    assert grey_of(-800) < grey_at(opened.view, 100, 100) < grey_of(-100)


def test_each_is_exported_with_its_own_request(opened, qtbot, tmp_path):
    before = (add(opened, qtbot, 7, FIRST), add(opened, qtbot, 8, NEAR))
    click(opened, MIDDLE)
    drag(opened.view, MIDDLE, (100, 160))
    changed(opened, qtbot, before)
    session = opened.session
    choices = ExportChoices(["NIfTI"], session.window)
    folders = export_nodules(session.volume, session.accepted, session.accepted, choices, tmp_path, lambda part: None)
    saved = [read_request(folder / "request.json") for folder in folders]
    assert [request.options.seed for request in saved] == [8, 7]
    assert [request.box for request in saved] == [nodule.place.box for nodule in session.accepted]
    assert saved[1].input_sha256 == saved[0].output_sha256


@pytest.mark.parametrize(("key", "text"), [(KEY.Key_Delete, "deletion"), (KEY.Key_G, "change of a nodule")])
def test_undo_says_what_it_takes_back_while_that_is_still_on_its_way(opened, qtbot, key, text):
    """The first is removed from under one beside it, which is made again."""
    add(opened, qtbot, 7, FIRST), add(opened, qtbot, 8, NEAR)
    click(opened, MIDDLE)
    opened.hold()
    QTest.keyClick(opened.view, key)
    opened.gate.wait_until_reached(1)
    assert opened.session.job.is_edit
    assert opened.commands["Undo"].toolTip() == f"Undo {text} (Ctrl+Z)"
    opened.gate.open()
    qtbot.waitUntil(lambda: opened.session.job is None)
    assert opened.commands["Undo"].toolTip() == f"Undo {text} (Ctrl+Z)"
