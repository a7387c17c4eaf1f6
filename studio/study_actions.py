"""What the Study menu does: build, read and analyse reader studies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QDialog, QWidget

from engine.errors import InputError
from engine.whole_files import names_file
from studio.history import History
from studio.session import Session, Severity
from studio.writing_dialog import WritingDialog

if TYPE_CHECKING:
    from engine.study import Study
    from studio.reading_window import ReadingWindow

_STUDY = "study.json"


def is_study(path: Path) -> bool:
    """Return whether a path is that of a reader study: its folder, or the file in it."""
    return names_file(path, _STUDY)


class StudyActions(QObject):
    """Shows the dialogs of reader studies, and the reader mode.

    Parameters
    ----------
    show_dialog : (dialog) -> None
    """

    def __init__(
        self, session: Session, history: History, show_dialog: Callable[[QDialog], object], window: QWidget
    ) -> None:
        super().__init__(window)
        self._session = session
        self._history = history
        self._show_dialog = show_dialog
        self._window = window
        self.reading: ReadingWindow | None = None

    # The dialogs are imported when they are wanted: the window is to be on the screen before.

    def build(self) -> None:
        """Ask what a study is to be made of, and build it."""
        from studio.build_study_dialog import BuildStudyDialog

        if any(dialog.is_writing for dialog in self._window.findChildren(BuildStudyDialog)):
            self._session.say("The last study is still being written; build another one in a moment.")
        else:
            self._show_dialog(BuildStudyDialog(self._session, self._history.entries, self._window))

    def choose_study(self, path: Path | None = None) -> None:
        """Ask which study is to be read and by whom; `path` is proposed."""
        from studio.read_study_dialog import ReadStudyDialog

        folder = path.parent if path and path.is_file() else path
        dialog = ReadStudyDialog(folder, self._window)
        dialog.accepted.connect(lambda: dialog.study and self.read(dialog.study, dialog.reader))
        self._show_dialog(dialog)

    def read(self, study: Study, reader: str) -> None:
        """Show the reader mode; or say why not."""
        from engine.study import AnswerBook
        from studio.reading import Reading, TrialClock
        from studio.reading_window import ReadingWindow

        try:
            book = AnswerBook(study, reader)
        except InputError as error:
            self._session.say(str(error), Severity.ERROR)
            return
        self.reading = ReadingWindow(Reading(book, TrialClock()), self._window)
        self.reading.closed.connect(self._forget)
        self.reading.showFullScreen()
        self.reading.setFocus(Qt.FocusReason.OtherFocusReason)

    def analyse(self) -> None:
        """Ask for a study and its key, and write the report."""
        from studio.analyse_study_dialog import AnalyseStudyDialog

        if any(dialog.is_writing for dialog in self._window.findChildren(AnalyseStudyDialog)):
            self._session.say("The last report is still being written; analyse another study in a moment.")
        else:
            self._show_dialog(AnalyseStudyDialog(self._session, self._window))

    def stop(self) -> None:
        """Close the reader mode; what was confirmed is on the disk. Let what is being written become whole."""
        if self.reading:
            self.reading.close()
        for dialog in self._window.findChildren(WritingDialog):
            dialog.stop()

    def _forget(self) -> None:
        self.reading = None
