"""What can be laid over a slice and how it is shown: each by its key."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QKeyEvent, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine.ct import LUNG, WindowLevel
from studio import slice_painter
from studio.overlays import borders, tint
from studio.presets import forget_presets, stored_presets
from studio.slice_texts import box_text
from studio.theme import image_colour
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


def words_painted(monkeypatch, window):
    """What is painted as text when the slice is: where, in a pane, and what."""
    painted, paint = [], slice_painter.paint_text

    def keep(painter, at, text, ink=None, anchor="top left"):
        metrics, lines = QFontMetricsF(painter.font()), text.split("\n")
        width, height = max(map(metrics.horizontalAdvance, lines)), metrics.lineSpacing() * len(lines)
        vertical, horizontal = anchor.split()
        left = at.x() - {"left": 0, "centre": width / 2, "right": width}[horizontal]
        top = at.y() - {"top": 0, "middle": height / 2, "bottom": height}[vertical]
        painted.append((text, QRectF(left, top, width, height)))
        paint(painter, at, text, ink, anchor)

    monkeypatch.setattr(slice_painter, "paint_text", keep)
    window.view.grab()
    return painted


@pytest.mark.parametrize("is_compared", [False, True])
@pytest.mark.parametrize("width", [960, 1000, 1280])
def test_a_long_description_ends_before_what_is_beside_it(window, volume, monkeypatch, width, is_compared):
    name = "Thorax nativ 1,0 Br59 S3 LUNGE axial MIP 8 mm, second reconstruction of the same series"
    window.session.show_volume(replace(volume, description=name))
    window.resize(width, 800)
    if is_compared:
        QTest.keyClick(window.view, KEY.Key_C)
    QApplication.processEvents()
    painted = words_painted(monkeypatch, window)
    pane = painted[: [text for text, _ in painted].index("After")] if is_compared else painted
    ((corner, area),) = [(text, area) for text, area in pane if "Slice 3 of 5" in text]
    first, *below = corner.split("\n")
    assert below == ["Slice 3 of 5", "z −45.0 mm"]
    assert first.startswith("Thorax")
    assert first.endswith("s")
    assert "…" in first
    beside = [other for text, other in pane if text in ("A", "Before") or text.startswith("Lung")]
    assert len(beside) == 2
    assert not any(area.intersects(other) for other in beside)


def test_the_words_of_a_box_at_the_side_are_not_cut_and_cover_no_letter(window, volume, monkeypatch):
    window.session.show_volume(volume)
    for column in (0, 98):
        draw_box(window, 40, column)
        painted = words_painted(monkeypatch, window)
        (words,) = [area for text, area in painted if " mm\nmean" in text]
        assert QRectF(window.view.rect()).contains(words)
        assert not any(area.intersects(words) for text, area in painted if text in ("R", "L"))


def contrast(one, other):
    """Of WCAG: from 1 to 21."""

    def luminance(ink):
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in ink.getRgbF()[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("ink", ["accent", "text"])
def test_words_can_be_read_on_white(qapp, ink):
    picture = QImage(200, 60, QImage.Format.Format_RGB32)
    picture.fill(Qt.GlobalColor.white)
    painter = QPainter(picture)
    slice_painter.paint_text(painter, QPointF(20, 20), "mean −800", image_colour(ink))
    painter.end()
    plate = picture.pixelColor(17, 26)
    assert plate != QColor(Qt.GlobalColor.white)
    assert contrast(image_colour(ink), plate) >= 4.5


def test_one_pixel_of_the_slice_on_one_of_the_screen(window):
    QTest.keyClick(window.view, KEY.Key_0, CTRL)
    assert window.view.viewport_now.image_rect.width() == pytest.approx(120)


def test_bounds_have_the_minus_sign_of_the_slice_and_take_either(window):
    entry = window.findChild(WindowEntry)
    assert (entry.black.text(), entry.white.text()) == ("−1350", "150")
    for typed, bound in (("-1000", -1000), ("−900", -900), ("-5", -5)):
        entry.black.setFocus()
        entry.black.selectAll()
        for letter in typed:  # QTest types no letter beyond ASCII.
            pressed = QKeyEvent(QEvent.Type.KeyPress, 0, Qt.KeyboardModifier.NoModifier, letter)
            QApplication.sendEvent(entry.black, pressed)
        QTest.keyClick(entry.black, Qt.Key.Key_Return)
        assert window.session.window.bounds[0] == bound
        assert entry.black.text() == f"−{-bound}"
    QTest.keyClick(entry.black, Qt.Key.Key_Down)
    assert entry.black.text() == "−15"


def test_return_ends_the_typing_of_a_bound_and_makes_no_nodule(window):
    draw_box(window)
    entry = window.findChild(WindowEntry)
    entry.black.setFocus()
    entry.black.selectAll()
    QTest.keyClicks(entry.black, "-1000")
    QTest.keyClick(entry.black, Qt.Key.Key_Return)
    assert window.session.window.bounds[0] == -1000
    assert window.session.job is None
