"""A nodule in a few steps follows sliders and box, with the real engine thread and a scripted job runner."""

import itertools

import pytest
from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtTest import QTest

from engine.events import EngineState, SketchRequest
from tests.scripted_engine import Gate, raising
from tests.studio.driving import LEFT, drag, draw_box, grey_at, grey_of, move, press, release
from tests.studio.live_driving import INSIDE, settle_in_box, sketched, slide

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
KEY = Qt.Key


def test_a_sketch_follows_the_slider_and_the_full_nodule_comes_on_release(live, qtbot):
    first = settle_in_box(live, qtbot)
    slide(live, "texture", 2, let_go=False)
    sketch = sketched(live, qtbot, 2)
    assert sketch.text == "Live, 3 steps"
    assert grey_at(live.view, *INSIDE) == pytest.approx(grey_of(-400), abs=1)
    assert live.session.candidate is first
    assert live.session.job is None
    assert live.panel.placing.status.text() == "Live, 3 steps: to be looked at only; G makes the nodule"
    assert not live.panel.placing.accept.isVisible()
    QTest.mouseRelease(live.panel.rows["texture"].slider, LEFT)
    assert live.session.job is not None
    qtbot.waitUntil(lambda: live.session.candidate is not first)
    assert live.session.candidate.result.request.attributes.texture == 2
    qtbot.waitUntil(lambda: live.session.sketch is None)
    assert grey_at(live.view, *INSIDE) == pytest.approx(grey_of(-100), abs=1)
    QTest.keyClick(live.view, KEY.Key_Z, CTRL)
    assert live.session.candidate is first


def test_keys_on_a_slider_do_the_same_once_they_rest(live, qtbot):
    first = settle_in_box(live, qtbot)
    slider = live.panel.rows["texture"].slider
    slider.setFocus()
    QTest.keyClick(slider, KEY.Key_Left)
    QTest.keyClick(slider, KEY.Key_Left)
    sketched(live, qtbot, 3)
    assert live.session.candidate is first
    qtbot.waitUntil(lambda: live.session.candidate is not first)
    assert live.session.candidate.result.request.attributes.texture == 3


def test_sketches_are_never_recorded(live, qtbot):
    settle_in_box(live, qtbot)
    for score in (1, 2, 3):
        slide(live, "texture", score, let_go=False)
        sketched(live, qtbot, score)
    assert len(live.runner.finished_sketches) >= 3
    assert live.history.rowCount() == 1
    assert [path.name for path in live.history.folder.iterdir() if not path.name.startswith(".")] == [
        live.history.entries[0].path.name
    ]


def test_a_slider_moved_after_accepting_changes_no_accepted_nodule(live, qtbot):
    settle_in_box(live, qtbot)
    QTest.keyClick(live.view, KEY.Key_A)
    before = live.session.accepted
    slide(live, "texture", 2)
    sketched(live, qtbot, 2)
    assert live.session.job is None
    assert live.session.accepted == before
    assert "G puts it in the place of the accepted nodule" in live.panel.placing.status.text()
    QTest.keyClick(live.view, KEY.Key_G)
    qtbot.waitUntil(lambda: live.session.accepted != before and live.session.job is None)
    assert live.session.accepted[0].result.request.attributes.texture == 2


def test_a_candidate_is_not_accepted_while_another_is_shown(live, qtbot):
    settle_in_box(live, qtbot)
    slide(live, "texture", 1, let_go=False)
    sketched(live, qtbot, 1)
    QTest.keyClick(live.view, KEY.Key_A)
    assert live.session.accepted == ()


def test_going_back_to_the_scores_of_the_nodule_shows_it_again(live, qtbot):
    first = settle_in_box(live, qtbot)
    slide(live, "texture", 1, let_go=False)
    sketched(live, qtbot, 1)
    slide(live, "texture", 1, 5)
    assert live.session.sketch is None
    assert live.session.candidate is first
    assert live.session.job is None


def test_one_runs_one_waits_and_never_are_two_in_a_row_cut_short(make_live, qtbot):
    gate, is_held = Gate(1), []
    live = make_live(on_step=lambda step: gate(step) if is_held else None)
    settle_in_box(live, qtbot)
    is_held.append(True)
    slide(live, "texture", 1, let_go=False)
    gate.wait_until_reached(1)
    running = live.runner.started[-1]
    for score in (2, 3, 4):
        slide(live, "texture", score, let_go=False)
    gate.open()
    sketched(live, qtbot, 4)
    # The one that ran was stopped after the step that it was in; of those that waited, only the last was made.
    assert live.runner.closed[-1] == running
    assert live.runner.started[-1] == live.runner.finished[-1] == running + 1


def test_a_box_that_is_dragged_on_and_on_shows_something(make_live, qtbot):
    live = make_live()
    settle_in_box(live, qtbot)
    press(live.view, INSIDE)
    seen, steps = set(), itertools.count(1)

    def drag_on():
        step = next(steps)
        move(live.view, (40 + step % 17, 50 + step % 23))
        if live.session.sketch:
            seen.add(live.session.sketch.made.request.box)
        return len(seen) >= 5

    qtbot.waitUntil(drag_on)
    release(live.view, (50, 60))
    qtbot.waitUntil(lambda: live.session.candidate is not None and live.session.job is None)
    assert live.session.candidate.place == live.session.box


def test_a_moved_nodule_is_sketched_on_its_way_and_made_where_it_is_left(live, qtbot):
    settle_in_box(live, qtbot)
    press(live.view, INSIDE)
    move(live.view, (45, 70), (50, 90))
    qtbot.waitUntil(lambda: live.session.sketch is not None and live.session.sketch.made.request.box.column == 80)
    assert grey_at(live.view, 50, 90) == pytest.approx(grey_of(-250), abs=1)
    assert grey_at(live.view, *INSIDE) == pytest.approx(grey_of(-797), abs=2)
    release(live.view, (50, 90))
    qtbot.waitUntil(lambda: live.session.candidate is not None and live.session.job is None)
    assert live.session.candidate.place.box.column == 80
    qtbot.waitUntil(lambda: live.session.sketch is None)


def test_a_drag_that_is_cancelled_leaves_no_sketch(live, qtbot):
    first = settle_in_box(live, qtbot)
    press(live.view, INSIDE)
    move(live.view, (45, 70), (50, 90))
    qtbot.waitUntil(lambda: live.session.sketch is not None)
    QTest.keyClick(live.view, KEY.Key_Escape)
    qtbot.waitUntil(lambda: live.session.sketch is None)
    assert live.session.candidate is first
    release(live.view, (50, 90))


def test_it_switches_itself_off_where_it_is_slow_and_says_so(make_live, qtbot):
    live = make_live(sketch_seconds=0.9)
    settle_in_box(live, qtbot)
    for score in (1, 2, 3):
        slide(live, "texture", score, let_go=False)
        qtbot.waitUntil(lambda: live.session.engine.state is EngineState.IDLE)
    qtbot.waitUntil(lambda: not live.session.live.is_on)
    why = "Live is off, for a picture takes 0.9 s on this computer; Q switches it on."
    assert live.notice_bar.text.text() == why
    assert live.panel.live.state.text() == why
    assert not live.panel.live.switch.isChecked()
    # That was not chosen: the next start tries again.
    assert QSettings().value("live") is None
    QTest.keyClick(live.view, KEY.Key_Q)
    assert live.session.live.is_on
    for score in (1, 2, 3, 4):
        slide(live, "texture", score, let_go=False)
        sketched(live, qtbot, score)
    assert live.session.live.is_on


def test_the_switch_is_remembered(live, make_window):
    switch = live.panel.live.switch
    QTest.mouseClick(switch, LEFT, pos=QPoint(8, switch.height() // 2))
    assert not live.session.live.is_on
    assert QSettings().value("live") == "off"
    draw_box(live)
    slide(live, "texture", 1)
    assert live.runner.started == []
    assert not make_window().session.live.is_on


def test_a_sketch_that_fails_switches_it_off_and_says_why(make_live, qtbot, caplog):
    live = make_live(on_step=raising(MemoryError(), at=2))
    draw_box(live)
    slide(live, "texture", 1)
    qtbot.waitUntil(lambda: not live.session.live.is_on)
    assert "memory is full" in live.notice_bar.text.text()


def test_a_full_job_comes_before_sketches(make_live, qtbot):
    gate = Gate(2)
    live = make_live(on_step=gate)
    draw_box(live)
    gate.wait_until_reached(2)
    QTest.keyClick(live.view, KEY.Key_G)
    gate.open()
    qtbot.waitUntil(lambda: live.session.candidate is not None)
    assert live.runner.finished_sketches == []


def test_a_slider_that_moves_while_the_nodule_forms_makes_it_anew(make_live, qtbot):
    gate = Gate(5)
    live = make_live(on_step=gate)
    draw_box(live)
    QTest.keyClick(live.view, KEY.Key_G)
    gate.wait_until_reached(5)
    slide(live, "texture", 2)
    gate.open()
    qtbot.waitUntil(lambda: live.session.candidate is not None)
    assert live.session.candidate.result.request.attributes.texture == 2


def test_a_slider_that_moves_while_an_accepted_nodule_is_moved_lets_it_go_there(make_live, qtbot):
    gate, is_held = Gate(1), []
    live = make_live(on_step=lambda step: gate(step) if is_held else None)
    settle_in_box(live, qtbot)
    QTest.keyClick(live.view, KEY.Key_A)
    before = live.session.accepted
    is_held.append(True)
    drag(live.view, INSIDE, (70, 90))
    gate.wait_until_reached(1)
    slide(live, "texture", 2)
    gate.open()
    qtbot.waitUntil(lambda: live.session.accepted != before and live.session.job is None)
    request = live.session.accepted[0].result.request
    assert (request.box.row, request.box.column, request.attributes.texture) == (60, 80, 2)


def test_nothing_follows_while_the_queue_is_made(make_live, qtbot):
    gate = Gate(5)
    live = make_live(on_step=gate)
    draw_box(live)
    QTest.keyClick(live.view, KEY.Key_G, SHIFT)
    gate.wait_until_reached(5)
    assert live.panel.live.state.text() == "once the queue is made"
    before = len(live.runner.started)
    slide(live, "texture", 1)
    gate.open()
    live.queue.cancel_all()
    qtbot.waitUntil(lambda: live.session.engine.state is EngineState.IDLE)
    assert all(not isinstance(live.runner.asked[job], SketchRequest) for job in live.runner.started[before:])
