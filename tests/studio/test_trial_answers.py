"""Every kind of trial is answered by keys and mouse."""

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from tests.made_up_study import SHAPE
from tests.studio.driving import LEFT, at
from tests.studio.reader import answers, press, study_of

KEY = Qt.Key


def test_real_or_synthetic_is_answered_with_a_digit_and_enter(read, tmp_path, time):
    study = study_of(tmp_path, real_or_synthetic=2)
    window = read(study)
    page = window.trials
    assert (page.progress.text(), page.missing.text()) == ("1 of 2", "Choose from 1 to 6.")
    assert not page.confirm.isEnabled()
    press(window, KEY.Key_Return)
    assert answers(study) == []
    press(window, KEY.Key_2, KEY.Key_5)
    time.now += 4.25
    press(window, KEY.Key_Enter)
    (answer,) = answers(study)
    assert (answer.value, answer.confidence, answer.seconds) == (5, None, 4.25)
    assert page.progress.text() == "2 of 2"
    assert page.answer.value is None


def test_arrows_step_through_the_choices_and_a_click_chooses(read, tmp_path):
    study = study_of(tmp_path, real_or_synthetic=2)
    window = read(study)
    press(window, KEY.Key_Left, KEY.Key_Left, KEY.Key_Right, KEY.Key_Right, KEY.Key_Left, KEY.Key_Return)
    QTest.mouseClick(window.trials.answer.choices.buttons[1], LEFT)
    QTest.mouseClick(window.trials.confirm, LEFT)
    assert [answer.value for answer in answers(study)] == [5, 2]


def test_a_forced_choice_by_arrows_and_by_a_click_on_the_image(read, tmp_path):
    study = study_of(tmp_path, forced_choice=2)
    window = read(study)
    view = window.trials.view
    press(window, KEY.Key_Left, KEY.Key_Right)
    assert view.chosen == 1
    press(window, KEY.Key_Return)
    assert view.chosen is None
    QTest.mouseClick(view, LEFT, pos=QPoint(view.width() // 4, view.height() // 2))
    assert view.chosen == 0
    press(window, KEY.Key_Return)
    assert [answer.value for answer in answers(study)] == ["right", "left"]


def test_scores_are_given_row_after_row_and_can_be_changed_before_they_are_confirmed(read, tmp_path):
    study = study_of(tmp_path, rate_attributes=1)
    window = read(study)
    page = window.trials
    press(window, KEY.Key_3, KEY.Key_4, KEY.Key_6, KEY.Key_1)
    assert page.missing.text() == "Score spiculation and texture."
    press(window, KEY.Key_2, KEY.Key_5)
    press(window, KEY.Key_Up, KEY.Key_Up, KEY.Key_Right)
    assert not page.missing.text()
    QTest.mouseClick(page.answer.choices[0].buttons[0], LEFT)
    press(window, KEY.Key_Return)
    assert answers(study)[0].value == (1, 4, 2, 2, 5)


def hold(window, key, text="", times=5):
    """Send what a key that is held sends again and again."""
    held = QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier, text, True)
    for _ in range(times):
        QApplication.sendEvent(window, held)


def test_a_digit_that_is_held_scores_one_attribute(read, tmp_path):
    window = read(study_of(tmp_path, rate_attributes=1))
    press(window, KEY.Key_3)
    hold(window, KEY.Key_3, "3")
    assert window.trials.answer.value == (3,)
    hold(window, KEY.Key_Right)
    assert window.trials.answer.value == (3,)


def test_an_n_that_is_held_is_not_taken_back(read, tmp_path):
    window = read(study_of(tmp_path, find_nodule=1))
    press(window, KEY.Key_N)
    hold(window, KEY.Key_N, "n")
    assert window.trials.missing.text() == "Say how sure you are, from 1 to 6."
    hold(window, KEY.Key_4, "4")
    assert window.trials.answer.confidence is None


@pytest.mark.parametrize("kind", ["real_or_synthetic", "forced_choice"])
def test_an_arrow_that_is_held_since_the_trial_before_answers_nothing(read, tmp_path, kind):
    window = read(study_of(tmp_path, **{kind: 1}))
    hold(window, KEY.Key_Right)
    assert window.trials.answer.value is None


def test_names_of_the_scores_are_those_of_table_1(read, tmp_path):
    window = read(study_of(tmp_path, rate_attributes=1))
    names = [button.accessibleName() for button in window.trials.answer.choices[4].buttons]
    assert names == [
        "1: Non-Solid/GGO",
        "2: Non-Solid/Mixed",
        "3: Part-Solid/Mixed",
        "4: Solid/Mixed",
        "5: Solid",
    ]


def test_a_nodule_is_marked_with_a_click(read, tmp_path):
    study = study_of(tmp_path, find_nodule=1)
    window = read(study)
    view = window.trials.view
    QTest.mouseClick(view, LEFT, pos=at(view, 12.5, 30.5))
    assert window.trials.missing.text() == "Say how sure you are, from 1 to 6."
    press(window, KEY.Key_4, KEY.Key_Return)
    (answer,) = answers(study)
    assert answer.value == pytest.approx((12.5, 30.5), abs=0.1)
    assert answer.confidence == 4


def test_a_nodule_is_marked_with_keys_alone(read, tmp_path):
    study = study_of(tmp_path, find_nodule=1)
    window = read(study)
    press(window, *[KEY.Key_Up] * 3, *[KEY.Key_Right] * 2)
    assert "press Enter" in window.trials.missing.text()
    press(window, KEY.Key_Return, KEY.Key_6)
    assert answers(study) == []
    press(window, KEY.Key_Return)
    assert answers(study)[0].value == (SHAPE[0] / 2 - 3, SHAPE[1] / 2 + 2)


def test_a_held_arrow_moves_the_cross_faster(read, tmp_path):
    window = read(study_of(tmp_path, find_nodule=1))
    hold(window, KEY.Key_Left, times=1)
    assert window.trials.view.cross == (SHAPE[0] / 2, SHAPE[1] / 2 - 4)
    hold(window, KEY.Key_Left, times=20)
    assert window.trials.view.cross == (SHAPE[0] / 2, 0)


def test_no_nodule_takes_the_mark_away(read, tmp_path):
    study = study_of(tmp_path, find_nodule=1)
    window = read(study)
    view = window.trials.view
    QTest.mouseClick(view, LEFT, pos=at(view, 12, 30))
    press(window, KEY.Key_N)
    assert view.mark is None
    press(window, KEY.Key_1, KEY.Key_Return)
    assert (answers(study)[0].value, answers(study)[0].confidence) == (None, 1)


def test_a_click_beside_the_image_marks_nothing(read, tmp_path):
    window = read(study_of(tmp_path, find_nodule=1))
    view = window.trials.view
    QTest.mouseClick(view, LEFT, pos=at(view, -1, 10))
    assert view.mark is None
