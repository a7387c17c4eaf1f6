"""From a slice that was made whole back to the scan that it took the place of, with all that was begun there."""

import itertools
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from engine.events import SamplingOptions
from studio.placed import PlacedNodule
from studio.sweep import CellState
from tests.scripted_engine import Gate, OutOfMemoryError, ScriptedRunner, scripted_result
from tests.studio.driving import LEFT, answering, draw_box, generate
from tests.studio.made_slices import UNUSUAL, draw_elsewhere, press_and_wait

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
KEY = Qt.Key
pytestmark = pytest.mark.usefixtures("with_generator")


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
    draw_elsewhere(window)
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


def test_only_what_has_no_way_back_is_asked_about(make_window, volume, qtbot, monkeypatch):
    window = make_window()
    window.session.show_volume(volume)
    draw_box(window)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    asked = []
    leave = answering("Leave without exporting")
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.text()) or leave(box))
    press_and_wait(window, qtbot)
    assert not asked
    draw_elsewhere(window)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    press_and_wait(window, qtbot)
    assert asked == ["1 accepted nodule has not been exported."]
    window.slices.go_back()
    assert len(asked) == 1
    assert len(window.session.accepted) == 1


def test_what_would_close_the_way_back_asks_about_the_nodules_that_it_leads_to(
    make_window, volume, qtbot, monkeypatch, tmp_path
):
    window = make_window()
    window.session.show_volume(volume)
    draw_box(window)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    press_and_wait(window, qtbot)
    draw_elsewhere(window)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    asked, go_back = [], answering("Go back")
    monkeypatch.setattr(
        QMessageBox, "exec", lambda box: asked.append((box.text(), box.informativeText().split(".")[0]))
    )
    window.open_path(tmp_path)
    here = "Made up, whose place the slice has taken, holds "
    assert asked.pop() == ("2 accepted nodules have not been exported.", f"{here}1 of them")
    window.session.exported = window.session.accepted
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.informativeText()) or go_back(box))
    window.close()
    assert asked[0].startswith(f"{here}it. Every result")
    assert window.isVisible()
    assert window.session.volume is volume
    assert len(window.session.accepted) == 1


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


def test_cancelling_brings_back_the_sweep_that_was_shown(held_empty, volume, qtbot):
    held_empty.session.show_volume(volume)
    draw_box(held_empty)
    QTest.keyClick(held_empty.view, KEY.Key_1, Qt.KeyboardModifier.AltModifier)
    sweep = held_empty.session.sweep
    held_empty.queue.cancel_all()
    QTest.keyClick(held_empty, KEY.Key_G, CTRL)
    qtbot.waitUntil(lambda: held_empty.session.is_slice_forming)
    assert held_empty.session.sweep is None
    QTest.keyClick(held_empty, KEY.Key_Escape)
    held_empty.gate.open()
    qtbot.waitUntil(lambda: held_empty.session.volume is volume)
    assert held_empty.session.sweep is sweep
    assert held_empty.sweep_panel.isVisible()


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
