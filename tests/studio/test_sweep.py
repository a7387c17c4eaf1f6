"""Ladders and grids: filled in from the queue, walked through, cancelled as one, made again."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.ct import MEDIASTINUM
from engine.measurement import NoduleMeasurement
from engine.nodule import ATTRIBUTE_NAMES
from engine.plain_measures import PlainMeasures
from engine.score_reading import ScoreReading
from studio.grid_dialog import GridDialog
from studio.measured import legend, measured_for
from studio.sweep import CellState, sweep_requests
from studio.sweep_panel import progress_text
from tests.scripted_engine import Doorman, Gate, ScriptedRunner, raising, scripted_request
from tests.studio.driving import LEFT, draw_box, finish_queue, generate, grey_of

ALT, KEY, STATE = Qt.KeyboardModifier.AltModifier, Qt.Key, CellState


@pytest.fixture
def doorman():
    return Doorman()


def start(window, qtbot):
    """Draw a box, press Alt+1, and wait until the second job has shown its first step."""
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_1, ALT)
    qtbot.waitUntil(lambda: len(window.session.sweep.results) == 1 and window.session.queue_step is not None)


def states(window):
    return [cell.state(window.session.queue) for cell in window.session.sweep.cells]


def looks(window):
    return [cell.look for cell in window.sweep_panel.board.cells]


def shown_score(window, attribute="sphericity"):
    return getattr(window.session.candidate.result.request.attributes, attribute)


def test_a_ladder_changes_one_score_and_nothing_else():
    request = scripted_request(seed=7)
    ladder = sweep_requests(request, "margin")
    assert [made.attributes.margin for made in ladder] == [1, 2, 3, 4, 5]
    assert {replace(made, attributes=request.attributes) for made in ladder} == {request}


def test_a_grid_changes_two_scores_row_by_row():
    grid = sweep_requests(scripted_request(), "margin", "texture")
    assert [(made.attributes.texture, made.attributes.margin) for made in grid[:6]] == [
        *((1, score) for score in range(1, 6)),
        (2, 1),
    ]
    assert len(grid) == 25


def test_what_is_measured_first_is_the_score_read_back():
    mask = np.ones((4, 4), bool)
    plain = PlainMeasures(sd_hu=90.0, circularity=0.834, edge_sharpness=0.5, solid_part=0.7)
    measured = NoduleMeasurement(mask, 9.44, -120.4, plain)
    assert [value.text for value in measured_for("sphericity", measured)] == ["circularity 0.83", "9.4 mm"]
    assert [value.text for value in measured_for("margin", measured)] == ["edge 0.50 /mm", "9.4 mm"]
    edge = replace(measured, plain=replace(plain, axis_ratio=0.756, solidity=0.9, lobes=0.121, raggedness=0.03))
    shown = [measured_for(name, edge)[0].text for name in ("sphericity", "lobulation", "spiculation")]
    assert shown == ["axes 0.76", "lobes 12 %", "ragged 3 %"]
    assert [value.text for value in measured_for("texture", measured)] == ["mean −120 HU", "9.4 mm"]
    read = replace(measured, scores={name: ScoreReading(3.84, 0.55) for name in ATTRIBUTE_NAMES})
    assert measured_for("texture", read)[0].text == "read as 3.8 ± 0.6"
    assert measured_for("texture", read)[0].short == "3.8"
    assert legend(("texture", "margin"), [measured]) == "Measured: mean HU · edge /mm"
    assert legend(("texture", "margin"), [read]) == "Read back: texture · margin"
    nothing = NoduleMeasurement(~mask, 0.0, -800.0)
    assert [value.text for value in measured_for("texture", nothing)] == ["No nodule"]


def test_while_nothing_is_made_yet_it_is_said_beside_the_export(make_window, volume, qtbot):
    gate = Gate(1)
    window = make_window(ScriptedRunner(on_step=gate))
    window.session.show_volume(volume)
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_1, ALT)
    gate.wait_until_reached(1)
    assert not window.sweep_panel.export.isEnabled()
    assert window.sweep_panel.progress.text() == "None of 5 made yet"
    gate.open()
    window.queue.cancel_all()


def test_a_ladder_fills_in_as_it_is_made(held, qtbot):
    start(held, qtbot)
    assert states(held) == [STATE.DONE, STATE.RUNNING, STATE.WAITING, STATE.WAITING, STATE.WAITING]
    assert held.sweep_panel.isVisible()
    assert held.sweep_panel.title.text() == "Sphericity, 1 to 5"
    assert progress_text(held.session, held.session.sweep) == "1 of 5"
    done, forming, waiting = looks(held)[:3]
    assert done.lines == ("1.6 mm",)
    assert forming.part == 0.5
    assert not forming.lines
    assert held.view.height() >= 320
    middle = waiting.image.rect().center()
    greys = [look.image.pixelColor(middle).value() for look in (done, forming, waiting)]
    assert greys[0] == greys[1] == grey_of(-100)  # As finished, and in the preview of the first step.
    assert greys[2] < grey_of(-600)
    finish_queue(held, qtbot)
    assert states(held) == [STATE.DONE] * 5
    qtbot.waitUntil(lambda: len(held.history.entries) == 5)
    assert held.session.candidate is None


def test_all_cells_follow_the_window_of_the_slice(held, qtbot):
    start(held, qtbot)
    finish_queue(held, qtbot)
    before = [look.image for look in looks(held)]
    held.session.window = MEDIASTINUM
    after = [look.image for look in looks(held)]
    assert all(new != old for new, old in zip(after, before, strict=True))
    held.session.shown = replace(held.session.shown, inverted=True)
    assert looks(held)[0].image.pixelColor(0, 0).value() == 255


def test_a_click_puts_a_result_into_the_slice_and_marks_it(held, qtbot):
    start(held, qtbot)
    finish_queue(held, qtbot)
    cells = held.sweep_panel.board.cells
    QTest.mouseClick(cells[2], LEFT)
    assert shown_score(held) == 3
    assert [look.is_in_slice for look in looks(held)] == [False, False, True, False, False]
    assert held.session.attributes.sphericity == 4
    assert "in the slice" in cells[2].accessibleName()
    QTest.mouseDClick(cells[2], LEFT)
    assert held.session.attributes.sphericity == 3
    QTest.keyClick(held.view, KEY.Key_A)
    assert held.session.accepted[0].result is held.session.sweep.cells[2].result
    assert looks(held)[2].is_in_slice
    QTest.mouseClick(cells[0], LEFT)
    assert "has changed around this nodule" in held.notice_bar.text.text()


def test_a_ladder_of_an_accepted_nodule_starts_without_it_and_one_of_it_can_take_its_place(held, qtbot, volume):
    held.gate.open()
    draw_box(held)
    generate(held, qtbot)
    QTest.keyClick(held.view, KEY.Key_A)
    (old,) = held.session.accepted
    QTest.keyClick(held.view, KEY.Key_1, ALT)
    qtbot.waitUntil(lambda: states(held) == [STATE.DONE] * 5)
    for cell in held.session.sweep.cells:
        np.testing.assert_array_equal(cell.request.slice.hu, volume.hu[2])
    QTest.mouseClick(held.sweep_panel.board.cells[1], LEFT)
    assert held.session.accepted == (old,)
    assert held.notice_bar.offer.text() == "Replace that one"
    QTest.mouseClick(held.notice_bar.offer, LEFT)
    (new,) = held.session.accepted
    assert new.result is held.session.sweep.cells[1].result
    assert held.session.selected is new
    assert held.panel.rows["sphericity"].slider.value() == 2
    assert looks(held)[1].is_in_slice
    QTest.keyClick(held.view, KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert held.session.accepted == (old,)


def test_an_offer_that_has_gone_stale_replaces_nothing(held, qtbot):
    held.gate.open()
    draw_box(held)
    generate(held, qtbot)
    QTest.keyClick(held.view, KEY.Key_A)
    QTest.keyClick(held.view, KEY.Key_1, ALT)
    qtbot.waitUntil(lambda: states(held) == [STATE.DONE] * 5)
    QTest.mouseClick(held.sweep_panel.board.cells[1], LEFT)
    replace_it = held.session.notice.do
    held.session.accepted = ()
    replace_it()
    assert held.session.accepted == ()
    assert "has changed meanwhile" in held.notice_bar.text.text()


def test_the_arrow_keys_lead_through_the_results_and_are_undone_as_one(held, qtbot):
    start(held, qtbot)
    finish_queue(held, qtbot)
    cells = held.sweep_panel.board.cells
    assert cells[3].hasFocus()  # The score of the slider.
    for key in (KEY.Key_Left, KEY.Key_Left, KEY.Key_Up):
        QTest.keyClick(held.focusWidget(), key)
    assert shown_score(held) == 2
    assert cells[1].hasFocus()
    QTest.keyClick(cells[1], KEY.Key_Return)
    assert held.session.attributes.sphericity == 2
    assert held.session.job is None
    QTest.keyPress(cells[1], KEY.Key_Space)
    assert held.session.original_shown
    QTest.keyRelease(cells[1], KEY.Key_Space)
    assert not held.session.original_shown
    QTest.keyClick(held.view, KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(held.view, KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert held.session.candidate is None


def test_one_cell_is_a_stop_of_the_tab_key(held, qtbot):
    start(held, qtbot)
    policies = [cell.focusPolicy() for cell in held.sweep_panel.board.cells]
    assert policies.count(Qt.FocusPolicy.StrongFocus) == 1
    assert policies.count(Qt.FocusPolicy.ClickFocus) == 4
    finish_queue(held, qtbot)


def test_a_sweep_is_cancelled_as_one_and_made_again(held, qtbot):
    start(held, qtbot)
    QTest.keyClick(held.view, KEY.Key_G, Qt.KeyboardModifier.ShiftModifier)
    QTest.mouseClick(held.sweep_panel.cancel, LEFT)
    assert states(held) == [STATE.DONE, *[STATE.CANCELLED] * 4]
    assert not held.sweep_panel.cancel.isVisible()
    queue = held.session.queue
    assert len(queue.waiting) + 1 == 10  # The ten seeds go on.
    held.queue.cancel_all()
    held.gate.open()
    cells = held.sweep_panel.board.cells
    QTest.mouseClick(cells[4], LEFT)
    qtbot.waitUntil(lambda: states(held)[4] is STATE.DONE)
    assert states(held)[:4] == [STATE.DONE, *[STATE.CANCELLED] * 3]
    assert progress_text(held.session, held.session.sweep) == "2 of 5"
    assert held.sweep_panel.retry.text() == "Make the other 3"
    QTest.mouseClick(held.sweep_panel.retry, LEFT)
    qtbot.waitUntil(lambda: states(held) == [STATE.DONE] * 5)
    assert not held.sweep_panel.retry.isVisible()


def test_a_sweep_is_cancelled_and_made_again_without_a_mouse(held, qtbot):
    make_rest = [KEY.Key_M, ALT | Qt.KeyboardModifier.ControlModifier]
    QTest.keyClick(held.view, *make_rest)
    assert "no ladder or grid yet" in held.session.notice.text
    start(held, qtbot)
    QTest.keyClick(held.view, KEY.Key_X, make_rest[1])
    assert states(held) == [STATE.DONE, *[STATE.CANCELLED] * 4]
    QTest.keyClick(held.view, *make_rest)
    held.gate.open()
    qtbot.waitUntil(lambda: states(held) == [STATE.DONE] * 5)
    QTest.keyClick(held.view, *make_rest)
    assert "Nothing of the ladder or grid" in held.session.notice.text


def test_a_failed_cell_says_so_and_retrying_lets_the_rest_go_on(make_window, volume, qtbot, caplog):
    window = make_window(ScriptedRunner(steps=2, on_step=raising(MemoryError(), at=2)))
    window.session.show_volume(volume)
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_5, ALT)
    qtbot.waitUntil(lambda: window.session.queue.is_held)
    assert states(window) == [STATE.FAILED, *[STATE.WAITING] * 4]
    cell = window.sweep_panel.board.cells[0]
    assert "memory is full" in cell.toolTip()
    assert cell.accessibleName() == "Texture 1: failed"
    assert window.sweep_panel.progress.text() == "0 of 5, held after a failure"
    assert not window.sweep_panel.export.isEnabled()
    assert "Nothing has been made" in window.sweep_panel.export.toolTip()
    QTest.mouseClick(cell, LEFT)
    qtbot.waitUntil(lambda: states(window) == [STATE.DONE] * 5)


def test_what_is_queued_is_made_while_the_sweep_is_hidden(held, qtbot):
    start(held, qtbot)
    QTest.mouseClick(held.sweep_panel.close_button, LEFT)
    assert not held.sweep_panel.isVisible()
    assert held.view.hasFocus()
    finish_queue(held, qtbot)
    qtbot.waitUntil(lambda: len(held.history.entries) == 5)
    QTest.keyClick(held.view, KEY.Key_E)
    assert held.sweep_panel.isVisible()
    assert states(held) == [STATE.DONE] * 5


def test_another_series_takes_the_sweep_away_but_not_its_jobs(held, qtbot, volume):
    start(held, qtbot)
    held.session.show_volume(volume)
    assert not held.sweep_panel.isVisible()
    finish_queue(held, qtbot)
    qtbot.waitUntil(lambda: len(held.history.entries) == 5)
    QTest.keyClick(held.view, KEY.Key_E)
    assert "has no ladder or grid yet" in held.notice_bar.text.text()


def test_a_second_ladder_takes_the_place_of_the_first(held, qtbot):
    start(held, qtbot)
    QTest.keyClick(held.view, KEY.Key_2, ALT)
    assert held.sweep_panel.title.text() == "Margin, 1 to 5"
    assert states(held) == [STATE.WAITING] * 5
    finish_queue(held, qtbot)
    assert states(held) == [STATE.DONE] * 5
    qtbot.waitUntil(lambda: len(held.history.entries) == 10)


def test_nothing_is_kept_of_a_ladder_that_another_one_of_its_series_has_replaced(held, qtbot):
    start(held, qtbot)
    QTest.keyClick(held.view, KEY.Key_2, ALT)
    finish_queue(held, qtbot)
    assert len(held.session.sweep.results) == 5
    assert not held.sweeping._late


def test_the_buttons_beside_the_sliders_start_ladders_and_say_why_they_cannot(held, qtbot):
    row = held.panel.rows["sphericity"]
    assert "Draw a box first" in row.ladder.toolTip()
    QTest.mouseClick(row.ladder, LEFT)
    assert "Draw a box first" in held.notice_bar.text.text()
    assert held.session.sweep is None
    draw_box(held)
    QTest.mouseClick(held.panel.rows["texture"].ladder, LEFT)
    assert held.session.sweep.across == "texture"
    finish_queue(held, qtbot)


def test_without_a_box_the_key_says_why(held):
    QTest.keyClick(held.view, KEY.Key_1, ALT)
    assert "Draw a box" in held.notice_bar.text.text()
    assert held.session.sweep is None


def test_a_grid_is_asked_for_and_made(make_window, volume, qtbot):
    window = make_window(ScriptedRunner(steps=1))
    window.session.show_volume(volume)
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_6, ALT)
    dialog = window.findChild(GridDialog)
    dialog.across.setCurrentIndex(dialog.down.currentIndex())
    assert not dialog.start.isEnabled()
    assert "two different" in dialog.reason.text()
    dialog.across.setCurrentText("Margin")
    QTest.mouseClick(dialog.start, LEFT)
    assert window.session.sweep.swept == ("texture", "margin")
    qtbot.waitUntil(lambda: states(window) == [STATE.DONE] * 25)
    cells = window.sweep_panel.board.cells
    QTest.mouseClick(cells[12], LEFT)
    QTest.keyClick(cells[12], KEY.Key_Down)
    attributes = window.session.candidate.result.request.attributes
    assert (attributes.texture, attributes.margin) == (4, 3)
    assert cells[17].accessibleName().startswith("Texture 4, margin 3: in the slice")
