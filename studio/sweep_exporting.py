"""Asks where to write a sweep: as one picture of all results, or as a set of folders with a manifest."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from engine.ct import CTVolume
from studio.background import Progress, Task
from studio.export_dialog import last_folder, remember_folder
from studio.exporting import unused
from studio.session import Notice, Session, Severity
from studio.sweep import Sweep
from studio.sweep_set import set_name, write_set
from studio.sweep_sheet import save_sheet, sheet_image


class SweepExporting(QObject):
    """Asks where to, and writes the session's sweep: what has been made of it by then, in the window that is shown."""

    def __init__(self, session: Session, window: QWidget) -> None:
        super().__init__(window)
        self._session = session
        self._window = window
        self._task: Task | None = None

    def export_sheet(self) -> None:
        """Write the picture of all results; or say why not."""
        sweep = self._sweep_or_why_not()
        if sweep is None:
            return
        suggested = str(Path(last_folder()) / f"{set_name(sweep)}.png")
        name, _ = QFileDialog.getSaveFileName(self._window, "Export the sheet", suggested, "PNG (*.png)")
        if name:
            path = Path(name)
            if path.suffix.lower() != ".png":  # As it was typed: what follows a full stop may be part of it.
                path = unused(path.with_name(f"{path.name}.png"))  # Whether to replace that one was not asked.
            self.write_sheet(sweep, path)

    def write_sheet(self, sweep: Sweep, path: Path) -> None:
        """Write the picture in the background, and say so."""
        if self._is_busy():
            return
        sheet = sheet_image(sweep, self._session.window, self._session.shown.inverted)
        task = Task(lambda progress: save_sheet(sheet, path), "The sheet could not be exported", self)
        self._start(task, f"The sheet was written to {path}.", path.parent, path.parent)

    def export_set(self) -> None:
        """Write a folder for each result; or say why not."""
        # Taken before the question: meanwhile another series may be opened.
        sweep, volume = self._sweep_or_why_not(), self._session.volume
        if sweep is None or volume is None:
            return
        name = QFileDialog.getExistingDirectory(self._window, "Export the set into", last_folder())
        if name:
            self._write_set(sweep, volume, Path(name))

    def _write_set(self, sweep: Sweep, volume: CTVolume, into: Path) -> None:
        session = self._session
        if self._is_busy():
            return
        folder, window = unused(into / set_name(sweep)), session.window
        sheet = sheet_image(sweep, window, session.shown.inverted)

        def work(progress: Progress) -> None:
            write_set(volume, sweep, folder, window, sheet, progress)

        task = Task(work, "The set could not be exported", self)
        task.progressed.connect(partial(self._show_progress, len(sweep.results)))
        self._start(task, f"The set was written to {folder}.", folder, into)

    def stop(self) -> None:
        """Let what is being written become whole, or write no further."""
        if self._task:
            self._task.stop(60)

    def _is_busy(self) -> bool:
        if self._task:
            self._session.say("The last export is still being written; export again in a moment.")
        return self._task is not None

    def _start(self, task: Task, said: str, folder: Path, next_time: Path) -> None:
        self._task = task
        task.succeeded.connect(partial(self._finish, said, folder, next_time))
        task.failed.connect(self._fail)
        task.start()

    def _show_progress(self, count: int, part: float) -> None:
        self._session.say(f"Exporting the set: {round(part * count)} of {count}")

    def _finish(self, said: str, folder: Path, next_time: Path, _: object) -> None:
        self._task = None
        remember_folder(next_time)
        url = QUrl.fromLocalFile(str(folder))
        self._session.notice = Notice(said, offer="Open folder", do=partial(QDesktopServices.openUrl, url))

    def _fail(self, message: str) -> None:
        self._task = None
        self._session.say(message, Severity.ERROR)

    def _sweep_or_why_not(self) -> Sweep | None:
        sweep = self._session.sweep
        if sweep is None:
            self._session.say("There is no ladder or grid to export; start one in the Explore menu.")
        elif not sweep.results:
            self._session.say("None of these nodules has been made yet; export them once the first one is.")
        return sweep if sweep and sweep.results else None
