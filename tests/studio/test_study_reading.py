"""The reader mode: every kind of trial by keys and mouse, what is kept, and what is counted."""

from time import monotonic

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from engine import study as studies
from engine.errors import InputError
from engine.study import AnswerBook, order_for, read_answers
from studio import reading as reading_module
from studio.reading import Reading, TrialClock
from studio.reading_window import ReadingWindow
from tests.made_up_study import BOX, SHAPE, made_up_study
from tests.scripted_engine import PATIENCE
from tests.studio.conftest import delete_later_now
from tests.studio.driving import LEFT, MIDDLE, RIGHT, at, wheel

KEY, SHIFT, CTRL = Qt.Key, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


class Time:
    """A clock that goes only when it is told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def read(qapp, qtbot, time):
    """Open the reader mode of a study for a reader; close it after the test."""
    windows = []

    def open_window(study, reader="anna", begin=True):
        window = ReadingWindow(Reading(AnswerBook(study, reader), TrialClock(time)))
        windows.append(window)
        window.show()
        window.activateWindow()
        with qtbot.waitActive(window):
            pass
        if begin:
            press(window, KEY.Key_Return)
            qtbot.waitUntil(lambda: window.is_reading)
        return window

    yield open_window
    for window in windows:
        try:
            window.close()
        except RuntimeError:  # The test has closed it.
            continue
    delete_later_now()


def press(window, *keys, modifier=Qt.KeyboardModifier.NoModifier):
    """Press keys, and wait for the images that are shown then: nobody answers what is not shown."""
    for key in keys:
        QTest.keyClick(window, key, modifier)
        deadline = monotonic() + PATIENCE
        while not window.is_reading and window.rest.title.text() == "One moment":
            assert monotonic() < deadline
            QApplication.processEvents()


def study_of(tmp_path, **counts):
    return made_up_study(tmp_path / "study", counts=counts)


def answers(study, reader="anna"):
    found = read_answers(study, reader)
    return [found[number] for number in order_for(study, reader) if number in found]


def closed(window):
    window.close()
    delete_later_now()


# --- the kinds of trial ------------------------------------------------------------------------------


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
    held = QKeyEvent(QEvent.Type.KeyPress, KEY.Key_Left, Qt.KeyboardModifier.NoModifier, "", True)
    QApplication.sendEvent(window, held)
    assert window.trials.view.cross == (SHAPE[0] / 2, SHAPE[1] / 2 - 4)
    for _ in range(20):
        QApplication.sendEvent(window, held)
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


# --- the way through ---------------------------------------------------------------------------------


def test_every_kind_is_introduced_and_the_end_closes(read, tmp_path, qtbot):
    study = made_up_study(tmp_path / "study", counts=dict.fromkeys(studies.TRIAL_KINDS, 1))
    window = read(study, begin=False)
    given = {
        "find_nodule": [KEY.Key_N, KEY.Key_3],
        "real_or_synthetic": [KEY.Key_4],
        "forced_choice": [KEY.Key_Left],
        "rate_attributes": [KEY.Key_1, KEY.Key_2, KEY.Key_3, KEY.Key_4, KEY.Key_5],
    }
    for number, keys in enumerate(given.values()):
        assert not window.is_reading
        assert window.rest.progress.text() == f"Reader anna  ·  {number} of 4 answered"
        assert "cannot be changed" in window.rest.text.text()
        press(window, KEY.Key_Space)
        qtbot.waitUntil(lambda: window.is_reading)
        press(window, *keys, KEY.Key_Return)
    assert window.rest.title.text() == "All done"
    assert [answer.kind for answer in answers(study)] == list(given)
    with qtbot.waitSignal(window.closed):
        press(window, KEY.Key_Return)


def test_closed_in_the_middle_it_goes_on_where_it_stopped(read, tmp_path):
    study = study_of(tmp_path, real_or_synthetic=5)
    window = read(study)
    press(window, KEY.Key_1, KEY.Key_Return, KEY.Key_2, KEY.Key_Return, KEY.Key_3)
    closed(window)
    assert [answer.value for answer in answers(study)] == [1, 2]
    window = read(study, begin=False)
    assert window.rest.progress.text() == "Reader anna  ·  2 of 5 answered"
    press(window, KEY.Key_Return)
    press(window, KEY.Key_6, KEY.Key_Return, KEY.Key_5, KEY.Key_Return, KEY.Key_4, KEY.Key_Return)
    assert [answer.value for answer in answers(study)] == [1, 2, 6, 5, 4]
    assert window.rest.title.text() == "All done"


def test_an_answer_is_on_the_disk_before_the_next_trial_is_shown(read, tmp_path, monkeypatch):
    study = study_of(tmp_path, real_or_synthetic=2)
    window = read(study)
    kept = []
    show = window.trials.show_trial
    monkeypatch.setattr(window.trials, "show_trial", lambda *what: (kept.append(len(answers(study))), show(*what)))
    press(window, KEY.Key_1, KEY.Key_Return)
    assert kept == [1]


def test_a_second_window_for_the_same_reader_is_refused(read, tmp_path):
    study = study_of(tmp_path, real_or_synthetic=1)
    read(study)
    with pytest.raises(InputError, match="open in another window"):
        AnswerBook(study, "anna")


def test_the_next_images_are_there_before_they_are_wanted(read, tmp_path, qtbot, monkeypatch):
    asked = []
    monkeypatch.setattr(
        reading_module,
        "trial_images",
        lambda study, trial: (asked.append(trial.number), studies.trial_images(study, trial))[1],
    )
    study = study_of(tmp_path, real_or_synthetic=3)
    window = read(study)
    order = list(order_for(study, "anna"))
    qtbot.waitUntil(lambda: sorted(asked) == sorted(order[:2]) and len(window._reading._images) == 2)
    press(window, KEY.Key_1, KEY.Key_Return)
    assert window.is_reading
    assert window.trials.progress.text() == "2 of 3"
    qtbot.waitUntil(lambda: sorted(asked) == sorted(order))


def test_held_enter_confirms_once(read, tmp_path):
    study = study_of(tmp_path, real_or_synthetic=2)
    window = read(study)
    press(window, KEY.Key_1)
    held = QKeyEvent(QEvent.Type.KeyPress, KEY.Key_Return, Qt.KeyboardModifier.NoModifier, "\r", True)
    QApplication.sendEvent(window, held)
    assert answers(study) == []


# --- the clock ---------------------------------------------------------------------------------------


def test_the_clock_counts_from_zero_and_only_while_it_runs(time):
    clock = TrialClock(time)
    time.now += 5
    assert clock.seconds == 0
    clock.start()
    time.now += 2
    clock.start()
    clock.stop()
    time.now += 30
    clock.start()
    time.now += 1
    assert clock.seconds == 3
    clock.reset()
    assert clock.seconds == 0


def test_a_pause_is_not_counted_hides_the_image_and_keeps_what_was_begun(read, tmp_path, time):
    study = study_of(tmp_path, real_or_synthetic=1)
    window = read(study)
    time.now += 2
    press(window, KEY.Key_3, KEY.Key_Escape)
    assert window.rest.title.text() == "Paused"
    assert not window.trials.view.isVisible()
    time.now += 600
    press(window, KEY.Key_Return)
    time.now += 1
    press(window, KEY.Key_Return)
    assert (answers(study)[0].value, answers(study)[0].seconds) == (3, 3)


def test_another_window_pauses(read, tmp_path, time, qtbot):
    study = study_of(tmp_path, real_or_synthetic=1)
    window = read(study)
    window.setWindowModality(Qt.WindowModality.NonModal)
    other = QLabel("other")
    other.show()
    other.activateWindow()
    with qtbot.waitActive(other):
        pass
    assert window.rest.title.text() == "Paused"
    other.close()
    other.deleteLater()


def test_q_stops_on_a_break_only(read, tmp_path, qtbot):
    window = read(study_of(tmp_path, real_or_synthetic=1))
    press(window, KEY.Key_Q)
    assert window.isVisible()
    press(window, KEY.Key_Escape)
    with qtbot.waitSignal(window.closed):
        press(window, KEY.Key_Q)


# --- the view ----------------------------------------------------------------------------------------


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


# --- what goes wrong ---------------------------------------------------------------------------------


def test_damaged_images_are_told_in_one_sentence_and_can_be_put_right(read, tmp_path, qtbot):
    study = study_of(tmp_path, real_or_synthetic=2)
    second = order_for(study, "anna")[1]
    path = study.folder / "trials" / f"{second:04}.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    window = read(study)
    press(window, KEY.Key_1, KEY.Key_Return)
    qtbot.waitUntil(lambda: window.rest.title.text() == "This trial cannot be shown")
    assert "were changed; copy" in window.rest.text.text()
    path.write_bytes(whole)
    press(window, KEY.Key_Return)
    qtbot.waitUntil(lambda: window.is_reading)
    press(window, KEY.Key_2, KEY.Key_Return)
    assert [answer.value for answer in answers(study)] == [1, 2]


def test_an_answer_that_cannot_be_saved_is_not_lost(read, tmp_path, monkeypatch):
    study = study_of(tmp_path, real_or_synthetic=1)
    window = read(study)
    with monkeypatch.context() as patch:

        def full(self, answer):
            raise InputError("The answers could not be saved (disk full); make room.")

        patch.setattr(AnswerBook, "record", full)
        press(window, KEY.Key_5, KEY.Key_Return)
        assert window.trials.message.text() == "The answers could not be saved (disk full); make room."
        assert window.is_reading
    press(window, KEY.Key_Return)
    assert answers(study)[0].value == 5
