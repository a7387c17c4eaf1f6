"""Nodules over several slices, as a user makes them."""

from dataclasses import replace

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.events import Finished
from engine.nodule import BoundingBox
from studio import commands
from tests.scripted_engine import Gate, ScriptedRunner, scripted_result
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
    (gate,) = hold_in_jobs(window, number)
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


def accept_two(window, qtbot, row, columns):
    """Accept two nodules of seeds 7 and 8 in the slice that is shown."""
    session = window.session
    for seed, column in zip((7, 8), columns, strict=True):
        session.options = replace(session.options, seed=seed)
        # Not drawn: a drag that begins within the first one would move it.
        commands.set_box(session, BoundingBox(row, column, 20, session.volume.slice_at(0).shape))
        generate(window, qtbot)
        QTest.keyClick(window.view, Qt.Key.Key_A)


def hold_in_jobs(window, *numbers):
    """Return gates at which the engine waits in those jobs, from 1."""
    gates = [Gate(1) for _ in numbers]
    by_number = dict(zip(numbers, gates, strict=True))

    def on_step(step):
        gate = by_number.get(len(window.runner.started))
        if gate:
            gate(step)

    window.runner.on_step = on_step
    return gates


def slices_by_name(session):
    """Return the slices of each nodule, by what its parts have in common."""
    slices = {}
    for nodule in session.accepted:
        slices.setdefault(nodule.name, []).append(nodule.slice_index)
    return {name: sorted(indices) for name, indices in slices.items()}


def check_coherent(session):
    """Each nodule must be what its request leads to, made of its slice with those that were accepted before it."""
    for index in range(len(session.volume)):
        now = session.volume.slice_at(index)
        for nodule in (nodule for nodule in session.accepted if nodule.slice_index == index):
            np.testing.assert_array_equal(nodule.result.request.slice.hu, now.hu)
            np.testing.assert_array_equal(nodule.result.slice.hu, scripted_result(nodule.result.request).slice.hu)
            now = nodule.result.slice
