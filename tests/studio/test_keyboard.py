"""The window without a mouse and without a screen: names of controls, Tab, F6, and rings around what has the focus."""

from datetime import datetime

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QAccessible, QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QDialog, QLabel, QLineEdit, QPushButton, QWidget

from engine.ct import LUNG
from engine.ct_files import SeriesInfo
from engine.events import SamplingOptions
from engine.nodule import NoduleAttributes
from studio import recent_files, welcome
from studio.menu_actions import menu_actions
from studio.regions import tab_stops
from studio.saved_session import SavedSession
from studio.series_dialog import SeriesDialog
from studio.shown import Shown
from tests.made_up_study import made_up_study
from tests.studio.driving import LEFT, NO_KEY, draw_box, generate

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
KEY = Qt.Key
TAB = Qt.FocusReason.TabFocusReason


def unnamed(root):
    """Classes of the widgets that can have the focus and have no name for screen readers."""
    found = []
    for widget in (root, *root.findChildren(QWidget)):
        # Fields and arrows that Qt puts into spin boxes, combo boxes and scroll areas are no controls of ours.
        is_ours = not widget.objectName().startswith("qt_") and not isinstance(widget, (QDialog, QLabel))
        is_part = widget.focusProxy() or any(combo.view() is widget for combo in root.findChildren(QComboBox))
        takes_focus = widget.focusPolicy() != Qt.FocusPolicy.NoFocus and widget.isVisibleTo(root)
        if is_ours and not is_part and takes_focus:
            interface = QAccessible.queryAccessibleInterface(widget)
            if interface is None or not interface.text(QAccessible.Text.Name):
                found.append(f"{type(widget).__name__} in {type(widget.parent()).__name__}")
    return found


def accepted(window, qtbot):
    draw_box(window)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)


def test_every_control_of_the_window_has_a_name(window, qtbot):
    assert unnamed(window) == []
    accepted(window, qtbot)
    draw_box(window, 10, 10)
    window.sweeping.start("margin")
    window.session.say("A notice")
    qtbot.waitUntil(lambda: window.session.queue.is_empty)
    assert unnamed(window) == []


def test_every_control_of_the_first_page_has_a_name(make_window):
    assert unnamed(make_window()) == []


DIALOGS = {
    "series": lambda window, path: window.show_dialog(
        SeriesDialog([SeriesInfo("1.2", "Made up", 5, (0.7, 0.7), 2.5, (path,), "axial")], window)
    ),
    "export": lambda window, path: window.export(),
    "grid": lambda window, path: window.ask_for_grid(),
    "keys": lambda window, path: window.show_keys(),
    "search": lambda window, path: window.find_action(),
    "PACS": lambda window, path: window.pacs.open(),
    "sending": lambda window, path: window.pacs.send([path]),
    "building": lambda window, path: window.studies.build(),
    "reading": lambda window, path: window.studies.choose_study(),
    "analysing": lambda window, path: window.studies.analyse(),
}


@pytest.mark.parametrize("name", list(DIALOGS))
def test_every_control_of_a_dialog_has_a_name_and_tab_reaches_them(window, qtbot, tmp_path, name):
    if name == "export":
        accepted(window, qtbot)
    DIALOGS[name](window, tmp_path)
    (dialog,) = (found for found in window.findChildren(QDialog) if found.isVisible())
    assert unnamed(dialog) == []
    assert dialog.windowTitle()
    assert tab_stops(dialog)
    qtbot.waitUntil(lambda: QTest.keyClick(dialog, KEY.Key_Escape) or not dialog.isVisible())


def test_every_control_of_the_reader_mode_has_a_name(window, tmp_path):
    window.studies.read(made_up_study(tmp_path / "study"), "anna")
    assert unnamed(window.studies.reading) == []
    window.studies.stop()


def test_tab_leads_from_the_slice_through_the_panel_in_the_order_of_work(window):
    window.resize(1280, 800)  # In a narrower one the tool bar hides its last fields.
    draw_box(window)
    found = []
    for _ in range(40):
        focused = QApplication.focusWidget()
        found.append(focused.accessibleName() or focused.text())
        QTest.keyClick(focused, KEY.Key_Tab)
    order = ["CT slice", "Suggest a place", "Sphericity", "Texture", "Seed", "Steps", "Guidance", "Generate"]
    order += ["Which results are shown", "HU shown as black"]
    places = [found.index(name) for name in order]
    assert places == sorted(places), found


def test_each_slider_comes_before_its_ladder(window):
    names = [stop.accessibleName() for stop in tab_stops(window.panel)]
    assert names.index("Ladder of margin") == names.index("Margin") + 1


def test_f6_goes_round_the_parts_of_the_window_and_back(window):
    def part():
        focused = QApplication.focusWidget()
        return next(part for part in window.parts if part is focused or part.isAncestorOf(focused))

    window.resize(1280, 800)
    parts = []
    for _ in range(6):
        parts.append(part())
        QTest.keyClick(QApplication.focusWidget(), KEY.Key_F6)
    assert {window.view, window.panel, window.strip, window.window_entry} <= set(parts)
    window.view.setFocus()
    QTest.keyClick(window.view, KEY.Key_F6)
    assert part() is window.panel
    QTest.keyClick(QApplication.focusWidget(), KEY.Key_F6, Qt.KeyboardModifier.ShiftModifier)
    assert part() is window.view


def test_a_nodule_is_made_accepted_and_looked_back_at_with_keys_alone(window, qtbot):
    QTest.keyClick(window.view, KEY.Key_B)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    assert window.session.accepted
    qtbot.waitUntil(lambda: window.strip.list.model().rowCount() == 1)
    window.strip.list.setFocus(TAB)
    QTest.keyClick(window.strip.list, KEY.Key_Right)
    assert window.strip.list.entry is not None


def same(one, other):
    return one.grab().toImage() == other


@pytest.mark.parametrize("kind", [QPushButton, QLineEdit])
def test_what_has_the_focus_has_a_ring_and_nothing_moves(window, kind):
    window.studies.analyse()
    dialog = window.findChild(QDialog)
    widgets = [found for found in dialog.findChildren(kind) if found.isVisible() and found.isEnabled()]
    for widget in widgets:
        dialog.setFocus()
        before, size = widget.grab().toImage(), widget.size()
        widget.setFocus(TAB)
        QApplication.processEvents()
        assert not same(widget, before)
        assert widget.size() == size
    dialog.close()


def test_the_slice_has_a_ring_where_the_keyboard_led_to_it_and_none_after_a_click(window):
    window.panel.rows["margin"].slider.setFocus()
    plain = window.view.grab().toImage()
    window.view.setFocus(TAB)
    assert not same(window.view, plain)
    window.panel.rows["margin"].slider.setFocus()
    assert same(window.view, plain)
    window.view.setFocus(Qt.FocusReason.MouseFocusReason)
    assert same(window.view, plain)


def test_a_result_that_has_the_focus_has_a_ring(window, qtbot):
    accepted(window, qtbot)
    qtbot.waitUntil(lambda: window.strip.list.model().rowCount() == 1)
    window.strip.list.step(0)
    window.view.setFocus()
    before = window.strip.list.grab().toImage()
    window.strip.list.setFocus(TAB)
    assert not same(window.strip.list, before)


def test_del_that_is_held_in_the_history_deletes_one_result(window, qtbot):
    for column in (10, 40, 70):
        draw_box(window, 30, column, 20)
        generate(window, qtbot)
        QTest.keyClick(window.view, KEY.Key_A)
    strip = window.strip.list
    qtbot.waitUntil(lambda: strip.model().rowCount() == 3)
    strip.step(0)
    for is_repeated in (False, True, True):
        QApplication.sendEvent(strip, QKeyEvent(QEvent.Type.KeyPress, KEY.Key_Delete, NO_KEY, "", is_repeated))
    assert strip.model().rowCount() == 2


def test_space_shows_the_original_wherever_the_keys_are(window):
    draw_box(window)
    for part in (window.series_strip, window.strip.queue.jobs, window.strip.list):
        part.setFocus()
        QTest.keyPress(part, KEY.Key_Space)
        assert window.session.original_shown
        QTest.keyRelease(part, KEY.Key_Space)
        assert not window.session.original_shown


def test_all_that_the_first_nodule_needs_is_in_sight_at_1280_by_800(window):
    window.resize(1280, 800)
    QApplication.processEvents()
    body = window.panel.sampling.parentWidget()
    assert body.height() <= body.parentWidget().height()
    draw_box(window)
    for widget in (*(row.slider for row in window.panel.rows.values()), window.panel.sampling.seed):
        assert not widget.visibleRegion().isEmpty()
        assert widget.visibleRegion().boundingRect() == widget.rect()
    QTest.mouseClick(window.panel.sampling.new_seed, LEFT)
    assert window.session.options.seed != 0


def test_all_of_the_first_page_is_in_sight_at_1280_by_800_and_scrolls_in_less(
    make_window, tmp_path, monkeypatch, with_generator
):
    for number in range(6):
        path = tmp_path / str(number) / ("1.3.6.1.4.1.14519." * 9)
        path.mkdir(parents=True)
        recent_files.remember(path)
    monkeypatch.setattr(welcome, "sample_slices", lambda: [tmp_path])
    window = make_window()
    page = window.welcome
    page.show_last(
        SavedSession(
            datetime.now(),
            False,
            tmp_path,
            None,
            "Made up",
            2,
            LUNG,
            None,
            NoduleAttributes(4, 4, 1, 1, 5),
            SamplingOptions(),
            (),
            None,
            Shown(),
        )
    )
    window.resize(1280, 800)
    QApplication.processEvents()
    assert (window.width(), window.height()) == (1280, 800)
    buttons = [found for found in page.findChildren(QPushButton) if found.isVisible()]
    assert len(buttons) == 10
    assert all(found.visibleRegion().boundingRect() == found.rect() for found in buttons)
    window.resize(960, 540)
    QApplication.processEvents()
    assert window.height() == 540
    page.setFocus(TAB)
    for _ in buttons:
        QTest.keyClick(QApplication.focusWidget(), KEY.Key_Tab)
        focused = QApplication.focusWidget()
        assert focused in buttons
        assert focused.visibleRegion().boundingRect() == focused.rect()


def test_the_window_fits_on_a_screen_of_1920_by_1080_at_200_percent(window):
    least = window.minimumSizeHint()
    assert least.width() <= 960
    assert least.height() <= 540


def test_return_clicks_the_button_that_has_the_focus(window, qtbot):
    draw_box(window)
    generate(window, qtbot)
    candidate = window.session.candidate
    button = window.panel.placing.discard
    button.setFocus()
    QTest.keyClick(button, KEY.Key_Return)
    assert window.session.candidate is None
    assert window.session.job is None
    assert candidate is not None


def test_return_clicks_the_buttons_of_the_first_page(make_window, tmp_path):
    recent_files.remember(tmp_path)
    window = make_window()
    buttons = window.welcome.findChildren(QPushButton)
    assert "/".join(tmp_path.parts[-2:]) in {button.text() for button in buttons}
    for button in buttons:
        clicked = []
        button.clicked.disconnect()
        button.clicked.connect(lambda _=False, clicked=clicked: clicked.append(True))
        button.setVisible(True)
        button.setEnabled(True)
        button.setFocus()
        QTest.keyClick(button, KEY.Key_Return)
        assert clicked
    assert window.session.notice is None


def test_only_what_goes_step_by_step_is_done_again_while_its_keys_are_held(window):
    held = {name for name, action in window.commands.items() if action.autoRepeat()}
    assert held == {
        *("Undo", "Redo", "Zoom in", "Zoom out", "Newer result", "Older result"),
        *("Previous nodule of the slice", "Next nodule of the slice"),
    }


def test_every_action_of_a_menu_has_a_key(window):
    assert [found.text for found in menu_actions(window) if not found.keys] == []


def test_keys_of_what_is_disabled_say_why_in_the_status_bar(window):
    for key, modifiers, why in (
        (KEY.Key_Z, CTRL, "There is nothing to undo"),
        (KEY.Key_Z, CTRL | SHIFT, "There is nothing to redo"),
        (KEY.Key_B, CTRL | SHIFT, "No slice that was made has taken the place of a scan"),
    ):
        QTest.keyClick(window.view, key, modifiers)
        assert window.statusBar().currentMessage() == why
    window.statusBar().clearMessage()
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_Z, CTRL)
    assert window.session.box is None
    assert window.statusBar().currentMessage() == ""


def test_the_slice_describes_itself_to_screen_readers(window):
    assert "Slice 3 of 5" in window.view.accessibleDescription()
    draw_box(window)
    assert "box of 14.0 mm at row 30, column 40" in window.view.accessibleDescription()
