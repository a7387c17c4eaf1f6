"""A nodule over neighbouring slices: made in the queue, accepted as one step, seen while scrolling."""

import json
from dataclasses import replace

import highdicom
import numpy as np
import pydicom
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from engine.ct import LUNG
from engine.nodule import BoundingBox
from studio import commands
from studio.exporting import ExportChoices, export_nodules
from studio.placed import PlacedNodule
from studio.session import Notice
from studio.way_back import WayBack
from tests.scripted_engine import Gate, raising, scripted_result
from tests.studio.driving import draw_box, generate, wheel
from tests.studio.extended import extend, hold_in_job, place, place_and_extend
from tests.studio.last_session import saved

KEY, SHIFT, CONTROL = Qt.Key, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


def test_it_goes_through_all_slices_and_is_undone_as_one(sized, qtbot):
    place(sized, qtbot)
    session, middle = sized.session, sized.session.candidate
    extend(sized)
    qtbot.waitUntil(lambda: len(session.accepted) == 5)

    assert session.accepted[0] is middle
    assert session.candidate is None
    assert sorted(nodule.slice_index for nodule in session.accepted) == [0, 1, 2, 3, 4]
    offsets = [nodule.result.request.extension.offset_mm for nodule in session.accepted[1:]]
    assert offsets == [-2.5, 2.5, -5.0, 5.0]
    assert "through slices 1 to 5: 12.0 mm across, 12.5 mm long" in session.notice.text

    assert sized.panel.placing.export_reason.text() == "1 accepted nodule in 5 slices"

    wheel(sized.view, -1)
    nodule = next(nodule for nodule in session.accepted if nodule.slice_index == session.slice_index)
    assert session.slice_index != middle.slice_index
    assert np.array_equal(session.shown_hu, nodule.result.slice.hu)

    QTest.keyClick(sized.view, KEY.Key_Z, CONTROL)
    assert session.accepted == ()
    assert session.candidate is middle


def test_it_counts_once_wherever_nodules_are_counted(sized, qtbot, make_window, tmp_path, monkeypatch):
    place(sized, qtbot)
    extend(sized)
    qtbot.waitUntil(lambda: len(sized.session.accepted) == 5)
    asked = []
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.text()))
    sized.close()
    assert asked == ["1 accepted nodule has not been exported."]

    sized.session.exported = sized.session.accepted[:2]
    assert sized.panel.placing.export_reason.text() == "1 accepted nodule in 5 slices, not exported in all of them"
    before = WayBack.to_what_is_open(sized.session, sized.history)
    assert before.not_kept == WayBack(before.saved).not_kept == 1

    saved(sized, tmp_path, qtbot)
    assert ", 1 accepted nodule," in make_window().welcome.last.text()


def test_one_that_is_accepted_can_be_extended_once(sized, qtbot):
    place(sized, qtbot)
    QTest.keyClick(sized.view, KEY.Key_A)
    extend(sized)
    qtbot.waitUntil(lambda: len(sized.session.accepted) == 5)
    extend(sized)

    assert "extended already" in sized.session.notice.text
    assert sized.session.queue.is_empty


def test_it_says_why_not(sized, qtbot):
    extend(sized)
    assert "Generate a nodule in a scan first" in sized.session.notice.text
    place(sized, qtbot)
    candidate = sized.session.candidate
    small = replace(candidate.result.measurement, diameter_mm=3.0)
    sized.session.candidate = replace(candidate, result=replace(candidate.result, measurement=small))
    extend(sized)
    assert "The next slice is 2.5 mm away and the nodule measures 3.0 mm" in sized.session.notice.text
    assert len(sized.runner.started) == 1


def test_two_are_extended_one_after_the_other(wide, qtbot):
    session = wide.session
    for index, seed in ((2, 7), (8, 8)):
        session.go_to_slice(index)
        session.options = replace(session.options, seed=seed)
        place(wide, qtbot)
        QTest.keyClick(wide.view, KEY.Key_A)
    one, other = session.accepted
    gate = hold_in_job(wide, 3)
    for nodule in (one, other):
        session.go_to_slice(nodule.slice_index)
        commands.select(session, nodule)
        extend(wide)
    assert len(session.queue.waiting) == 7
    extend(wide)
    assert session.notice.text == "This nodule is being extended; its slices are in the queue."
    gate.open()
    qtbot.waitUntil(lambda: len(session.accepted) == 10)
    names = {nodule.continues or nodule.result.nodule_sha256() for nodule in session.accepted}
    assert names == {one.result.nodule_sha256(), other.result.nodule_sha256()}


def test_a_nodule_is_extended_although_another_one_of_its_slice_is_deleted_meanwhile(wide, qtbot):
    session = wide.session
    session.go_to_slice(5)
    for seed, box in ((7, (140, 180, 20)), (8, (30, 40, 20)), (9, (140, 30, 20))):
        session.options = replace(session.options, seed=seed)
        draw_box(wide, *box)
        generate(wide, qtbot)
        QTest.keyClick(wide.view, KEY.Key_A)
    below, middle, above = session.accepted
    commands.select(session, middle)
    gate = hold_in_job(wide, 4)
    extend(wide)
    gate.wait_until_reached(1)
    for gone in (above, below):
        commands.select(session, next(nodule for nodule in session.accepted if nodule.place == gone.place))
        QTest.keyClick(wide.view, KEY.Key_Delete)
        qtbot.waitUntil(lambda: session.job is None)
    (now,) = session.accepted
    assert now.result.nodule_sha256() == middle.result.nodule_sha256()
    gate.open()
    qtbot.waitUntil(lambda: len(session.accepted) == 5)
    assert session.accepted[0] is now


@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_what_is_not_whole_is_not_accepted(sized, qtbot, how):
    place(sized, qtbot)
    gate = Gate(1)
    fail = raising(ValueError("broken"), at=2)

    def on_step(step):
        if len(sized.runner.started) == 3:
            gate(step)
            if how == "failed":
                fail(step)

    sized.runner.on_step = on_step
    candidate = sized.session.candidate
    extend(sized)
    qtbot.waitUntil(lambda: len(sized.runner.started) == 3)
    if how == "cancelled":
        sized.queue.cancel_all()
    gate.open()
    if how == "failed":
        qtbot.waitUntil(lambda: sized.session.queue.is_held)
        sized.queue.cancel_all()

    qtbot.waitUntil(lambda: "1 of 4 slices" in (sized.session.notice.text if sized.session.notice else ""))
    assert sized.session.accepted == ()
    assert sized.session.candidate is candidate


def test_it_does_not_come_back_for_a_nodule_that_is_gone(sized, qtbot):
    place(sized, qtbot)
    gate = Gate(1)
    sized.runner.on_step = gate
    extend(sized)
    gate.wait_until_reached(1)
    QTest.keyClick(sized.view, KEY.Key_D)
    gate.open()
    qtbot.waitUntil(lambda: "changed meanwhile" in (sized.session.notice.text if sized.session.notice else ""))

    assert sized.session.accepted == ()


def test_while_another_is_accepted_it_is_not_extended_twice_and_stays_in_the_journal(wide, qtbot):
    place(wide, qtbot)
    QTest.keyClick(wide.view, KEY.Key_A)
    session, gate = wide.session, hold_in_job(wide, 2)
    extend(wide)
    gate.wait_until_reached(1)
    extend(wide)
    assert len(session.queue.waiting) == 3
    assert session.notice.text == "This nodule is being extended; its slices are in the queue."
    request = session.accepted[0].result.request
    far = replace(request, slice=session.slice_with_accepted(6), box=BoundingBox(140, 180, 20, (200, 240)))
    session.accepted = (*session.accepted, PlacedNodule(6, scripted_result(far)))
    gate.open()
    qtbot.waitUntil(lambda: len(session.accepted) == 6)
    assert all(wide.history.path_of(nodule.result) for nodule in session.accepted[2:])


def test_a_job_in_one_of_its_slices_is_not_dropped_in_silence(wide, qtbot):
    place(wide, qtbot)
    QTest.keyClick(wide.view, KEY.Key_A)
    gate = hold_in_job(wide, 5)
    extend(wide)
    qtbot.waitUntil(lambda: len(wide.runner.started) == 5)
    wide.session.go_to_slice(6)
    draw_box(wide, 140, 180, 20)
    QTest.keyClick(wide.view, KEY.Key_G)
    gate.open()
    qtbot.waitUntil(lambda: len(wide.session.accepted) == 5)
    assert wide.session.job is None
    assert wide.session.notice.text.endswith("What was forming there was cancelled; begin it again.")


def test_a_nodule_that_is_moved_in_one_of_its_slices_stays_where_it_was(wide, qtbot):
    session = wide.session
    for index, box in ((6, (140, 180, 20)), (5, (30, 40, 20))):
        session.go_to_slice(index)
        draw_box(wide, *box)
        generate(wide, qtbot)
        QTest.keyClick(wide.view, KEY.Key_A)
    gate, moved = hold_in_job(wide, 6), session.accepted[0]
    extend(wide)
    qtbot.waitUntil(lambda: len(wide.runner.started) == 6)
    session.go_to_slice(6)
    commands.select(session, moved)
    wide.placing.move_box(BoundingBox(100, 120, 20, (200, 240)))
    gate.open()
    qtbot.waitUntil(lambda: session.job is None and session.queue.is_empty)
    assert session.selected is moved
    assert session.notice.text.endswith("What was forming there was cancelled; begin it again.")


def test_it_says_that_another_slice_was_open_beside_the_way_back(wide, volume, qtbot):
    place(wide, qtbot)
    gate = hold_in_job(wide, 2)
    extend(wide)
    gate.wait_until_reached(1)
    wide.session.show_volume(volume)
    wide.session.notice = Notice("Another is open.", offer="Go back", do=lambda: None)
    gate.open()
    qtbot.waitUntil(lambda: wide.session.queue.is_empty)
    why = "The nodule was not extended, for another scan or slice was open: 4 of 4 slices were made; see the history."
    assert wide.notice_bar.text.text() == f"Another is open. {why}"
    assert wide.notice_bar.offer.isVisible()


def test_the_whole_series_is_exported_with_one_mask_over_its_slices(sized, qtbot, tmp_path):
    session, parts = sized.session, place_and_extend(sized, qtbot)
    choices = ExportChoices(["DICOM series"], LUNG)
    # The parts alone, as after the nodule itself was exported, before it was extended.
    written = export_nodules(session.volume, parts[1:], parts, choices, tmp_path / "out", lambda _: None)

    assert [folder.name for folder in written[-2:]] == ["whole-series", "nodule-003"]
    assert {path.name for path in written[-1].iterdir()} == {"mask.dcm", "nodule.json", "deidentification.json"}
    record = json.loads((written[-1] / "nodule.json").read_text("utf-8"))
    assert [row["slice_index"] for row in record["slices"]] == [0, 1, 2, 3, 4]


def test_one_export_has_one_series_where_a_nodule_lies_over_another(sized, qtbot, tmp_path):
    session, below = sized.session, place_and_extend(sized, qtbot)
    session.go_to_slice(1)
    session.options = replace(session.options, seed=8)
    commands.set_box(session, replace(below[0].result.request.box, row=below[0].result.request.box.row + 4))
    generate(sized, qtbot)
    extend(sized)
    qtbot.waitUntil(lambda: len(session.accepted) == 9)
    nodules, choices = session.accepted, ExportChoices(["DICOM", "LIDC XML", "DICOM series"], LUNG)
    written = export_nodules(session.volume, nodules, nodules, choices, tmp_path / "out", lambda _: None)

    images = sorted((tmp_path / "out" / "whole-series" / "series").iterdir())
    uids = [pydicom.dcmread(file).SOPInstanceUID for file in images]
    last = {nodule.slice_index: nodule for nodule in nodules}
    for nodule, folder in zip(nodules, written, strict=False):
        image, index = pydicom.dcmread(folder / "slice.dcm"), nodule.slice_index
        assert image.SOPInstanceUID in (folder / "nodule.xml").read_text("utf-8")
        mask = pydicom.dcmread(folder / "mask.dcm")
        assert mask.ReferencedSeriesSequence[0].SeriesInstanceUID == image.SeriesInstanceUID
        if last[index] is nodule:
            assert (folder / "slice.dcm").read_bytes() == images[index].read_bytes()
        else:
            assert image.SOPInstanceUID not in uids
    # The one below, whole, in images that show the one that lies over it.
    assert [folder.name for folder in written[9:]] == ["whole-series", "nodule-003", "nodule-002"]
    frames = highdicom.seg.segread(tmp_path / "out" / "nodule-003" / "mask.dcm").get_pixels_by_source_instance(uids)
    for part in below:
        np.testing.assert_array_equal(frames[part.slice_index, :, :, 0], part.result.measurement.mask)
    masks = [pydicom.dcmread(file) for file in (tmp_path / "out").rglob("mask.dcm")]
    assert len({mask.SOPInstanceUID for mask in masks}) == len(masks) == 11
    assert len({mask.SegmentSequence[0].TrackingUID for mask in masks}) == 2
