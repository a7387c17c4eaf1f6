"""Finds a CT series on a PACS and fetches it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, QStandardPaths, QTimer, Signal
from PySide6.QtWidgets import QDialog, QProgressBar, QPushButton, QVBoxLayout, QWidget

from engine.pacs_connection import Connection
from engine.pacs_search import MOST_FOUND, FoundStudies, StudyFilter
from studio.background import Progress
from studio.dialog_parts import PathField, choose_folder, heading, row, wrapped
from studio.exporting import unused
from studio.network_work import NetworkWork
from studio.search_fields import SearchFields
from studio.server_fields import Logins, ServerFields
from studio.study_lists import SeriesList, StudyList

if TYPE_CHECKING:
    from engine.pacs_search import Series

_FOLDER_KEY = "pacs folder"
_FETCHING = "Fetching…"
#: Milliseconds that a study stays selected before its series are asked for: arrow keys pass over many.
_SETTLED = 200


class PacsDialog(QDialog):
    """Server, search, studies, series; `fetched` tells the folder of a series that is here.

    Attributes
    ----------
    fetched : Signal(Path)
    """

    fetched = Signal(Path)

    def __init__(self, work: NetworkWork, logins: Logins, parent: QWidget) -> None:
        super().__init__(parent)
        self._work = work
        self._said = ""
        #: Where the studies that are listed were found, whatever the fields say by now.
        self._found_at: Connection | None = None
        self.setWindowTitle("Open from PACS")
        self.resize(900, 700)
        self.server, self.search = ServerFields(logins), SearchFields()
        self.studies, self.series = StudyList(), SeriesList()
        self.folder = PathField("Folder for what is fetched", choose_folder, _last_folder())
        self.progress = QProgressBar(textVisible=False, maximum=100)
        self.progress.setAccessibleName("Progress of the PACS")
        self.outcome = wrapped()
        self.close_button = QPushButton("Close", autoDefault=False)
        self.open_button = QPushButton("Open", autoDefault=False)
        self.open_button.setProperty("role", "primary")
        self._settled = QTimer(self, singleShot=True, interval=_SETTLED)
        self._lay_out()
        self._connect()
        self._show_state()

    def _lay_out(self) -> None:
        rows = QVBoxLayout(self)
        rows.setContentsMargins(24, 24, 24, 24)
        rows.setSpacing(8)
        for title, widget, stretch in (
            ("Server", self.server, 0),
            ("Studies", self.search, 0),
            ("", self.studies, 3),
            ("Series", self.series, 2),
        ):
            if title:
                rows.addWidget(heading(title))
            rows.addWidget(widget, stretch)
        rows.addWidget(heading("Folder"))
        rows.addWidget(self.folder)
        rows.addWidget(self.progress)
        # The line stays, empty or not: lists that jump under the mouse are clicked at the wrong place.
        self.outcome.setMinimumHeight(2 * self.outcome.fontMetrics().lineSpacing())
        buttons = row(self.outcome, self.close_button, self.open_button)
        buttons.setStretchFactor(self.outcome, 1)
        rows.addLayout(buttons)

    def _connect(self) -> None:
        self.search.wanted.connect(self._search)
        self.studies.currentItemChanged.connect(self._leave_series)
        self._settled.timeout.connect(self._list_series)
        self.series.itemActivated.connect(lambda: self._fetch())
        self.series.currentItemChanged.connect(self._show_state)
        self.open_button.clicked.connect(self._fetch)
        self.close_button.clicked.connect(self.reject)
        for signal in (self.server.edited, self.search.edited, self.folder.changed):
            signal.connect(self._show_state)
        self._work.changed.connect(self._show_state)

    def _why_no_search(self) -> str:
        return self._work.doing or self.server.why_not or self.search.why_not

    def _why_not_open(self) -> str:
        if self._work.doing:
            return self._work.doing
        if self.series.chosen is None:
            return "Choose a CT series." if self.series.topLevelItemCount() else "Choose a study."
        return "" if self.folder.path else "Choose a folder."

    def _show_state(self) -> None:
        busy = bool(self._work.doing)
        # To choose another study ends what is asked for of the one before; a download shall not end in passing.
        self.studies.setEnabled(self._work.doing != _FETCHING)
        for button, why in ((self.search.search, self._why_no_search()), (self.open_button, self._why_not_open())):
            button.setEnabled(not why)
            button.setToolTip(why)
        self.close_button.setText("Cancel" if busy else "Close")
        self.progress.setRange(0, 100 if self._work.part or not busy else 0)
        self.progress.setValue(round(100 * self._work.part))
        said = self._work.error or self._said
        why = self._why_no_search() or self._why_not_open()
        # Without a series, what was said is why there is none.
        self.outcome.setText(f"{said} {why}".strip() if self.series.chosen else said or why)
        self.outcome.setProperty("role", "" if said else "muted")
        self.outcome.style().polish(self.outcome)

    def _search(self) -> None:
        if self._why_no_search():
            return
        self._said = ""
        self.studies.clear()
        self.series.clear()
        connection = self.server.connection
        work = partial(_find_studies, connection, self.search.filter)
        self._work.start("Searching…", work, "The search failed", partial(self._show_studies, connection))

    def _show_studies(self, connection: Connection, found: FoundStudies) -> None:
        self._found_at = connection
        self.server.remember(connection)
        self.studies.show_found(found.studies)
        if found.is_cut_off:
            self._said = f"The search stopped after {MOST_FOUND} studies; narrow it to see others."
        elif not found.studies:
            self._said = "There is no such study; widen the search."
        self.studies.setFocus()

    def _leave_series(self) -> None:
        """Show none of the study that was selected before, also if its series are on their way."""
        self._work.cancel()
        self._said = ""
        self.series.clear()
        self._settled.start()

    def _list_series(self) -> None:
        study = self.studies.chosen
        if study is not None and self._found_at is not None:
            work = partial(_find_series, self._found_at, study.uid)
            self._work.start("Looking for series…", work, "The series could not be listed", self.series.show_found)

    def _fetch(self) -> None:
        series, parent, connection = self.series.chosen, self.folder.path, self._found_at
        if series is None or parent is None or connection is None or self._why_not_open():
            return
        folder = unused(parent / series.uid)
        work = partial(_fetch, connection, series, folder)
        self._work.start(_FETCHING, work, "The series could not be fetched", self._finish)

    def _finish(self, folder: Path) -> None:
        QSettings().setValue(_FOLDER_KEY, str(folder.parent))
        self.accept()
        self.fetched.emit(folder)

    def reject(self) -> None:
        """Cancel what is going on; close the dialog if nothing is. Esc comes here, too."""
        if self._work.doing:
            self._work.cancel()
        else:
            super().reject()

    def done(self, result: int) -> None:
        """Leave nothing running."""
        self._settled.stop()
        self._work.changed.disconnect(self._show_state)
        self._work.cancel()
        super().done(result)


def _find_studies(connection: Connection, wanted: StudyFilter, progress: Progress) -> FoundStudies:
    from engine.pacs_search import find_studies

    return find_studies(connection, wanted)


def _find_series(connection: Connection, study_uid: str, progress: Progress) -> list[Series]:
    from engine.pacs_search import find_series

    return find_series(connection, study_uid)


def _fetch(connection: Connection, series: Series, folder: Path, progress: Progress) -> Path:
    from engine.pacs import fetch_series

    return fetch_series(
        connection, series.study_uid, series.uid, folder, lambda done, count: progress(done / max(count, 1))
    )


def _last_folder() -> str:
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return str(QSettings().value(_FOLDER_KEY) or Path(documents) / "Nodule Studio" / "From PACS")
