"""Projects: going on from a folder of plain files, here or elsewhere."""

import errno
import json
import shutil
import threading
import time
from dataclasses import replace
from pathlib import PureWindowsPath

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QMessageBox

from engine import journal
from engine.errors import InputError
from studio import project
from studio.history import History
from studio.menu_actions import menu_actions
from studio.recent_files import recent_files
from studio.saved_session import to_record
from tests.studio import last_session
from tests.studio.driving import answering
from tests.studio.last_session import CTRL, KEY, assert_same, saved

#: Fixtures are found by their names in the file of a test.
ct, worked, made = last_session.ct, last_session.worked, last_session.made


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


def test_projects_that_were_saved_or_opened_are_offered_and_opened_again(
    worked, make_window, tmp_path, qtbot, monkeypatch
):
    folder = tmp_path / "R&D project"
    save_project(worked, folder, monkeypatch, qtbot)
    assert recent_files()[0] == folder
    QSettings().remove("recent")
    window = make_window()
    window.open_path(folder)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    qtbot.waitUntil(lambda: folder in recent_files())
    window.session.close_volume()
    again = next(found.action for found in menu_actions(window, with_files=True) if found.text == str(folder))
    again.trigger()
    qtbot.waitUntil(lambda: window.session.candidate is not None)


def test_a_project_saved_again_replaces_what_it_was_and_what_is_left_out_is_told(worked, tmp_path, qtbot, monkeypatch):
    folder = tmp_path / "project"
    save_project(worked, folder, monkeypatch, qtbot)
    worked.session.go_to_slice(1)
    lost, path_of = worked.session.candidate.result, worked.history.path_of
    monkeypatch.setattr(worked.history, "path_of", lambda result: None if result is lost else path_of(result))
    QTest.keyClick(worked.view, KEY.Key_S, CTRL)
    qtbot.waitUntil(lambda: json.loads((folder / "project.json").read_text())["slice_index"] == 1)
    qtbot.waitUntil(lambda: "but 1 nodule was left out, for it is not in the history" in worked.session.notice.text)


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
    assert "The slice is not in the history" in made.notice_bar.text.text()
    made.session.close_volume()
    made.projects.save()
    assert "open a chest CT first" in made.notice_bar.text.text()


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


def test_a_project_of_which_something_is_lost_is_not_saved_over_without_a_question(
    worked, make_window, tmp_path, monkeypatch, qtbot
):
    folder = tmp_path / "project"
    save_project(worked, folder, monkeypatch, qtbot)
    name = worked.history.path_of(worked.session.accepted[0].result).name
    for place in (folder / "results", tmp_path / "journal"):
        shutil.rmtree(place / name)
    window = make_window()
    window.projects.open(folder)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    lost = "1 accepted nodule could not be put back, nor the nodule that waited to be accepted"
    assert window.notice_bar.text.text() == f"{lost}: the result or the CT has changed."
    asked = []
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.text()) or answering("Cancel")(box))
    window.projects.save()
    assert asked == [f"{folder} holds a project already."]


def test_results_that_cannot_be_copied_into_the_history_are_shown_all_the_same(
    worked, make_window, tmp_path, monkeypatch, qtbot
):
    folder = tmp_path / "project"
    save_project(worked, folder, monkeypatch, qtbot)
    worked.autosave.stop()
    shutil.rmtree(tmp_path / "journal")
    window = make_window()

    def refuse(path):
        raise InputError("There is no room.")

    monkeypatch.setattr(window.history, "adopt", refuse)
    window.projects.open(folder)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert len(window.session.accepted) == 1
    assert window.notice_bar.text.text() == "There is no room."


def test_another_ct_that_arrives_while_the_folder_is_asked_for_is_not_saved_there(
    worked, volume, tmp_path, monkeypatch
):
    def choose_late(*args):
        worked.session.show_volume(volume)
        return str(tmp_path / "project")

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", choose_late)
    worked.projects.save_as()
    assert "another CT was opened meanwhile" in worked.notice_bar.text.text()
    assert not (tmp_path / "project").exists()


def test_a_project_is_written_with_the_same_paths_on_every_system(worked, tmp_path, qtbot):
    last = saved(worked, tmp_path, qtbot)
    on_windows = replace(last.accepted[0], entry=PureWindowsPath("results") / "one")
    record = to_record(replace(last, accepted=(on_windows,), made=PureWindowsPath("results") / "two"))
    assert (record["accepted"][0]["result"], record["source"]["made"]) == ("results/one", "results/two")


def test_what_a_project_holds_is_no_unsaved_work(worked, tmp_path, qtbot, monkeypatch):
    asked = []
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.text()) or answering("Cancel")(box))
    assert worked.isWindowModified()
    save_project(worked, tmp_path / "project", monkeypatch, qtbot)
    assert not worked.isWindowModified()
    worked.session.go_to_slice(2)
    QTest.keyClick(worked.view, KEY.Key_A)
    assert worked.isWindowModified()
    assert not worked.close()
    assert asked == ["1 accepted nodule has neither been exported nor saved."]
    QTest.keyClick(worked.view, KEY.Key_S, CTRL)
    qtbot.waitUntil(lambda: not worked.isWindowModified())
    assert worked.session.not_exported == worked.session.accepted
    assert worked.close()
    assert len(asked) == 1


def test_a_project_that_is_opened_is_saved_already(worked, make_window, tmp_path, qtbot, monkeypatch):
    save_project(worked, tmp_path / "project", monkeypatch, qtbot)
    window = make_window()
    window.open_path(tmp_path / "project")
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert window.session.not_exported
    assert not window.isWindowModified()
    window.session.close_volume()
    assert window.session.in_project == ()


def test_another_project_is_opened_at_once_while_one_is_still_read(worked, make_window, tmp_path, qtbot):
    project.save_project(tmp_path / "project", saved(worked, tmp_path, qtbot), [])
    window, begun, go_on = make_window(), threading.Event(), threading.Event()
    read = window.history.read

    def read_long(path):
        window.history.read = read
        begun.set()
        assert go_on.wait(30)
        raise InputError("The first one.")

    window.history.read = read_long
    window.open_path(tmp_path / "project")
    assert begun.wait(10)
    before = time.monotonic()
    window.open_path(tmp_path / "project")
    assert time.monotonic() - before < 5
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    go_on.set()
    qtbot.waitUntil(lambda: not window.session.doing)
    assert len(window.session.accepted) == 1
    assert window.session.notice is None
