"""The dialogs of reader studies on a small screen, and closed while they write: the window never waits for them."""

import threading
import time

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QScreen
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QScrollArea

from engine import study_analysis, study_building, study_report
from engine.errors import InputError
from studio import analyse_study_dialog
from studio.analyse_study_dialog import AnalyseStudyDialog
from studio.build_study_dialog import BuildStudyDialog
from tests.made_up_study import made_up_study
from tests.studio import test_study_dialogs
from tests.studio.driving import LEFT
from tests.studio.test_study_dialogs import CTRL_ALT, ask, looked_through

KEY = Qt.Key
#: Fixtures are found by their names in the file of a test.
building = test_study_dialogs.building


class SlowWork:
    """Stands in for what writes files: waits until it is let go on, then writes one."""

    def __init__(self, file, error=None):
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._file = file
        self._error = error

    def __call__(self, *args):
        self.begun.set()
        assert self.go_on.wait(30)
        if self._error:
            raise self._error
        self._file.parent.mkdir()
        self._file.write_text("whole")
        return (self._file,)


def start_building(dialog, tmp_path, monkeypatch, error=None):
    work = SlowWork(tmp_path / "study" / "study.json", error)
    monkeypatch.setattr(study_building, "build_study", work)
    dialog.folder.text.setText(str(tmp_path / "study"))
    QTest.mouseClick(dialog.build, LEFT)
    assert work.begun.wait(10)
    return work


def close_at_once(dialog):
    before = time.monotonic()
    QTest.keyClick(dialog, KEY.Key_Escape)
    assert time.monotonic() - before < 5
    assert not dialog.isVisible()


def ask_again(window, key):
    window.activateWindow()
    QApplication.processEvents()
    QTest.keyClick(window, key, CTRL_ALT)


@pytest.mark.parametrize("is_written", [True, False])
def test_esc_while_a_study_is_built_does_not_wait_and_the_end_is_told(
    building, tmp_path, qtbot, monkeypatch, is_written
):
    window = building.parent()
    work = start_building(building, tmp_path, monkeypatch, None if is_written else InputError("The disk is full."))
    close_at_once(building)
    assert "Building the study" in window.session.doing
    ask_again(window, KEY.Key_B)
    assert window.session.notice.text.startswith("The last study is still being written")
    window.session.notice = None
    work.go_on.set()
    qtbot.waitUntil(lambda: window.findChild(BuildStudyDialog) is None)
    said = f"was written to {tmp_path / 'study'}" if is_written else "The disk is full."
    assert said in window.session.notice.text
    assert (tmp_path / "study" / "study.json").exists() is is_written
    assert not window.session.doing


def test_at_its_end_the_program_waits_until_a_study_is_whole_and_says_nothing(building, tmp_path, monkeypatch):
    window = building.parent()
    work = start_building(building, tmp_path, monkeypatch)
    close_at_once(building)
    threading.Timer(0.2, work.go_on.set).start()
    window.close()
    assert (tmp_path / "study" / "study.json").read_text() == "whole"
    QApplication.processEvents()
    assert window.session.notice is None


@pytest.fixture
def analysing(make_window, tmp_path, monkeypatch):
    """The dialog that analyses a study, and what writes its report; nothing is opened."""
    study, work = made_up_study(tmp_path / "study"), SlowWork(tmp_path / "report" / "report.html")
    opened = []
    monkeypatch.setattr(analyse_study_dialog.QDesktopServices, "openUrl", opened.append)
    monkeypatch.setattr(study_analysis, "analyse_study", lambda folder, key: "figures")
    monkeypatch.setattr(study_report, "write_report", work)
    dialog = ask(make_window(), KEY.Key_A, AnalyseStudyDialog)
    dialog.folder.text.setText(str(study.folder))
    dialog.key.text.setText(str(tmp_path / "KEY.json"))
    QTest.mouseClick(dialog.analyse, LEFT)
    assert work.begun.wait(10)
    yield dialog, work
    work.go_on.set()
    assert opened == []


def test_esc_while_a_study_is_analysed_does_not_wait_and_the_end_is_told(analysing, tmp_path, qtbot):
    dialog, work = analysing
    window = dialog.parent()
    close_at_once(dialog)
    ask_again(window, KEY.Key_A)
    assert window.session.notice.text.startswith("The last report is still being written")
    work.go_on.set()
    qtbot.waitUntil(lambda: window.findChild(AnalyseStudyDialog) is None)
    assert window.session.notice.text == f"The report of the study was written to {tmp_path / 'report'}."


def test_at_its_end_the_program_waits_until_a_report_is_whole_and_opens_nothing(analysing, tmp_path):
    dialog, work = analysing
    threading.Timer(0.2, work.go_on.set).start()
    dialog.parent().close()
    assert (tmp_path / "report" / "report.html").read_text() == "whole"
    QApplication.processEvents()


def test_building_a_study_fits_on_a_screen_of_960_x_540(make_window, qtbot, monkeypatch):
    monkeypatch.setattr(QScreen, "availableGeometry", lambda *_: QRect(0, 0, 960, 540))
    dialog = ask(make_window(), KEY.Key_B, BuildStudyDialog)
    looked_through(dialog, qtbot)
    assert dialog.width() <= 960
    assert dialog.height() <= 500
    qtbot.waitUntil(lambda: dialog.rect().contains(dialog.build.geometry()))
    area = dialog.findChild(QScrollArea)
    assert area.widget().width() <= area.viewport().width()
    while not dialog.key.text.hasFocus():
        QTest.keyClick(dialog.focusWidget(), KEY.Key_Tab)
    qtbot.waitUntil(lambda: not dialog.key.text.visibleRegion().isEmpty())
