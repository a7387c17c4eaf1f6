"""Results take memory: those of a series that is closed are let go of, whatever has been shown of them."""

import gc

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.events import GenerationResult
from tests.studio.conftest import delete_later_now
from tests.studio.driving import draw_box, generate

ALT = Qt.KeyboardModifier.AltModifier
KEY = Qt.Key


@pytest.fixture
def results_of(window, volume):
    """Close the series and open it again; return the results that are still in memory, but for those before."""
    # By type(), not isinstance(): that asks proxies, such as torch's deprecated names, which warn.
    before = {id(one) for one in gc.get_objects() if type(one) is GenerationResult}

    def count():
        window.session.show_volume(volume)
        delete_later_now()
        gc.collect()
        return sum(type(one) is GenerationResult and id(one) not in before for one in gc.get_objects())

    return count


def test_of_leafing_through_the_history_nothing_remains(window, results_of, qtbot):
    draw_box(window)
    for _ in range(3):
        generate(window, qtbot)
    qtbot.waitUntil(lambda: window.strip.list.model().rowCount() == 3)
    QTest.keyClick(window.view, KEY.Key_Right, ALT)  # The newest one, which the slice shows already.
    for key in (KEY.Key_Right, KEY.Key_Right, KEY.Key_Left, KEY.Key_Left) * 4:
        before = window.session.candidate
        QTest.keyClick(window.view, key, ALT)
        qtbot.waitUntil(lambda before=before: window.session.candidate is not before)
    assert results_of() <= 3  # Those that were read last, but not one for each key.


def test_of_ladders_nothing_remains(window, results_of, qtbot):
    draw_box(window)
    for key in (KEY.Key_1, KEY.Key_2):
        QTest.keyClick(window.view, key, ALT)
        qtbot.waitUntil(lambda: window.session.queue.is_empty and len(window.session.sweep.results) == 5)
    assert results_of() == 0
    assert window.sweep_panel.board is None
