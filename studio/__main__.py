"""Starts the program: `nodule-studio [FILE OR FOLDER]`."""

from __future__ import annotations

import argparse
import locale
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QLocale, QTimer
from PySide6.QtWidgets import QApplication

from engine.checkpoint import DEFAULT_CHECKPOINT, DEFAULT_SLICE_CHECKPOINT
from engine.job_runner import default_runner
from engine.journal import journal_folder
from studio.autosave import take_session_file
from studio.engine_client import EngineClient
from studio.history import History
from studio.log import log_file, start_logging
from studio.main_window import MainWindow
from studio.theme import apply_theme


def main(argv: Sequence[str] | None = None) -> int:
    """Show the window, then load the model; return the exit code."""
    options = _parser().parse_args(argv)
    start_logging(log_file())
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    _use_decimal_points()
    app.setApplicationName("Nodule Studio")
    app.setOrganizationName("Nodule Studio")
    app.setDesktopFileName("nodule-studio")
    apply_theme(app)
    history = History(journal_folder())
    engine = EngineClient(partial(default_runner, options.checkpoint, options.slice_checkpoint), history.record)
    session_file, _taken = take_session_file(journal_folder().parent)
    window = MainWindow(engine, history, session_file)
    window.first_painted.connect(lambda: QTimer.singleShot(0, engine.start))
    window.show()
    if options.path:
        # Results and sessions name it, and the next start may be in another folder.
        window.open_path(options.path.absolute())
    return app.exec()


def _use_decimal_points() -> None:
    """Read and write numbers in one way on all systems, with a point. Call it once the application is there.

    That has taken over the habits of the system, where there may be a comma: the readers of ITK, which are in this
    process, would then read a spacing of 1.5 mm as 1 mm and say nothing, and fields would differ from texts beside.
    """
    locale.setlocale(locale.LC_NUMERIC, "C")
    QLocale.setDefault(QLocale.c())  # It groups no digits.


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nodule-studio", description="Place lung nodules in chest CT slices.")
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        help="DICOM file, folder or zip, NIfTI, NRRD, MHA, project or exported result to open",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=DEFAULT_CHECKPOINT,
        metavar="FOLDER",
        help="a nodule generator to use instead of the embedded one",
    )
    parser.add_argument(
        "--slice-checkpoint",
        type=Path,
        default=DEFAULT_SLICE_CHECKPOINT,
        metavar="FOLDER",
        help="a slice generator to use instead of the embedded one",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
