"""What can be done with a result of the history: under which names, with which keys, and how it is undone."""

import pytest
from PySide6.QtTest import QTest

from studio.history_list import Which
from studio.history_strip import entry_menu
from studio.keys_dialog import GESTURES
from studio.menu_actions import menu_actions
from tests.studio import test_history
from tests.studio.driving import LEFT
from tests.studio.test_history import CTRL, KEY, SHIFT, card_at, click, seed_shown, seeds

#: Fixtures are found by their names in the file of a test.
three = test_history.three


def undo_all(window):
    """Undo step by step; return what was shown and set after each step."""
    seen = []
    while window.session.undo_stack.canUndo():
        QTest.keyClick(window.view, KEY.Key_Z, CTRL)
        seen.append((seed_shown(window), window.session.options, window.session.box))
    return seen


def test_after_a_double_click_each_undo_changes_what_is_seen(three, qtbot):
    click(three, 2)
    qtbot.waitUntil(lambda: seed_shown(three) == 1)
    QTest.mouseDClick(three.strip.list.viewport(), LEFT, pos=card_at(three, 2))
    qtbot.waitUntil(lambda: three.session.options.seed == 1 and not three.session.doing)
    QTest.keyClick(three.view, KEY.Key_Z, CTRL)
    assert (seed_shown(three), three.session.options.seed) == (1, 3)
    QTest.keyClick(three.view, KEY.Key_Z, CTRL)
    assert (seed_shown(three), three.session.options.seed) == (3, 3)


def test_an_arrow_then_return_twice_leaves_no_step_that_shows_nothing(three, qtbot):
    three.strip.list.setFocus()
    click(three, 0)
    QTest.keyClick(three.strip.list, KEY.Key_Right)
    qtbot.waitUntil(lambda: seed_shown(three) == 2)
    for _ in range(2):
        QTest.keyClick(three.strip.list, KEY.Key_Return)
        qtbot.waitUntil(lambda: three.session.options.seed == 2 and not three.session.doing)
    last = (2, three.session.options, three.session.box)
    for now in undo_all(three):
        assert now != last
        last = now


def test_what_is_shown_already_is_gone_to_when_it_is_chosen_again(three, qtbot):
    steps = three.session.undo_stack.count()
    three.session.go_to_slice(0)
    click(three, 0)
    qtbot.waitUntil(lambda: three.session.slice_index == 2)
    assert seed_shown(three) == 3
    assert three.session.undo_stack.count() == steps


@pytest.mark.parametrize("keys", [(KEY.Key_Delete, SHIFT), (KEY.Key_S,), (KEY.Key_R, CTRL), (KEY.Key_H, SHIFT)])
def test_while_the_history_is_hidden_nothing_of_it_is_chosen(three, qtbot, keys):
    click(three, 2)
    qtbot.waitUntil(lambda: seed_shown(three) == 1)
    steps, before = three.session.undo_stack.count(), three.history.entries
    QTest.keyClick(three.view, KEY.Key_H)
    QTest.keyClick(three.view, *keys)
    assert three.notice_bar.text.text() == "The history is hidden: show it (H), and choose a result."
    assert (three.history.entries, three.session.undo_stack.count()) == (before, steps)
    assert not three.session.doing
    QTest.keyClick(three.view, KEY.Key_H)
    assert three.strip.entry.options.seed == 1


def test_keys_of_the_menu_choose_what_is_listed(three):
    click(three, 1)
    QTest.keyClick(three.view, KEY.Key_S)
    QTest.keyClick(three.view, KEY.Key_H)
    QTest.keyClick(three.view, KEY.Key_5, CTRL)
    assert three.strip.is_open
    assert seeds(three) == [2]
    three.strip.which.setCurrentIndex(0)
    actions = {found.text: found.action for found in menu_actions(three) if found.menus == ("History", "Filter")}
    assert list(actions) == [which.value for which in Which]
    assert [name for name, action in actions.items() if action.isChecked()] == ["All results"]
    QTest.keyClick(three.view, KEY.Key_8, CTRL)
    assert three.strip.which.currentText() == "Deleted"
    assert seeds(three) == []


def test_show_and_take_settings_has_keys_beside_the_list(three, qtbot):
    click(three, 2)
    qtbot.waitUntil(lambda: seed_shown(three) == 1)
    QTest.keyClick(three.view, KEY.Key_D)
    QTest.keyClick(three.view, KEY.Key_H, SHIFT)
    qtbot.waitUntil(lambda: seed_shown(three) == 1)
    assert three.session.options.seed == 3
    QTest.keyClick(three.view, KEY.Key_D)
    QTest.keyClick(three.view, KEY.Key_H, CTRL | SHIFT)
    qtbot.waitUntil(lambda: seed_shown(three) == 1)
    assert three.session.options.seed == 1


def test_each_act_has_one_name_and_an_icon_of_its_own(three, qtbot):
    click(three, 1)
    in_history = [found for found in menu_actions(three) if found.menus == ("History",)]
    names = {found.text for found in in_history}
    shown_of_entry = entry_menu(three.strip.list.entry, three.looking, three)
    in_context = [action.text().split("\t")[0] for action in shown_of_entry.actions()]
    acts = ["Show in its slice", "Show and take settings", "Take settings only", "Restore all of it"]
    assert in_context[:4] == acts
    assert set(acts) <= names
    assert three.strip.use.text() == "Show and take settings"
    assert three.strip.use.toolTip().startswith("Show and take settings (")
    assert {GESTURES[part]["Double-click, Return"] for part in ("In the history", "In a ladder or grid")} == {acts[1]}
    pictures = [bytes(picture_of_icon(action)) for action in shown_of_entry.actions()]
    assert len(set(pictures)) == len(pictures)


def picture_of_icon(action):
    return action.icon().pixmap(24, 24).toImage().constBits()


def test_with_a_starred_result_chosen_the_window_fits_on_a_screen_of_960_x_540(three):
    click(three, 1)
    QTest.keyClick(three.view, KEY.Key_S)
    assert three.strip.star.text() == "Unstar"
    assert three.strip.minimumSizeHint().width() + three.panel.minimumSizeHint().width() <= 960
