"""The queue: ten seeds one after the other, cancelled and reordered, while the slice stays free."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton

from engine.ct import CTVolume
from studio.queue_panel import queue_text
from tests.scripted_engine import Gate, Loading, ScriptedRunner, raising
from tests.studio.conftest import delete_later_now
from tests.studio.driving import LEFT, draw_box, finish_queue, generate

SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier
KEY = Qt.Key


class Doorman:
    """An `on_step` that holds the first step of every job until it is let through."""

    def __init__(self):
        self.gate = Gate(1)

    def __call__(self, step):
        if step == 1:
            self.gate(step)


@pytest.fixture
def doorman():
    return Doorman()


def start(window):
    """Draw a box, press Shift+G, and wait until the first job runs."""
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_G, SHIFT)
    window.gate.wait_until_reached(1)


def waiting(window):
    return [job.request.options.seed for job in window.session.queue.waiting]


def made(window):
    return sorted(entry.options.seed for entry in window.history.entries)


def test_ten_seeds_are_made_one_after_the_other(held, qtbot):
    start(held)
    assert waiting(held) == list(range(1, 10))
    assert queue_text(held.session) == "Making 1 of 10"
    assert held.strip.queue.isVisible()
    finish_queue(held, qtbot)
    qtbot.waitUntil(lambda: made(held) == list(range(10)))
    assert held.session.candidate.result.request.options.seed == 0
    assert not held.strip.queue.isVisible()


def test_the_button_starts_them_and_says_why_it_cannot(held, qtbot):
    assert not held.panel.placing.seeds.isEnabled()
    assert "Draw a box" in held.panel.placing.seeds.toolTip()
    draw_box(held)
    QTest.mouseClick(held.panel.placing.seeds, LEFT)
    held.gate.wait_until_reached(1)
    assert len(waiting(held)) == 9


def test_without_a_box_the_key_says_why(held):
    QTest.keyClick(held.view, KEY.Key_G, SHIFT)
    assert "Draw a box" in held.notice_bar.text.text()
    assert held.session.queue.is_empty


def test_cancelling_a_waiting_job_leaves_the_running_one(held, qtbot):
    start(held)
    running = held.session.queue.running
    jobs = held.strip.queue.jobs
    jobs.setCurrentRow(2)
    QTest.keyClick(jobs, KEY.Key_Delete)
    assert waiting(held) == [1, 2, 4, 5, 6, 7, 8, 9]
    assert held.session.queue.running is running
    finish_queue(held, qtbot)
    qtbot.waitUntil(lambda: made(held) == [0, 1, 2, 4, 5, 6, 7, 8, 9])


def test_each_waiting_job_has_a_button_that_cancels_it(held):
    start(held)
    jobs = held.strip.queue.jobs
    button = jobs.itemWidget(jobs.item(0)).findChild(QPushButton)
    assert button.accessibleName() == "Cancel Slice 3, seed 1"
    QTest.mouseClick(button, LEFT)
    assert waiting(held) == list(range(2, 10))
    held.queue.cancel_all()


def test_the_running_job_has_a_button_that_cancels_it_and_no_other(held, qtbot):
    start(held)
    row = held.strip.queue.running
    assert row.text.text() == "Slice 3, seed 0"
    assert row.cancel.accessibleName() == "Cancel Slice 3, seed 0, which is being made"
    assert row.cancel.toolTip() == "Cancel this job (Esc)"
    assert row.cancel.focusPolicy() is Qt.FocusPolicy.TabFocus
    QTest.mouseClick(row.cancel, LEFT)
    assert held.session.queue.running.request.options.seed == 1
    assert waiting(held) == list(range(2, 10))
    assert row.text.text() == "Slice 3, seed 1"
    finish_queue(held, qtbot)
    qtbot.waitUntil(lambda: made(held) == list(range(1, 10)))


def test_the_last_job_of_the_queue_can_be_cancelled_in_its_row(held):
    start(held)
    held.queue.cancel(*(job.number for job in held.session.queue.waiting))
    QTest.mouseClick(held.strip.queue.running.cancel, LEFT)
    assert held.session.queue.is_empty
    assert not held.strip.queue.isVisible()


def test_esc_cancels_the_running_job_and_the_next_one_follows(held, qtbot):
    start(held)
    QTest.keyClick(held.view, KEY.Key_Escape)
    assert held.session.queue.running.request.options.seed == 1
    finish_queue(held, qtbot)
    qtbot.waitUntil(lambda: made(held) == list(range(1, 10)))


def test_rows_are_kept_when_others_come_and_go(held, qtbot):
    start(held)
    jobs = held.strip.queue.jobs
    rows = {job.number: jobs.itemWidget(jobs.item(row)) for row, job in enumerate(held.session.queue.waiting)}
    numbers = list(rows)
    jobs.setCurrentRow(4)
    held.queue.cancel(numbers[2])
    held.queue.move(numbers[5], 0)
    held.queue.try_seeds()
    order = [job.number for job in held.session.queue.waiting]
    assert order[:8] == [numbers[5], *(numbers[at] for at in (0, 1, 3, 4, 6, 7, 8))]
    assert [jobs.number_at(jobs.model().index(row, 0)) for row in range(jobs.count())] == order
    assert jobs.number_at(jobs.currentIndex()) == numbers[4]
    is_kept = [jobs.itemWidget(jobs.item(row)) is rows.get(number) for row, number in enumerate(order[:8])]
    assert is_kept == [False, *[True] * 7]
    assert all(jobs.itemWidget(jobs.item(row)).findChild(QPushButton) for row in range(jobs.count()))
    delete_later_now()
    assert len(jobs.findChildren(QPushButton)) == jobs.count()
    held.queue.cancel_all()


def test_all_are_cancelled_at_once(held, qtbot):
    start(held)
    QTest.mouseClick(held.strip.queue.cancel_all, LEFT)
    assert held.session.queue.is_empty
    held.session.options = replace(held.session.options, seed=77)
    held.gate.open()
    assert generate(held, qtbot)
    qtbot.waitUntil(lambda: made(held) == [77])


def test_the_order_can_be_changed_by_keys(held, qtbot):
    start(held)
    jobs = held.strip.queue.jobs
    jobs.setCurrentRow(1)
    QTest.keyClick(jobs, KEY.Key_Up, ALT)
    assert waiting(held)[:3] == [2, 1, 3]
    assert jobs.currentRow() == 0
    QTest.keyClick(jobs, KEY.Key_Down, ALT)
    assert waiting(held)[:3] == [1, 2, 3]
    held.queue.cancel_all()


def test_what_is_asked_for_in_the_slice_comes_next(held, qtbot):
    start(held)
    held.session.go_to_slice(0)
    draw_box(held, 60, 80, 16)
    QTest.keyClick(held.view, KEY.Key_G)
    assert "Next, after" in held.panel.placing.status.text()
    held.gate.open()
    qtbot.waitUntil(lambda: held.session.candidate is not None)
    assert held.session.candidate.slice_index == 0
    assert len(held.history.entries) < 8
    finish_queue(held, qtbot)
    qtbot.waitUntil(lambda: len(held.history.entries) == 11)
    assert held.session.candidate.slice_index == 0


def test_generating_again_at_once_still_comes_before_the_queue(held, qtbot):
    draw_box(held)
    QTest.keyClick(held.view, KEY.Key_G)
    held.gate.wait_until_reached(1)
    QTest.keyClick(held.view, KEY.Key_G, SHIFT)
    QTest.keyClick(held.view, KEY.Key_G)
    QApplication.processEvents()
    assert held.session.queue.running is None
    assert waiting(held) == list(range(10))
    QTest.keyClick(held.view, KEY.Key_Escape)
    qtbot.waitUntil(lambda: held.session.queue.running is not None)
    finish_queue(held, qtbot)


def test_jobs_go_on_when_another_series_is_opened(held, qtbot, volume):
    start(held)
    held.session.show_volume(volume)
    finish_queue(held, qtbot)
    qtbot.waitUntil(lambda: made(held) == list(range(10)))
    assert held.session.candidate is None


def test_a_failure_holds_the_rest_until_the_user_goes_on(make_window, volume, qtbot, caplog):
    window = make_window(ScriptedRunner(steps=2, on_step=raising(MemoryError(), at=2)))
    window.session.show_volume(volume)
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_G, SHIFT)
    qtbot.waitUntil(lambda: window.session.queue.is_held)
    assert queue_text(window.session) == "9 held after a failure"
    assert "memory is full" in window.notice_bar.text.text()
    assert not window.strip.queue.running.isVisible()
    QTest.mouseClick(window.strip.queue.go_on, LEFT)
    qtbot.waitUntil(lambda: made(window) == list(range(1, 10)))


@pytest.mark.parametrize("goes_on", [True, False])
def test_jobs_for_a_held_queue_that_is_out_of_sight_offer_to_go_on(make_window, volume, qtbot, caplog, goes_on):
    window = make_window(ScriptedRunner(steps=2, on_step=raising(MemoryError(), at=2)))
    window.session.show_volume(volume)
    window.strip.set_open(False)
    draw_box(window)
    window.queue.try_seeds()
    qtbot.waitUntil(lambda: window.session.queue.is_held)
    window.queue.try_seeds()
    assert window.notice_bar.text.text() == "The queue is held after a failure."
    if goes_on:
        QTest.mouseClick(window.notice_bar.offer, LEFT)
        assert window.session.queue.running
    window.queue.cancel_all()
    assert window.session.notice is None


def test_jobs_wait_for_a_model_that_is_being_loaded(make_window, volume, qtbot):
    gate = Gate()
    window = make_window(Loading(ScriptedRunner(steps=2), gate=gate))
    window.session.show_volume(volume)
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_G, SHIFT)
    assert queue_text(window.session) == "Making 1 of 10"
    gate.open()
    qtbot.waitUntil(lambda: made(window) == list(range(10)))


def test_jobs_for_a_slice_that_the_open_series_does_not_have_go_on(held, volume, qtbot):
    start(held)
    held.session.show_volume(CTVolume(volume.hu[:1] + 3, volume.pixel_spacing, volume.positions[:1]))
    finish_queue(held, qtbot)
    qtbot.waitUntil(lambda: made(held) == list(range(10)))
    assert held.session.candidate is None
