"""From a box to an accepted nodule, with the real engine thread and a scripted job runner."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.events import (
    MOST_GUIDANCE,
    MOST_SEED,
    MOST_STEPS,
    Cancelled,
    EngineState,
    Failed,
    Finished,
    Preview,
)
from studio.placed import PlacedNodule
from tests.scripted_engine import Gate, Loading, OutOfMemoryError, ScriptedRunner, raising, scripted_result
from tests.studio.driving import LEFT, drag, draw_box, generate, grey_at, grey_of, wheel

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
KEY = Qt.Key
INSIDE, OUTSIDE = (40, 50), (80, 100)


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


def test_what_was_made_is_told_with_its_seed(window, qtbot):
    window.session.options = replace(window.session.options, seed=7)
    draw_box(window)
    generate(window, qtbot)
    assert window.panel.placing.status.text() == "1.6 mm, mean \N{MINUS SIGN}93 HU, seed 7, made in 0.2 s"


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


def test_a_box_drawn_anew_ends_the_job(gated, qtbot):
    sampling_at(gated, 2, qtbot)
    draw_box(gated, 60, 80, 16)
    assert gated.session.job is None
    gated.gate.open()
    qtbot.waitUntil(lambda: gated.runner.closed == [1])


def test_undo_ends_the_change_of_an_accepted_nodule_before_it_undoes_its_acceptance(gated, qtbot):
    gated.gate.open()
    draw_box(gated)
    generate(gated, qtbot)
    QTest.keyClick(gated.view, KEY.Key_A)
    QTest.keyClick(gated.view, KEY.Key_G)
    QTest.keyClick(gated.view, KEY.Key_Z, CTRL)
    assert gated.session.job is None
    assert len(gated.session.accepted) == 1
    QTest.keyClick(gated.view, KEY.Key_Z, CTRL)
    assert gated.session.accepted == ()


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


def test_a_job_goes_on_when_a_nodule_is_accepted_in_another_slice(gated, volume, qtbot):
    sampling_at(gated, 2, qtbot)
    session, request = gated.session, gated.session.job.request
    elsewhere = PlacedNodule(0, scripted_result(replace(request, slice=volume.slice_at(0))))
    session.accepted = (elsewhere,)
    assert session.job is not None
    session.accepted = (elsewhere, PlacedNodule(session.slice_index, scripted_result(request)))
    assert session.job is None


def test_resizing_the_box_while_a_nodule_forms_makes_it_anew(gated, qtbot):
    sampling_at(gated, 2, qtbot)
    first = gated.session.job.job_id
    drag(gated.view, (49.5, 59.5), (54.5, 64.5))
    assert gated.session.box_here.side > 20
    assert gated.session.job.job_id != first
    assert gated.session.job.request.box == gated.session.box_here


def test_accept_and_discard_say_why_there_is_nothing_to_do(window):
    for key in (KEY.Key_A, KEY.Key_D):
        window.session.notice = None
        QTest.keyClick(window.view, key)
        assert "No nodule waits" in window.notice_bar.text.text()


def test_a_seed_of_a_request_beyond_the_whole_numbers_of_qt_is_shown_and_used(window, qtbot):
    window.session.options = replace(window.session.options, seed=MOST_SEED, steps=MOST_STEPS, guidance=MOST_GUIDANCE)
    controls = window.panel.sampling
    assert int(controls.seed.value()) == MOST_SEED
    assert (controls.steps.value(), controls.guidance.value()) == (MOST_STEPS, MOST_GUIDANCE)
    controls.seed.setValue(7)
    assert window.session.options.seed == 7
    assert isinstance(window.session.options.seed, int)


@pytest.mark.parametrize("typed", ["3.5", "3,5"])
def test_guidance_is_typed_with_a_point_or_a_comma(window, typed):
    guidance = window.panel.sampling.guidance
    guidance.selectAll()
    QTest.keyClicks(guidance, typed)
    assert guidance.text() == "3.5"
    assert window.session.options.guidance == 3.5


def test_the_box_is_where_keys_have_moved_it_before_another_key_uses_it(window):
    draw_box(window)
    window.view.setFocus()
    QTest.keyPress(window.view, KEY.Key_Shift)
    QTest.keyClick(window.view, KEY.Key_Down, SHIFT)
    QTest.keyClick(window.view, KEY.Key_G, SHIFT)
    assert window.session.box.box.row == 31
    assert {job.request.box.row for job in window.session.queue.waiting} == {31}
