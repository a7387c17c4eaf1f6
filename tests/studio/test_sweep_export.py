"""A sweep as files: the picture of all results, and the set of folders with its manifest."""

import json
import threading

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from engine import exports
from engine.ct import LUNG, MEDIASTINUM
from engine.errors import InputError
from studio import commands, sweep_exporting
from studio.sweep import Cell, Sweep, sweep_requests
from studio.sweep_set import manifest, write_set
from studio.sweep_sheet import save_sheet, sheet_image
from tests.scripted_engine import ScriptedRunner, scripted_request, scripted_result
from tests.studio.driving import draw_box, generate, grey_of

KEY = Qt.Key


def scripted_sweep(across="texture", down=None, made=5):
    requests = sweep_requests(scripted_request(seed=7), across, down)
    cells = (Cell(request, i, scripted_result(request) if i < made else None) for i, request in enumerate(requests))
    return Sweep(0, 3, across, down, tuple(cells))


@pytest.fixture
def swept(make_window, volume, qtbot):
    """A window with a finished ladder of sphericity."""
    window = make_window(ScriptedRunner(steps=1))
    window.session.show_volume(volume)
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_1, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: len(window.session.sweep.results) == 5)
    return window


def greys(sheet, column=0):
    """Grey values of one picture of a ladder's sheet: in the nodule, and in the lung beside it."""
    left, top = 16 + 296 * column, 125
    return sheet.pixelColor(left + 140, top + 140).value(), sheet.pixelColor(left + 20, top + 20).value()


def test_the_sheet_shows_all_results_in_the_window(qapp):
    lung, mediastinum = (sheet_image(scripted_sweep(), window) for window in (LUNG, MEDIASTINUM))
    assert lung.size() == mediastinum.size()
    assert greys(lung) == (grey_of(-93), grey_of(-850))
    assert greys(mediastinum) == (round((-93 + 160) / 400 * 255), 0)
    inverted = sheet_image(scripted_sweep(), LUNG, inverted=True)
    assert greys(inverted, column=4) == (255 - grey_of(-93), 255 - grey_of(-850))


def test_a_sheet_of_a_grid_has_five_rows(qapp):
    grid, ladder = sheet_image(scripted_sweep(down="margin", made=25), LUNG), sheet_image(scripted_sweep(), LUNG)
    assert grid.height() > 4 * ladder.height() / 2
    assert grid.width() > ladder.width()


def test_what_is_missing_is_an_empty_frame(qapp):
    whole, partly = (sheet_image(scripted_sweep(made=made), LUNG) for made in (5, 1))
    assert greys(partly) == greys(whole) == (grey_of(-93), grey_of(-850))
    assert greys(whole, column=4) == greys(whole)
    assert greys(partly, column=4)[1] == 255


def test_the_file_says_that_it_is_synthetic(qapp, tmp_path):
    save_sheet(sheet_image(scripted_sweep(), LUNG), tmp_path / "sheet.png")
    text = QImage(str(tmp_path / "sheet.png")).text("Description")
    assert text.startswith("Texture, 1 to 5. Sphericity 5, margin 4, lobulation 1, seed 7, slice 4. Synthetic")
    with pytest.raises(InputError, match="choose another folder"):
        save_sheet(sheet_image(scripted_sweep(), LUNG), tmp_path / "none" / "sheet.png")


def test_the_manifest_tells_what_was_swept_and_measured():
    told = manifest(scripted_sweep(made=2), LUNG)
    assert json.loads(json.dumps(told)) == told
    assert (told["across"], told["down"], told["slice_index"]) == ("texture", None, 3)
    assert told["options"]["seed"] == 7
    first = told["results"][0]
    assert first["folder"] == "texture-1"
    assert first["attributes"]["texture"] == 1
    assert first["diameter_mm"] == 1.58
    assert first["shown"] == {"texture": ["mean −93 HU", "1.6 mm"]}
    assert told["missing"] == ["texture-3", "texture-4", "texture-5"]


def test_the_set_has_a_folder_for_each_result(swept, tmp_path, qtbot, monkeypatch):
    monkeypatch.setattr(exports, "ALL_FORMATS", ("DICOM", "Tables"))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    swept.commands["Export the ladder or grid as a set…"].trigger()
    folder = tmp_path / "sweep-sphericity"
    qtbot.waitUntil(lambda: "was written" in swept.notice_bar.text.text())
    assert sorted(path.name for path in folder.iterdir()) == [
        "sheet.png",
        *(f"sphericity-{score}" for score in range(1, 6)),
        "sweep.json",
    ]
    request = json.loads((folder / "sphericity-2" / "request.json").read_text("utf-8"))
    assert request["attributes"]["sphericity"]["score"] == 2
    assert (folder / "sphericity-5" / "slice.dcm").is_file()
    results = json.loads((folder / "sweep.json").read_text("utf-8"))["results"]
    assert [result["folder"] for result in results] == [f"sphericity-{score}" for score in range(1, 6)]


def test_the_set_is_of_its_own_ct_though_another_one_arrives_while_the_folder_is_asked_for(
    swept, wide_volume, tmp_path, qtbot, monkeypatch
):
    def choose_late(*args):
        swept.session.show_volume(wide_volume)
        return str(tmp_path)

    written = []
    monkeypatch.setattr(sweep_exporting, "write_set", lambda volume, *args: written.append(volume))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", choose_late)
    volume = swept.session.volume
    swept.commands["Export the ladder or grid as a set…"].trigger()
    qtbot.waitUntil(lambda: written == [volume])


@pytest.mark.parametrize("is_selected", [False, True])
def test_the_set_marks_the_other_nodules_of_the_slice(make_window, wide_volume, tmp_path, qtbot, is_selected):
    window = make_window(ScriptedRunner(steps=1))
    session = window.session
    session.show_volume(wide_volume)
    for place in ((140, 180, 20), (20, 20, 20), (20, 50, 20)):
        draw_box(window, *place)
        if is_selected or place != (20, 50, 20):
            generate(window, qtbot)
            QTest.keyClick(window.view, KEY.Key_A)
    if is_selected:  # The last one was made with this one in sight.
        commands.select(session, session.accepted[1])
    QTest.keyClick(window.view, KEY.Key_5, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: session.sweep is not None and len(session.sweep.results) == 5)
    write_set(session.volume, session.sweep, tmp_path / "set", LUNG, sheet_image(session.sweep, LUNG), lambda _: None)
    folder = tmp_path / "set" / "texture-3"
    boxes = [mark["box_asked_for"][:2] for mark in json.loads((folder / "boxes.json").read_text())["annotations"]]
    own = [20, 20] if is_selected else [50, 20]
    assert boxes[-1] == own
    assert sorted(boxes) == [[20, 20], [50, 20], [180, 140]]
    assert (folder / "after.txt").read_text().count("\n") == 3
    assert (folder / "nodule.xml").read_text().count("<unblindedReadNodule") == 3


def test_a_set_that_fails_leaves_nothing(swept, tmp_path, monkeypatch):
    written = exports.export_files
    monkeypatch.setattr(exports, "ALL_FORMATS", ("PNG",))

    def fail_at_third(volume, index, result, folder, *rest):
        if folder.name == "sphericity-3":
            raise InputError("The folder cannot be written to; choose another.")
        return written(volume, index, result, folder, *rest)

    monkeypatch.setattr(exports, "export_files", fail_at_third)
    session = swept.session
    parts = []
    with pytest.raises(InputError, match="choose another"):
        write_set(session.volume, session.sweep, tmp_path / "set", LUNG, sheet_image(session.sweep, LUNG), parts.append)
    assert parts == [0, 0.2, 0.4]
    assert not (tmp_path / "set").exists()


def test_the_sheet_is_written_in_the_background_where_the_user_says(swept, tmp_path, qtbot, monkeypatch):
    threads = []

    def save(sheet, path):
        threads.append(threading.current_thread())
        save_sheet(sheet, path)

    monkeypatch.setattr(sweep_exporting, "save_sheet", save)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "ladder"), ""))
    swept.sweep_panel.export.menu().actions()[0].trigger()
    qtbot.waitUntil(lambda: "ladder.png" in swept.notice_bar.text.text())
    assert QImage(str(tmp_path / "ladder.png")).width() > 1000
    assert threads != [threading.main_thread()]
    # The dialog has asked about "ladder", not about the file that would be replaced.
    swept.sweep_panel.export.menu().actions()[0].trigger()
    qtbot.waitUntil(lambda: (tmp_path / "ladder-2.png").exists())


def test_without_a_sweep_exporting_says_why_not(make_window):
    window = make_window(start=False)
    window.commands["Export the ladder or grid as a set…"].trigger()
    assert "There is no ladder or grid to export" in window.notice_bar.text.text()
