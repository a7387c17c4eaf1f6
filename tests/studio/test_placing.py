"""From a box to an accepted nodule, with the real engine thread and a scripted job runner."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine.events import Cancelled, EngineState, Failed, Finished, Preview
from tests.scripted_engine import Gate, Loading, OutOfMemoryError, ScriptedRunner, raising, scripted_result
from tests.studio.driving import LEFT, at, drag, draw_box, generate, grey_at, move, press, release, wheel

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
KEY = Qt.Key
INSIDE, OUTSIDE = (40, 50), (80, 100)


def grey_of(hu):
    """Grey value of HU in the lung window."""
    return min(255, max(0, round((hu + 1350) / 1500 * 255)))


@pytest.fixture
def gated(make_window, volume):
    """A window whose engine waits in steps 2 and 4 of 15."""
    gate = Gate(2, 4)
    runner = ScriptedRunner(on_step=gate)
    window = make_window(runner)
    window.session.show_volume(volume)
    window.gate, window.runner = gate, runner
    yield window
    gate.open()


def sampling_at(window, step, qtbot):
    """Draw a box, start, and wait until the preview of the step before is shown."""
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_G)
    window.gate.wait_until_reached(2)
    if step == 4:
        window.gate.open(2)
        window.gate.wait_until_reached(4)
    qtbot.waitUntil(lambda: window.session.preview is not None and window.session.preview.step == step - 1)


@pytest.mark.parametrize("keys", [(KEY.Key_G,), (KEY.Key_Return,), (KEY.Key_Enter,), (KEY.Key_Return, CTRL)])
def test_a_nodule_is_generated_in_the_box(window, qtbot, keys):
    box = draw_box(window)
    QTest.keyClick(window.view, *keys)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    result = window.session.candidate.result
    assert result.request.box == box
    assert result.request.attributes == window.session.attributes
    assert result.request.options == window.session.options
    assert grey_at(window.view, *INSIDE) == pytest.approx(grey_of(-100), abs=1)
    assert grey_at(window.view, *OUTSIDE) == pytest.approx(grey_of(-712), abs=2)
    assert window.session.job is None
    assert window.session.preview is None


def test_previews_are_painted_into_the_box_as_they_come(gated, qtbot):
    sampling_at(gated, 2, qtbot)
    assert grey_at(gated.view, *INSIDE) == pytest.approx(grey_of(-100), abs=1)
    gated.gate.open(2)
    gated.gate.wait_until_reached(4)
    qtbot.waitUntil(lambda: gated.session.preview.step == 3)
    assert grey_at(gated.view, *INSIDE) == pytest.approx(grey_of(-300), abs=1)
    assert grey_at(gated.view, *OUTSIDE) == pytest.approx(grey_of(-712), abs=2)
    assert gated.panel.placing.status.text() == "Step 3 of 15, 12.0 s left"
    assert gated.panel.placing.progress.value() == 3
    assert gated.panel.placing.cancel.isVisible()
    assert not gated.panel.placing.generate.isVisible()


def test_the_window_answers_while_the_engine_is_busy(gated, qtbot):
    sampling_at(gated, 2, qtbot)
    wheel(gated.view, 1)
    assert gated.session.slice_index == 1
    assert grey_at(gated.view, *INSIDE) == pytest.approx(grey_of(-807), abs=2)
    gated.gate.open()
    qtbot.waitUntil(lambda: gated.session.candidate is not None)
    assert gated.session.slice_index == 1
    wheel(gated.view, -1)
    assert grey_at(gated.view, *INSIDE) == pytest.approx(grey_of(-100), abs=1)


@pytest.mark.parametrize("by", ["key", "button"])
def test_cancel_frees_the_window_at_once(gated, qtbot, by):
    sampling_at(gated, 2, qtbot)
    if by == "key":
        QTest.keyClick(gated.view, KEY.Key_Escape)
    else:
        QTest.mouseClick(gated.panel.placing.cancel, LEFT)
    assert gated.session.job is None
    assert grey_at(gated.view, *INSIDE) == pytest.approx(grey_of(-797), abs=2)
    gated.gate.open()
    qtbot.waitUntil(lambda: gated.session.engine.state is EngineState.IDLE)
    assert gated.runner.closed == [1]
    assert gated.session.candidate is None
    assert generate(gated, qtbot)


def test_cancelling_brings_back_the_candidate_that_was_there(gated, qtbot):
    gated.gate.open()
    draw_box(gated)
    first = generate(gated, qtbot)
    QTest.keyClick(gated.view, KEY.Key_G)
    assert gated.session.job is not None
    QTest.keyClick(gated.view, KEY.Key_Escape)
    assert gated.session.candidate is first


def test_a_finished_job_that_is_not_current_is_ignored(gated, qtbot):
    """Cancel and start again: the ends of the first job, whatever they are, must not touch the second."""
    sampling_at(gated, 2, qtbot)
    old = gated.session.job
    QTest.keyClick(gated.view, KEY.Key_Escape)
    QTest.keyClick(gated.view, KEY.Key_G)
    current = gated.session.job
    preview = Preview(old.job_id, 9, 15, old.request.box, gated.session.shown_hu[old.request.box.slices], 1.0)
    for stale in (
        preview,
        Finished(old.job_id, scripted_result(old.request)),
        Cancelled(old.job_id),
        Failed(old.job_id, "It failed."),
    ):
        gated.placing.handle(stale)
    assert gated.session.job is current
    assert gated.session.preview is None
    assert gated.session.candidate is None
    assert gated.session.notice is None
    gated.gate.open()
    qtbot.waitUntil(lambda: gated.session.candidate is not None)


def test_a_failed_job_says_so_and_the_next_one_works(make_window, volume, qtbot, caplog):
    window = make_window(ScriptedRunner(on_step=raising(OutOfMemoryError("CUDA out of memory"), at=3)))
    window.session.show_volume(volume)
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_G)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert window.notice_bar.isVisible()
    assert "memory is full" in window.notice_bar.text.text()
    assert window.session.job is None
    assert window.session.box_here is not None
    assert generate(window, qtbot)
    assert not window.notice_bar.isVisible()


def test_a_model_that_cannot_be_loaded_is_loaded_again_by_the_next_job(make_window, volume, qtbot, caplog):
    window = make_window(Loading(ScriptedRunner(), failures=[OSError("gone")]))
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert window.session.engine.state is EngineState.FAILED
    assert "could not be loaded" in window.notice_bar.text.text()
    window.session.show_volume(volume)
    draw_box(window)
    assert window.panel.placing.status.text() == "The model could not be loaded; Generate tries it again."
    assert generate(window, qtbot)


def test_generate_waits_for_the_model(make_window, volume, qtbot):
    gate = Gate()
    window = make_window(Loading(ScriptedRunner(), gate=gate))
    window.session.show_volume(volume)
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_G)
    assert window.panel.placing.status.text() == "Waiting for the model to be loaded"
    gate.open()
    qtbot.waitUntil(lambda: window.session.candidate is not None)


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
    second = generate(window, qtbot)
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
        (place, None, (first,)),
        (place, second, (first,)),
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


def test_dragging_an_accepted_nodule_leaves_it_and_generates_another(window, qtbot):
    draw_box(window)
    first = generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    drag(window.view, INSIDE, (50, 90))
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert window.session.accepted == (first,)
    assert grey_at(window.view, *INSIDE) == pytest.approx(grey_of(-100), abs=1)
    assert grey_at(window.view, 50, 90) == pytest.approx(grey_of(-100), abs=1)


def test_dragging_a_nodule_that_is_forming_starts_it_again_there(gated, qtbot):
    sampling_at(gated, 2, qtbot)
    drag(gated.view, INSIDE, (50, 90))
    job = gated.session.job
    assert job.job_id == 2
    assert (job.request.box.row, job.request.box.column) == (40, 80)
    gated.gate.open()
    qtbot.waitUntil(lambda: gated.session.candidate is not None)
    assert gated.runner.closed == [1]
    assert gated.runner.finished == [2]


def test_resizing_the_box_of_a_candidate_says_that_it_is_gone(window, qtbot):
    draw_box(window)
    first = generate(window, qtbot)
    drag(window.view, (50, 60), (54, 64))
    assert window.session.candidate is None
    assert "Ctrl+Z" in window.notice_bar.text.text()
    QTest.keyClick(window.view, KEY.Key_Z, CTRL)
    assert window.session.candidate is first


def test_a_box_drawn_anew_ends_the_job(gated, qtbot):
    sampling_at(gated, 2, qtbot)
    draw_box(gated, 60, 80, 16)
    assert gated.session.job is None
    gated.gate.open()
    qtbot.waitUntil(lambda: gated.runner.closed == [1])


def test_undoing_what_a_job_builds_on_ends_it(gated, qtbot):
    gated.gate.open()
    draw_box(gated)
    generate(gated, qtbot)
    QTest.keyClick(gated.view, KEY.Key_A)
    QTest.keyClick(gated.view, KEY.Key_G)
    QTest.keyClick(gated.view, KEY.Key_Z, CTRL)
    assert gated.session.job is None
    assert gated.session.accepted == ()


def test_a_click_selects_an_accepted_nodule_and_delete_removes_it(window, qtbot):
    draw_box(window)
    first = generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    draw_box(window, 60, 80, 16)
    QTest.mouseClick(window.view, LEFT, pos=at(window.view, *INSIDE))
    assert window.session.nodule_in_box is first
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


def test_a_nodule_on_which_another_was_built_is_not_deleted(window, qtbot):
    draw_box(window)
    first = generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    draw_box(window, 60, 80, 16)
    second = generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    QTest.mouseClick(window.view, LEFT, pos=at(window.view, *INSIDE))
    QTest.keyClick(window.view, KEY.Key_Delete)
    assert window.session.accepted == (first, second)
    assert "built on this one" in window.notice_bar.text.text()


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


def test_a_new_seed_is_one_key_away_and_the_seed_can_be_typed(window, qtbot):
    old = window.session.options.seed
    QTest.keyClick(window.view, KEY.Key_N)
    assert window.session.options.seed != old
    field = window.panel.sampling.seed
    assert field.value() == window.session.options.seed
    draw_box(window)
    field.setFocus()
    field.selectAll()
    # While a number is typed, 1 to 3 are digits and no window presets.
    QTest.keyClicks(field, "321")
    assert window.session.options.seed == 321
    assert window.presets[0].isChecked()
    QTest.keyClick(field, KEY.Key_Return)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert window.session.candidate.result.request.options.seed == 321
