"""Asks what a reader study is to be made of, and builds it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from engine.errors import InputError
from engine.history import Entry
from engine.study_trials import check_readers
from studio.background import Progress, Task, start_telling
from studio.dialog_parts import PathField, choose_folder, choose_new_file, heading, on_screen, row, wrapped
from studio.placing import LARGEST_SEED
from studio.real_picker import RealPicker
from studio.result_picker import ResultPicker
from studio.session import Session, Severity
from studio.study_survey import Survey, survey
from studio.trial_counts import TrialCounts, why_not_counts
from studio.writing_dialog import WritingDialog

if TYPE_CHECKING:
    from engine.study_building import StudyPlan
    from engine.study_sources import Sources

#: Changes are looked into so many ms later, all at once.
_DELAY_MS = 300
_USUAL_CROP_MM = 60.0
_SIZE = QSize(980, 640)


class BuildStudyDialog(WritingDialog):
    """Builds a study of results of the history and of real images.

    Parameters
    ----------
    entries : of the history
    """

    def __init__(self, session: Session, entries: Sequence[Entry], parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self._looking: Task | None = None
        self._found: Survey | None = None
        self._sources: Sources | None = None
        self.setWindowTitle("Build a study")
        self.title, self.readers = QLineEdit("Reader study"), QLineEdit("reader-1, reader-2")
        self.results, self.real, self.counts = ResultPicker(entries), RealPicker(), TrialCounts()
        self.is_cropped = QCheckBox("Show a crop around the nodule, of")
        self.crop = QDoubleSpinBox(minimum=10, maximum=400, value=_USUAL_CROP_MM, decimals=0, suffix=" mm")
        self.seed = QSpinBox(minimum=0, maximum=LARGEST_SEED, value=random.randint(0, 9999))
        self.folder = PathField("Folder of the study", choose_folder)
        self.key = PathField("Key", choose_new_file)
        self.reason, self.outcome = wrapped("muted"), wrapped()
        self.progress = QProgressBar(textVisible=False, maximum=100)
        self.progress.setAccessibleName("Progress of building")
        self.close_button = QPushButton("Close", autoDefault=False)
        self.build = QPushButton("Build", default=True)
        self.build.setProperty("role", "primary")
        self._timer = QTimer(self, singleShot=True, interval=_DELAY_MS)
        self._lay_out()
        self._connect()
        self._look_again()

    def _lay_out(self) -> None:
        self.is_cropped.setChecked(True)
        self.crop.setFixedWidth(88)
        self.seed.setFixedWidth(120)
        for number in (self.crop, self.seed):
            number.lineEdit().setTextMargins(6, 0, 0, 0)
        for field, name in ((self.title, "Title"), (self.readers, "Readers"), (self.crop, "Crop"), (self.seed, "Seed")):
            field.setAccessibleName(name)
        left, right = QVBoxLayout(), QVBoxLayout()
        left.addWidget(heading("Synthetic nodules: results of the history"))
        left.addWidget(self.results, 1)
        left.addSpacing(8)
        left.addWidget(heading("Real images"))
        left.addWidget(self.real)
        right.addWidget(heading("Study"))
        right.addLayout(self._form())
        right.addSpacing(8)
        right.addWidget(heading("Trials"))
        right.addWidget(self.counts)
        right.addLayout(row(self.is_cropped, self.crop, None))
        right.addSpacing(8)
        right.addWidget(heading("Folder, which the readers get"))
        right.addWidget(self.folder)
        right.addWidget(heading("Key, which they must not see"))
        right.addWidget(self.key)
        right.addStretch(1)
        body = QWidget()
        columns = QHBoxLayout(body)
        columns.setContentsMargins(24, 24, 24, 8)
        columns.setSpacing(32)
        for column in (left, right):
            column.setSpacing(6)
            columns.addLayout(column, 1)
        area = QScrollArea(widgetResizable=True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.verticalScrollBar().setAccessibleName("Scroll what the study is made of")
        area.setWidget(body)
        below = QVBoxLayout()
        below.setContentsMargins(24, 0, 24, 24)
        below.setSpacing(8)
        for widget in (self.progress, self.outcome, self.reason):
            below.addWidget(widget)
        below.addLayout(row(None, self.close_button, self.build))
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(area, 1)
        rows.addLayout(below)
        self.resize(on_screen(_SIZE, self))

    def _form(self) -> QGridLayout:
        form = QGridLayout()
        form.setHorizontalSpacing(12)
        form.setVerticalSpacing(6)
        for number, (name, field) in enumerate((("Title", self.title), ("Readers", self.readers))):
            form.addWidget(wrapped("", name), number, 0)
            form.addWidget(field, number, 1)
        form.addWidget(wrapped("", "Seed"), 2, 0)
        form.addLayout(row(self.seed, None), 2, 1)
        self.readers.setToolTip("Codes of letters, digits, - and _, with commas between them")
        form.setColumnStretch(1, 1)
        return form

    def _connect(self) -> None:
        self._timer.timeout.connect(self._look)
        for signal in (self.results.changed, self.real.changed):
            signal.connect(self._read_again)
        for signal in (self.is_cropped.toggled, self.crop.valueChanged):
            signal.connect(self._look_again)
        for signal in (self.readers.textChanged, self.counts.changed, self.folder.changed, self.key.changed):
            signal.connect(self._show_state)
        self.folder.changed.connect(self._propose_key)
        self.close_button.clicked.connect(self.close)
        self.build.clicked.connect(self._start)

    # --- what is possible ----------------------------------------------------------------------------

    @property
    def _crop_mm(self) -> float | None:
        return self.crop.value() if self.is_cropped.isChecked() else None

    def _read_again(self) -> None:
        self._sources = None
        self._look_again()

    def _look_again(self) -> None:
        self.crop.setEnabled(self.is_cropped.isChecked())
        if self._looking:
            self._looking.abandon()
            self._looking = None
        self._found = None
        self.counts.show_survey(None)
        self._show_state()
        self._timer.start()

    def _look(self) -> None:
        synthetic, real, crop_mm, sources = self.results.paths, self.real.paths, self._crop_mm, self._sources
        work = Task(
            lambda progress: survey(synthetic, real, crop_mm, progress, sources), "The images could not be read", self
        )
        self._looking = work
        work.succeeded.connect(self._take)
        work.failed.connect(self._take_problem)
        work.start()

    def _take(self, found: Survey) -> None:
        self._looking = None
        self._found, self._sources = found, found.sources
        self.counts.show_survey(found)
        self._show_state()

    def _take_problem(self, message: str) -> None:
        self._take(Survey(problem=message))

    def _propose_key(self) -> None:
        """Propose a key beside the folder, as long as there is none."""
        folder = self.folder.path
        before = self.key.path
        if folder and (before is None or before.name.endswith("-KEY.json")):
            self.key.text.setText(str(folder.with_name(f"{folder.name}-KEY.json")))

    def _codes(self) -> tuple[str, ...]:
        return tuple(code.strip() for code in self.readers.text().split(",") if code.strip())

    def _why_not(self) -> str:
        if self._task:
            return "Building…"
        if self._found is None:
            return "Looking through the images…"
        if self._found.problem:
            return self._found.problem
        try:
            check_readers(self._codes())
        except InputError as error:
            return str(error)
        missing = why_not_counts(self.counts.counts, self._found)
        if missing:
            return missing
        if self.folder.path is None:
            return "Choose a folder for the study: a new or an empty one."
        return "" if self.key.path else "Choose a file for the key, outside the folder."

    def _show_state(self) -> None:
        why = self._why_not()
        self.build.setEnabled(not why)
        self.build.setToolTip(why)
        self.reason.setText(why)
        self.reason.setVisible(bool(why))
        self.progress.setVisible(self._task is not None)
        self.outcome.setVisible(bool(self.outcome.text()))

    # --- building ------------------------------------------------------------------------------------

    def _plan(self) -> StudyPlan:
        from engine.study_building import StudyPlan

        return StudyPlan(
            title=self.title.text().strip(),
            readers=self._codes(),
            counts=self.counts.counts,
            seed=self.seed.value(),
            synthetic=self.results.paths,
            real=self.real.paths,
            crop_mm=self._crop_mm,
        )

    def _start(self) -> None:
        plan, folder, key = self._plan(), self.folder.path, self.key.path
        if folder is None or key is None:
            return

        def build(progress: Progress) -> str:
            from engine.study_building import build_study

            said: list[str] = []
            build_study(plan, folder, key, lambda done, count: progress(done / max(1, count)), said.append)
            return " ".join([_what_was_built(plan, folder, key), *said])

        self.outcome.clear()
        self._task = Task(build, "The study could not be built", self)
        self._task.progressed.connect(self._show_progress)
        self._task.succeeded.connect(self._finish)
        self._task.failed.connect(partial(self._finish, severity=Severity.ERROR))
        start_telling(self._task, self._session, "Building the study")
        self._show_state()

    def _show_progress(self, part: float) -> None:
        self.progress.setValue(round(100 * part))

    def _finish(self, message: str, severity: Severity = Severity.INFO) -> None:
        self._task = None
        self.outcome.setText(message)
        self._show_state()
        self._tell_unseen(message, severity)

    def done(self, result: int) -> None:
        """Look no further, however the dialog is closed; what is being written becomes whole."""
        self._timer.stop()
        if self._looking:
            self._looking.abandon()
        super().done(result)


def _what_was_built(plan: StudyPlan, folder: Path, key: Path) -> str:
    trials, readers = sum(plan.counts.values()), len(plan.readers)
    return (
        f"A study of {trials} {'trial' if trials == 1 else 'trials'} for {readers} "
        f"{'reader' if readers == 1 else 'readers'} was written to {folder}. The key is in {key}: keep it from them."
    )
