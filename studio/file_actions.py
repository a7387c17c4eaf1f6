"""What opens files: it finds out what a path is of, and asks for one, or for one of several series."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from engine.events import SliceSource
from studio.project import is_project
from studio.reopening import is_result
from studio.series_dialog import SeriesDialog
from studio.study_actions import is_study

if TYPE_CHECKING:
    from engine.ct_files import SeriesInfo
    from studio.main_window import MainWindow

_FILES = (
    "CT, projects and results (project.json request.json *.dcm *.dicom *.ima *.zip *.nii *.nii.gz *.nrrd *.nhdr *.mha"
    " *.mhd);;All files (*)"
)


class FileActions(QObject):
    """Opens what the user names in a window."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        window.opener.choice_wanted.connect(self._choose_series)

    def open(self, path: Path) -> None:
        """Open a file or folder, a project or an exported result, instead of what is open; or a study, to be read."""
        window = self._window
        if is_project(path):
            window.projects.open(path)
        elif is_study(path):
            window.studies.choose_study(path)
        elif is_result(path):
            window.results.open(path)
        elif window.may_leave():
            window.opener.open(path)

    def open_source(self, source: SliceSource, then: Callable[[], object]) -> None:
        """Open the series that a slice is of, and go on."""
        if self._window.may_leave():
            self._window.opener.read(source.path, source.series_uid, then)

    def choose_file(self) -> None:
        """Ask for a file and open it."""
        name, _ = QFileDialog.getOpenFileName(self._window, "Open a CT image", filter=_FILES)
        if name:
            self.open(Path(name))

    def choose_folder(self) -> None:
        """Ask for a folder and open it."""
        name = QFileDialog.getExistingDirectory(self._window, "Open a folder of DICOM files")
        if name:
            self.open(Path(name))

    def _choose_series(self, path: Path, found: list[SeriesInfo]) -> None:
        dialog = SeriesDialog(found, self._window)
        dialog.accepted.connect(lambda: self._window.opener.read(path, dialog.chosen_uid))
        self._window.show_dialog(dialog)
