"""A reader at the reader mode: what keys are pressed, and what was answered."""

from time import monotonic

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine.study import order_for, read_answers
from tests.made_up_study import made_up_study
from tests.scripted_engine import PATIENCE


class Time:
    """A clock that goes only when it is told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def press(window, *keys, modifier=Qt.KeyboardModifier.NoModifier):
    """Press keys, and wait for the images that are shown then: nobody answers what is not shown."""
    for key in keys:
        QTest.keyClick(window, key, modifier)
        deadline = monotonic() + PATIENCE
        while not window.is_reading and window.rest.title.text() == "One moment":
            assert monotonic() < deadline
            QApplication.processEvents()


def study_of(tmp_path, **counts):
    return made_up_study(tmp_path / "study", counts=counts)


def answers(study, reader="anna"):
    found = read_answers(study, reader)
    return [found[number] for number in order_for(study, reader) if number in found]
