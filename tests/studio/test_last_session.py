"""Going on where one stopped: after closing, and after kill -9."""

import os
import random
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtTest import QTest

from engine import ct_files
from engine.events import SliceRequest
from engine.nodule import BoundingBox
from studio.autosave import read_session, take_session_file
from studio.session import Opening
from tests.studio import last_session
from tests.studio.driving import LEFT
from tests.studio.killing import kill_once
from tests.studio.last_session import CTRL, KEY, SHIFT, assert_same, saved

#: Fixtures are found by their names in the file of a test.
ct, worked = last_session.ct, last_session.worked


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


def test_nothing_finished_is_lost_when_the_program_is_killed(tmp_path, ct):
    draw, finished = random.Random(1), 0
    for _ in range(3):
        left = kill_once(tmp_path, ct, draw)
        assert left.missing == []
        finished += len(left.finished)
    assert finished >= 3


def test_each_of_several_studios_has_a_file_of_its_own_and_the_newest_is_taken_up(tmp_path, caplog):
    first, lock = take_session_file(tmp_path / "data")
    second, other_lock = take_session_file(tmp_path / "data")
    assert [path.name for path in (first, second)] == ["session.json", "session-2.json"]
    for age, path in enumerate((second, first)):
        path.write_text("{}")
        os.utime(path, (1e9 - age, 1e9 - age))
    assert take_session_file(tmp_path / "data")[0].name == "session-3.json"
    lock.release()
    assert take_session_file(tmp_path / "data")[0] == first
    other_lock.release()
    assert take_session_file(tmp_path / "data")[0] == second
    (tmp_path / "file").touch()
    assert take_session_file(tmp_path / "file")[0] == tmp_path / "file" / "session.json"
    assert "cannot be told" in caplog.text
