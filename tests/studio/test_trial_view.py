"""The images of a trial: window, zoom, pan, box, and nothing that tells."""

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from tests.made_up_study import BOX
from tests.studio.driving import MIDDLE, RIGHT, at, wheel
from tests.studio.reader import press, study_of

KEY, SHIFT, CTRL = Qt.Key, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


def test_window_zoom_and_pan_by_keys_start_anew_with_each_trial(read, tmp_path):
    study = study_of(tmp_path, real_or_synthetic=2)
    window = read(study)
    view = window.trials.view
    first, fitted = view.window_level, view.viewport_now
    press(window, KEY.Key_M)
    assert (view.window_level.width, view.window_level.level) == (400, 40)
    press(window, KEY.Key_Right, KEY.Key_Down, modifier=CTRL)
    assert (view.window_level.width, view.window_level.level) == (408, 48)
    press(window, KEY.Key_Plus)
    press(window, KEY.Key_Right, modifier=SHIFT)
    assert view.viewport_now.zoom > fitted.zoom
    assert view.viewport_now.centre[1] > fitted.centre[1]
    assert window.trials.answer.value is None
    press(window, KEY.Key_F)
    assert (view.window_level, view.viewport_now) == (first, fitted)
    press(window, KEY.Key_B, KEY.Key_2, KEY.Key_Return)
    assert (view.window_level, view.viewport_now) == (first, fitted)


def test_window_zoom_and_pan_by_mouse(read, tmp_path):
    window = read(study_of(tmp_path, real_or_synthetic=1))
    view = window.trials.view
    before, fitted = view.window_level, view.viewport_now
    for button in (RIGHT, MIDDLE):
        QTest.mousePress(view, button, pos=QPoint(200, 200))
        QTest.mouseMove(view, QPoint(240, 220))
        QTest.mouseRelease(view, button, pos=QPoint(240, 220))
    assert view.window_level.width > before.width
    assert view.viewport_now.centre[1] < fitted.centre[1]
    wheel(view, 2)
    assert view.viewport_now.zoom > fitted.zoom


def test_the_box_is_shown_and_zoomed_to(read, tmp_path):
    window = read(study_of(tmp_path, rate_attributes=1))
    view, (row, column, side) = window.trials.view, BOX
    assert window.trials.to_box.isVisible()
    press(window, KEY.Key_Z)
    assert view.viewport_now.centre == (row + side / 2, column + side / 2)
    corner = at(view, row, column)
    colour = view.grab().toImage().pixelColor(corner)
    assert colour.blue() > colour.red() + 40


def test_without_a_box_there_is_nothing_to_zoom_to(read, tmp_path):
    window = read(study_of(tmp_path, real_or_synthetic=1))
    before = window.trials.view.viewport_now
    press(window, KEY.Key_Z)
    assert not window.trials.to_box.isVisible()
    assert window.trials.view.viewport_now == before


def test_nothing_tells_of_files_or_of_the_key(read, tmp_path):
    study = study_of(tmp_path, real_or_synthetic=1)
    window = read(study)
    texts = [window.windowTitle(), *(label.text() for label in window.findChildren(QLabel))]
    told = " ".join(texts)
    for secret in (str(tmp_path), study.title, "npz", "key_sha256", study.uid):
        assert secret not in told
