"""The window fits on the screen, whatever is open in it, comes back where it was, and hides no tool without a sign."""

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolBar, QToolButton

from studio.theme import Theme, choose_theme
from tests.studio.driving import LEFT, draw_box

ALT, KEY = Qt.KeyboardModifier.AltModifier, Qt.Key
#: Full HD at 200 %.
SMALL = (960, 540)


def test_the_first_window_fits_on_the_screen(make_window):
    window = make_window(size=None)
    available = window.screen().availableGeometry()
    assert available.width() < 1280, "the screen has room for all: this tests nothing"
    assert available.contains(window.frameGeometry())
    assert window.width() > 0.95 * available.width()


def test_the_window_comes_back_where_it_was_and_as_large(make_window):
    window = make_window(size=None)
    window.setGeometry(40, 60, 730, 610)
    QApplication.processEvents()
    window.close()
    again = make_window(size=None)
    assert again.geometry() == QRect(40, 60, 730, 610)


def test_a_window_that_filled_the_screen_does_so_again(make_window):
    window = make_window(size=None)
    window.showMaximized()
    QApplication.processEvents()
    window.close()
    assert make_window(size=None).isMaximized()


@pytest.mark.parametrize("away", [QPoint(6000, 4000), QPoint(-5000, 100)])
def test_a_window_that_was_on_a_screen_that_is_gone_comes_back_on_one_that_is_there(make_window, away):
    window = make_window(size=None)
    window.setGeometry(QRect(away, window.minimumSizeHint()))
    QApplication.processEvents()
    window.close()
    again = make_window(size=None)
    assert again.screen().availableGeometry().contains(again.geometry())


# --- with a ladder or a grid ------------------------------------------------------------------------------


def sweep(window, qtbot, grid):
    draw_box(window)
    if grid:
        window.sweeping.start("texture", "sphericity")
    else:
        QTest.keyClick(window.view, KEY.Key_5, ALT)
    qtbot.waitUntil(lambda: window.session.sweep is not None and window.session.queue.is_empty)
    QApplication.processEvents()
    return window.sweep_panel.board


@pytest.mark.parametrize("grid", [False, True])
def test_the_window_fits_on_a_small_screen_with_a_ladder_or_a_grid(window, qtbot, grid):
    window.resize(*SMALL)
    sweep(window, qtbot, grid)
    window.resize(*SMALL)
    QApplication.processEvents()
    assert (window.width(), window.height()) == SMALL


def test_arrow_keys_bring_the_cell_that_they_lead_to_into_sight(window, qtbot):
    window.resize(*SMALL)
    board = sweep(window, qtbot, grid=True)
    assert board.verticalScrollBar().maximum() > 0
    for key in (KEY.Key_Up, KEY.Key_Down):
        for _ in range(5):
            QTest.keyClick(QApplication.focusWidget(), key)
            cell = QApplication.focusWidget()
            assert cell in board.cells
            assert cell.visibleRegion().boundingRect().height() == min(cell.height(), board.viewport().height())


def test_a_grid_does_not_scroll_where_it_has_room(window, qtbot):
    window.resize(1500, 1000)
    board = sweep(window, qtbot, grid=True)
    for bar in (board.horizontalScrollBar(), board.verticalScrollBar()):
        assert bar.maximum() == 0
    assert all(cell.visibleRegion().boundingRect() == cell.rect() for cell in board.cells)


# --- the tool bar -----------------------------------------------------------------------------------------


def tools(window, width):
    window.resize(width, 700)
    QApplication.processEvents()
    QApplication.processEvents()
    return window.findChild(QToolBar)


@pytest.mark.parametrize("width", [960, 1000, 1100, 1200, 1260, 1600])
def test_black_and_white_are_in_the_tool_bar_at_all_usual_widths(window, width):
    bar = tools(window, width)
    assert window.window_entry.isVisible()
    assert bar.rect().contains(window.window_entry.geometry())


def test_words_of_tools_go_before_tools_do_and_come_back(window):
    fit = window.commands["Fit"]
    widths = {}
    for width in (1600, 960, 1600):
        widths.setdefault(width, []).append(tools(window, width).widgetForAction(fit).width())
    (narrow,) = widths[960]
    assert widths[1600][0] == widths[1600][1] > narrow
    assert fit.toolTip() == "Fit (F)"


@pytest.mark.parametrize("theme", [Theme.DARK, Theme.LIGHT])
def test_tools_that_the_window_is_too_narrow_for_are_behind_an_arrow_that_can_be_seen(qapp, window, theme):
    choose_theme(qapp, theme)
    bar = tools(window, 800)
    arrow = bar.findChild(QToolButton, "qt_toolbar_ext_button")
    assert not window.window_entry.isVisible()
    assert arrow.isVisible()
    picture = window.grab(QRect(arrow.mapTo(window, QPoint(0, 0)), arrow.size())).toImage()
    greys = [picture.pixelColor(x, y).lightness() for x in range(picture.width()) for y in range(picture.height())]
    assert max(greys) - min(greys) > 100
    QTest.mouseClick(arrow, LEFT)
    QApplication.processEvents()
    assert window.window_entry.isVisible()
    choose_theme(qapp, Theme.DARK)
