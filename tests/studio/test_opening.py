"""Files and folders are opened in the background; what goes wrong never loses what is open."""

import errno
import os
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton

from engine import ct_files, dicom_headers
from engine.checkpoint import DEFAULT_CHECKPOINT
from engine.errors import InputError
from studio.menu_actions import menu_actions
from studio.recent_files import recent_files, remember
from studio.series_dialog import SeriesDialog
from tests.studio.driving import LEFT, draw_box, generate, grey_at

CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


@pytest.fixture
def empty(make_window):
    return make_window()


def opened(window, path, qtbot):
    window.open_path(path)
    qtbot.waitUntil(lambda: window.session.volume is not None and window.session.opening is None)
    return window.session.volume


def test_the_empty_window_says_what_to_do(empty):
    assert empty.welcome.isVisible()
    assert not empty.view.isVisible()
    buttons = {button.text() for button in empty.welcome.findChildren(QPushButton) if button.isVisible()}
    assert buttons >= {"Open file…", "Open folder…"}
    assert empty.panel.placing.status.text() == "Open a chest CT first."


def test_a_dicom_folder_with_one_series_is_opened(empty, chest, write_ct_series, tmp_path, qtbot):
    write_ct_series(tmp_path / "series", chest)
    volume = opened(empty, tmp_path / "series", qtbot)
    assert (volume.hu == chest).all()
    assert empty.view.isVisible()
    assert empty.session.slice_index == 2
    # Muscle of 30 + 14 HU beside the border of the body, in the lung window.
    assert grey_at(empty.view, 11.5, 27.5) == pytest.approx((44 + 1350) / 1500 * 255, abs=2)
    assert empty.windowTitle().startswith("CHEST")
    assert recent_files() == [tmp_path / "series"]


def test_a_dicom_file_and_a_zip_are_opened(empty, chest, write_ct_series, tmp_path, qtbot):
    files = write_ct_series(tmp_path / "series", chest)
    assert len(opened(empty, files[1], qtbot)) == 1
    with zipfile.ZipFile(tmp_path / "series.zip", "w") as packed:
        for file in files:
            packed.write(file, file.name)
    empty.open_path(tmp_path / "series.zip")
    qtbot.waitUntil(lambda: len(empty.session.volume) == 4)


def test_of_several_series_the_user_picks_one(empty, chest, write_ct_series, tmp_path, qtbot):
    write_ct_series(tmp_path, chest, description="LUNG", prefix="a")
    write_ct_series(tmp_path, chest[:3] + 5, description="SOFT", prefix="b")
    write_ct_series(tmp_path, chest, description="COR", prefix="c", orientation=CORONAL)
    empty.open_path(tmp_path)
    qtbot.waitUntil(lambda: empty.findChild(SeriesDialog) is not None)
    dialog = empty.findChild(SeriesDialog)
    rows = [dialog.series.topLevelItem(index) for index in range(dialog.series.topLevelItemCount())]
    by_name = {row.text(0): row for row in rows}
    assert by_name["LUNG"].text(1) == "4"
    assert by_name["LUNG"].text(2) == "0.75 × 0.75 × 2.50 mm"
    assert by_name["SOFT"].text(3) == "axial"
    refused = by_name["COR"]
    assert rows[-1] is refused
    assert refused.text(3) == "coronal"
    assert "coronal" in refused.text(4)
    assert not refused.flags() & Qt.ItemFlag.ItemIsEnabled
    dialog.series.setCurrentItem(by_name["SOFT"])
    QTest.mouseClick(dialog.open_button, LEFT)
    qtbot.waitUntil(lambda: empty.session.volume is not None)
    assert empty.session.volume.description == "SOFT"
    assert len(empty.session.volume) == 3


def test_the_only_series_that_can_be_opened_is_opened_without_asking(empty, chest, write_ct_series, tmp_path, qtbot):
    write_ct_series(tmp_path, chest, description="LUNG", prefix="a")
    write_ct_series(tmp_path, chest, description="COR", prefix="c", orientation=CORONAL)
    assert opened(empty, tmp_path, qtbot).description == "LUNG"
    assert empty.findChild(SeriesDialog) is None


def test_no_series_is_opened_when_the_choice_is_cancelled(empty, chest, write_ct_series, tmp_path, qtbot):
    write_ct_series(tmp_path, chest, description="LUNG", prefix="a")
    write_ct_series(tmp_path, chest, description="SOFT", prefix="b")
    empty.open_path(tmp_path)
    qtbot.waitUntil(lambda: empty.findChild(SeriesDialog) is not None)
    QTest.mouseClick(empty.findChild(SeriesDialog).cancel_button, LEFT)
    assert empty.session.opening is None
    assert empty.session.volume is None


@pytest.mark.parametrize("kind", ["missing", "text", "coronal"])
def test_what_cannot_be_opened_is_told_and_what_is_open_stays(window, chest, write_ct_series, tmp_path, qtbot, kind):
    path, before = tmp_path / kind, window.session.volume
    if kind == "text":
        path.write_text("no image")
    elif kind == "coronal":
        write_ct_series(path, chest, orientation=CORONAL)
    window.open_path(path)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert window.notice_bar.isVisible()
    assert window.notice_bar.property("severity") == "error"
    assert kind in window.notice_bar.text.text()
    assert window.session.volume is before
    assert window.session.opening is None
    QTest.mouseClick(window.notice_bar.close_button, LEFT)
    assert not window.notice_bar.isVisible()


def test_what_nobody_foresaw_is_told_too(window, tmp_path, qtbot, monkeypatch, caplog):
    def fail(path, progress):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(ct_files, "list_series", fail)
    window.open_path(tmp_path)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert "ZeroDivisionError: oops" in window.session.notice.text
    assert "Traceback" in caplog.text


def test_warnings_are_shown_beside_the_volume(empty, volume, tmp_path, qtbot, monkeypatch):
    from dataclasses import replace

    warned = replace(volume, warnings=("One slice is missing.",))
    info = ct_files.SeriesInfo("1.2", "Made up", 5, (0.7, 0.7), 2.5, (tmp_path,), "axial")
    monkeypatch.setattr(ct_files, "list_series", lambda path, progress: [info])
    monkeypatch.setattr(ct_files, "read_volume", lambda path, uid, progress: warned)
    assert opened(empty, tmp_path, qtbot) is warned
    assert empty.notice_bar.text.text() == "One slice is missing."
    assert empty.notice_bar.property("severity") == "warning"


@pytest.fixture
def slow_reading(monkeypatch, volume, tmp_path):
    """Reading that waits in the middle until the returned event is set."""
    go_on = threading.Event()

    def read(path, uid, progress):
        progress(2, 5)
        assert go_on.wait(10)
        progress(3, 5)
        return volume

    info = ct_files.SeriesInfo("1.2", "Made up", 5, (0.7, 0.7), 2.5, (tmp_path,), "axial")
    monkeypatch.setattr(ct_files, "list_series", lambda path, progress: [info])
    monkeypatch.setattr(ct_files, "read_volume", read)
    yield go_on
    go_on.set()


def test_progress_of_reading_is_shown_and_reading_can_be_cancelled(empty, slow_reading, tmp_path, qtbot):
    empty.open_path(tmp_path)
    qtbot.waitUntil(lambda: empty.opening_bar.progress.value() == 40)
    assert empty.opening_bar.isVisible()
    assert empty.opening_bar.text.text() == f"Reading {tmp_path.name}"
    QTest.mouseClick(empty.opening_bar.cancel_button, LEFT)
    assert not empty.opening_bar.isVisible()
    slow_reading.set()
    qtbot.waitUntil(lambda: "studio task" not in {thread.name for thread in threading.enumerate()})
    QApplication.processEvents()
    assert empty.session.volume is None


def test_looking_for_what_is_in_a_folder_can_be_cancelled(empty, tmp_path, qtbot, monkeypatch):
    looked_at, go_on = [], threading.Event()

    def look(file):
        looked_at.append(file)
        return not go_on.wait(10)

    monkeypatch.setattr(dicom_headers, "is_dicom", look)
    for name in ("1", "2", "3"):
        (tmp_path / name).touch()
    empty.open_path(tmp_path)
    qtbot.waitUntil(lambda: looked_at == [tmp_path / "1"])
    QTest.mouseClick(empty.opening_bar.cancel_button, LEFT)
    go_on.set()
    qtbot.waitUntil(lambda: "studio task" not in {thread.name for thread in threading.enumerate()})
    assert looked_at == [tmp_path / "1"]


def test_the_window_can_be_closed_while_it_reads(empty, slow_reading, tmp_path, qtbot):
    empty.open_path(tmp_path)
    qtbot.waitUntil(lambda: empty.opening_bar.progress.value() == 40)
    threading.Timer(0.1, slow_reading.set).start()
    empty.close()
    assert not empty.isVisible()


def drop(window, *paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    buttons, no_key, copy = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, Qt.DropAction.CopyAction
    enter = QDragEnterEvent(QPointF(200, 200).toPoint(), copy, data, buttons, no_key)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(QPointF(200, 200), copy, data, buttons, no_key))


def test_a_folder_can_be_dropped(empty, chest, write_ct_series, tmp_path, qtbot):
    write_ct_series(tmp_path / "series", chest)
    drop(empty, tmp_path / "series")
    qtbot.waitUntil(lambda: empty.session.volume is not None)


def test_of_several_files_the_folder_is_opened(empty, chest, write_ct_series, tmp_path, qtbot):
    drop(empty, *write_ct_series(tmp_path, chest)[:2])
    qtbot.waitUntil(lambda: empty.session.volume is not None)
    assert len(empty.session.volume) == 4


def test_files_of_several_folders_are_refused(empty, tmp_path):
    drop(empty, tmp_path / "a" / "1.dcm", tmp_path / "b" / "2.dcm")
    assert empty.session.notice.text == "Drop one file or one folder."


def test_another_series_leaves_nothing_of_the_one_before(window, chest, write_ct_series, tmp_path, qtbot):
    from tests.studio.driving import draw_box, generate

    draw_box(window)
    generate(window, qtbot)
    write_ct_series(tmp_path, chest)
    before = window.session.volume
    window.open_path(tmp_path)
    qtbot.waitUntil(lambda: window.session.volume is not before)
    assert window.session.candidate is None
    assert window.session.box is None
    assert not window.session.undo_stack.canUndo()
    assert window.session.shown_hu.shape == (24, 32)


def test_names_with_an_and_sign_are_shown_whole(make_window, tmp_path):
    path = tmp_path / "R&D" / "chest & more.nrrd"
    path.parent.mkdir()
    path.touch()
    remember(path)
    window = make_window()
    (button,) = [button for button in window.welcome.findChildren(QPushButton) if button.toolTip() == str(path)]
    assert button.text() == "R&&D/chest && more.nrrd"
    texts = [found.text for found in menu_actions(window, with_files=True) if found.menus == ("File", "Open recent")]
    assert texts == [str(path)]


def test_recent_files_are_offered_last_one_first(make_window, tmp_path):
    names = [f"{number}.nrrd" for number in range(12)]
    for name in (*names, names[5]):
        (tmp_path / name).touch()
        remember(tmp_path / name)
    (tmp_path / names[11]).unlink()
    expected = [tmp_path / name for name in (names[5], *reversed(names[3:5] + names[6:11]))]
    assert recent_files()[:7] == expected[:7]
    window = make_window()
    buttons = [button for button in window.welcome.findChildren(QPushButton) if button.toolTip().endswith(".nrrd")]
    assert [button.toolTip() for button in buttons] == [str(path) for path in expected[:5]]


def test_a_share_that_is_gone_keeps_nothing_from_starting(make_window, tmp_path, qtbot, monkeypatch):
    share, look = tmp_path / "share", os.stat
    share.mkdir()
    remember(share)

    def refuse(path, *args, **how):
        if str(path).startswith(str(share)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return look(path, *args, **how)

    monkeypatch.setattr(os, "stat", refuse)
    window = make_window()
    assert recent_files() == []
    window.open_path(share)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert str(share) in window.session.notice.text


def test_the_command_line_opens_a_path(chest, write_ct_series, tmp_path, monkeypatch, qapp, qtbot):
    from studio import __main__ as program
    from tests.scripted_engine import ScriptedRunner

    shown, folders = [], []

    def load(*given):
        folders.extend(given)
        return ScriptedRunner()

    class Watched(program.MainWindow):
        def __init__(self, *parts):
            super().__init__(*parts)
            shown.append(self)

    def run(app):
        qtbot.waitUntil(lambda: shown[0].session.volume is not None)
        qtbot.waitUntil(lambda: shown[0].session.engine.detail == "scripted device")
        shown[0].close()
        return 0

    monkeypatch.setattr(program, "MainWindow", Watched)
    monkeypatch.setattr(program, "journal_folder", lambda: tmp_path / "journal")
    monkeypatch.setattr(program, "default_runner", load)
    monkeypatch.setattr(program.QApplication, "exec", run)
    write_ct_series(tmp_path / "series", chest)
    monkeypatch.chdir(tmp_path)
    assert program.main(["series", "--slice-checkpoint", "my-slices"]) == 0
    assert folders == [DEFAULT_CHECKPOINT, Path("my-slices")]
    assert len(shown[0].session.volume) == 4
    # The next start may be in another folder.
    assert shown[0].session.volume.source == recent_files()[0] == tmp_path / "series"
    shown[0].deleteLater()


def test_real_series_are_opened(empty, data_folder, qtbot):
    volume = opened(empty, data_folder / "dicom" / "LIDC-IDRI-0001", qtbot)
    assert len(volume) == 133
    assert np.median(volume.hu[66]) < 0
    assert "torch" not in sys.modules or empty.session.notice is None


def test_real_files_that_no_decoder_takes_are_refused(empty, data_folder, qtbot):
    empty.open_path(data_folder / "dicom" / "undecodable")
    qtbot.waitUntil(lambda: empty.session.notice is not None)
    assert empty.session.volume is None


def test_input_errors_are_shown_word_for_word(empty, tmp_path, qtbot, monkeypatch):
    def refuse(path, progress):
        raise InputError("This is wrong; do that.")

    monkeypatch.setattr(ct_files, "list_series", refuse)
    empty.open_path(tmp_path)
    qtbot.waitUntil(lambda: empty.session.notice is not None)
    assert empty.notice_bar.text.text() == "This is wrong; do that."


def test_a_nodule_accepted_while_a_ct_is_read_is_not_dropped_without_a_question(
    window, volume, chest, write_ct_series, tmp_path, qtbot
):
    write_ct_series(tmp_path / "series", chest)
    box = draw_box(window)
    generate(window, qtbot)
    window.open_path(tmp_path / "series")
    QTest.keyClick(window.view, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: window.session.opening is None and window.session.notice is not None)
    assert window.session.volume is volume
    assert window.session.accepted[0].result.request.box == box
    window.session.notice.do()
    assert (window.session.volume.hu == chest).all()
