"""The series as small pictures: where they lead, what they tell, and that they are made in the background."""

import threading

import numpy as np
import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest

from engine.ct import CTVolume
from studio import series_pictures
from studio.series_pictures import smaller
from tests.studio.driving import LEFT, draw_box, generate, grey_of

KEY = Qt.Key


@pytest.fixture
def strip(window):
    return window.series_strip


def words(strip, row):
    return strip.model().index(row, 0).data(Qt.ItemDataRole.AccessibleTextRole)


def colour_in(strip, row, share=0.5):
    """Colour in the middle of a picture, or at another share of its width."""
    card = strip.visualRect(strip.model().index(row, 0))
    point = card.center()
    point.setX(round(card.left() + share * card.width()))
    return strip.viewport().grab().toImage().pixelColor(point * strip.devicePixelRatio())


def wait_for_all(strip, qtbot):
    strip.viewport().grab()
    qtbot.waitUntil(lambda: all(strip.pictures.of(row) is not None for row in range(strip.model().rowCount())))


def test_a_click_goes_to_the_slice_and_the_slice_is_marked(window, strip, qtbot):
    card = strip.visualRect(strip.model().index(4, 0)).center()
    QTest.mouseClick(strip.viewport(), LEFT, pos=card)
    assert window.session.slice_index == 4
    QTest.keyClick(window.view, KEY.Key_Up)
    assert strip.currentIndex().row() == 3


def test_arrow_keys_walk_through_the_series(window, strip):
    strip.setFocus()
    QTest.keyClick(strip, KEY.Key_Down)
    assert window.session.slice_index == 3
    QTest.keyClick(strip, KEY.Key_Home)
    assert window.session.slice_index == 0


def test_pictures_are_shown_in_the_window_of_the_slice(window, strip, qtbot):
    wait_for_all(strip, qtbot)
    expected = -900 + 200 * 60 / 119 + 20  # In the middle column.
    assert colour_in(strip, 2).value() == pytest.approx(grey_of(expected), abs=5)
    before = colour_in(strip, 2).value()
    QTest.keyClick(window.view, KEY.Key_I)
    qtbot.waitUntil(lambda: colour_in(strip, 2).value() == pytest.approx(255 - before, abs=3))


def test_slices_with_nodules_are_marked_and_their_pictures_show_them(window, strip, qtbot):
    wait_for_all(strip, qtbot)
    plain = strip.pictures.of(2)
    draw_box(window)
    assert words(strip, 2) == "Slice 3, box"
    generate(window, qtbot)
    assert words(strip, 2) == "Slice 3, 1 nodule, box"
    QTest.keyClick(window.view, KEY.Key_A)
    wait_for_all(strip, qtbot)
    assert (strip.pictures.of(2) != plain).any()
    assert words(strip, 1) == "Slice 2"
    QTest.keyClick(window.view, KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
    wait_for_all(strip, qtbot)
    assert (strip.pictures.of(2) == plain).all()


def test_keys_lead_from_nodule_to_nodule(window, strip, qtbot):
    for index in (0, 3):
        window.session.go_to_slice(index)
        draw_box(window)
        generate(window, qtbot)
        QTest.keyClick(window.view, KEY.Key_A)
    QTest.keyClick(window.view, KEY.Key_Comma)
    assert window.session.slice_index == 0
    QTest.keyClick(window.view, KEY.Key_Comma)
    assert window.session.slice_index == 0
    assert "No further slice" in window.notice_bar.text.text()
    QTest.keyClick(window.view, KEY.Key_Period)
    assert window.session.slice_index == 3


def test_pictures_are_made_in_another_thread_and_those_of_a_closed_series_are_dropped(
    window, strip, volume, qtbot, monkeypatch
):
    wait_for_all(strip, qtbot)
    threads, opened = [], threading.Event()

    def held(hu):
        threads.append(threading.current_thread())
        assert opened.wait(30)
        return smaller(hu)

    monkeypatch.setattr(series_pictures, "smaller", held)
    brighter = CTVolume(volume.hu + np.int16(300), volume.pixel_spacing, volume.positions)
    window.session.show_volume(brighter)
    assert strip.pictures.of(0) is None
    window.session.show_volume(volume)
    opened.set()
    wait_for_all(strip, qtbot)
    assert strip.pictures.of(0).mean() == pytest.approx(volume.hu[0].mean(), abs=2)
    assert threading.main_thread() not in threads


def test_the_strip_is_hidden_by_its_key_and_with_a_single_slice(window, strip, wide_volume, make_window):
    assert strip.isVisible()
    window.session.show_volume(wide_volume)
    assert not strip.isVisible()
    QTest.keyClick(window.view, KEY.Key_T)
    assert QSettings().value("series shown") == "false"
    assert not make_window().series_strip.is_wanted


def test_smaller_pictures_are_means():
    hu = np.arange(4 * 88 * 88, dtype=np.int16).reshape(176, 176)
    small = smaller(hu)
    assert small.shape == (88, 88)
    assert small[0, 0] == pytest.approx(hu[:2, :2].mean())
    assert smaller(np.zeros((20, 30), np.int16)).shape == (20, 30)
