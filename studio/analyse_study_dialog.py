"""Asks for a study and its key, and writes the report."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSettings, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QProgressBar, QPushButton, QVBoxLayout, QWidget

from studio.background import Task, start_telling
from studio.dialog_parts import PathField, choose_file, choose_folder, heading, row, wrapped
from studio.session import Session, Severity
from studio.writing_dialog import WritingDialog

_FOLDER_KEY, _KEY_KEY = "analysed study folder", "analysed study key"


class AnalyseStudyDialog(WritingDialog):
    """Analyses a study in the background, and opens the report when it is written."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.setWindowTitle("Analyse a study")
        self._report: Path | None = None
        self.folder = PathField("Folder of the study", choose_folder, str(QSettings().value(_FOLDER_KEY) or ""))
        self.key = PathField("Key", choose_file, str(QSettings().value(_KEY_KEY) or ""))
        self.out = PathField("Folder for the report", choose_folder)
        self.reason, self.outcome = wrapped("muted"), wrapped()
        # It is not known how far an analysis is.
        self.progress = QProgressBar(textVisible=False, minimum=0, maximum=0)
        self.progress.setAccessibleName("Progress of the analysis")
        self.open_button = QPushButton("Open the report", autoDefault=False)
        self.close_button = QPushButton("Close", autoDefault=False)
        self.analyse = QPushButton("Analyse", default=True)
        self.analyse.setProperty("role", "primary")
        self._lay_out()
        for field in (self.folder, self.key, self.out):
            field.changed.connect(self._show_state)
        self.folder.changed.connect(self._propose_out)
        self.open_button.clicked.connect(self._open_report)
        self.close_button.clicked.connect(self.close)
        self.analyse.clicked.connect(self._start)
        self._propose_out()
        self._show_state()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(8)
        for name, field in (
            ("Folder of the study, with the readers' answers", self.folder),
            ("Key", self.key),
            ("Folder for the report", self.out),
        ):
            layout.addWidget(heading(name))
            layout.addWidget(field)
            layout.addSpacing(8)
        for widget in (self.progress, self.outcome, self.reason):
            layout.addWidget(widget)
        layout.addStretch(1)
        layout.addLayout(row(self.open_button, None, self.close_button, self.analyse))
        self.setMinimumSize(600, 380)

    def _propose_out(self) -> None:
        """Propose a place for the report beside the study, as long as there is none."""
        folder, before = self.folder.path, self.out.path
        if folder and (before is None or before.name.endswith("-report")):
            self.out.text.setText(str(folder.with_name(f"{folder.name}-report")))

    def _why_not(self) -> str:
        if self._task:
            return "Analysing…"
        if self.folder.path is None:
            return "Choose the folder of the study."
        if self.key.path is None:
            return "Choose the key that was written when the study was built."
        return "" if self.out.path else "Choose a folder for the report."

    def _show_state(self) -> None:
        why = self._why_not()
        self.analyse.setEnabled(not why)
        self.reason.setText(why)
        self.reason.setVisible(bool(why))
        self.progress.setVisible(self._task is not None)
        self.outcome.setVisible(bool(self.outcome.text()))
        self.open_button.setVisible(self._report is not None)

    def _start(self) -> None:
        folder, key, out = self.folder.path, self.key.path, self.out.path
        if folder is None or key is None or out is None:
            return
        self._report = None
        self.outcome.clear()
        QSettings().setValue(_FOLDER_KEY, str(folder))
        QSettings().setValue(_KEY_KEY, str(key))
        self._task = Task(lambda progress: _analyse(folder, key, out), "The study could not be analysed", self)
        self._task.succeeded.connect(self._finish)
        self._task.failed.connect(self._fail)
        start_telling(self._task, self._session, "Analysing the study")
        self._show_state()

    def _finish(self, files: tuple[Path, ...]) -> None:
        self._task = None
        self._report = next((file for file in files if file.suffix == ".html"), files[0])
        names = ", ".join(file.name for file in files)
        self.outcome.setText(f"Written to {self._report.parent}: {names}")
        self._show_state()
        if self.isVisible():
            self._open_report()
        self._tell_unseen(f"The report of the study was written to {self._report.parent}.")

    def _fail(self, message: str) -> None:
        self._task = None
        self.outcome.setText(message)
        self._show_state()
        self._tell_unseen(message, Severity.ERROR)

    def _open_report(self) -> None:
        if self._report:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._report)))


def _analyse(folder: Path, key: Path, out: Path) -> tuple[Path, ...]:
    # Statistics and plots take libraries that are slow to import.
    from engine.study_analysis import analyse_study
    from engine.study_report import write_report

    return write_report(analyse_study(folder, key), out)
