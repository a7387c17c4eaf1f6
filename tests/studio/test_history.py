"""The history: every finished nodule is in it, can be shown again, starred, deleted and put back."""

import json
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from engine import journal
from engine.history import list_entries
from studio import thumbnails
from studio.history import ENTRY
from studio.history_card import time_text
from studio.history_list import Which
from studio.thumbnails import FILE_NAME, SIDE, Thumbnails, thumbnail
from tests.scripted_engine import scripted_request, scripted_result
from tests.studio.driving import LEFT, draw_box, generate

CTRL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)
KEY = Qt.Key


def shown(window):
    """The entries that the strip lists, first the leftmost."""
    model = window.strip.list.model()
    return [model.index(row, 0).data(ENTRY) for row in range(model.rowCount())]


def seeds(window):
    return [entry.options.seed for entry in shown(window)]


def card_at(window, row):
    return window.strip.list.visualRect(window.strip.list.model().index(row, 0)).center()


def click(window, row):
    QTest.mouseClick(window.strip.list.viewport(), LEFT, pos=card_at(window, row))


def make(window, qtbot, *wanted):
    """Generate with these seeds, and wait until the history has the results."""
    for seed in wanted:
        count = len(window.history.entries)
        window.session.options = replace(window.session.options, seed=seed)
        generate(window, qtbot)
        qtbot.waitUntil(lambda count=count: len(window.history.entries) == count + 1)


@pytest.fixture
def three(window, qtbot):
    """A window with results of the seeds 3, 2, 1, newest first; the candidate is of seed 3."""
    draw_box(window)
    make(window, qtbot, 1, 2, 3)
    return window


def seed_shown(window):
    return window.session.candidate.result.request.options.seed if window.session.candidate else None


def test_results_come_into_the_history_newest_first(three):
    assert seeds(three) == [3, 2, 1]
    assert three.strip.fold.text() == "History  3"
    entry = shown(three)[0]
    assert entry.diameter_mm == pytest.approx(1.58)
    assert entry.attributes == three.session.attributes
    assert (entry.path / "result.json").is_file()


def test_a_click_shows_a_result_again_and_leafing_is_undone_at_once(three, qtbot):
    index = three.session.undo_stack.index()
    click(three, 1)
    qtbot.waitUntil(lambda: seed_shown(three) == 2)
    assert three.session.options.seed == 3
    QTest.keyClick(three.view, KEY.Key_Right, ALT)
    qtbot.waitUntil(lambda: seed_shown(three) == 1)
    assert three.session.undo_stack.index() == index + 1
    QTest.keyClick(three.view, KEY.Key_Z, CTRL)
    assert seed_shown(three) == 3


def test_a_double_click_takes_the_settings_too(three, qtbot):
    three.panel.rows["texture"].slider.setValue(1)
    three.session.go_to_slice(0)
    click(three, 2)  # As a mouse does; `mouseDClick` is the second click alone.
    QTest.mouseDClick(three.strip.list.viewport(), LEFT, pos=card_at(three, 2))
    qtbot.waitUntil(lambda: seed_shown(three) == 1)
    assert three.session.options.seed == 1
    assert three.session.attributes.texture == 5
    assert three.session.slice_index == 2


def test_taking_settings_can_be_undone(three, qtbot):
    click(three, 2)
    qtbot.waitUntil(lambda: seed_shown(three) == 1)
    QTest.keyClick(three.view, KEY.Key_R, CTRL)
    qtbot.waitUntil(lambda: three.session.options.seed == 1)
    QTest.keyClick(three.view, KEY.Key_Z, CTRL)
    assert three.session.options.seed == 3


def test_an_accepted_nodule_is_found_in_its_slice(three, qtbot):
    QTest.keyClick(three.view, KEY.Key_A)
    draw_box(three, 60, 80, 16)
    three.session.go_to_slice(0)
    click(three, 0)
    qtbot.waitUntil(lambda: three.session.slice_index == 2)
    assert three.session.nodule_in_box is three.session.accepted[0]


def test_a_result_is_shown_beside_nodules_accepted_far_from_it(make_window, qtbot, wide_volume):
    window = make_window()
    window.session.show_volume(wide_volume)
    window.view.setFocus()
    draw_box(window, 10, 10, 20)
    make(window, qtbot, 1)
    QTest.keyClick(window.view, KEY.Key_D)
    draw_box(window, 100, 150, 20)
    make(window, qtbot, 2)
    QTest.keyClick(window.view, KEY.Key_A)
    click(window, 1)
    qtbot.waitUntil(lambda: seed_shown(window) == 1)
    both = window.session.candidate.result.slice.hu
    assert both[20, 20] == -99
    assert both[110, 160] == -98
    before = window.session.candidate.result.request.slice.hu
    assert before[110, 160] == -98
    assert before[20, 20] == wide_volume.hu[0, 20, 20]


def test_a_result_whose_surroundings_have_changed_says_so(three, qtbot):
    click(three, 1)
    qtbot.waitUntil(lambda: seed_shown(three) == 2)
    QTest.keyClick(three.view, KEY.Key_A)
    click(three, 0)
    qtbot.waitUntil(lambda: three.session.notice is not None)
    assert "has changed around this nodule" in three.notice_bar.text.text()
    assert three.session.candidate is None


def test_a_result_of_another_series_offers_to_open_it(three, qtbot, tmp_path, write_ct_series):
    files = write_ct_series(tmp_path / "other", np.full((2, 24, 32), -700, np.int16))
    entry = shown(three)[0]
    written = json.loads((entry.path / "result.json").read_text())
    written["source"]["path"] = str(files[0].parent)
    (entry.path / "result.json").write_text(json.dumps(written))
    three.session.show_volume(replace(three.session.volume, hu=three.session.volume.hu + np.int16(1)))
    click(three, 0)
    qtbot.waitUntil(lambda: three.session.notice is not None)
    assert three.notice_bar.offer.text() == "Open it"
    QTest.mouseClick(three.notice_bar.offer, LEFT)
    qtbot.waitUntil(lambda: three.session.volume.source == files[0].parent)


def test_star_by_key_lasts_and_can_be_listed_alone(three, tmp_path):
    click(three, 1)
    three.strip.list.setFocus()
    QTest.keyClick(three.strip.list, KEY.Key_S)
    assert [entry.is_starred for entry in shown(three)] == [False, True, False]
    three.strip.want(Which.STARRED)
    assert seeds(three) == [2]
    assert [entry.is_starred for entry in list_entries(tmp_path / "journal")] == [False, True, False]
    QTest.mouseClick(three.strip.star, LEFT)
    assert seeds(three) == []
    assert "No result is starred" in three.strip._empty.text()


def test_delete_can_be_undone_and_the_trash_can_be_looked_into(three, qtbot):
    click(three, 1)
    path = shown(three)[1].path
    three.strip.list.setFocus()
    QTest.keyClick(three.strip.list, KEY.Key_Delete)
    assert seeds(three) == [3, 1]
    assert not path.exists()
    assert (path.parent / ".trash" / path.name).is_dir()
    QTest.keyClick(three.view, KEY.Key_Z, CTRL)
    assert seeds(three) == [3, 2, 1]
    assert path.is_dir()
    QTest.keyClick(three.view, KEY.Key_Z, CTRL | SHIFT)
    three.strip.want(Which.DELETED)
    assert seeds(three) == [2]
    click(three, 0)
    assert three.strip.delete.text() == "Put back"
    QTest.mouseClick(three.strip.delete, LEFT)
    three.strip.want(Which.ALL)
    assert seeds(three) == [3, 2, 1]


def test_a_deletion_that_was_taken_back_by_hand_can_be_undone_to_no_harm(three):
    path = shown(three)[0].path
    three.looking.delete(shown(three)[0])
    three.strip.want(Which.DELETED)
    three.looking.put_back(shown(three)[0])
    three.strip.want(Which.ALL)
    QTest.keyClick(three.view, KEY.Key_Z, CTRL)
    assert seeds(three) == [3, 2, 1]
    assert shown(three)[0].path == path
    assert path.is_dir()


def test_those_of_this_series_follow_the_series(three, volume):
    three.strip.want(Which.THIS_SERIES)
    assert seeds(three) == [3, 2, 1]
    three.session.show_volume(replace(volume, description="Another"))
    assert seeds(three) == []
    three.session.show_volume(volume)
    assert seeds(three) == [3, 2, 1]


def test_a_result_that_is_gone_before_it_is_listed_is_left_out(window, tmp_path, qtbot, caplog):
    window.history._recorded.emit(tmp_path / "journal" / "gone")
    qtbot.waitUntil(lambda: "cannot be read" in caplog.text)
    assert seeds(window) == []


def test_keys_without_a_choice_say_what_to_choose(three):
    three.strip.list.clearSelection()
    QTest.keyClick(three.view, KEY.Key_Delete, SHIFT)
    assert "Choose a result" in three.notice_bar.text.text()
    assert seeds(three) == [3, 2, 1]


def test_a_result_that_is_gone_is_one_sentence(three, qtbot):
    gone = shown(three)[0].path
    while gone.exists():  # its thumbnail may be written meanwhile
        shutil.rmtree(gone, ignore_errors=True)
    click(three, 0)
    qtbot.waitUntil(lambda: three.session.notice is not None)
    assert "cannot be read" in three.notice_bar.text.text()


def test_the_strip_folds_and_stays_so(three, make_window):
    QTest.keyClick(three.view, KEY.Key_H)
    assert not three.strip.list.isVisible()
    QTest.keyClick(three.view, KEY.Key_H)
    assert three.strip.list.isVisible()
    QTest.mouseClick(three.strip.fold, LEFT)
    assert not make_window().strip.is_open


def test_a_start_writes_nothing_into_the_settings(window):
    assert not QSettings().contains("history shown")


def test_an_empty_history_says_what_will_be_there(window):
    assert "Every finished nodule" in window.strip._empty.text()
    assert window.strip._empty.isVisible()


def test_what_was_made_earlier_is_listed_at_start(make_window, tmp_path, qtbot):
    for seed in (5, 6):
        journal.record(scripted_result(scripted_request(seed=seed)), tmp_path / "journal")
    window = make_window()
    qtbot.waitUntil(lambda: seeds(window) == [6, 5])
    tip = window.strip.list.model().index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "Seed 6, 5 steps" in tip
    assert "Texture 3: Part-Solid/Mixed" in tip
    assert "Spiculation: not given" in tip


def test_a_thousand_results_are_listed_and_only_visible_pictures_loaded(make_window, tmp_path, qtbot):
    first = journal.record(scripted_result(scripted_request()), tmp_path / "journal")
    for number in range(999):
        shutil.copytree(first, tmp_path / "journal" / f"2001-01-01T00-00-00.{number:06}Z-00000000")
    window = make_window()
    qtbot.waitUntil(lambda: len(shown(window)) == 1000)
    bar = window.strip.list.horizontalScrollBar()
    bar.setValue(bar.maximum())
    qtbot.waitUntil(lambda: (shown(window)[-1].path / FILE_NAME).exists())
    made = sum((entry.path / FILE_NAME).exists() for entry in shown(window))
    assert made < 40


def test_a_thumbnail_is_kept_and_a_broken_one_made_anew(tmp_path):
    path = journal.record(scripted_result(scripted_request()), tmp_path)
    first = thumbnail(path)
    assert max(first.width(), first.height()) == SIDE
    (path / FILE_NAME).write_bytes(b"cut off")
    assert thumbnail(path) == first
    (path / "result.npz").unlink()
    (path / FILE_NAME).unlink()
    assert thumbnail(path).isNull()


@pytest.fixture
def pictures(qapp):
    pictures = Thumbnails()
    yield pictures
    pictures.stop()


def test_a_picture_that_is_being_loaded_is_not_loaded_again(pictures, tmp_path, qtbot, monkeypatch):
    begun, go_on, loaded = threading.Event(), threading.Event(), []

    def load(path):
        begun.set()
        assert go_on.wait(10)
        loaded.append(path.name)
        return QImage(4, 4, QImage.Format.Format_Grayscale8)

    monkeypatch.setattr(thumbnails, "thumbnail", load)
    assert pictures.of(tmp_path / "one") is None
    assert begun.wait(10)
    for name in ("one", "two", "three", "one", "two"):
        assert pictures.of(tmp_path / name) is None
    go_on.set()
    qtbot.waitUntil(lambda: all(pictures.of(tmp_path / name) for name in ("one", "two", "three")))
    assert loaded == ["one", "two", "three"]


def test_a_picture_of_what_was_moved_meanwhile_is_tried_again(pictures, tmp_path, qtbot, caplog):
    path = journal.record(scripted_result(scripted_request()), tmp_path)
    path.rename(tmp_path / "elsewhere")
    pictures.of(path)
    qtbot.waitUntil(lambda: "No thumbnail" in caplog.text)
    (tmp_path / "elsewhere").rename(path)
    qtbot.waitUntil(lambda: pictures.of(path) is not None)
    assert not pictures.of(path).isNull()


def test_a_picture_that_cannot_be_made_is_tried_once(pictures, tmp_path, qtbot, caplog):
    path = journal.record(scripted_result(scripted_request()), tmp_path)
    (path / "result.npz").write_bytes(b"cut off")
    pictures.of(path)
    qtbot.waitUntil(lambda: pictures._loading is None)
    assert pictures.of(path) is None
    assert pictures._loading is None
    assert caplog.text.count("No thumbnail") == 1


def test_times_are_short_and_local(three):
    now = shown(three)[0].recorded
    assert time_text(now, now.astimezone()) == f"{now.astimezone():%H:%M}"
    assert time_text(now.replace(year=2001), now.astimezone()).endswith("2001")


def test_space_in_the_history_shows_the_original(window, qtbot):
    draw_box(window)
    generate(window, qtbot)
    qtbot.waitUntil(lambda: len(window.history.entries) == 1)
    window.strip.list.setFocus()
    QTest.keyPress(window.strip.list, Qt.Key.Key_Space)
    assert window.session.original_shown
    QTest.keyRelease(window.strip.list, Qt.Key.Key_Space)
    assert not window.session.original_shown


def test_a_journal_that_cannot_be_read_is_told(make_window, qtbot, monkeypatch):
    def refuse(folder):
        raise PermissionError("not allowed")

    monkeypatch.setattr("engine.history.list_entries", refuse)
    window = make_window()
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert "The history could not be read" in window.session.notice.text
