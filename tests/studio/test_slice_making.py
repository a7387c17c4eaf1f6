"""Slices that are made whole: from a key to an open volume of one slice, with the scripted engine and a real one."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.events import SamplingOptions, SliceRequest
from engine.job_runner import GeneratorRunner
from studio import reasons, samples
from tests.checkpoints import save_tiny_checkpoint, save_tiny_slice_checkpoint
from tests.scripted_engine import OutOfMemoryError, ScriptedRunner, raising
from tests.studio.driving import LEFT, drag, draw_box, generate
from tests.studio.made_slices import UNUSUAL, draw_elsewhere, forming, press_and_wait

CTRL = Qt.KeyboardModifier.ControlModifier
KEY = Qt.Key
pytestmark = pytest.mark.usefixtures("with_generator")


def test_without_a_generator_the_menu_says_why_and_the_first_page_is_silent(make_window, monkeypatch, tmp_path):
    monkeypatch.setattr(reasons, "DEFAULT_SLICE_CHECKPOINT", tmp_path / "none")
    monkeypatch.setattr(samples, "_FOLDER", tmp_path / "none")
    window = make_window()
    why = "The slice generator is not part of this version yet."
    action = window.commands["Generate a slice"]
    assert not action.isEnabled()
    assert (action.toolTip(), action.statusTip()) == (why, why)
    assert not window.welcome.generate.isVisible()
    assert not window.welcome.without_ct.isVisible()


def test_a_slice_is_made_without_a_ct_and_a_nodule_in_it(make_window, qtbot):
    window = make_window()
    QTest.mouseClick(window.welcome.generate, LEFT)
    qtbot.waitUntil(lambda: window.session.generated is not None and window.session.job is None)
    session = window.session
    assert window.pages.currentIndex() == 1
    assert len(session.volume) == 1
    assert session.volume.description.startswith("Generated slice")
    assert session.box_here == session.generated.box
    assert session.attributes == session.generated.attributes
    assert session.volume.pixel_spacing[0] == pytest.approx(session.generated.pixel_spacing_mm)
    qtbot.waitUntil(lambda: len(window.history.entries) == 1)
    draw_elsewhere(window)
    assert generate(window, qtbot).result.request.slice.hu[0, 0] == -850


def test_previews_are_painted_over_the_whole_slice(held_empty, qtbot):
    forming(held_empty, qtbot)
    assert held_empty.session.shown_hu.shape == (256, 256)
    assert (held_empty.session.shown_hu == -200).all()
    why = "The slice is being made; Esc cancels it."
    assert held_empty.panel.placing.status.text() == f"Step 2 of 15, 13.0 s left\n{why}"
    assert not held_empty.panel.box.suggest_place.isEnabled()
    assert held_empty.panel.box.place.text() == why


def test_the_box_can_be_moved_and_the_same_seed_run_again(make_window, qtbot):
    window = make_window()
    press_and_wait(window, qtbot)
    first, seed = window.session.generated, window.session.options.seed
    window.view.setFocus()
    window.session.box = None  # Drawn over it, wherever it was suggested, the box would be moved instead.
    box = draw_box(window, 90, 70, 10)
    hu = press_and_wait(window, qtbot)
    again = window.session.generated
    assert again.box == box == window.session.box_here
    assert (again.attributes, again.pixel_spacing_mm) == (first.attributes, first.pixel_spacing_mm)
    assert again.options.seed == seed
    assert (hu[box.slices] == -100 + seed).all()


def test_where_nothing_was_changed_another_slice_is_made(make_window, qtbot):
    window = make_window()
    press_and_wait(window, qtbot)
    first = window.session.generated
    press_and_wait(window, qtbot)
    again = window.session.generated
    assert again.options.seed != first.options.seed
    assert replace(again, options=first.options) == first


@pytest.mark.parametrize("is_open", [False, True])
def test_cancelling_brings_back_what_was_open(held_empty, volume, qtbot, is_open):
    if is_open:
        held_empty.session.show_volume(volume)
        held_empty.session.go_to_slice(4)
        box = draw_box(held_empty)
    held_empty.session.attributes = UNUSUAL
    forming(held_empty, qtbot)
    assert held_empty.session.attributes != UNUSUAL
    QTest.keyClick(held_empty, KEY.Key_Escape)
    assert held_empty.session.job is None
    held_empty.gate.open()
    qtbot.waitUntil(lambda: held_empty.session.generated is None)
    assert held_empty.session.volume is (volume if is_open else None)
    assert held_empty.session.attributes == UNUSUAL
    if is_open:
        assert (held_empty.session.slice_index, held_empty.session.box_here) == (4, box)
    else:
        assert held_empty.pages.currentIndex() == 0


def test_a_failure_is_said_and_brings_back_what_was_open(make_window, volume, qtbot, caplog):
    window = make_window(ScriptedRunner(on_step=raising(OutOfMemoryError("CUDA out of memory"), at=3)))
    window.session.show_volume(volume)
    window.session.attributes = UNUSUAL
    QTest.keyClick(window, KEY.Key_G, CTRL)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert "The slice could not be generated: the memory is full" in window.notice_bar.text.text()
    assert window.session.volume is volume
    assert window.session.attributes == UNUSUAL
    assert (press_and_wait(window, qtbot)[:3] == -850).all()


def test_scores_that_were_set_while_the_slice_formed_stay(held_empty, qtbot):
    forming(held_empty, qtbot)
    held_empty.session.attributes = UNUSUAL
    QTest.keyClick(held_empty, KEY.Key_Escape)
    held_empty.gate.open()
    qtbot.waitUntil(lambda: held_empty.session.generated is None)
    assert held_empty.session.attributes == UNUSUAL


def test_the_box_stays_while_its_slice_forms(held_empty, qtbot):
    forming(held_empty, qtbot)
    box, job = held_empty.session.box_here, held_empty.session.job
    drag(held_empty.view, (20, 20), (60, 60))
    QTest.keyClick(held_empty.view, KEY.Key_B)
    QTest.keyClick(held_empty.view, KEY.Key_P)
    QTest.keyClick(held_empty.view, KEY.Key_G)
    assert held_empty.session.box_here == box
    assert held_empty.session.job is job
    held_empty.gate.open()
    qtbot.waitUntil(lambda: held_empty.session.job is None)
    assert held_empty.session.generated.box == box


def test_closing_while_a_slice_forms_keeps_what_was_open_on_offer(held_empty, volume, qtbot):
    held_empty.session.show_volume(volume)
    forming(held_empty, qtbot)
    held_empty.gate.open()
    held_empty.close()
    assert held_empty.session.volume is volume


def test_a_real_generator_makes_the_slice_that_it_was_asked_for(make_window, qtbot, tmp_path):
    from engine.checkpoint import load_checkpoint

    nodule = save_tiny_checkpoint(tmp_path / "nodule")
    slices = save_tiny_slice_checkpoint(tmp_path / "slice", size=256)
    window = make_window(open_runner=lambda: GeneratorRunner(load_checkpoint(nodule), slices))
    window.session.options = SamplingOptions(seed=5, steps=2)
    hu = press_and_wait(window, qtbot)
    assert isinstance(window.session.generated, SliceRequest)
    assert hu.shape == (256, 256)
    assert hu.std() > 0
