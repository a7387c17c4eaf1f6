"""The nodule that a slice was made whole with: seen, exported, looked back at, and known when it is opened again."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.replay import find_input, saved_request
from studio import commands, overlays, reasons, samples
from studio.export_dialog import ExportDialog
from studio.own_nodule import nodule_described, own_nodules
from tests.studio.driving import LEFT, draw_box, generate
from tests.studio.made_slices import draw_elsewhere, press_and_wait

CTRL = Qt.KeyboardModifier.ControlModifier
KEY = Qt.Key
pytestmark = pytest.mark.usefixtures("with_generator")


def place_second(window, qtbot):
    """Accept a nodule in the slice that was made, far from the one that it was made with."""
    draw_elsewhere(window)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)


def export_now(window, folder, qtbot):
    """Press Ctrl+E and export what is ticked; return the new folders."""
    window.activateWindow()
    QTest.keyClick(window.view, KEY.Key_E, CTRL)
    # One that was closed before may not be deleted yet.
    (dialog,) = (each for each in window.findChildren(ExportDialog) if each.isVisible())
    dialog.folder.setText(str(folder))
    QTest.mouseClick(dialog.export, LEFT)
    qtbot.waitUntil(lambda: dialog.outcome.text() != "")
    dialog.close()
    window.activateWindow()
    window.view.setFocus()
    QTest.qWait(1)
    return sorted(folder.iterdir())


def test_a_nodule_that_is_put_in_is_exported_beside_the_slices_own(make_window, qtbot, tmp_path):
    window = make_window()
    press_and_wait(window, qtbot)
    own = window.session.made_whole
    place_second(window, qtbot)
    (second,) = export_now(window, tmp_path / "out", qtbot)
    assert len(json.loads((second / "boxes.json").read_text())["annotations"]) == 2
    assert (second / "after.txt").read_text().count("\n") == 2
    assert (second / "nodule.xml").read_text().count("<unblindedReadNodule") == 2
    written = json.loads((second / "request.json").read_text())
    assert (written["kind"], written["input"]["synthetic"]) == ("nodule", True)
    assert written["input"]["sha256"] == own.slice.sha256()
    assert pydicom.dcmread(second / "slice.dcm").PatientName == "SYNTHETIC^"


def test_a_slice_can_be_exported_as_it_was_made(make_window, qtbot, tmp_path):
    window = make_window()
    press_and_wait(window, qtbot)
    assert window.panel.placing.export.isEnabled()
    assert window.panel.placing.export_reason.text() == "The slice as it was made"
    assert window.panel.placing.export.toolTip() == "Export the slice as it was made (Ctrl+E)"
    (folder,) = export_now(window, tmp_path / "out", qtbot)
    assert json.loads((folder / "request.json").read_text())["kind"] == "slice"
    draw_elsewhere(window)
    generate(window, qtbot)
    assert reasons.why_not_export(window.session) == "Accept the nodule first (A)."
    # What is put into it can be repeated: its input is known by now.
    QTest.keyClick(window.view, KEY.Key_A)
    _, second = export_now(window, tmp_path / "out", qtbot)
    opened, index = find_input(saved_request(second))
    assert (opened.source, index) == (folder / "slice.dcm", 0)


def test_the_nodule_of_a_slice_is_marked_measured_and_found_again(make_window, qtbot):
    window = make_window()
    press_and_wait(window, qtbot)
    session = window.session
    (own,) = own_nodules(session)
    assert "1.6 mm" in window.panel.placing.status.text()
    place_second(window, qtbot)
    assert nodule_described(session) is session.accepted[0]
    QTest.keyClick(window.view, KEY.Key_BracketRight)
    assert session.box == own.place
    assert nodule_described(session) == own
    assert session.selected is None  # It is part of the slice: nothing can take its place.
    commands.select_next(session, 1)
    assert session.selected is session.accepted[0]


def test_a_nodule_in_the_place_of_the_slices_own_covers_it(make_window, qtbot, monkeypatch):
    window = make_window()
    press_and_wait(window, qtbot)
    session, outlined = window.session, []
    session.shown = replace(session.shown, outlines=True)
    monkeypatch.setattr(overlays, "paint_outline", lambda painter, viewport, mask: outlined.append(mask.sum()))

    def outlines_now():
        outlined.clear()
        window.view.grab()
        return outlined

    (own,) = own_nodules(session)
    assert outlines_now() == [own.result.measurement.mask.sum()] != [0]
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    assert window.notice_bar.text.text() == (
        "The box overlaps that of the slice's own nodule; there, this one covers the other."
    )
    covering = session.accepted[0]
    assert covering.place == own.place
    assert outlines_now() == [0, covering.result.measurement.mask.sum()]
    place_second(window, qtbot)
    # Only one can be selected in that place: keys go on from it, both ways.
    seen = []
    for key in (KEY.Key_BracketLeft, KEY.Key_BracketLeft, KEY.Key_BracketRight):
        QTest.keyClick(window.view, key)
        seen.append(session.selected)
    assert seen == [covering, session.accepted[1], covering]


def test_the_nodule_of_a_sample_is_known_and_its_slice_declared_synthetic(make_window, qtbot, tmp_path):
    window = make_window()
    window.open_path(samples.sample_slices()[0])
    qtbot.waitUntil(lambda: window.session.volume is not None and window.session.opening is None)
    session = window.session
    assert session.notice is None
    assert (session.generated, len(own_nodules(session))) == (None, 1)
    draw_box(window, 20, 20, 10)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    assert session.accepted[0].result.request.source.is_synthetic
    (second,) = export_now(window, tmp_path / "out", qtbot)
    assert len(json.loads((second / "boxes.json").read_text())["annotations"]) == 2
    assert pydicom.dcmread(second / "slice.dcm").PatientName == "SYNTHETIC^"


def test_a_slice_with_an_unknown_synthetic_nodule_is_opened_with_a_warning(
    make_window, write_ct_series, qtbot, tmp_path
):
    (file,) = write_ct_series(tmp_path / "ct", np.full((1, 96, 120), -800, np.int16), SyntheticData="YES")
    window = make_window()
    window.open_path(file)
    qtbot.waitUntil(lambda: window.session.notice is not None and window.session.volume is not None)
    assert "says that it is synthetic" in window.session.notice.text
    assert reasons.why_not_export(window.session) == "Generate a nodule (G) and accept it (A) first."


def test_an_earlier_slice_is_opened_from_the_history(make_window, volume, qtbot):
    window = make_window()
    hu = press_and_wait(window, qtbot)
    request = window.session.generated
    window.session.show_volume(volume)
    qtbot.waitUntil(lambda: bool(window.history.entries))
    box = draw_box(window)
    window.looking.show(window.history.entries[0])
    qtbot.waitUntil(lambda: window.notice_bar.offer.isVisible())
    assert window.session.box_here == box
    QTest.mouseClick(window.notice_bar.offer, LEFT)
    qtbot.waitUntil(lambda: window.session.generated is not None)
    assert np.array_equal(window.session.volume.slice_at(0).hu, hu)
    assert window.session.generated.box == request.box


def test_the_entry_of_the_slice_that_is_open_leaves_what_is_in_it(make_window, qtbot):
    window = make_window()
    press_and_wait(window, qtbot)
    draw_elsewhere(window)
    waiting, request = generate(window, qtbot), window.session.generated
    qtbot.waitUntil(lambda: len(window.history.entries) == 2)
    window.looking.show(window.history.entries[1])
    qtbot.waitUntil(lambda: not window.session.doing)
    assert window.session.candidate is waiting
    window.looking.restore_all(window.history.entries[1])
    qtbot.waitUntil(lambda: window.session.box_here == request.box)
    QTest.keyClick(window.view, KEY.Key_Z, CTRL)
    assert window.session.candidate is waiting


def test_a_nodule_in_a_slice_that_was_made_says_where_that_slice_is(make_window, volume, qtbot):
    window = make_window()
    press_and_wait(window, qtbot)
    generate(window, qtbot)
    qtbot.waitUntil(lambda: len(window.history.entries) == 2)
    window.session.show_volume(volume)
    qtbot.waitUntil(lambda: bool(window.history.entries))
    window.looking.show(window.history.entries[0])
    qtbot.waitUntil(lambda: window.session.notice is not None)
    said = window.notice_bar.text.text()
    assert said == "This result is of slice 1 of Generated slice, seed 0, which is not open."
    QTest.mouseClick(window.notice_bar.offer, LEFT)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert window.session.generated is not None


def test_all_of_a_nodule_in_a_slice_that_was_made_is_restored(make_window, volume, qtbot):
    window = make_window()
    hu = press_and_wait(window, qtbot)
    place_second(window, qtbot)
    nodule = window.session.accepted[0]
    qtbot.waitUntil(lambda: len(window.history.entries) == 2)
    made, second = window.history.entries[1], window.history.entries[0]
    window.session.show_volume(volume)
    window.looking.restore_all(second)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert np.array_equal(window.session.volume.slice_at(0).hu, hu)
    assert window.session.candidate.place == nodule.place
    # An older version wrote no hash of the slice.
    window.session.show_volume(volume)
    written = json.loads((made.path / "result.json").read_text())
    del written["output"]["sha256"]
    (made.path / "result.json").write_text(json.dumps(written))
    window.looking.restore_all(second)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    window.session.show_volume(volume)
    shutil.rmtree(made.path)
    window.looking.restore_all(second)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert "is not in the history" in window.session.notice.text
