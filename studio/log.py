"""The log: errors that nobody foresaw, in a file on this computer, which Help > Show the log opens."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from engine.journal import journal_folder
from studio.session import Session

#: Only ours are logged: what libraries warn of can quote a DICOM header.
_PACKAGES = ("engine", "studio")
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LARGEST = 1_000_000

logger = logging.getLogger(__name__)


def log_file() -> Path:
    """Return where the studio logs to: in the user's data folder, beside the journal. It need not exist."""
    return journal_folder().parent / "nodule-studio.log"


def start_logging(path: Path) -> None:
    """Log warnings, errors and exceptions that nothing caught to a file, and to the terminal if there is one.

    The file begins with the first of them, and makes room at a megabyte. Where it cannot be written, the terminal says
    so.
    """
    # A program without a terminal, as Windows starts it, has no standard error.
    handlers: list[logging.Handler] = [logging.StreamHandler()] if sys.stderr else []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(RotatingFileHandler(path, maxBytes=_LARGEST, backupCount=1, encoding="utf-8", delay=True))
        failure = None
    except OSError as error:
        failure = error
    for handler in handlers:
        handler.setFormatter(logging.Formatter(_FORMAT))
        for package in _PACKAGES:
            logging.getLogger(package).addHandler(handler)
    if failure:
        logger.warning("There is no log file %s: %s", path, failure)
    sys.excepthook = _log_uncaught


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log what Qt would only print: an exception in a slot does not end the program."""
    if issubclass(kind, Exception):
        logger.error("Not caught", exc_info=(kind, error, trace))
    else:
        sys.__excepthook__(kind, error, trace)


def show_log(session: Session, path: Path) -> None:
    """Open the log with the program that the system has for it, or say that there is none."""
    if path.is_file():
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
    else:
        session.say("The log is empty: there was no unforeseen error.")
