"""The reader mode from the first trial to the end: what is kept, what is counted, and what goes wrong."""

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QLabel

from engine import study as studies
from engine.errors import InputError
from engine.study import AnswerBook, order_for
from studio import reading as reading_module
from studio.reading import TrialClock
from tests.made_up_study import made_up_study
from tests.studio.conftest import delete_later_now
from tests.studio.reader import answers, press, study_of

KEY = Qt.Key


def closed(window):
    window.close()
    delete_later_now()


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
