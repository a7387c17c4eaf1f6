"""What Help shows: the log of errors that were not foreseen, and what the program is."""

import logging
import sys

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from engine.checkpoint import CHECKPOINTS
from engine.versions import VERSION, library_versions
from studio import menus
from studio.about_dialog import AboutDialog
from studio.log import start_logging

KEY, CTRL, SHIFT = Qt.Key, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def log(tmp_path, monkeypatch):
    """A log file that is written to until the test ends."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    loggers = [logging.getLogger(name) for name in ("engine", "studio")]
    before = [list(logger.handlers) for logger in loggers]
    path = tmp_path / "data" / "nodule-studio.log"
    start_logging(path)
    yield path
    for logger, handlers in zip(loggers, before, strict=True):
        for handler in set(logger.handlers) - set(handlers):
            logger.removeHandler(handler)
            handler.close()


def test_the_log_begins_with_the_first_error_and_has_its_trace(log):
    assert not log.exists()
    try:
        raise ArithmeticError("seven nodules too many")
    except ArithmeticError:
        logging.getLogger("engine.counting").exception("Counting failed")
    written = log.read_text(encoding="utf-8")
    assert "ERROR engine.counting: Counting failed" in written
    assert "Traceback" in written
    assert "seven nodules too many" in written


def test_what_nothing_caught_is_logged(log, capsys):
    error = ArithmeticError("seven nodules too many")
    sys.excepthook(type(error), error, None)
    assert "ArithmeticError: seven nodules too many" in log.read_text(encoding="utf-8")


def test_the_end_that_the_keyboard_asks_for_is_no_error(log, capsys):
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert not log.exists()
    assert "KeyboardInterrupt" in capsys.readouterr().err


def test_what_libraries_warn_of_is_not_logged(log):
    logging.getLogger("pydicom").warning("Invalid value for PatientName")
    assert not log.exists()


def test_a_log_that_cannot_be_written_does_not_stop_the_program(log, tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    start_logging(tmp_path / "file" / "nodule-studio.log")
    assert "There is no log file" in caplog.text


def test_without_a_terminal_there_is_the_file_alone(tmp_path, monkeypatch, log):
    monkeypatch.setattr(sys, "stderr", None)
    other = tmp_path / "other.log"
    start_logging(other)
    logging.getLogger("studio.panel").warning("Odd")
    assert "studio.panel: Odd" in other.read_text(encoding="utf-8")


def test_help_opens_the_log_or_says_that_it_is_empty(window, tmp_path, monkeypatch):
    path, opened = tmp_path / "nodule-studio.log", []
    monkeypatch.setattr(menus, "log_file", lambda: path)
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    QTest.keyClick(window.view, KEY.Key_L, CTRL | SHIFT)
    assert "The log is empty" in window.session.notice.text
    assert opened == []
    path.write_text("Counting failed")
    QTest.keyClick(window.view, KEY.Key_L, CTRL | SHIFT)
    assert [url.toLocalFile() for url in opened] == [str(path)]


def test_about_says_what_runs_and_links_to_cards_that_are_there(window):
    QTest.keyClick(window.view, KEY.Key_F1, CTRL)
    dialog = window.findChild(AboutDialog)
    assert dialog.isVisible()
    said = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert VERSION in said
    assert library_versions()["torch"] in said
    assert "must not be used for diagnosis" in said
    for name in ("nodule", "slice", "scorer"):
        card = CHECKPOINTS / name / "README.md"
        assert card.is_file()
        assert card.as_uri() in said
    dialog.close()
