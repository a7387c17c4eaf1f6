"""Slices that are made whole: from a key to an open volume of one slice, with the scripted engine and a real one."""

import itertools
import json
import shutil
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from engine.events import SamplingOptions, SliceRequest
from engine.job_runner import GeneratorRunner
from engine.nodule import NoduleAttributes
from engine.replay import find_input, saved_request
from studio import commands, reasons, samples
from studio.export_dialog import ExportDialog
from studio.main_window import MainWindow
from studio.own_nodule import nodule_described, own_nodules
from studio.session import PlacedNodule
from studio.sweep import CellState
from tests.checkpoints import save_tiny_checkpoint, save_tiny_slice_checkpoint
from tests.scripted_engine import Gate, OutOfMemoryError, ScriptedRunner, raising, scripted_result
from tests.studio.driving import LEFT, answering, drag, draw_box, generate

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
KEY = Qt.Key
#: No reader gave these: what is drawn for a slice differs.
UNUSUAL = NoduleAttributes(1, 1, 5, 5, 1)


@pytest.fixture(autouse=True)
def with_generator(monkeypatch, tmp_path):
    """As in a version that has a slice generator; the folder is looked for, and not read by the scripted engine."""
    monkeypatch.setattr(reasons, "DEFAULT_SLICE_CHECKPOINT", tmp_path)


@pytest.fixture
def held(make_window):
    """A window whose engine waits in step 3 of 15, with nothing open."""
    gate = Gate(3)
    window = make_window(ScriptedRunner(on_step=gate))
    window.gate = gate
    yield window
    gate.open()


def press_and_wait(window: MainWindow, qtbot) -> np.ndarray:
    """Press Ctrl+G and wait for the slice; return its HU."""
    before = window.session.volume
    QTest.keyClick(window, KEY.Key_G, CTRL)
    qtbot.waitUntil(lambda: window.session.volume is not before and window.session.generated is not None)
    qtbot.waitUntil(lambda: window.session.job is None)
    return window.session.volume.slice_at(0).hu


def forming(window: MainWindow, qtbot) -> None:
    """Press Ctrl+G and wait for the preview of step 2."""
    QTest.keyClick(window, KEY.Key_G, CTRL)
    qtbot.waitUntil(lambda: window.session.preview is not None and window.session.preview.step == 2)


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
    draw_box(window, 100, 60, 12)
    assert generate(window, qtbot).result.request.slice.hu[0, 0] == -850


def test_previews_are_painted_over_the_whole_slice(held, qtbot):
    forming(held, qtbot)
    assert held.session.shown_hu.shape == (256, 256)
    assert (held.session.shown_hu == -200).all()
    why = "The slice is being made; Esc cancels it."
    assert held.panel.placing.status.text() == f"Step 2 of 15, 13.0 s left\n{why}"
    assert not held.panel.box.suggest_place.isEnabled()
    assert held.panel.box.place.text() == why


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
def test_cancelling_brings_back_what_was_open(held, volume, qtbot, is_open):
    if is_open:
        held.session.show_volume(volume)
        held.session.go_to_slice(4)
        box = draw_box(held)
    held.session.attributes = UNUSUAL
    forming(held, qtbot)
    assert held.session.attributes != UNUSUAL
    QTest.keyClick(held, KEY.Key_Escape)
    assert held.session.job is None
    held.gate.open()
    qtbot.waitUntil(lambda: held.session.generated is None)
    assert held.session.volume is (volume if is_open else None)
    assert held.session.attributes == UNUSUAL
    if is_open:
        assert (held.session.slice_index, held.session.box_here) == (4, box)
    else:
        assert held.pages.currentIndex() == 0


def test_a_scan_that_a_slice_took_the_place_of_is_one_click_away(make_window, volume, qtbot):
    window = make_window()
    window.session.show_volume(volume)
    window.session.go_to_slice(4)
    box = draw_box(window)
    window.session.attributes = UNUSUAL
    press_and_wait(window, qtbot)
    assert window.notice_bar.text.text() == "The slice that was made has taken the place of Made up."
    QTest.mouseClick(window.notice_bar.offer, LEFT)
    assert window.session.volume is volume
    assert (window.session.slice_index, window.session.box_here) == (4, box)
    assert (window.session.attributes, window.session.generated, window.session.notice) == (UNUSUAL, None, None)


def test_the_way_back_is_offered_until_it_is_taken(make_window, volume, qtbot, monkeypatch):
    window = make_window()
    window.session.show_volume(volume)
    press_and_wait(window, qtbot)
    nodule = PlacedNodule(0, scripted_result(replace(window.session.generated, options=SamplingOptions(seed=7))))
    press_and_wait(window, qtbot)
    assert window.notice_bar.offer.isVisible()
    QTest.keyClick(window, KEY.Key_G, CTRL)
    QTest.keyClick(window, KEY.Key_Escape)
    qtbot.waitUntil(lambda: window.notice_bar.offer.isVisible())
    window.session.accepted = (nodule,)
    for answer, where in (("Cancel", 1), ("Leave without exporting", 5)):
        monkeypatch.setattr(QMessageBox, "exec", answering(answer))
        QTest.mouseClick(window.notice_bar.offer, LEFT)
        assert len(window.session.volume) == where
    assert window.session.volume is volume


def test_the_way_back_stays_when_the_notice_is_gone(make_window, volume, qtbot):
    window = make_window()
    back = window.commands["Back to the scan"]
    assert not back.isEnabled()
    assert back.toolTip() == "No slice that was made has taken the place of a scan"
    window.session.show_volume(volume)
    press_and_wait(window, qtbot)
    draw_box(window, 100, 60, 12)
    generate(window, qtbot)
    assert window.session.notice is None
    assert (back.text(), back.isEnabled()) == ("Back to Made up", True)
    QTest.keyClick(window, KEY.Key_B, CTRL | SHIFT)
    assert window.session.volume is volume
    qtbot.waitUntil(lambda: not back.isEnabled())
    assert back.text() == "Back to the scan"


def test_a_slice_that_is_opened_from_the_history_has_a_way_back_too(make_window, volume, qtbot):
    window = make_window()
    press_and_wait(window, qtbot)
    window.session.show_volume(volume)
    qtbot.waitUntil(lambda: bool(window.history.entries))
    window.looking.restore_all(window.history.entries[0])
    qtbot.waitUntil(lambda: window.session.generated is not None)
    window.slices.go_back()
    assert window.session.volume is volume


def test_the_way_back_is_offered_beside_a_failure(make_window, volume, qtbot, caplog):
    fails = itertools.chain([False], itertools.repeat(True))

    def on_step(step):
        if step == 1 and next(fails):
            raise OutOfMemoryError("CUDA out of memory")

    window = make_window(ScriptedRunner(on_step=on_step))
    window.session.show_volume(volume)
    press_and_wait(window, qtbot)
    QTest.keyClick(window, KEY.Key_G, CTRL)
    qtbot.waitUntil(lambda: "could not be generated" in window.notice_bar.text.text())
    QTest.mouseClick(window.notice_bar.offer, LEFT)
    assert window.session.volume is volume


def test_it_is_asked_once_whether_a_nodule_may_stay_behind(make_window, volume, qtbot, monkeypatch):
    window = make_window()
    window.session.show_volume(volume)
    draw_box(window)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    asked = []
    leave = answering("Leave without exporting")
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.text()) or leave(box))
    press_and_wait(window, qtbot)
    window.slices.go_back()
    assert len(window.session.accepted) == 1
    QTest.qWait(1)
    press_and_wait(window, qtbot)
    assert len(asked) == 1
    window.slices.go_back()
    draw_box(window, 60, 80, 20)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    QTest.qWait(1)
    press_and_wait(window, qtbot)
    assert asked == ["1 accepted nodule has not been exported.", "2 accepted nodules have not been exported."]


def place_second(window, qtbot):
    """Accept a nodule in the slice that was made, far from the one that it was made with."""
    own = window.session.generated.box
    draw_box(window, *(60 if edge >= 128 else 180 for edge in (own.row, own.column)), 12)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)


def export_now(window, folder, qtbot):
    """Press Ctrl+E and export what is ticked; return the new folders."""
    window.activateWindow()
    QTest.keyClick(window.view, KEY.Key_E, CTRL)
    dialog = window.findChild(ExportDialog)
    dialog.folder.setText(str(folder))
    QTest.mouseClick(dialog.export, LEFT)
    qtbot.waitUntil(lambda: dialog.outcome.text() != "")
    dialog.close()
    window.activateWindow()
    window.view.setFocus()
    QTest.qWait(1)
    return sorted(folder.iterdir())


def test_a_nodule_that_is_put_in_is_exported_beside_the_slices_own(make_window, qtbot, tmp_path):
    window = make_window()
    press_and_wait(window, qtbot)
    own = window.session.made_whole
    place_second(window, qtbot)
    (second,) = export_now(window, tmp_path / "out", qtbot)
    assert len(json.loads((second / "boxes.json").read_text())["annotations"]) == 2
    assert (second / "after.txt").read_text().count("\n") == 2
    assert (second / "nodule.xml").read_text().count("<unblindedReadNodule") == 2
    written = json.loads((second / "request.json").read_text())
    assert (written["kind"], written["input"]["synthetic"]) == ("nodule", True)
    assert written["input"]["sha256"] == own.slice.sha256()
    assert pydicom.dcmread(second / "slice.dcm").PatientName == "SYNTHETIC^"


def test_a_slice_can_be_exported_as_it_was_made(make_window, qtbot, tmp_path):
    window = make_window()
    press_and_wait(window, qtbot)
    assert window.panel.placing.export.isEnabled()
    assert window.panel.placing.export_reason.text() == "The slice as it was made"
    (folder,) = export_now(window, tmp_path / "out", qtbot)
    assert json.loads((folder / "request.json").read_text())["kind"] == "slice"
    draw_box(window, 100, 60, 12)
    generate(window, qtbot)
    assert reasons.why_not_export(window.session) == "Accept the nodule first (A)."
    # What is put into it can be repeated: its input is known by now.
    QTest.keyClick(window.view, KEY.Key_A)
    _, second = export_now(window, tmp_path / "out", qtbot)
    opened, index = find_input(saved_request(second))
    assert (opened.source, index) == (folder / "slice.dcm", 0)


def test_the_nodule_of_a_slice_is_marked_measured_and_found_again(make_window, qtbot):
    window = make_window()
    press_and_wait(window, qtbot)
    session = window.session
    (own,) = own_nodules(session)
    assert "1.6 mm" in window.panel.placing.status.text()
    place_second(window, qtbot)
    assert nodule_described(session) is session.accepted[0]
    QTest.keyClick(window.view, KEY.Key_BracketRight)
    assert session.box == own.place
    assert nodule_described(session) == own
    assert session.selected is None  # It is part of the slice: nothing can take its place.
    commands.select_next(session, 1)
    assert session.selected is session.accepted[0]


def test_the_nodule_of_a_sample_is_known_and_its_slice_declared_synthetic(make_window, qtbot, tmp_path):
    window = make_window()
    window.open_path(samples.sample_slices()[0])
    qtbot.waitUntil(lambda: window.session.volume is not None and window.session.opening is None)
    session = window.session
    assert session.notice is None
    assert (session.generated, len(own_nodules(session))) == (None, 1)
    draw_box(window, 20, 20, 10)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    assert session.accepted[0].result.request.source.is_synthetic
    (second,) = export_now(window, tmp_path / "out", qtbot)
    assert len(json.loads((second / "boxes.json").read_text())["annotations"]) == 2
    assert pydicom.dcmread(second / "slice.dcm").PatientName == "SYNTHETIC^"


def test_a_slice_with_an_unknown_synthetic_nodule_is_opened_with_a_warning(
    make_window, write_ct_series, qtbot, tmp_path
):
    (file,) = write_ct_series(tmp_path / "ct", np.full((1, 96, 120), -800, np.int16), SyntheticData="YES")
    window = make_window()
    window.open_path(file)
    qtbot.waitUntil(lambda: window.session.notice is not None and window.session.volume is not None)
    assert "says that it is synthetic" in window.session.notice.text
    assert reasons.why_not_export(window.session) == "There is no accepted nodule to export."


def test_a_sweep_that_is_gone_back_to_has_all_that_was_made_beside_the_slice(make_window, volume, qtbot):
    window = make_window(ScriptedRunner(steps=2))
    window.session.show_volume(volume)
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_1, Qt.KeyboardModifier.AltModifier)
    press_and_wait(window, qtbot)
    qtbot.waitUntil(lambda: window.session.queue.is_empty)
    QTest.mouseClick(window.notice_bar.offer, LEFT)
    assert all(cell.result for cell in window.session.sweep.cells)


def test_a_sweep_that_is_gone_back_to_has_what_ended_while_another_one_was_begun_in_the_slice(
    make_window, volume, qtbot
):
    gates = {1: Gate(1), 3: Gate(1)}  # Of the first cell; and of the second one, which comes after the slice.
    runner = ScriptedRunner(steps=2, on_step=lambda step: gates.get(len(runner.started), lambda _: None)(step))
    window = make_window(runner)
    window.session.show_volume(volume)
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_1, Qt.KeyboardModifier.AltModifier)
    QTest.keyClick(window, KEY.Key_G, CTRL)
    qtbot.waitUntil(lambda: window.session.is_slice_forming)
    gates[1].open()
    qtbot.waitUntil(lambda: window.session.job is None)
    back = window.session.notice.do
    QTest.keyClick(window.view, KEY.Key_2, Qt.KeyboardModifier.AltModifier)
    gates[3].open()
    qtbot.waitUntil(lambda: window.session.queue.is_empty)
    assert window.session.sweep.across == "margin"
    assert len(window.session.sweep.results) == 5
    assert len(window.session.sweep.earlier) == 1  # The set marks the nodule that the slice was made with, too.
    back()
    assert window.session.sweep.across == "sphericity"
    assert len(window.session.sweep.results) == 5
    assert all(cell.look.state is CellState.DONE for cell in window.sweep_panel.board.cells)


def test_cancelling_brings_back_the_sweep_that_was_shown(held, volume, qtbot):
    held.session.show_volume(volume)
    draw_box(held)
    QTest.keyClick(held.view, KEY.Key_1, Qt.KeyboardModifier.AltModifier)
    sweep = held.session.sweep
    held.queue.cancel_all()
    QTest.keyClick(held, KEY.Key_G, CTRL)
    qtbot.waitUntil(lambda: held.session.is_slice_forming)
    assert held.session.sweep is None
    QTest.keyClick(held, KEY.Key_Escape)
    held.gate.open()
    qtbot.waitUntil(lambda: held.session.volume is volume)
    assert held.session.sweep is sweep
    assert held.sweep_panel.isVisible()


@pytest.mark.parametrize("fails", [False, True])
def test_a_sweep_that_is_brought_back_has_what_ended_meanwhile(make_window, volume, qtbot, caplog, fails):
    cell_gate, slice_gate = Gate(1), Gate(2)
    gates = itertools.chain([cell_gate], itertools.repeat(slice_gate))
    now = []

    def on_step(step):
        if step == 1:
            now[:] = [next(gates)]
        now[0](step)
        if fails and now[0] is cell_gate:
            raise OutOfMemoryError

    window = make_window(ScriptedRunner(on_step=on_step))
    window.session.show_volume(volume)
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_1, Qt.KeyboardModifier.AltModifier)
    cell_gate.wait_until_reached(1)
    QTest.keyClick(window, KEY.Key_G, CTRL)
    qtbot.waitUntil(lambda: window.session.is_slice_forming)
    assert window.session.sweep is None
    cell_gate.open()
    slice_gate.wait_until_reached(2)  # So the cell before it has ended.
    qtbot.waitUntil(lambda: window.session.preview is not None)
    QTest.keyClick(window.view, KEY.Key_Escape)
    slice_gate.open()
    qtbot.waitUntil(lambda: window.session.sweep is not None)
    cell = window.session.sweep.cells[0]
    assert (cell.result is None, bool(cell.failure)) == (fails, fails)
    assert window.sweep_panel.board.cells[0].look.state is (CellState.FAILED if fails else CellState.DONE)
    window.queue.cancel_all()


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


def test_scores_that_were_set_while_the_slice_formed_stay(held, qtbot):
    forming(held, qtbot)
    held.session.attributes = UNUSUAL
    QTest.keyClick(held, KEY.Key_Escape)
    held.gate.open()
    qtbot.waitUntil(lambda: held.session.generated is None)
    assert held.session.attributes == UNUSUAL


def test_the_box_stays_while_its_slice_forms(held, qtbot):
    forming(held, qtbot)
    box, job = held.session.box_here, held.session.job
    drag(held.view, (20, 20), (60, 60))
    QTest.keyClick(held.view, KEY.Key_B)
    QTest.keyClick(held.view, KEY.Key_P)
    QTest.keyClick(held.view, KEY.Key_G)
    assert held.session.box_here == box
    assert held.session.job is job
    held.gate.open()
    qtbot.waitUntil(lambda: held.session.job is None)
    assert held.session.generated.box == box


def test_closing_while_a_slice_forms_keeps_what_was_open_on_offer(held, volume, qtbot):
    held.session.show_volume(volume)
    forming(held, qtbot)
    held.gate.open()
    held.close()
    assert held.session.volume is volume


def test_an_earlier_slice_is_opened_from_the_history(make_window, volume, qtbot):
    window = make_window()
    hu = press_and_wait(window, qtbot)
    request = window.session.generated
    window.session.show_volume(volume)
    qtbot.waitUntil(lambda: bool(window.history.entries))
    box = draw_box(window)
    window.looking.show(window.history.entries[0])
    qtbot.waitUntil(lambda: window.notice_bar.offer.isVisible())
    assert window.session.box_here == box
    QTest.mouseClick(window.notice_bar.offer, LEFT)
    qtbot.waitUntil(lambda: window.session.generated is not None)
    assert np.array_equal(window.session.volume.slice_at(0).hu, hu)
    assert window.session.generated.box == request.box


def test_the_entry_of_the_slice_that_is_open_leaves_what_is_in_it(make_window, qtbot):
    window = make_window()
    press_and_wait(window, qtbot)
    draw_box(window, 100, 60, 12)
    waiting, request = generate(window, qtbot), window.session.generated
    qtbot.waitUntil(lambda: len(window.history.entries) == 2)
    window.looking.show(window.history.entries[1])
    qtbot.waitUntil(lambda: not window.session.doing)
    assert window.session.candidate is waiting
    window.looking.restore_all(window.history.entries[1])
    qtbot.waitUntil(lambda: window.session.box_here == request.box)
    QTest.keyClick(window.view, KEY.Key_Z, CTRL)
    assert window.session.candidate is waiting


def test_a_nodule_in_a_slice_that_was_made_says_where_that_slice_is(make_window, volume, qtbot):
    window = make_window()
    press_and_wait(window, qtbot)
    generate(window, qtbot)
    qtbot.waitUntil(lambda: len(window.history.entries) == 2)
    window.session.show_volume(volume)
    qtbot.waitUntil(lambda: bool(window.history.entries))
    window.looking.show(window.history.entries[0])
    qtbot.waitUntil(lambda: window.session.notice is not None)
    said = window.notice_bar.text.text()
    assert said == "This result is of slice 1 of Generated slice, seed 0, which is not open."
    QTest.mouseClick(window.notice_bar.offer, LEFT)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert window.session.generated is not None


def test_all_of_a_nodule_in_a_slice_that_was_made_is_restored(make_window, volume, qtbot):
    window = make_window()
    hu = press_and_wait(window, qtbot)
    place_second(window, qtbot)
    nodule = window.session.accepted[0]
    qtbot.waitUntil(lambda: len(window.history.entries) == 2)
    made, second = window.history.entries[1], window.history.entries[0]
    window.session.show_volume(volume)
    window.looking.restore_all(second)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert np.array_equal(window.session.volume.slice_at(0).hu, hu)
    assert window.session.candidate.place == nodule.place
    # An older version wrote no hash of the slice.
    window.session.show_volume(volume)
    written = json.loads((made.path / "result.json").read_text())
    del written["output"]["sha256"]
    (made.path / "result.json").write_text(json.dumps(written))
    window.looking.restore_all(second)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    window.session.show_volume(volume)
    shutil.rmtree(made.path)
    window.looking.restore_all(second)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert "is not in the history" in window.session.notice.text


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
