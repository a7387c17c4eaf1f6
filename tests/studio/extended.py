"""Nodules over several slices, as a user makes them."""

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.events import Finished
from tests.scripted_engine import Gate, ScriptedRunner
from tests.studio.driving import draw_box, generate


class SizedRunner(ScriptedRunner):
    """Makes nodules that measure 12 mm across."""

    def __call__(self, request, job_id):
        for event in super().__call__(request, job_id):
            if isinstance(event, Finished):
                measurement = replace(event.result.measurement, diameter_mm=12.0)
                event = Finished(job_id, replace(event.result, measurement=measurement))
            yield event


def hold_in_job(window, number):
    """Return a gate at which the engine waits in that job, from 1."""
    gate = Gate(1)
    window.runner.on_step = lambda step: gate(step) if len(window.runner.started) == number else None
    return gate


def extend(window):
    QTest.keyClick(window.view, Qt.Key.Key_A, Qt.KeyboardModifier.ShiftModifier)


def place(window, qtbot):
    draw_box(window)
    generate(window, qtbot)


def place_and_extend(window, qtbot):
    """Return the five parts, the one that was placed first."""
    place(window, qtbot)
    extend(window)
    qtbot.waitUntil(lambda: len(window.session.accepted) == 5)
    return window.session.accepted
