"""Going on where one stopped: after closing, after kill -9, and from a project."""

import errno
import json
import random
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QMessageBox

from engine import ct_files, journal
from engine.ct import WindowLevel
from engine.events import SliceRequest
from engine.nodule import BoundingBox
from studio import project
from studio.autosave import read_session
from studio.history import History
from studio.session import Opening
from studio.shown import Comparison, Shown
from tests.studio.driving import LEFT, answering, draw_box, generate
from tests.studio.killing import kill_once

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
KEY = Qt.Key


@pytest.fixture
def ct(tmp_path, write_ct_series):
    """A folder of five DICOM slices of noise."""
    hu = np.random.default_rng(0).integers(-900, -700, (5, 96, 120)).astype(np.int16)
    return write_ct_series(tmp_path / "ct", hu)[0].parent


@pytest.fixture
def worked(make_window, ct, qtbot):
    """A window with an accepted nodule, one that waits, a window of its own and the fourth slice shown."""
    window = make_window()
    window.open_path(ct)
    qtbot.waitUntil(lambda: window.session.volume is not None)
    draw_box(window)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    draw_box(window, 60, 80, 16)
    QTest.keyClick(window.view, KEY.Key_N)
    generate(window, qtbot)
    window.panel.rows["margin"].slider.setValue(2)
    window.session.window = WindowLevel(400, 40)
    window.session.shown = Shown(outlines=True, inverted=True, comparison=Comparison.SIDE_BY_SIDE)
    window.session.go_to_slice(3)
    return window


def saved(window, tmp_path, qtbot):
    """Wait until what is shown is in the file; return it."""
    qtbot.waitUntil(lambda: not window.autosave._timer.isActive())
    window.autosave._writer.submit(lambda: None).result()
    return read_session(tmp_path / "session.json")


def assert_same(session, other):
    assert session.volume.source == other.volume.source
    assert (session.slice_index, session.window, session.box) == (other.slice_index, other.window, other.box)
    assert (session.attributes, session.options) == (other.attributes, other.options)
    assert session.shown == other.shown
    pairs = zip((*session.accepted, session.candidate), (*other.accepted, other.candidate), strict=True)
    for one, another in pairs:
        assert one.slice_index == another.slice_index
        np.testing.assert_array_equal(one.result.slice.hu, another.result.slice.hu)
    assert len(session.not_exported) == len(other.not_exported)


def test_the_last_session_comes_back_as_it_was(worked, make_window, tmp_path, qtbot):
    last = saved(worked, tmp_path, qtbot)
    assert not last.ended
    window = make_window()
    assert window.session.volume is None
    assert "slice 4, 1 accepted nodule" in window.welcome.last.text()
    assert "nothing that was finished is lost" in window.welcome.last.text()
    QTest.mouseClick(window.welcome.go_on, LEFT)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert_same(window.session, worked.session)


def test_return_goes_on_and_so_does_a_key_of_the_menu(worked, make_window, tmp_path, qtbot):
    saved(worked, tmp_path, qtbot)
    for key in ((KEY.Key_Return,), (KEY.Key_Space,), (KEY.Key_T, CTRL | SHIFT)):
        window = make_window()
        QTest.keyClick(window.welcome.go_on, *key)
        qtbot.waitUntil(lambda window=window: window.session.candidate is not None)


def test_a_window_that_was_closed_says_no_more_than_what_was_open(worked, make_window, tmp_path, qtbot):
    worked.session.exported = worked.session.accepted
    worked.close()
    assert read_session(tmp_path / "session.json").ended
    assert "without being closed" not in make_window().welcome.last.text()


def test_a_window_that_was_closed_with_a_slice_that_was_made_was_closed_all_the_same(worked, volume, tmp_path, qtbot):
    last = saved(worked, tmp_path, qtbot)
    worked.session.show_volume(volume)
    box = BoundingBox(40, 50, 20, (96, 120))
    worked.session.generated = SliceRequest(box, worked.session.attributes, worked.session.options, 0.7)
    worked.close()
    assert read_session(tmp_path / "session.json") == replace(last, ended=True)


@pytest.mark.usefixtures("with_generator")
def test_a_scan_with_nodules_stays_on_offer_while_a_slice_has_its_place(
    worked, make_window, tmp_path, qtbot, monkeypatch
):
    last, asked = saved(worked, tmp_path, qtbot), []
    leave = answering("Leave without exporting")
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.text()) or leave(box))
    QTest.keyClick(worked, KEY.Key_G, CTRL)
    qtbot.waitUntil(lambda: worked.session.made_whole is not None)
    assert saved(worked, tmp_path, qtbot) == last
    assert "slice 4, 1 accepted nodule" in make_window().welcome.last.text()
    worked.close()
    assert asked == ["1 accepted nodule has not been exported."] * 2
    assert read_session(tmp_path / "session.json") == replace(last, ended=True)


def test_nothing_is_offered_at_the_very_first_start(make_window):
    window = make_window()
    assert not window.welcome.go_on.isVisible()
    window.projects.reopen_last()
    assert "no earlier session" in window.notice_bar.text.text()


def test_a_ct_that_is_gone_is_said_beside_the_button(worked, make_window, tmp_path, ct, qtbot):
    saved(worked, tmp_path, qtbot)
    shutil.rmtree(ct)
    window = make_window()
    assert not window.welcome.go_on.isEnabled()
    assert f"not in {ct} any more" in window.welcome.last.text()


def test_a_nodule_whose_result_is_gone_is_told(worked, make_window, tmp_path, qtbot):
    last = saved(worked, tmp_path, qtbot)
    shutil.rmtree(last.accepted[0].entry)
    window = make_window()
    QTest.mouseClick(window.welcome.go_on, LEFT)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert "1 accepted nodule could not be put back" in window.notice_bar.text.text()


def test_a_nodule_that_waited_and_is_gone_is_told_beside_what_the_file_warns_of(
    worked, make_window, tmp_path, qtbot, monkeypatch
):
    last = saved(worked, tmp_path, qtbot)
    shutil.rmtree(last.candidate.entry)
    read = ct_files.read_volume
    monkeypatch.setattr(
        ct_files, "read_volume", lambda *args: replace(read(*args), warnings=("One slice is missing.",))
    )
    window = make_window()
    QTest.mouseClick(window.welcome.go_on, LEFT)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    lost = "The nodule that waited to be accepted could not be put back: the result or the CT has changed."
    assert window.notice_bar.text.text() == f"One slice is missing. {lost}"
    assert len(window.session.accepted) == 1


def test_what_nobody_foresaw_while_a_session_is_read_is_told(worked, make_window, tmp_path, qtbot, monkeypatch, caplog):
    def fail(path):
        raise ZeroDivisionError("oops")

    saved(worked, tmp_path, qtbot)
    window = make_window()
    monkeypatch.setattr(window.history, "adopt", fail)
    QTest.mouseClick(window.welcome.go_on, LEFT)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert window.notice_bar.text.text().startswith("The session could not be read (ZeroDivisionError: oops)")


@pytest.mark.parametrize("field", ["volume", "accepted", "opening"])
def test_what_is_opened_while_a_session_is_read_is_not_replaced(
    worked, make_window, volume, tmp_path, qtbot, monkeypatch, field
):
    saved(worked, tmp_path, qtbot)
    window, go_on = make_window(), threading.Event()
    adopt = window.history.adopt
    monkeypatch.setattr(window.history, "adopt", lambda path: go_on.wait(10) and adopt(path))
    QTest.mouseClick(window.welcome.go_on, LEFT)
    meanwhile = {"volume": volume, "accepted": worked.session.accepted, "opening": Opening("another")}[field]
    setattr(window.session, field, meanwhile)
    go_on.set()
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert "not reopened, for something else was opened or accepted meanwhile" in window.notice_bar.text.text()
    assert getattr(window.session, field) is meanwhile


def test_a_deleted_result_that_is_in_a_slice_still_comes_back(worked, make_window, tmp_path, qtbot):
    worked.history.delete(worked.history.path_of(worked.session.accepted[0].result))
    saved(worked, tmp_path, qtbot)
    window = make_window()
    QTest.mouseClick(window.welcome.go_on, LEFT)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert len(window.session.accepted) == 1


@pytest.mark.parametrize("text", ["", "[]", '{"format_version": 9}', '{"format_version": 1}'])
def test_a_spoilt_session_file_is_as_none(make_window, tmp_path, text, caplog):
    (tmp_path / "session.json").write_text(text)
    assert not make_window().welcome.go_on.isVisible()


# --- projects --------------------------------------------------------------------------------------------


def choose(monkeypatch, folder):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: str(folder))


def save_project(window, folder, monkeypatch, qtbot):
    choose(monkeypatch, folder)
    QTest.keyClick(window.view, KEY.Key_S, CTRL)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    return window.notice_bar.text.text()


def test_a_project_is_plain_files_and_comes_back_elsewhere(worked, make_window, tmp_path, ct, qtbot, monkeypatch):
    folder = tmp_path / "mine" / "project"
    said = save_project(worked, folder, monkeypatch, qtbot)
    assert said == f"The project was saved to {folder}."
    record = json.loads((folder / "project.json").read_text())
    assert record["slice_index"] == 3
    assert (folder / record["accepted"][0]["result"] / "result.json").is_file()
    assert len(journal.entries(folder / "results")) == 2
    # Another machine: no journal, other places, the CT beside the project as before.
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "mine", elsewhere / "mine")
    shutil.move(ct, elsewhere / "ct")
    worked.autosave.stop()
    shutil.rmtree(tmp_path / "journal")
    window = make_window()
    window.open_path(elsewhere / "mine" / "project")
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert len(window.session.accepted) == 1
    assert window.session.volume.source == elsewhere / "ct"
    assert len(journal.entries(tmp_path / "journal")) == 2


def test_a_project_saved_again_replaces_what_it_was_and_what_is_left_out_is_told(worked, tmp_path, qtbot, monkeypatch):
    folder = tmp_path / "project"
    save_project(worked, folder, monkeypatch, qtbot)
    worked.session.go_to_slice(1)
    lost, path_of = worked.session.candidate.result, worked.history.path_of
    monkeypatch.setattr(worked.history, "path_of", lambda result: None if result is lost else path_of(result))
    QTest.keyClick(worked.view, KEY.Key_S, CTRL)
    qtbot.waitUntil(lambda: json.loads((folder / "project.json").read_text())["slice_index"] == 1)
    qtbot.waitUntil(lambda: "but 1 nodule was left out, for it is not in the journal" in worked.session.notice.text)


def test_a_first_save_that_failed_can_be_tried_again(worked, tmp_path, qtbot, monkeypatch):
    def refuse(path, text):
        (path.parent / f".{path.name}.new").touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = tmp_path / "project"
    with monkeypatch.context() as patched:
        patched.setattr(project, "write_whole", refuse)
        assert "No space left" in save_project(worked, folder, monkeypatch, qtbot)
    worked.session.notice = None
    assert save_project(worked, folder, monkeypatch, qtbot) == f"The project was saved to {folder}."


def test_a_starred_result_that_is_gone_does_not_keep_a_project_from_being_saved(worked, tmp_path, qtbot):
    last = saved(worked, tmp_path, qtbot)
    project.save_project(tmp_path / "project", last, [tmp_path / "journal" / "gone"])
    assert len(project.project_entries(tmp_path / "project")) == 2


def test_starred_results_of_a_project_are_copied_and_not_read(worked, make_window, tmp_path, qtbot):
    last = saved(worked, tmp_path, qtbot)
    starred = journal.record(worked.session.candidate.result, tmp_path / "more")
    project.save_project(tmp_path / "project", last, [starred])
    window = make_window()
    read, window.history.read = [], lambda path: read.append(path) or History.read(window.history, path)
    window.open_path(tmp_path / "project")
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert (tmp_path / "journal" / starred.name).is_dir()
    assert {path.name for path in read} == {entry.name for entry in last.entries}


def test_saves_do_not_race_and_another_series_is_another_project(worked, volume, tmp_path, qtbot, monkeypatch):
    begun, go_on, saves, asked = threading.Event(), threading.Event(), [], []

    def save_slowly(folder, *parts):
        saves.append(folder)
        begun.set()
        assert go_on.wait(10)

    monkeypatch.setattr(project, "save_project", save_slowly)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: asked.append(1) or str(tmp_path / "mine"))
    QTest.keyClick(worked.view, KEY.Key_S, CTRL)
    assert begun.wait(10)
    QTest.keyClick(worked.view, KEY.Key_S, CTRL)
    assert "still being saved" in worked.notice_bar.text.text()
    worked.session.show_volume(volume)
    go_on.set()
    qtbot.waitUntil(lambda: worked.session.notice is not None)
    assert saves == [tmp_path / "mine"]
    asked.clear()
    QTest.keyClick(worked.view, KEY.Key_S, CTRL)
    assert asked == [1]
    qtbot.waitUntil(lambda: len(saves) == 2)


def test_a_folder_with_other_files_is_refused(worked, tmp_path, qtbot, monkeypatch):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    said = save_project(worked, tmp_path / "other", monkeypatch, qtbot)
    assert "holds other files" in said
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(("answer", "left"), [("Cancel", 1), ("Replace it", 0)])
def test_a_project_is_replaced_only_if_that_is_wanted(worked, volume, tmp_path, qtbot, monkeypatch, answer, left):
    save_project(worked, tmp_path / "project", monkeypatch, qtbot)
    worked.session.show_volume(volume)
    asked = []
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.text()) or answering(answer)(box))
    worked.projects.save()
    qtbot.waitUntil(lambda: not worked.session.doing)
    assert asked == [f"{tmp_path / 'project'} holds a project already."]
    assert len(json.loads((tmp_path / "project" / "project.json").read_text())["accepted"]) == left


def test_a_project_without_its_ct_says_where_to_put_it(worked, tmp_path, ct, qtbot, monkeypatch):
    save_project(worked, tmp_path / "project", monkeypatch, qtbot)
    ct.rename(tmp_path / "moved")
    worked.session.exported = worked.session.accepted
    worked.open_path(tmp_path / "project")
    assert "put it there, or beside the project" in worked.notice_bar.text.text()


# --- slices that were made -------------------------------------------------------------------------------


@pytest.fixture
def made(make_window, qtbot, with_generator):
    """A window with a slice that was made, a nodule that is accepted in it and one that waits."""
    window = make_window()
    QTest.keyClick(window, KEY.Key_G, CTRL)
    qtbot.waitUntil(lambda: window.session.made_whole is not None)
    window.view.setFocus()
    draw_box(window, 20, 20, 12)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    draw_box(window, 200, 20, 12)
    generate(window, qtbot)
    return window


def test_a_slice_that_was_made_comes_back_with_its_nodules(made, make_window, tmp_path, qtbot):
    last = saved(made, tmp_path, qtbot)
    assert len(last.entries) == 3
    window = make_window()
    assert "Generated slice, seed 0, slice 1, 1 accepted nodule" in window.welcome.last.text()
    QTest.mouseClick(window.welcome.go_on, LEFT)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert_same(window.session, made.session)
    assert window.session.generated == made.session.generated
    assert window.session.made_whole.slice.sha256() == made.session.made_whole.slice.sha256()
    # It goes on being kept.
    assert saved(window, tmp_path, qtbot).made == last.made


def test_a_slice_that_was_made_and_is_gone_from_the_journal_is_said(made, make_window, tmp_path, qtbot):
    last = saved(made, tmp_path, qtbot)
    shutil.rmtree(last.made)
    window = make_window()
    assert not window.welcome.go_on.isEnabled()
    assert "not in the journal any more" in window.welcome.last.text()


def test_a_project_holds_the_slice_that_was_made(made, make_window, tmp_path, qtbot, monkeypatch):
    folder = tmp_path / "mine" / "project"
    assert save_project(made, folder, monkeypatch, qtbot) == f"The project was saved to {folder}."
    assert len(journal.entries(folder / "results")) == 3
    shutil.copytree(folder, tmp_path / "elsewhere")
    made.autosave.stop()
    shutil.rmtree(tmp_path / "journal")
    window = make_window()
    window.open_path(tmp_path / "elsewhere")
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert_same(window.session, made.session)
    (tmp_path / "journal").mkdir(exist_ok=True)
    assert len(journal.entries(tmp_path / "journal")) == 3


def test_a_project_that_cannot_be_saved_asks_for_no_folder(made, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: pytest.fail("a folder was asked for"))
    monkeypatch.setattr(made.history, "path_of", lambda result: None)
    made.projects.save()
    assert "The slice is not in the journal" in made.notice_bar.text.text()
    made.session.close_volume()
    made.projects.save()
    assert "open a chest CT first" in made.notice_bar.text.text()


# --- kill -9 ---------------------------------------------------------------------------------------------


def test_nothing_finished_is_lost_when_the_program_is_killed(tmp_path, ct):
    draw, finished = random.Random(1), 0
    for _ in range(3):
        left = kill_once(tmp_path, ct, draw)
        assert left.missing == []
        finished += len(left.finished)
    assert finished >= 3


def test_a_nodule_that_was_changed_comes_back_changed(worked, make_window, tmp_path, qtbot):
    session = worked.session
    session.go_to_slice(2)
    QTest.keyClick(worked.view, KEY.Key_A)
    before = session.accepted
    QTest.keyClick(worked.view, KEY.Key_BracketRight)
    worked.panel.rows["texture"].slider.setValue(1)
    QTest.keyClick(worked.view, KEY.Key_G)
    qtbot.waitUntil(lambda: session.accepted != before and session.job is None)
    saved(worked, tmp_path, qtbot)
    window = make_window()
    QTest.mouseClick(window.welcome.go_on, LEFT)
    qtbot.waitUntil(lambda: len(window.session.accepted) == 2)
    for one, another in zip(session.accepted, window.session.accepted, strict=True):
        assert one.result.request.attributes == another.result.request.attributes
        np.testing.assert_array_equal(one.result.slice.hu, another.result.slice.hu)
    assert window.session.selected is window.session.accepted[-1]


def test_a_project_that_was_opened_is_saved_where_it_is(worked, make_window, tmp_path, monkeypatch, qtbot):
    folder = tmp_path / "project"
    save_project(worked, folder, monkeypatch, qtbot)
    window = make_window()
    window.projects.open(folder)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    window.session.notice = None
    window.projects.save()
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert window.session.notice.text == f"The project was saved to {folder}."
