"""Accepted nodules become files; what cannot be exported says why."""

import json
import threading
import time
from pathlib import Path

import pydicom
import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QScreen
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from engine.errors import InputError
from studio import export_dialog, exporting
from studio.export_dialog import ExportDialog
from tests.studio.driving import LEFT, answering, draw_box, generate, wheel

KEY, CTRL = Qt.Key, Qt.KeyboardModifier.ControlModifier
ALWAYS = {"request.json", "deidentification.json"}
PICTURES = {
    *("before.png", "after.png", "mask.png"),
    *("before-16bit.png", "after-16bit.png", "difference.png"),
}
ALL_FILES = {
    *("slice.dcm", "mask.dcm", "report.dcm", "slice.nii.gz", "mask.nii.gz", "box.nii.gz"),
    *("slice.nrrd", "mask.nrrd", "box.nrrd", "nodule.xml", "boxes.json", "after.txt", "nodule.csv"),
    *PICTURES,
    *ALWAYS,
}


@pytest.fixture
def accepted(window, qtbot):
    """A window with one accepted nodule."""
    draw_box(window)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    return window


def open_dialog(window, folder=None):
    """Press Ctrl+E in the window; it is not active by itself after another dialog was closed."""
    window.activateWindow()
    window.view.setFocus()
    QTest.qWait(1)
    QTest.keyClick(window.view, KEY.Key_E, CTRL)
    dialog = window.findChild(ExportDialog)
    assert dialog.isVisible()
    if folder:
        dialog.folder.setText(str(folder))
    return dialog


def choose(dialog, *names):
    """Check the boxes of some formats, and no others."""
    for name, box in dialog.formats.items():
        if box.isChecked() != (name in names):
            box.click()


def write(dialog, qtbot):
    QTest.mouseClick(dialog.export, LEFT)
    qtbot.waitUntil(lambda: bool(dialog.outcome.text()))


def test_without_an_accepted_nodule_it_says_why(window, qtbot):
    controls = window.panel.placing
    assert not controls.export.isEnabled()
    why = "Generate a nodule (G) and accept it (A) first."
    assert controls.export_reason.text() == controls.export.toolTip() == why
    draw_box(window)
    generate(window, qtbot)
    assert controls.export_reason.text() == "Accept the nodule first (A)."
    QTest.keyClick(window.view, KEY.Key_E, CTRL)
    assert window.notice_bar.text.text() == "Accept the nodule first (A)."
    assert window.findChild(ExportDialog) is None
    QTest.keyClick(window.view, KEY.Key_A)
    assert controls.export.isEnabled()
    assert controls.export_reason.text() == "1 accepted nodule"


def test_everything_is_written_by_default_and_shown(accepted, tmp_path, qtbot, monkeypatch):
    dialog = open_dialog(accepted, tmp_path / "out")
    assert dialog.nodules.item(0).text() == "Slice 3:  1.6 mm, ovoid/round, solid"
    write(dialog, qtbot)
    folder = tmp_path / "out" / "slice-003"
    assert {file.name for file in folder.iterdir()} == ALL_FILES
    assert all(name in dialog.outcome.text() for name in ALL_FILES)
    assert json.loads((folder / "request.json").read_text())
    assert accepted.session.not_exported == ()
    assert accepted.panel.placing.export_reason.text() == "1 accepted nodule, exported"
    opened = []
    monkeypatch.setattr(export_dialog.QDesktopServices, "openUrl", opened.append)
    QTest.mouseClick(dialog.open_folder, LEFT)
    assert [Path(url.toLocalFile()) for url in opened] == [folder]


def test_all_that_was_written_can_be_read(accepted, tmp_path, qtbot):
    dialog = open_dialog(accepted, tmp_path / "out")
    write(dialog, qtbot)
    label = dialog.outcome
    qtbot.waitUntil(lambda: label.height() >= label.heightForWidth(label.width()))
    assert dialog.height() <= dialog.screen().availableGeometry().height()


def test_names_for_which_there_is_no_room_are_scrolled_to(accepted, tmp_path, qtbot, monkeypatch):
    folders = [tmp_path / f"slice-{number:03}" for number in range(10)]
    for folder in folders:
        folder.mkdir()
        for number in range(25):
            (folder / f"a-file-with-a-rather-long-name-{number}.dcm").touch()
    monkeypatch.setattr(export_dialog, "export_nodules", lambda *arguments: folders)
    dialog = open_dialog(accepted, tmp_path)
    write(dialog, qtbot)
    assert dialog.outcome.text().count("a-file-with-a-rather-long-name") == 250
    assert dialog.height() <= dialog.screen().availableGeometry().height()
    qtbot.waitUntil(lambda: dialog.area.verticalScrollBar().maximum() > 0)
    assert dialog.rect().contains(dialog.export.geometry())


def test_what_was_written_is_in_sight_without_scrolling_where_the_screen_has_the_room(
    accepted, tmp_path, qtbot, monkeypatch
):
    monkeypatch.setattr(QScreen, "availableGeometry", lambda *_: QRect(0, 0, 1440, 900))
    dialog = open_dialog(accepted, tmp_path / "Documents" / "Nodule Studio")
    choose(dialog, *dialog.formats)
    write(dialog, qtbot)
    QTest.qWait(50)
    assert dialog.area.verticalScrollBar().maximum() == 0


def test_on_a_screen_of_1920_x_1080_at_200_percent_the_buttons_are_in_sight(accepted, qtbot, monkeypatch):
    monkeypatch.setattr(QScreen, "availableGeometry", lambda *_: QRect(0, 0, 960, 500))
    dialog = open_dialog(accepted)
    assert dialog.height() == 460
    qtbot.waitUntil(lambda: dialog.rect().contains(dialog.export.geometry()))
    while not dialog.folder.hasFocus():
        QTest.keyClick(dialog.focusWidget(), KEY.Key_Tab)
    qtbot.waitUntil(lambda: not dialog.folder.visibleRegion().isEmpty())


@pytest.mark.parametrize("is_written", [True, False])
def test_esc_lets_what_is_being_written_become_whole(accepted, tmp_path, qtbot, monkeypatch, is_written):
    begun, go_on = threading.Event(), threading.Event()

    def write_slowly(volume, nodules, accepted, choices, folder, progress):
        begun.set()
        assert go_on.wait(10)
        progress(0.5)
        if not is_written:
            raise InputError("The disk is full.")
        folder.mkdir()
        return [folder]

    monkeypatch.setattr(export_dialog, "export_nodules", write_slowly)
    dialog = open_dialog(accepted, tmp_path / "out")
    QTest.mouseClick(dialog.export, LEFT)
    assert begun.wait(10)
    QTest.keyClick(dialog, KEY.Key_Escape)
    assert not dialog.isVisible()
    accepted.export()
    assert accepted.session.notice.text == "The last export is still being written; export again in a moment."
    go_on.set()
    qtbot.waitUntil(lambda: accepted.findChild(ExportDialog) is None)
    assert (tmp_path / "out").exists() is is_written
    assert accepted.session.exported == (accepted.session.accepted if is_written else ())
    said = accepted.session.notice.text
    assert said == (f"The nodules were written to {tmp_path}." if is_written else "The disk is full.")


def test_the_program_waits_at_its_end_for_what_is_written(accepted, tmp_path, qtbot, monkeypatch):
    begun, written = threading.Event(), []

    def write_slowly(*args):
        begun.set()
        time.sleep(0.2)
        written.append(args)
        return [tmp_path]

    monkeypatch.setattr(export_dialog, "export_nodules", write_slowly)
    dialog = open_dialog(accepted, tmp_path / "out")
    QTest.mouseClick(dialog.export, LEFT)
    assert begun.wait(10)
    dialog.close()
    monkeypatch.setattr(QMessageBox, "exec", answering("Leave without exporting"))
    accepted.close()
    assert written


def test_only_what_is_chosen_is_written(accepted, tmp_path, qtbot):
    wheel(accepted.view, 1)
    draw_box(accepted)
    generate(accepted, qtbot)
    QTest.keyClick(accepted.view, KEY.Key_A)
    dialog = open_dialog(accepted, tmp_path / "out")
    dialog.nodules.item(0).setCheckState(Qt.CheckState.Unchecked)
    accepted.session.accepted = accepted.session.accepted[::-1]  # As if the first had been changed meanwhile.
    choose(dialog, "PNG")
    write(dialog, qtbot)
    assert [folder.name for folder in (tmp_path / "out").iterdir()] == ["slice-002"]
    assert {file.name for file in (tmp_path / "out" / "slice-002").iterdir()} == PICTURES | ALWAYS
    assert accepted.panel.placing.export_reason.text() == "2 accepted nodules, 1 not exported"


def test_nothing_is_overwritten(accepted, tmp_path, qtbot):
    for _ in range(2):
        dialog = open_dialog(accepted, tmp_path / "out")
        write(dialog, qtbot)
        QTest.mouseClick(dialog.close_button, LEFT)
        qtbot.waitUntil(lambda: accepted.findChild(ExportDialog) is None)
    assert sorted(folder.name for folder in (tmp_path / "out").iterdir()) == ["slice-003", "slice-003-2"]


def test_the_folder_is_remembered(accepted, tmp_path, qtbot):
    dialog = open_dialog(accepted, tmp_path / "mine")
    write(dialog, qtbot)
    dialog.close()
    qtbot.waitUntil(lambda: accepted.findChild(ExportDialog) is None)
    assert open_dialog(accepted).folder.text() == str(tmp_path / "mine")


def test_the_export_button_says_why_it_cannot_be_pressed(accepted, tmp_path):
    dialog = open_dialog(accepted, tmp_path / "out")
    dialog.nodules.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert (dialog.export.isEnabled(), dialog.reason.text()) == (False, "Choose a nodule.")
    dialog.nodules.item(0).setCheckState(Qt.CheckState.Checked)
    choose(dialog)
    assert (dialog.export.isEnabled(), dialog.reason.text()) == (False, "Choose a kind of file.")
    dialog.formats["NIfTI"].click()
    dialog.folder.setText(" ")
    assert (dialog.export.isEnabled(), dialog.reason.text()) == (False, "Choose a folder.")
    dialog.folder.setText(str(tmp_path))
    assert dialog.export.isEnabled()
    assert not dialog.reason.isVisible()


def test_a_folder_that_cannot_be_written_to_is_told(accepted, tmp_path, qtbot):
    (tmp_path / "file").touch()
    dialog = open_dialog(accepted, tmp_path / "file")
    write(dialog, qtbot)
    assert "choose another" in dialog.outcome.text()
    assert not dialog.open_folder.isVisible()
    assert dialog.export.isEnabled()
    assert accepted.session.exported == ()


def test_the_pictures_have_the_window_of_the_slice(accepted, tmp_path, qtbot, monkeypatch):
    from engine import exports

    options = []
    monkeypatch.setattr(exports, "export_files", lambda *arguments: options.append(arguments[5]) or [])
    QTest.keyClick(accepted.view, KEY.Key_2)
    nodules, volume = accepted.session.accepted, accepted.session.volume
    (tmp_path / "slice-003").mkdir()
    parts = []
    choices = exporting.ExportChoices(["PNG"], accepted.session.window)
    folders = exporting.export_nodules(volume, nodules, nodules, choices, tmp_path, parts.append)
    assert options == [exports.ExportOptions(accepted.session.window)]
    assert folders == [tmp_path / "slice-003-2"]
    assert parts == [0.0, 1.0]


def test_every_format_of_the_engine_can_be_chosen():
    from engine import exports

    assert set(exporting.FORMATS) == set(exports.FORMATS)
    assert exporting.SERIES == exports.SERIES


def test_the_whole_series_is_written_once_for_all_nodules(accepted, tmp_path, qtbot):
    wheel(accepted.view, 1)
    draw_box(accepted)
    generate(accepted, qtbot)
    QTest.keyClick(accepted.view, KEY.Key_A)
    dialog = open_dialog(accepted, tmp_path / "out")
    assert not dialog.formats["DICOM series"].isChecked()
    choose(dialog, "DICOM series")
    write(dialog, qtbot)
    assert {folder.name for folder in (tmp_path / "out").iterdir()} == {"slice-002", "slice-003", "whole-series"}
    images = [pydicom.dcmread(file) for file in sorted((tmp_path / "out" / "whole-series" / "series").iterdir())]
    assert [image.SyntheticData for image in images] == ["NO", "YES", "YES", "NO", "NO"]
    assert "whole-series: deidentification.json, 0001.dcm, 0002.dcm" in dialog.outcome.text()
    assert {file.name for file in (tmp_path / "out" / "slice-002").iterdir()} == ALWAYS


def test_the_whole_series_has_those_that_were_exported_before(accepted, tmp_path, qtbot):
    accepted.session.exported = accepted.session.accepted
    wheel(accepted.view, 1)
    draw_box(accepted)
    generate(accepted, qtbot)
    QTest.keyClick(accepted.view, KEY.Key_A)
    dialog = open_dialog(accepted, tmp_path / "out")
    choose(dialog, "DICOM series")
    write(dialog, qtbot)
    assert {folder.name for folder in (tmp_path / "out").iterdir()} == {"slice-002", "whole-series"}
    images = [pydicom.dcmread(file) for file in sorted((tmp_path / "out" / "whole-series" / "series").iterdir())]
    assert [image.SyntheticData for image in images] == ["NO", "YES", "YES", "NO", "NO"]


def test_the_identity_is_left_in_only_if_asked_for(accepted, tmp_path, qtbot):
    for kept in (False, True):
        dialog = open_dialog(accepted, tmp_path / "out")
        choose(dialog, "Tables")
        if kept:
            dialog.keep_identity.click()
        write(dialog, qtbot)
        dialog.close()
        qtbot.waitUntil(lambda: accepted.findChild(ExportDialog) is None)
    said = [
        json.loads((tmp_path / "out" / name / "deidentification.json").read_text())["identity_kept"]
        for name in ("slice-003", "slice-003-2")
    ]
    assert said == [False, True]


@pytest.mark.parametrize(("answer", "closes"), [("Cancel", False), ("Leave without exporting", True)])
def test_closing_asks_if_nodules_were_not_exported(accepted, monkeypatch, answer, closes):
    monkeypatch.setattr(QMessageBox, "exec", answering(answer))
    assert accepted.isWindowModified()
    assert accepted.close() is closes
    assert accepted.isVisible() is not closes


def test_closing_can_lead_to_exporting(accepted, monkeypatch):
    monkeypatch.setattr(QMessageBox, "exec", answering("Export…"))
    assert not accepted.close()
    assert accepted.findChild(ExportDialog).isVisible()


def test_opening_another_file_asks_too(accepted, monkeypatch, tmp_path):
    monkeypatch.setattr(QMessageBox, "exec", answering("Cancel"))
    accepted.open_path(tmp_path)
    assert accepted.session.opening is None


def test_closing_asks_nothing_after_exporting(accepted, tmp_path, qtbot, monkeypatch):
    dialog = open_dialog(accepted, tmp_path / "out")
    write(dialog, qtbot)
    dialog.close()
    monkeypatch.setattr(QMessageBox, "exec", lambda box: pytest.fail("it asked"))
    assert accepted.close()
