"""Pictures of the program, made by driving its real window: `python -m tests.screenshots OUT_FOLDER [--input PATH]`.

Runs without a screen. The engine is the real one with the embedded checkpoint, or that of --checkpoint; where there is
none, a scripted one. Without --input the pictures show a made-up chest and no patient's data.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from engine.events import EngineState
from engine.job_runner import default_runner
from studio.engine_client import EngineClient
from studio.export_dialog import ExportDialog
from studio.history import History
from studio.main_window import MainWindow
from studio.theme import RESOURCES, apply_theme
from tests.phantom import phantom_volume
from tests.studio.driving import drag

_PATIENCE = 120.0


def main() -> int:
    """Make the pictures; return the exit code."""
    options = _parser().parse_args()
    app = QApplication(sys.argv[:1])
    with tempfile.TemporaryDirectory() as scratch:
        # Neither read nor change what the user of this machine has opened lately.
        QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, scratch)
        app.setOrganizationName("Nodule Studio pictures")
        apply_theme(app)
        history = History(Path(scratch) / "journal")
        engine = EngineClient(_open_runner(options.checkpoint), history.record)
        window = MainWindow(engine, history, Path(scratch) / "session.json")
        try:
            engine.start()
            options.out.mkdir(parents=True, exist_ok=True)
            _picture_all(window, options, Path(scratch))
        finally:
            window.session.accepted = ()
            window.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the PNG files")
    parser.add_argument("--input", type=Path, help="CT to open; a made-up chest if left out")
    parser.add_argument("--checkpoint", type=Path, default=RESOURCES / "checkpoints" / "nodule", help="its folder")
    parser.add_argument("--slice", type=int, help="index of the slice, from 0; the middle one if left out")
    parser.add_argument("--box", type=int, nargs=3, metavar=("ROW", "COLUMN", "SIDE"), default=(230, 110, 32))
    parser.add_argument("--zoom", type=float, default=2.5, help="enlargement around the box")
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 900), help="of the window")
    return parser


def _open_runner(checkpoint: Path) -> Callable[[], object]:
    if checkpoint.is_dir():
        return partial(default_runner, checkpoint)
    from tests.scripted_engine import Loading, ScriptedRunner

    print(f"There is no checkpoint in {checkpoint}: the pictures show a scripted engine", file=sys.stderr)
    return Loading(ScriptedRunner(on_step=lambda step: time.sleep(0.1)))


def _picture_all(window: MainWindow, options: argparse.Namespace, scratch: Path) -> None:
    session, view = window.session, window.view
    window.resize(*options.size)
    window.show()
    _wait(lambda: session.engine.state is EngineState.IDLE)
    _save(window, options.out / "empty.png")
    if options.input:
        window.open_path(options.input)
    else:
        session.show_volume(phantom_volume())
    _wait(lambda: session.volume is not None)
    if options.slice is not None:
        session.go_to_slice(options.slice)
    _save(window, options.out / "slice.png")
    row, column, side = options.box
    assert view.viewport_now is not None
    view.zoom(options.zoom, view.viewport_now.to_widget(row + side / 2, column + side / 2))
    drag(view, (row, column), (row + side, column + side))
    _save(window, options.out / "box.png")
    QTest.keyClick(view, Qt.Key.Key_G)
    _wait(lambda: session.preview is not None and session.preview.step >= session.preview.steps // 2)
    _save(window, options.out / "sampling.png")
    _wait(lambda: session.candidate is not None)
    _save(window, options.out / "candidate.png")
    QTest.keyClick(view, Qt.Key.Key_A)
    _save(window, options.out / "accepted.png")
    _picture_history(window, options.out)
    _picture_export(window, options.out, scratch)


def _picture_history(window: MainWindow, out: Path) -> None:
    session, strip = window.session, window.strip
    QTest.keyClick(window.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(window.view, Qt.Key.Key_G, Qt.KeyboardModifier.ShiftModifier)
    _wait(lambda: session.queue.done == 4 and session.queue_step is not None)
    _save(window, out / "queue.png")
    _wait(lambda: session.queue.is_empty)
    card = strip.list.visualRect(strip.list.model().index(2, 0)).center()
    shown = session.candidate
    QTest.mouseClick(strip.list.viewport(), Qt.MouseButton.LeftButton, pos=card)
    _wait(lambda: session.candidate is not shown)
    _save(window, out / "history.png")
    QTest.keyClick(window.view, Qt.Key.Key_A)


def _picture_export(window: MainWindow, out: Path, scratch: Path) -> None:
    window.export()
    dialog = window.findChild(ExportDialog)
    assert isinstance(dialog, ExportDialog)
    dialog.folder.setText(str(scratch / "export"))
    _save(dialog, out / "export.png")
    QTest.mouseClick(dialog.export, Qt.MouseButton.LeftButton)
    _wait(lambda: bool(dialog.outcome.text()))
    _save(dialog, out / "exported.png")
    dialog.close()


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError("the program did not get there; see what it says above")
        # Not QTest.qWait: it sleeps with the interpreter's lock held, and the engine thread hardly gets on.
        QApplication.processEvents()
        time.sleep(0.005)


def _save(widget: QWidget, path: Path) -> None:
    QApplication.processEvents()
    widget.grab().save(str(path))
    print(path)


if __name__ == "__main__":
    sys.exit(main())
