"""The program looks as it did: states of its window against the pictures in `tests/studio/pictures`.

The engine is scripted and the font comes with matplotlib, so that only the rasteriser of letters differs from one
computer to the next. `tests/studio/looks.py` states the tolerance; tests below show what keeps it and what does not.
After a change of the look, renew the pictures, look at them, and commit them with the change:

    NODULE_STUDIO_RENEW_PICTURES=1 pytest tests/studio/test_pictures.py
"""

import os
from pathlib import Path

import matplotlib
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QFontDatabase
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio import history_card
from studio.export_dialog import ExportDialog
from studio.theme import Theme, choose_theme
from studio.theme_colours import COLOURS
from tests.phantom import phantom_volume
from tests.scripted_engine import PATIENCE
from tests.studio.driving import drag, generate
from tests.studio.looks import is_alike, picture_of, read_picture, write_picture

KEY = Qt.Key
PICTURES = Path(__file__).with_name("pictures")
RENEW = bool(os.environ.get("NODULE_STUDIO_RENEW_PICTURES"))
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@pytest.fixture(scope="module")
def phantom():
    return phantom_volume(3)


@pytest.fixture(scope="module")
def own_letters():
    """The same letters on every computer."""
    numbers = [
        QFontDatabase.addApplicationFont(str(FONTS / name)) for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
    ]
    assert -1 not in numbers
    yield "DejaVu Sans"
    for number in numbers:
        QFontDatabase.removeApplicationFont(number)


@pytest.fixture
def window(qapp, own_letters, make_window, monkeypatch, request):
    """A window of 1000 x 800 pixels as it starts, in those letters; the clock in its history stands still.

    A parameter is called with the font: to paint it in another way.
    """
    monkeypatch.setattr(history_card, "time_text", lambda recorded: "12:00")
    before, font = qapp.font(), QFont(own_letters)
    font.setPointSizeF(before.pointSizeF())
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)  # Or words are as wide as the rasteriser likes.
    getattr(request, "param", lambda font: None)(font)
    qapp.setFont(font)
    yield make_window()
    qapp.setFont(before)
    choose_theme(qapp, Theme.DARK)


# --- the states ----------------------------------------------------------------------------------------


def empty(window, phantom, qtbot):
    return window


def box(window, phantom, qtbot):
    window.session.show_volume(phantom)
    window.view.setFocus()
    drag(window.view, (230, 110), (262, 142))
    return window


def finished(window, phantom, qtbot):
    box(window, phantom, qtbot)
    generate(window, qtbot)
    return window


def light(window, phantom, qtbot):
    QTest.keyClick(finished(window, phantom, qtbot).view, KEY.Key_A)
    choose_theme(QApplication.instance(), Theme.LIGHT)
    return window


def export(window, phantom, qtbot):
    QTest.keyClick(finished(window, phantom, qtbot).view, KEY.Key_A)
    window.export()
    dialog = window.findChild(ExportDialog)
    dialog.folder.setText("/folder/of/exports")
    return dialog


def compare(window, phantom, qtbot):
    QTest.keyClick(finished(window, phantom, qtbot).view, KEY.Key_C)
    return window


def ladder(window, phantom, qtbot):
    box(window, phantom, qtbot)
    QTest.keyClick(window.view, KEY.Key_5, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: window.session.sweep is not None and window.session.queue.is_empty)
    return window


STATES = {state.__name__: state for state in (empty, box, finished, compare, ladder, export, light)}


@pytest.mark.parametrize("name", STATES)
def test_the_program_looks_as_it_did(name, window, phantom, qtbot, tmp_path):
    widget = STATES[name](window, phantom, qtbot)
    if RENEW:
        qtbot.wait(1500)  # Until what is found out in the background is shown.
        write_picture(PICTURES / f"{name}.png", picture_of(widget))
    assert_looks_like(widget, name, qtbot, tmp_path)


def assert_looks_like(widget, name, qtbot, tmp_path):
    """Wait until a widget looks like a picture; where it never does, write both beside each other, and say where."""
    expected = read_picture(PICTURES / f"{name}.png")
    try:
        qtbot.waitUntil(lambda: is_alike(picture_of(widget), expected), timeout=round(PATIENCE * 1000))
    except qtbot.TimeoutError:
        write_picture(tmp_path / f"{name}-expected.png", expected)
        write_picture(tmp_path / f"{name}-now.png", picture_of(widget))
        pytest.fail(f"{name} looks different: compare {name}-now.png with {name}-expected.png in {tmp_path}")


# --- what the tolerance is worth -------------------------------------------------------------------------


def moved_button(window):
    """Half its height up."""
    button = window.panel.placing.accept
    button.move(button.x(), button.y() - 16)


def lost_button(window):
    window.panel.placing.accept.hide()


def lost_strip(window):
    window.strip.hide()


def lost_slice(window):
    window.view.hide()


def other_accent(window):
    """As bright, of another hue."""
    _recolour("accent", "#e562b5")


def other_panel(window):
    """A little redder."""
    _recolour("panel", "#2a2327")


def _recolour(name, other):
    app = QApplication.instance()
    assert COLOURS[name] in app.styleSheet()
    app.setStyleSheet(app.styleSheet().replace(COLOURS[name], other))


CHANGES = [moved_button, lost_button, lost_strip, lost_slice, other_accent, other_panel]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_is_lost_moved_or_of_another_colour_is_found(change, window, phantom, qapp, qtbot, tmp_path):
    assert_looks_like(finished(window, phantom, qtbot), "finished", qtbot, tmp_path)
    sheet = qapp.styleSheet()
    change(window)
    try:
        assert not is_alike(picture_of(window), read_picture(PICTURES / "finished.png"))
    finally:
        qapp.setStyleSheet(sheet)


def without_smooth_edges(font):
    font.setStyleStrategy(QFont.StyleStrategy.NoAntialias)


@pytest.mark.parametrize("window", [without_smooth_edges], indirect=True)
@pytest.mark.parametrize("name", ["finished", "export"])
def test_letters_of_another_rasteriser_are_alike(name, window, phantom, qtbot, tmp_path):
    widget = STATES[name](window, phantom, qtbot)
    assert_looks_like(widget, name, qtbot, tmp_path)
    assert (picture_of(widget) != read_picture(PICTURES / f"{name}.png")).any()


def test_a_difference_is_written_beside_what_was_expected(window, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.PATIENCE", 0.1)
    with pytest.raises(pytest.fail.Exception, match=f"box-now.png with box-expected.png in {tmp_path}"):
        assert_looks_like(window, "box", qtbot, tmp_path)
    assert is_alike(read_picture(tmp_path / "box-now.png"), picture_of(window))
    assert is_alike(read_picture(tmp_path / "box-expected.png"), read_picture(PICTURES / "box.png"))
