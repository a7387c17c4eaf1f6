"""A real window without a screen, with settings and a journal of its own: for pictures and benchmarks."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QSettings
from PySide6.QtWidgets import QApplication

from engine.job_runner import JobRunner
from studio.engine_client import EngineClient
from studio.history import History
from studio.main_window import MainWindow
from studio.theme import apply_theme

_PATIENCE = 300.0


@contextmanager
def own_window(open_runner: Callable[[], JobRunner]) -> Iterator[MainWindow]:
    """Yield a window that is shown, with its engine started; close and delete it at the end.

    It neither reads nor changes what the user of this computer has opened lately.
    """
    app = QApplication(sys.argv[:1])
    with tempfile.TemporaryDirectory() as scratch:
        QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, scratch)
        app.setOrganizationName("Nodule Studio without a screen")
        apply_theme(app)
        history = History(Path(scratch) / "journal")
        engine = EngineClient(open_runner, history.record)
        window = MainWindow(engine, history, Path(scratch) / "session.json")
        try:
            window.show()
            window.activateWindow()
            engine.start()
            yield window
        finally:
            window.session.accepted = ()  # Or it would ask whether to export them.
            window.queue.cancel_all()
            window.close()
            window.deleteLater()
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            QApplication.processEvents()


def wait(until: Callable[[], bool]) -> None:
    """Handle events until something is so; raise TimeoutError if it does not come to that."""
    deadline = time.monotonic() + _PATIENCE
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError("the program did not get there; see what it says above")
        # Not QTest.qWait: it sleeps with the interpreter's lock held, and the engine thread hardly gets on.
        QApplication.processEvents()
        time.sleep(0.001)
