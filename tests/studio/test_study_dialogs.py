"""The Study menu: a study is built of the history, read, and analysed; what is missing is said."""

import json
import shutil

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog

from engine import history, study_analysis, study_report, study_sources
from engine.study import AnswerBook, open_study
from studio import analyse_study_dialog
from studio.analyse_study_dialog import AnalyseStudyDialog
from studio.build_study_dialog import BuildStudyDialog
from studio.read_study_dialog import ReadStudyDialog
from tests.engine.study_sources import write_real, write_results
from tests.made_up_study import made_up_answer, made_up_study
from tests.studio.conftest import delete_later_now
from tests.studio.driving import LEFT
from tests.studio.test_opening import drop

KEY = Qt.Key
CTRL_ALT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier


def ask(window, key, kind):
    """Press the key of a menu entry; return the dialog."""
    delete_later_now()
    window.activateWindow()
    QApplication.processEvents()
    QTest.keyClick(window, key, CTRL_ALT)
    dialog = window.findChild(kind)
    assert dialog.isVisible()
    return dialog


# --- building ----------------------------------------------------------------------------------------


@pytest.fixture
def building(make_window, tmp_path, qtbot):
    """The dialog in a window whose history has six results, four of them starred."""
    journal = write_results(tmp_path / "journal", 6)
    for path in sorted(journal.iterdir())[:4]:
        history.star(path, True)
    window = make_window()
    qtbot.waitUntil(lambda: len(window.history.entries) == 6)
    dialog = ask(window, KEY.Key_B, BuildStudyDialog)
    looked_through(dialog, qtbot)
    return dialog


def looked_through(dialog, qtbot):
    qtbot.waitUntil(lambda: "Looking" not in dialog.reason.text())


def limits(dialog):
    return {kind: label.text() for kind, label in dialog.counts.limits.items()}


def test_what_is_possible_is_said_and_proposed(building, qtbot):
    assert building.results.count.text() == "4 of 6"
    assert limits(building) == {
        "find_nodule": "up to 4",
        "real_or_synthetic": "needs real nodules: add a CSV",
        "forced_choice": "needs real nodules: add a CSV",
        "rate_attributes": "up to 4",
    }
    assert building.counts.counts == {"find_nodule": 4, "rate_attributes": 4}
    QTest.mouseClick(building.results.all, LEFT)
    looked_through(building, qtbot)
    assert building.results.count.text() == "6 of 6"
    assert building.counts.counts == {"find_nodule": 6, "rate_attributes": 6}
    QTest.mouseClick(building.results.none, LEFT)
    looked_through(building, qtbot)
    assert set(limits(building).values()) == {"needs results"}
    assert building.reason.text() == "Ask for at least one trial."
    assert not building.build.isEnabled()


def test_real_nodules_make_the_other_kinds_possible(building, tmp_path, write_ct_series, qtbot, monkeypatch):
    real = write_real(tmp_path, 3, write_ct_series)
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, **__: ([str(real)], ""))
    building.crop.setValue(20)
    QTest.mouseClick(building.real.add_file, LEFT)
    looked_through(building, qtbot)
    assert limits(building)["forced_choice"] == "up to 3"
    building.counts.fields["forced_choice"].setValue(5)
    told = '"Which one is synthetic?": 5 asked for, 3 possible; add images, or ask for fewer.'
    assert building.reason.text() == told
    building.real.list.setCurrentRow(0)
    QTest.mouseClick(building.real.remove, LEFT)
    looked_through(building, qtbot)
    assert building.real.paths == ()


def test_another_crop_does_not_read_the_images_again(building, qtbot, monkeypatch):
    read = []
    monkeypatch.setattr(study_sources, "read_sources", lambda *asked: read.append(asked))
    building.crop.setValue(33)
    assert "Looking" in building.reason.text()
    looked_through(building, qtbot)
    assert limits(building)["find_nodule"] == "up to 4"
    assert read == []


def test_a_crop_that_is_too_small_for_a_nodule_is_said_before_building(building, tmp_path, write_ct_series, qtbot):
    """Boxes of results are of 11 pixels of 0.7 mm at most, those of real nodules of 12 of 0.8 mm."""
    building.real.add(write_real(tmp_path, 3, write_ct_series))
    building.crop.setMinimum(9)
    building.crop.setValue(9)
    looked_through(building, qtbot)
    where = f"line 2 of {tmp_path / 'real.csv'}"
    told = f"The box of 9.6 mm in {where} does not fit into crops of 9 mm; give a larger crop."
    assert building.reason.text() == building.build.toolTip() == told
    assert set(limits(building).values()) == {""}
    building.crop.setValue(20)
    looked_through(building, qtbot)
    assert limits(building)["forced_choice"] == "up to 3"


def test_a_real_image_that_cannot_be_read_is_named(building, tmp_path, qtbot):
    (tmp_path / "nodules.csv").write_text("path,slice\nmissing.dcm,0\n")
    building.real.add(tmp_path / "nodules.csv")
    looked_through(building, qtbot)
    assert "missing.dcm" in building.reason.text()
    assert not building.build.isEnabled()


def test_readers_need_codes_and_folder_and_key_a_place(building):
    building.readers.setText("anna, dr. ben")
    assert "'dr. ben'" in building.reason.text()
    building.readers.setText("anna, ben")
    assert building.reason.text() == "Choose a folder for the study: a new or an empty one."


def test_the_study_is_built_and_the_key_lies_beside_it(building, tmp_path, qtbot):
    building.readers.setText("anna, ben")
    building.title.setText("Told apart?")
    building.seed.setValue(7)
    building.folder.text.setText(str(tmp_path / "study"))
    assert building.key.path == tmp_path / "study-KEY.json"
    QTest.mouseClick(building.build, LEFT)
    qtbot.waitUntil(lambda: bool(building.outcome.text()))
    assert building.outcome.text().startswith("A study of 8 trials for 2 readers was written to")
    study = open_study(tmp_path / "study")
    assert (study.title, study.readers, len(study.trials)) == ("Told apart?", ("anna", "ben"), 8)
    assert (tmp_path / "study-KEY.json").is_file()
    QTest.mouseClick(building.build, LEFT)
    qtbot.waitUntil(lambda: "not empty" in building.outcome.text())


def test_without_results_it_says_so(make_window, qtbot):
    dialog = ask(make_window(), KEY.Key_B, BuildStudyDialog)
    looked_through(dialog, qtbot)
    assert dialog.results.count.text() == "The history has no results yet."
    assert not dialog.results.starred.isEnabled()
    assert dialog.results.starred.toolTip()
    assert dialog.real.state.text() == dialog.real.remove.toolTip() == "Nothing is listed yet."


def test_where_no_result_is_starred_it_says_so(make_window, tmp_path, qtbot):
    write_results(tmp_path / "journal", 6)
    window = make_window()
    qtbot.waitUntil(lambda: len(window.history.entries) == 6)
    picker = ask(window, KEY.Key_B, BuildStudyDialog).results
    assert not picker.starred.isEnabled()
    assert picker.count.text() == "6 of 6, none is starred"


# --- reading -----------------------------------------------------------------------------------------


def answer_all(study, reader, but=0):
    draw = np.random.default_rng(1)
    with AnswerBook(study, reader) as book:
        for trial in study.trials[: len(study.trials) - but]:
            book.record(made_up_answer(trial, draw))


def test_a_study_is_chosen_and_read_on_the_whole_screen(make_window, tmp_path, qtbot):
    study = made_up_study(tmp_path / "study")
    answer_all(study, "ben", but=3)
    window = make_window()
    dialog = ask(window, KEY.Key_R, ReadStudyDialog)
    assert dialog.reason.text() == "Choose the folder of a study."
    dialog.folder.text.setText(str(study.folder))
    assert dialog.reason.text() == "Choose a reader."
    assert not dialog.read.isEnabled()
    dialog.readers.setCurrentText("ben")
    assert dialog.reason.text() == "5 of 8 trials are answered; it goes on from there."
    QTest.mouseClick(dialog.read, LEFT)
    reading = window.studies.reading
    assert reading.isFullScreen()
    assert reading.rest.progress.text() == "Reader ben  ·  5 of 8 answered"
    with qtbot.waitSignal(reading.closed):
        QTest.keyClick(reading, KEY.Key_Q)
    assert window.studies.reading is None
    assert ask(window, KEY.Key_R, ReadStudyDialog).folder.path == study.folder


def test_nobody_reads_as_somebody_whom_they_did_not_choose(make_window, tmp_path):
    """A choice stays with readers who are still in the list; the only one of a study needs none."""
    study, other = made_up_study(tmp_path / "study"), made_up_study(tmp_path / "other", readers=("dora", "ben"))
    alone = made_up_study(tmp_path / "alone", readers=("dora",))
    dialog = ask(make_window(), KEY.Key_R, ReadStudyDialog)
    seen = []
    for folder, chosen in ((study, "ben"), (other, None), (study, "anna"), (other, None), (alone, None)):
        dialog.folder.text.setText(str(folder.folder))
        if chosen:
            dialog.readers.setCurrentText(chosen)
        seen.append((dialog.reader, dialog.read.isEnabled(), dialog.reason.text()))
    assert seen == [
        *[(reader, True, "8 trials.") for reader in ("ben", "ben", "anna")],
        ("", False, "Choose a reader."),
        ("dora", True, "8 trials."),
    ]


def test_a_dropped_study_is_proposed(make_window, tmp_path):
    study = made_up_study(tmp_path / "study")
    window = make_window()
    drop(window, study.folder)
    assert window.findChild(ReadStudyDialog).folder.path == study.folder


def test_what_cannot_be_read_is_told_in_one_sentence(make_window, tmp_path):
    study = made_up_study(tmp_path / "study")
    answer_all(study, "anna")
    (study.folder / "answers" / "ben.jsonl").write_text("{}\n")
    dialog = ask(make_window(), KEY.Key_R, ReadStudyDialog)
    dialog.folder.text.setText(str(study.folder))
    dialog.readers.setCurrentText("anna")
    assert dialog.reason.text() == "anna has answered all 8 trials."
    assert not dialog.read.isEnabled()
    dialog.readers.setCurrentText("ben")
    assert "damaged" in dialog.reason.text()
    dialog.readers.setCurrentText("R-3")
    assert dialog.read.isEnabled()
    (tmp_path / "other").mkdir()
    dialog.folder.text.setText(str(tmp_path / "other"))
    assert "is no reader study" in dialog.reason.text()
    (study.folder / "study.json").write_text(json.dumps({"format_version": 1}))
    dialog.folder.text.setText(str(study.folder))
    assert "is incomplete" in dialog.reason.text()
    assert not dialog.read.isEnabled()


def test_answers_that_are_open_elsewhere_are_not_opened_twice(make_window, tmp_path):
    study = made_up_study(tmp_path / "study")
    window = make_window()
    with AnswerBook(study, "anna"):
        window.studies.read(study, "anna")
    assert window.studies.reading is None
    assert "open in another window" in window.session.notice.text


def test_the_window_closes_with_a_study_being_read(make_window, tmp_path):
    study = made_up_study(tmp_path / "study")
    window = make_window()
    window.studies.read(study, "anna")
    window.close()
    with AnswerBook(study, "anna") as book:
        assert not book.answers


# --- analysing ---------------------------------------------------------------------------------------


def test_a_study_is_analysed_and_the_report_opened(make_window, tmp_path, qtbot, monkeypatch):
    """The report itself is tested beside the engine, which takes its time."""
    opened = []
    monkeypatch.setattr(analyse_study_dialog.QDesktopServices, "openUrl", opened.append)
    monkeypatch.setattr(study_analysis, "analyse_study", lambda folder, key: f"{folder.name} {key.name}")

    def write(figures, out):
        out.mkdir()
        (out / "report.html").write_text(figures)
        return out / "figures.csv", out / "report.html"

    monkeypatch.setattr(study_report, "write_report", write)
    study = made_up_study(tmp_path / "study")
    dialog = ask(make_window(), KEY.Key_A, AnalyseStudyDialog)
    assert dialog.reason.text() == "Choose the folder of the study."
    dialog.folder.text.setText(str(study.folder))
    assert dialog.reason.text() == "Choose the key that was written when the study was built."
    dialog.key.text.setText(str(tmp_path / "KEY.json"))
    assert dialog.out.path == tmp_path / "study-report"
    QTest.mouseClick(dialog.analyse, LEFT)
    assert dialog.reason.text() == "Analysing…"
    qtbot.waitUntil(lambda: bool(dialog.outcome.text()))
    assert dialog.outcome.text() == f"Written to {tmp_path / 'study-report'}: figures.csv, report.html"
    report = tmp_path / "study-report" / "report.html"
    assert report.read_text() == "study KEY.json"
    assert [url.toLocalFile() for url in opened] == [str(report)]
    assert dialog.open_button.isVisible()


def test_a_key_of_another_study_is_refused(make_window, tmp_path, qtbot):
    study = made_up_study(tmp_path / "study")
    (tmp_path / "KEY.json").write_text("{}")
    dialog = ask(make_window(), KEY.Key_A, AnalyseStudyDialog)
    dialog.folder.text.setText(str(study.folder))
    dialog.key.text.setText(str(tmp_path / "KEY.json"))
    QTest.mouseClick(dialog.analyse, LEFT)
    qtbot.waitUntil(lambda: bool(dialog.outcome.text()))
    assert "KEY.json" in dialog.outcome.text()
    assert dialog.outcome.text().count(".") <= 3
    assert not dialog.open_button.isVisible()
    shutil.rmtree(study.folder)
