"""Going on with a slice that was made whole, and with the scan that it had taken the place of."""

import json
import shutil
from dataclasses import replace

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from studio.autosave import read_session
from tests.studio import last_session
from tests.studio.driving import LEFT, answering, generate
from tests.studio.last_session import CTRL, KEY, SHIFT, assert_same, saved
from tests.studio.made_slices import draw_elsewhere, forming, press_and_wait

#: Fixtures are found by their names in the file of a test.
ct, worked, made = last_session.ct, last_session.worked, last_session.made


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
    assert "not in the history any more" in window.welcome.last.text()


def test_a_session_of_an_older_version_has_no_way_back(made, make_window, tmp_path, qtbot):
    saved(made, tmp_path, qtbot)
    made.autosave.stop()
    file = tmp_path / "session.json"
    record = json.loads(file.read_text())
    del record["behind"]
    file.write_text(json.dumps(record))
    window = make_window()
    QTest.mouseClick(window.welcome.go_on, LEFT)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert_same(window.session, made.session)
    assert window.slices.way_back is None
    assert "Behind" not in window.welcome.last.text()


@pytest.fixture
def in_front(with_generator, worked, qtbot, monkeypatch):
    """A window with a slice that was made in front of the scan; a nodule is accepted in each. `asked` has questions."""
    worked.asked, leave = [], answering("Leave without exporting")
    monkeypatch.setattr(QMessageBox, "exec", lambda box: worked.asked.append(box.text()) or leave(box))
    press_and_wait(worked, qtbot)
    draw_elsewhere(worked)
    generate(worked, qtbot)
    QTest.keyClick(worked.view, KEY.Key_A)
    return worked


def go_on(window, qtbot):
    """Reopen the last session, in which a slice had a nodule."""
    QTest.mouseClick(window.welcome.go_on, LEFT)
    qtbot.waitUntil(lambda: bool(window.session.accepted))


def test_a_slice_in_front_of_a_scan_comes_back_and_so_does_the_scan(in_front, make_window, tmp_path, ct, qtbot):
    last = saved(in_front, tmp_path, qtbot)
    assert (len(last.accepted), len(last.behind.accepted), last.behind.path) == (1, 1, ct)
    window = make_window()
    slice_text, scan_text, _ = window.welcome.last.text().split("\n")
    assert slice_text.startswith("Generated slice, seed ")
    assert ", slice 1, 1 accepted nodule, " in slice_text
    assert scan_text.startswith("Behind it: ")
    assert scan_text.endswith(", slice 4, 1 accepted nodule")
    go_on(window, qtbot)
    assert_same(window.session, in_front.session)
    assert "has taken the place of ct" in window.notice_bar.text.text()
    # It goes on being kept, though the scan is not read.
    assert saved(window, tmp_path, qtbot).behind == last.behind
    in_front.asked.clear()
    assert window.may_leave()
    assert in_front.asked == ["2 accepted nodules have not been exported."]
    QTest.keyClick(window, KEY.Key_B, CTRL | SHIFT)
    in_front.slices.go_back()
    qtbot.waitUntil(lambda: window.session.generated is None and window.session.candidate is not None)
    assert_same(window.session, in_front.session)
    assert saved(window, tmp_path, qtbot).behind is None


def test_a_scan_behind_a_slice_stays_behind_it_when_the_window_is_closed(in_front, tmp_path, qtbot):
    last = saved(in_front, tmp_path, qtbot)
    in_front.close()
    assert in_front.asked == ["2 accepted nodules have not been exported."]
    ended = read_session(tmp_path / "session.json")
    assert ended == replace(last, saved=ended.saved, ended=True)


def test_a_scan_stays_on_offer_while_a_slice_forms_in_its_place(with_generator, held_empty, ct, tmp_path, qtbot):
    held_empty.open_path(ct)
    qtbot.waitUntil(lambda: held_empty.session.volume is not None)
    last = saved(held_empty, tmp_path, qtbot)
    forming(held_empty, qtbot)
    assert saved(held_empty, tmp_path, qtbot) == last
    held_empty.gate.open()
    qtbot.waitUntil(lambda: held_empty.session.made_whole is not None)
    assert saved(held_empty, tmp_path, qtbot).behind.path == ct


def test_a_slice_comes_back_where_the_scan_behind_it_is_gone(in_front, make_window, tmp_path, ct, qtbot):
    last = saved(in_front, tmp_path, qtbot)
    shutil.rmtree(ct)
    window = make_window()
    go_on(window, qtbot)
    in_front.asked.clear()
    window.slices.go_back()
    assert in_front.asked == ["1 accepted nodule has not been exported."]
    assert f"not in {ct} any more" in window.notice_bar.text.text()
    assert_same(window.session, in_front.session)
    # Once it is there again, one can go back.
    assert saved(window, tmp_path, qtbot).behind == last.behind


@pytest.mark.parametrize("is_spoilt", [False, True])
def test_a_scan_comes_back_where_the_slice_before_it_is_gone(in_front, make_window, tmp_path, qtbot, is_spoilt, caplog):
    last = saved(in_front, tmp_path, qtbot)
    if is_spoilt:
        (last.made / "result.npz").write_bytes(b"")
    else:
        shutil.rmtree(last.made)
    in_front.slices.go_back()
    in_front.autosave.stop()
    window = make_window()
    window.projects.last = last
    window.projects.reopen_last()
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert_same(window.session, in_front.session)
    assert window.notice_bar.text.text() == "The slice of the session is not in the history any more."
