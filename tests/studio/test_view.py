"""What can be laid over a slice and how it is shown: each by its key."""

import numpy as np
import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QImage, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine.ct import LUNG, WindowLevel
from studio import slice_painter
from studio.overlays import borders, tint
from studio.presets import forget_presets, stored_presets
from studio.slice_texts import box_text
from studio.window_entry import WindowEntry
from tests.phantom import phantom_volume
from tests.scripted_engine import Gate, ScriptedRunner
from tests.studio.driving import drag, draw_box, generate, grey_at, move, press, release

CTRL = Qt.KeyboardModifier.ControlModifier
KEY = Qt.Key
INSIDE, OUTSIDE = (40, 50), (80, 100)


def pixel(view, row, column):
    """Colour that the view shows at an image point."""
    point = view.viewport_now.to_widget(row, column).toPoint()
    return view.grab().toImage().pixelColor(point)


def test_grey_values_are_inverted(window):
    before = grey_at(window.view, *OUTSIDE)
    QTest.keyClick(window.view, KEY.Key_I)
    assert grey_at(window.view, *OUTSIDE) == pytest.approx(255 - before, abs=1)
    QTest.keyClick(window.view, KEY.Key_I)
    assert grey_at(window.view, *OUTSIDE) == before


def test_boxes_are_hidden_and_seen_again_while_one_is_drawn(window, qtbot):
    draw_box(window)
    edge = (30, 50)
    assert pixel(window.view, *edge).saturation() > 50
    QTest.keyClick(window.view, KEY.Key_X)
    assert pixel(window.view, *edge).saturation() == 0
    QTest.keyClick(window.view, KEY.Key_X)
    assert pixel(window.view, *edge).saturation() > 50


def test_the_outline_of_a_nodule_is_painted(window, qtbot):
    draw_box(window)
    generate(window, qtbot)
    assert pixel(window.view, 39, 50).saturation() == 0
    QTest.keyClick(window.view, KEY.Key_O)
    assert pixel(window.view, 39, 50).saturation() > 50


def test_borders_lie_between_inside_and_outside():
    mask = np.zeros((4, 4), bool)
    mask[1, 2] = True
    assert sorted(borders(mask)) == [((1, 2), (1, 3)), ((1, 2), (2, 2)), ((1, 3), (2, 3)), ((2, 2), (2, 3))]


def test_the_lungs_are_tinted(make_window, qtbot):
    window = make_window()
    window.session.show_volume(phantom_volume(1))
    window.view.setFocus()
    lung, spine = (262, 150), (368, 256)
    assert pixel(window.view, *lung).saturation() == 0
    QTest.keyClick(window.view, KEY.Key_L)
    qtbot.waitUntil(lambda: window.session.lungs_here is not None)
    assert pixel(window.view, *lung).saturation() > 20
    assert pixel(window.view, *spine).saturation() == 0
    QTest.keyClick(window.view, KEY.Key_L)
    assert pixel(window.view, *lung).saturation() == 0


def test_a_tint_is_clear_where_the_mask_is_not():
    image = tint(np.array([[True, False]]))
    assert image.pixelColor(0, 0).alpha() > 0
    assert image.pixelColor(1, 0).alpha() == 0


def test_the_ruler_measures_in_mm_and_draws_no_box(window):
    QTest.keyClick(window.view, KEY.Key_M)
    drag(window.view, (20, 30), (50, 70))
    assert window.session.box is None
    assert window.view.ruler.length_mm((0.7, 0.7)) == pytest.approx(35, abs=0.5)
    window.session.go_to_slice(0)
    assert window.view.ruler.start is None
    drag(window.view, (20, 30), (50, 70))
    QTest.keyClick(window.view, KEY.Key_M)
    assert window.view.ruler.start is None
    draw_box(window)


def test_the_ruler_outlives_a_notice(window):
    QTest.keyClick(window.view, KEY.Key_M)
    press(window.view, (20, 30))
    move(window.view, (30, 40))
    window.session.say("This takes room from the slice.")
    QApplication.processEvents()
    move(window.view, (50, 70))
    release(window.view, (50, 70))
    window.session.notice = None
    QApplication.processEvents()
    assert window.view.ruler.length_mm((0.7, 0.7)) == pytest.approx(35, abs=0.5)


@pytest.mark.parametrize("is_dragged", [True, False])
def test_esc_takes_the_ruler_away_and_not_the_job_too(make_window, volume, is_dragged):
    gate = Gate(2)
    window = make_window(ScriptedRunner(on_step=gate))
    window.session.show_volume(volume)
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_G)
    QTest.keyClick(window.view, KEY.Key_M)
    press(window.view, (20, 30))
    move(window.view, (30, 40))
    if not is_dragged:
        release(window.view, (30, 40))
    QTest.keyClick(window.view, KEY.Key_Escape)
    assert window.view.ruler.start is None
    assert window.session.job is not None
    QTest.keyClick(window.view, KEY.Key_Escape)
    assert window.session.job is None
    gate.open()


def test_the_box_tells_the_hu_inside_it(window):
    box = draw_box(window)
    hu = np.full((96, 120), -800, np.int16)
    hu[box.slices][:10] = -700
    assert box_text(box, (0.7, 0.7), hu) == "14.0 mm\nmean \N{MINUS SIGN}750, SD 50 HU"
    assert box_text(box, (0.7, 0.7), None) == "14.0 mm"


def test_the_window_can_be_typed_as_black_and_white(window):
    bar = window.window_entry
    bar.black.setValue(-1000)
    assert window.session.window == WindowLevel(1150, -425)
    bar.white.setValue(0)
    assert window.session.window == WindowLevel(1000, -500)
    assert grey_at(window.view, *OUTSIDE) == pytest.approx((-712 + 1000) / 1000 * 255, abs=2)
    bar.white.setValue(-2000)
    assert window.session.window.bounds == (-2001, -2000)


def test_presets_can_be_changed_for_good_and_had_back(window, make_window):
    window.session.window = WindowLevel(1600, -550)
    QTest.keyClick(window.view, KEY.Key_1, CTRL)
    assert "Lung is now width 1600" in window.notice_bar.text.text()
    QTest.keyClick(window.view, KEY.Key_2)
    QTest.keyClick(window.view, KEY.Key_1)
    assert window.session.window == WindowLevel(1600, -550)
    assert window.presets[0].isChecked()
    again = make_window()
    assert again.session.window == WindowLevel(1600, -550)
    forget_presets()
    assert stored_presets()["Lung"] == LUNG


def test_a_preset_that_was_changed_by_mistake_is_taken_back_and_the_others_stay(window):
    own = WindowLevel(1600, -550)
    window.session.window = own
    QTest.keyClick(window.view, KEY.Key_1, CTRL)
    before = window.session.presets
    QTest.keyClick(window.view, KEY.Key_2, CTRL)
    assert window.session.presets["Mediastinum"] == own
    QTest.mouseClick(window.notice_bar.offer, Qt.MouseButton.LeftButton)
    assert window.session.presets == stored_presets() == before
    assert before["Lung"] == own
    forget_presets()


@pytest.mark.parametrize(
    ("box", "top"), [(QRectF(50, 60, 80, 80), 51 - 32), (QRectF(50, 20, 80, 80), 114), (QRectF(50, -20, 80, 300), 12)]
)
def test_the_words_of_a_box_stay_in_the_view(qapp, monkeypatch, box, top):
    picture, painted = QImage(200, 200, QImage.Format.Format_RGB32), []
    monkeypatch.setattr(slice_painter, "paint_text", lambda painter, at, *_: painted.append(at))
    monkeypatch.setattr(QFontMetricsF, "lineSpacing", lambda metrics: 16.0)
    painter = QPainter(picture)
    slice_painter.paint_box(painter, box, "14.0 mm\nmean −800", QRectF(picture.rect()))
    painter.end()
    assert [(at.x(), at.y()) for at in painted] == [(51, top)]


def test_one_pixel_of_the_slice_on_one_of_the_screen(window):
    QTest.keyClick(window.view, KEY.Key_0, CTRL)
    assert window.view.viewport_now.image_rect.width() == pytest.approx(120)


def test_return_ends_the_typing_of_a_bound_and_makes_no_nodule(window):
    draw_box(window)
    entry = window.findChild(WindowEntry)
    entry.black.setFocus()
    entry.black.selectAll()
    QTest.keyClicks(entry.black, "-1000")
    QTest.keyClick(entry.black, Qt.Key.Key_Return)
    assert window.session.window.bounds[0] == -1000
    assert window.session.job is None
