"""Every action can be found: in a menu, on the sheet of keys, and by words."""

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QAction, QScreen
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QLineEdit, QMenu, QScrollArea, QToolBar, QWidgetAction

from studio import recent_files
from studio.command_search import ALSO, CommandSearch, best_matches
from studio.keys_dialog import GESTURES, KeysDialog
from studio.menu_actions import MenuAction, menu_actions, plain
from studio.theme import Theme, choose_theme, stored_theme
from tests.studio.driving import draw_box

KEY, CTRL = Qt.Key, Qt.KeyboardModifier.ControlModifier


def commands_of(window):
    """Every action of a window that does something: neither a menu, nor a line, nor part of a field."""
    found = []
    for action in window.findChildren(QAction):
        parent = action.parent()
        is_part = isinstance(parent, (QLineEdit, QToolBar)) or isinstance(action, QWidgetAction)
        # Menus of buttons repeat what the menu bar has.
        is_of_button = isinstance(parent, QMenu) and not _is_of_menu_bar(parent, window)
        if not (action.isSeparator() or action.menu() or is_part or is_of_button):
            found.append(action)
    return found


def _is_of_menu_bar(menu, window):
    return any(menu is found or _holds(found, menu) for found in _menus(window.menuBar()))


def _menus(bar):
    return [action.menu() for action in bar.actions()]


def _holds(menu, wanted):
    return any(
        below.menu() is wanted or _holds(below.menu(), wanted) for below in menu.actions() if below.menu() is not None
    )


@pytest.fixture
def search(window):
    QTest.keyClick(window.view, KEY.Key_K, CTRL)
    dialog = window.findChild(CommandSearch)
    assert dialog.isVisible()
    return dialog


def texts(dialog):
    return [dialog.list.item(row).data(Qt.ItemDataRole.UserRole).text for row in range(dialog.list.count())]


def test_every_action_has_a_text_and_is_in_a_menu(window):
    in_menus = {id(found.action) for found in menu_actions(window, with_files=True)}
    actions = commands_of(window)
    assert len(actions) > 50
    assert [action.text() for action in actions if not action.text() or id(action) not in in_menus] == []


def test_every_action_is_on_the_sheet_of_keys(window):
    window.show_keys()
    dialog = window.findChild(KeysDialog)
    labels = {label.text() for label in dialog.findChildren(QLabel)}
    for found in menu_actions(window):
        assert any(label.endswith(found.text) for label in labels), found.text
        assert found.keys in labels, found.keys
    dialog.close()


def test_a_new_action_is_on_the_sheet_and_in_the_search_at_once(window):
    action = QAction("Count the ribs", window, shortcut="Ctrl+Alt+Q")
    window.menuBar().actions()[0].menu().addAction(action)
    sheet, search = KeysDialog(window), CommandSearch(window)
    assert {"Count the ribs", "Ctrl+Alt+Q"} <= {label.text() for label in sheet.findChildren(QLabel)}
    search.field.setText("count ribs")
    assert texts(search) == ["Count the ribs"]


def test_every_action_is_found_by_its_own_words(window):
    actions = menu_actions(window, with_files=True)
    for found in actions:
        if found.action.isVisible():
            assert found in best_matches(found.text, actions)[:3], found.text


def test_no_key_does_two_things(window):
    keys = [keys.toString() for found in menu_actions(window) for keys in found.action.shortcuts()]
    assert sorted(keys) == sorted(set(keys))


def test_what_is_disabled_says_why(window, search):
    disabled = [found for found in menu_actions(window) if not found.action.isEnabled()]
    assert "Undo" in [found.text for found in disabled]
    assert [found.text for found in disabled if not found.why_not] == []
    QTest.keyClicks(search.field, "undo")
    assert search.chosen.text == "Undo"
    assert search.reason.text() == "There is nothing to undo"
    QTest.keyClick(search.field, KEY.Key_Return)
    assert search.isVisible()


def test_words_are_typed_and_return_does_what_is_found(window, search):
    QTest.keyClicks(search.field, "box mid")
    assert texts(search)[0] == "Box in the middle"
    QTest.keyClick(search.field, KEY.Key_Return)
    assert not search.isVisible()
    assert window.session.box is not None


def test_arrows_lead_through_the_list_and_escape_does_nothing(window, search):
    QTest.keyClicks(search.field, "ladder")
    first = search.chosen
    QTest.keyClick(search.field, KEY.Key_Down)
    assert search.chosen is not first
    QTest.keyClick(search.field, KEY.Key_PageDown)
    assert search.list.currentRow() == search.list.count() - 1
    QTest.keyClick(search.field, KEY.Key_Up)
    QTest.keyClick(search.field, KEY.Key_Escape)
    assert not search.isVisible()
    assert window.session.sweep is None


def test_a_click_does_it_too(window, search, qapp):
    QTest.keyClicks(search.field, "light")
    row = search.list.visualItemRect(search.list.item(0)).center()
    QTest.mouseClick(search.list.viewport(), Qt.MouseButton.LeftButton, pos=row)
    assert stored_theme() is Theme.LIGHT
    choose_theme(qapp, Theme.DARK)


def test_words_that_fit_nothing_are_told(search):
    QTest.keyClicks(search.field, "xylophone")
    assert texts(search) == []
    assert search.reason.text() == "Nothing is called like that; try another word."
    QTest.keyClick(search.field, KEY.Key_Return)
    assert search.isVisible()


def test_files_that_were_open_are_found_by_name_and_are_not_on_the_sheet(window, tmp_path):
    path = tmp_path / "thorax.nii"
    path.touch()
    recent_files.remember(path)
    dialog = CommandSearch(window)
    dialog.field.setText("thorax")
    assert texts(dialog) == [str(path)]
    assert str(path) not in [found.text for found in menu_actions(window)]


def made_up(*names):
    return [MenuAction(("Menu",), QAction(name)) for name in names]


@pytest.mark.parametrize(
    ("words", "best"),
    [
        ("sa", "Save project"),
        ("pro", "Save project"),
        ("save pro", "Save project"),
        ("project save", "Save project"),
        ("gnrt", "Generate"),
        ("UNDO", "Undo"),
        ("ndo", "Undo"),
    ],
)
def test_beginnings_of_words_in_any_order_find_an_action(words, best):
    actions = made_up("Open", "Generate", "Undo", "Save project", "A saved one")
    assert best_matches(words, actions)[0].text == best


def test_each_word_must_fit():
    assert best_matches("save window", made_up("Save project")) == []


def test_marks_of_letters_are_left_out():
    assert plain("&File && more") == "File & more"


def test_a_box_makes_undo_possible_in_the_search(window):
    draw_box(window)
    undo = next(found for found in menu_actions(window) if found.text == "Undo")
    assert undo.why_not is None


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("compare", ["Before | after", "Swipe", "Difference"]),
        ("side by side", ["Before | after"]),
        ("delete nodule", ["Delete box or nodule"]),
        ("remove nodule", ["Delete box or nodule"]),
        ("measure", ["Ruler"]),
        ("starred", ["Starred"]),
        ("deleted", ["Deleted"]),
        ("filter", ["All results", "Starred", "Of this series", "Best of seeds", "Deleted"]),
        ("window", ["Lung", "Mediastinum", "Bone"]),
        ("show slice", ["Show in its slice"]),
        ("settings", ["Show and take settings", "Take settings only"]),
    ],
)
def test_the_words_of_the_program_find_what_they_mean(search, words, found):
    QTest.keyClicks(search.field, words)
    assert set(found) <= set(texts(search)[: len(found) + 1])


def test_other_words_are_for_actions_that_are_there(window):
    assert set(ALSO) <= {found.text for found in menu_actions(window)}


def test_the_sheet_of_keys_fits_on_a_screen_of_960_x_540(window, qtbot, monkeypatch):
    monkeypatch.setattr(QScreen, "availableGeometry", lambda *_: QRect(0, 0, 960, 540))
    QTest.keyClick(window.view, KEY.Key_F1)
    dialog = window.findChild(KeysDialog)
    area = dialog.findChild(QScrollArea)
    assert dialog.width() <= 960
    assert dialog.height() <= 500
    qtbot.waitUntil(lambda: area.verticalScrollBar().maximum() > 0)
    assert area.widget().width() <= area.viewport().width()
    dialog.close()


def test_the_sheet_says_what_keys_do_in_a_ladder():
    assert GESTURES["In a ladder or grid"]["Click, arrows"] == "Show in its slice"
    assert GESTURES["In a ladder or grid"]["Click or Return on a failed one"] == "Make it again"
