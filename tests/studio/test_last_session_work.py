"""Going on with what was looked at, with a ladder, and with what the queue had not made yet."""

import json
import shutil

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from studio import project
from studio.autosave import read_session
from studio.requeuing import unmade_text
from studio.sweep import CellState
from tests.scripted_engine import Doorman, ScriptedRunner
from tests.studio import last_session
from tests.studio.driving import LEFT, answering, at, draw_box, generate, wheel
from tests.studio.last_session import CTRL, KEY, SHIFT, saved
from tests.studio.made_slices import press_and_wait

ALT, DONE, CANCELLED = Qt.KeyboardModifier.AltModifier, CellState.DONE, CellState.CANCELLED
#: Fixtures are found by their names in the file of a test.
ct, worked = last_session.ct, last_session.worked


@pytest.fixture
def at_work(make_window, ct, qtbot):
    """A window in which a file is open, and whose engine waits in the third job."""
    doorman = Doorman(job=3)
    window = make_window(ScriptedRunner(steps=2, on_step=doorman))
    window.gate = doorman.gate
    window.open_path(ct)
    qtbot.waitUntil(lambda: window.session.volume is not None)
    yield window
    doorman.gate.open()


def start_ladder(window, qtbot, count=2):
    """Draw a box, press Alt+1, and wait for so many results."""
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_1, ALT)
    qtbot.waitUntil(lambda: len(window.session.sweep.results) == count)


def try_seeds(window, qtbot):
    """Press Shift+G and wait until two results are in the history, and the third job has shown its first step."""
    QTest.keyClick(window.view, KEY.Key_G, SHIFT)
    qtbot.waitUntil(lambda: len(window.history.entries) == 2 and window.session.queue_step is not None)


def go_on(make_window, qtbot):
    """Show another window, and go on in it with the last session."""
    window = make_window()
    QTest.mouseClick(window.welcome.go_on, LEFT)
    qtbot.waitUntil(lambda: window.session.volume is not None)
    return window


def states(window):
    return [cell.state(window.session.queue) for cell in window.session.sweep.cells]


def looked_at(window):
    viewport = window.view.viewport_now
    return viewport.zoom, viewport.centre


def test_zoom_and_pan_come_back(worked, make_window, tmp_path, qtbot):
    wheel(worked.view, 4, CTRL)
    QTest.keyClick(worked.view, KEY.Key_Down, CTRL)
    assert saved(worked, tmp_path, qtbot).framing == worked.session.framing
    window = go_on(make_window, qtbot)
    assert looked_at(window) == looked_at(worked)
    QTest.keyClick(window.view, KEY.Key_F)
    assert window.view.viewport_now.zoom < looked_at(worked)[0]
    assert saved(window, tmp_path, qtbot).framing is None


def test_a_long_zoom_is_written_once(worked, tmp_path, qtbot, monkeypatch):
    saved(worked, tmp_path, qtbot)
    writes = []
    monkeypatch.setattr(worked.autosave, "_write_now", writes.append)
    for _ in range(50):
        wheel(worked.view, 0.1, CTRL)
    assert not writes
    saved(worked, tmp_path, qtbot)
    assert len(writes) == 1


def test_another_series_is_fitted_and_the_way_back_leads_to_what_was_looked_at(
    with_generator, make_window, volume, qtbot
):
    window = make_window()
    window.session.show_volume(volume)
    wheel(window.view, 4, CTRL)
    before = looked_at(window)
    press_and_wait(window, qtbot)
    assert window.session.framing is None
    window.slices.go_back()
    assert looked_at(window) == before


def test_a_ladder_comes_back_and_what_it_lacks_is_offered(at_work, make_window, tmp_path, qtbot):
    start_ladder(at_work, qtbot)
    wheel(at_work.view, 4, CTRL)
    saved(at_work, tmp_path, qtbot)
    window = go_on(make_window, qtbot)
    assert states(window) == [DONE] * 2 + [CANCELLED] * 3
    assert looked_at(window) == looked_at(at_work)
    for cell, as_it_was in zip(window.session.sweep.cells, at_work.session.sweep.cells, strict=True):
        assert cell.request.attributes == as_it_was.request.attributes
        assert cell.request.slice.sha256() == as_it_was.request.slice.sha256()
    for result, as_it_was in zip(window.session.sweep.results, at_work.session.sweep.results, strict=True):
        np.testing.assert_array_equal(result.slice.hu, as_it_was.slice.hu)
    panel = window.sweep_panel
    assert panel.isVisible()
    assert panel.title.text() == at_work.sweep_panel.title.text()
    assert panel.height() == pytest.approx(at_work.sweep_panel.height(), abs=8)
    assert window.notice_bar.text.text() == "3 jobs of the queue had not been made when the program ended."
    assert window.session.queue.is_empty
    QTest.mouseClick(window.notice_bar.offer, LEFT)
    qtbot.waitUntil(lambda: states(window) == [DONE] * 5)
    assert window.session.queue.is_empty
    # What is made goes on being kept, and is not offered again.
    last = saved(window, tmp_path, qtbot)
    assert all(last.sweep.cells)
    assert last.unmade == window.projects.last.unmade == ()


def test_a_ladder_that_was_hidden_stays_so(at_work, make_window, tmp_path, qtbot):
    start_ladder(at_work, qtbot)
    at_work.queue.cancel_all()
    QTest.mouseClick(at_work.sweep_panel.close_button, LEFT)
    saved(at_work, tmp_path, qtbot)
    window = go_on(make_window, qtbot)
    assert not window.sweep_panel.isVisible()
    assert window.session.notice is None
    QTest.keyClick(window.view, KEY.Key_E)
    assert window.sweep_panel.isVisible()
    QTest.mouseClick(window.sweep_panel.board.cells[1], LEFT)
    assert window.session.candidate.result is window.session.sweep.results[1]
    QTest.mouseClick(window.sweep_panel.retry, LEFT)
    qtbot.waitUntil(lambda: states(window) == [DONE] * 5)


def test_a_ladder_without_its_results_is_told_and_its_jobs_are_made_all_the_same(at_work, make_window, tmp_path, qtbot):
    start_ladder(at_work, qtbot)
    for entry in saved(at_work, tmp_path, qtbot).sweep.entries:
        shutil.rmtree(entry)
    window = go_on(make_window, qtbot)
    assert window.session.sweep is None
    assert window.notice_bar.text.text() == (
        "The ladder or grid could not be put back: the result or the CT has changed. "
        "3 jobs of the queue had not been made when the program ended."
    )
    QTest.mouseClick(window.notice_bar.offer, LEFT)
    qtbot.waitUntil(lambda: len(window.history.entries) == 3)
    assert {entry.attributes.sphericity for entry in window.history.entries} == {3, 4, 5}


def test_a_ladder_of_an_accepted_nodule_knows_the_others_of_its_slice(make_window, ct, tmp_path, qtbot):
    first = make_window()
    first.open_path(ct)
    qtbot.waitUntil(lambda: first.session.volume is not None)
    for place in ((2, 2, 10), (80, 104, 12)):
        draw_box(first, *place)
        generate(first, qtbot)
        QTest.keyClick(first.view, KEY.Key_A)
    QTest.mouseClick(first.view, LEFT, pos=at(first.view, 7, 7))
    QTest.keyClick(first.view, KEY.Key_1, ALT)
    qtbot.waitUntil(lambda: len(first.session.sweep.results) == 5)
    saved(first, tmp_path, qtbot)
    window = go_on(make_window, qtbot)
    assert states(window) == [DONE] * 5
    assert [result.request.box.row for result in window.session.sweep.earlier] == [80]
    assert not window.notice_bar.offer.isVisible()


def test_seeds_that_waited_are_offered_and_made_as_they_were_asked_for(at_work, make_window, tmp_path, qtbot):
    draw_box(at_work)
    try_seeds(at_work, qtbot)
    saved(at_work, tmp_path, qtbot)
    window = go_on(make_window, qtbot)
    assert window.notice_bar.text.text().startswith("8 jobs of the queue had not been made")
    QTest.mouseClick(window.notice_bar.offer, LEFT)
    qtbot.waitUntil(lambda: len(window.history.entries) == 10)
    assert sorted(entry.options.seed for entry in window.history.entries) == list(range(10))
    assert len({entry.source for entry in window.history.entries}) == 1


def test_jobs_that_closing_has_left_unmade_are_offered_too(at_work, tmp_path, qtbot, monkeypatch):
    draw_box(at_work)
    try_seeds(at_work, qtbot)
    asked, leave = [], answering("Leave")
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.text()) or leave(box))
    at_work.gate.open()
    at_work.close()
    assert asked == [
        "7 jobs wait in the queue and will not be made now. Results that are finished are kept. "
        "Those of the open series are offered again when you go on with it."
    ]
    last = read_session(tmp_path / "session.json")
    assert last.ended
    assert [job.options.seed for job in last.unmade] == list(range(2, 10))


def test_jobs_whose_slice_has_changed_are_told_and_not_offered(at_work, make_window, tmp_path, qtbot):
    draw_box(at_work)
    generate(at_work, qtbot)
    QTest.keyClick(at_work.view, KEY.Key_A)
    draw_box(at_work, 60, 80, 16)
    try_seeds(at_work, qtbot)
    shutil.rmtree(saved(at_work, tmp_path, qtbot).accepted[0].entry)
    window = go_on(make_window, qtbot)
    assert window.notice_bar.text.text().endswith(
        "9 jobs of the queue had not been made when the program ended; "
        "they cannot be made any more, for the slice has changed."
    )
    assert not window.notice_bar.offer.isVisible()


def test_how_many_jobs_cannot_be_made_is_told():
    first = "of the queue had not been made when the program ended"
    cannot = "cannot be made any more, for the slice has changed."
    assert unmade_text(1, 1) == f"1 job {first}."
    assert unmade_text(1, 0) == f"1 job {first}; it {cannot}"
    assert unmade_text(3, 1) == f"3 jobs {first}; 2 of them {cannot}"


def test_a_session_of_an_older_version_has_none_of_it(at_work, make_window, tmp_path, qtbot):
    start_ladder(at_work, qtbot)
    saved(at_work, tmp_path, qtbot)
    at_work.autosave.stop()
    file = tmp_path / "session.json"
    record = json.loads(file.read_text())
    for name in ("framing", "sweep", "unmade"):
        del record[name]
    file.write_text(json.dumps(record))
    window = go_on(make_window, qtbot)
    session = window.session
    assert (session.framing, session.sweep, session.notice) == (None, None, None)
    assert session.box == at_work.session.box


def test_a_project_holds_the_ladder_but_for_what_is_gone_and_no_jobs(at_work, make_window, tmp_path, qtbot):
    start_ladder(at_work, qtbot)
    draw_box(at_work, 60, 80, 16)
    shutil.rmtree(saved(at_work, tmp_path, qtbot).sweep.cells[1])
    at_work.projects.save_to(tmp_path / "project")
    qtbot.waitUntil(lambda: at_work.session.notice is not None)
    assert at_work.session.notice.text == f"The project was saved to {tmp_path / 'project'}."
    record = json.loads((tmp_path / "project" / "project.json").read_text())
    assert [bool(entry) for entry in record["sweep"]["cells"]] == [True, False, False, False, False]
    assert record["unmade"] == []
    assert len(project.project_entries(tmp_path / "project")) == 1
    at_work.autosave.stop()
    at_work.queue.cancel_all()
    shutil.rmtree(tmp_path / "journal")
    window = make_window()
    window.open_path(tmp_path / "project")
    qtbot.waitUntil(lambda: window.session.volume is not None)
    assert states(window) == [DONE] + [CANCELLED] * 4
    assert window.session.notice is None
