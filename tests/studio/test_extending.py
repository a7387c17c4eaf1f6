"""A nodule over neighbouring slices: made in the queue, accepted as one step, seen while scrolling."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.ct import LUNG, CTVolume
from engine.events import Finished
from engine.nodule import BoundingBox
from studio import commands
from studio.exporting import ExportChoices, export_nodules
from studio.session import Notice, PlacedNodule
from tests.scripted_engine import Gate, ScriptedRunner, raising, scripted_result
from tests.studio.driving import draw_box, generate, wheel

KEY, SHIFT, CONTROL = Qt.Key, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


class SizedRunner(ScriptedRunner):
    """Makes nodules that measure 12 mm across."""

    def __call__(self, request, job_id):
        for event in super().__call__(request, job_id):
            if isinstance(event, Finished):
                measurement = replace(event.result.measurement, diameter_mm=12.0)
                event = Finished(job_id, replace(event.result, measurement=measurement))
            yield event


@pytest.fixture
def sized(make_window, volume):
    """A window with a finished nodule of 12 mm in the middle one of five slices."""
    runner = SizedRunner(steps=2)
    window = make_window(runner)
    window.runner = runner
    window.session.show_volume(volume)
    window.view.setFocus()
    return window


@pytest.fixture
def wide(sized, wide_volume):
    """The same window with eleven slices, in which there is room out of sight of the first nodule."""
    positions = tuple((0.0, 0.0, 2.5 * index) for index in range(11))
    sized.session.show_volume(CTVolume(np.repeat(wide_volume.hu, 11, axis=0), (0.7, 0.7), positions))
    return sized


def hold_in_job(window, number):
    """Return a gate at which the engine waits in that job, from 1."""
    gate = Gate(1)
    window.runner.on_step = lambda step: gate(step) if len(window.runner.started) == number else None
    return gate


def extend(window):
    QTest.keyClick(window.view, KEY.Key_A, SHIFT)


def place(window, qtbot):
    draw_box(window)
    generate(window, qtbot)


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
    assert "The slices are 2.5 mm apart and the nodule measures 3.0 mm" in sized.session.notice.text
    assert len(sized.runner.started) == 1


@pytest.mark.parametrize("key", [KEY.Key_Delete, KEY.Key_G])
@pytest.mark.parametrize("slice_index", [2, 3])
def test_a_change_in_one_slice_says_that_the_others_stay(sized, qtbot, key, slice_index):
    place(sized, qtbot)
    extend(sized)
    session = sized.session
    qtbot.waitUntil(lambda: len(session.accepted) == 5)
    before = session.accepted
    session.go_to_slice(slice_index)
    QTest.keyClick(sized.view, KEY.Key_BracketRight)
    QTest.keyClick(sized.view, key)
    qtbot.waitUntil(lambda: session.accepted != before and session.job is None)
    assert "It went on in 4 other slices: what is there stays as it was." in session.notice.text
    stays = [nodule for nodule in before if nodule.slice_index != slice_index]
    assert all(nodule in session.accepted for nodule in stays)


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


def test_undo_of_a_change_leaves_an_extension_that_ended_meanwhile(wide, qtbot):
    session = wide.session
    for index in (0, 5):
        session.go_to_slice(index)
        place(wide, qtbot)
        QTest.keyClick(wide.view, KEY.Key_A)
    gate = hold_in_job(wide, 6)
    extend(wide)
    qtbot.waitUntil(lambda: len(wide.runner.started) == 6)
    before = session.accepted
    session.go_to_slice(0)
    QTest.keyClick(wide.view, KEY.Key_BracketRight)
    QTest.keyClick(wide.view, KEY.Key_G)
    gate.open()
    qtbot.waitUntil(lambda: session.job is None and session.queue.is_empty)
    assert before[0] not in session.accepted
    QTest.keyClick(wide.view, KEY.Key_Z, CONTROL)
    assert len(session.accepted) == 6
    assert set(before) <= set(session.accepted)


def test_the_whole_series_is_exported_with_one_mask_over_its_slices(sized, qtbot, tmp_path):
    place(sized, qtbot)
    extend(sized)
    qtbot.waitUntil(lambda: len(sized.session.accepted) == 5)
    session = sized.session
    choices = ExportChoices(["DICOM series"], LUNG)
    written = export_nodules(
        session.volume, session.accepted, session.accepted, choices, tmp_path / "out", lambda _: None
    )

    assert written[-1].name == "nodule-003"
    assert {"mask.dcm", "nodule.json", "series"} <= {path.name for path in written[-1].iterdir()}
