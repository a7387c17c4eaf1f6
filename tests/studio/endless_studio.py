"""A real studio that works without pause until it is killed: `python -m tests.studio.endless_studio FOLDER CT`.

It opens CT (or goes on with the last session where there is one), moves the box, generates with a scripted engine,
accepts every second nodule, scrolls, and prints a line for all that a user has seen finished:

    finished NAME     the result of the journal entry of that name is on the screen
    accepted COUNT    so many nodules are accepted, and the session with them is on the disk
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QApplication

from engine.nodule import BoundingBox
from studio import commands
from studio.autosave import read_session
from studio.engine_client import EngineClient
from studio.history import History
from studio.main_window import MainWindow
from tests.scripted_engine import Loading, ScriptedRunner


class Restless:
    """Does the next thing whenever the one before has come to its end."""

    def __init__(self, window: MainWindow, session_file: Path) -> None:
        self._window = window
        self._file = session_file
        self._round = len(window.history.entries)
        self._told = 0
        window.session.candidate_changed.connect(self._tell_finished)
        self._timer = QTimer(window, interval=2)
        self._timer.timeout.connect(self._work)
        self._timer.start()

    def _work(self) -> None:
        session = self._window.session
        if session.volume is None or session.job:
            return
        self._tell_accepted()
        self._round += 1
        if session.candidate and self._round % 2:
            commands.accept(session)
        session.go_to_slice(self._round % len(session.volume))
        session.options = replace(session.options, seed=self._round)
        shape = session.volume.slice_at(0).shape
        commands.set_box(session, BoundingBox.nearest(7 * self._round % 60, 11 * self._round % 80, 20, shape))
        self._window.placing.generate()

    def _tell_finished(self) -> None:
        candidate = self._window.session.candidate
        path = self._window.history.path_of(candidate.result) if candidate else None
        if path:
            print(f"finished {path.name}", flush=True)

    def _tell_accepted(self) -> None:
        saved = read_session(self._file)
        if saved and len(saved.accepted) > self._told:
            self._told = len(saved.accepted)
            print(f"accepted {self._told}", flush=True)


def main(folder: Path, ct: Path) -> int:
    """Run until killed."""
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(folder / "settings"))
    app = QApplication(sys.argv[:1])
    history = History(folder / "journal")
    engine = EngineClient(Loading(ScriptedRunner(steps=2)), history.record)
    window = MainWindow(engine, history, folder / "session.json")
    window.show()
    engine.start()
    if window.projects.last:
        window.projects.reopen_last()
    else:
        window.open_path(ct)
    restless = Restless(window, folder / "session.json")
    code = app.exec()
    del restless
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
