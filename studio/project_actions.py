"""Saving and opening projects, and going on where the last session stopped."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QWidget

from engine.ct import CTVolume
from engine.errors import InputError
from engine.history import Entry, located
from engine.journal import is_whole
from studio import project
from studio.background import Task, start_telling
from studio.history import History
from studio.leaving import may_replace_project
from studio.placed import PlacedNodule
from studio.recent_files import remember
from studio.restoring import Restorer
from studio.saved_session import SavedSession, saved_session
from studio.session import Session, Severity


class ProjectActions(QObject):
    """What the File menu does with whole sessions.

    Parameters
    ----------
    last : SavedSession or None
        What was open when the program last ran.
    may_leave : () -> bool
        Asks whether what is open may be replaced.
    """

    def __init__(
        self,
        session: Session,
        history: History,
        restorer: Restorer,
        last: SavedSession | None,
        may_leave: Callable[[], bool],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._session = session
        self._history = history
        self._restorer = restorer
        self._may_leave = may_leave
        self._window = window
        self._folder: Path | None = None
        self._task: Task | None = None
        self.last = last
        session.volume_changed.connect(self._forget_folder)

    def reopen_last(self) -> None:
        """Go on where the last session stopped; or say why not."""
        if why_not_reopen(self.last) or self._may_leave():  # Nothing is asked for what cannot be done.
            self.reopen(self.last)

    def reopen(self, saved: SavedSession | None) -> None:
        """Open what the last session has left, without a question; or say why not."""
        why = why_not_reopen(saved)
        if why or saved is None:
            self._session.say(why or "")
        else:
            self._restorer.reopen(saved, then=self._note_reopened)

    def _note_reopened(self, _: bool) -> None:
        """Offer only once what the queue had not made."""
        self.last = replace(self.last, unmade=()) if self.last else None

    def choose_project(self) -> None:
        """Ask for the folder of a project and open it."""
        name = QFileDialog.getExistingDirectory(self._window, "Open a project")
        if name:
            self.open(Path(name))

    def open(self, path: Path) -> None:
        """Open a project."""
        try:
            saved = project.read_project(path)
        except InputError as error:
            self._session.say(str(error), Severity.ERROR)
            return
        if self._may_leave():
            folder = path if path.is_dir() else path.parent
            self._restorer.reopen(saved, project.project_entries(path), partial(self._keep_folder, folder))

    def save(self) -> None:
        """Save to the folder of the project that was saved last; ask for one the first time."""
        if self._folder:
            self.save_to(self._folder)
        else:
            self.save_as()

    def save_as(self) -> None:
        """Ask for a folder and save the project there."""
        why = self._why_not_save()
        if why:
            self._session.say(why)
            return
        volume = self._session.volume
        name = QFileDialog.getExistingDirectory(self._window, "Save the project to a new or empty folder")
        if not name:
            return
        if self._session.volume is not volume:  # It had been on its way when the folder was asked for.
            self._session.say("Nothing was saved, for another CT was opened meanwhile; save the project again.")
            return
        folder = Path(name)
        is_other = project.is_project(folder) and folder != self._folder
        if not is_other or may_replace_project(folder, self._window):
            self.save_to(folder)

    def save_to(self, folder: Path) -> None:
        """Save the project in the background, and say so."""
        if self._task:
            self._session.say("The project is still being saved; save it again in a moment.")
            return
        saved = saved_session(self._session, self._history)
        if saved is None:
            self._session.say(self._why_not_save() or "")
            return
        in_slices = (*self._session.accepted, *([self._session.candidate] if self._session.candidate else []))
        kept = tuple(nodule for nodule in self._session.accepted if self._history.path_of(nodule.result))
        left_out = len(in_slices) - len(saved.accepted) - (saved.candidate is not None)
        starred = [entry.path for entry in self._history.entries if self._belongs(entry)]
        self._task = Task(
            lambda progress: project.save_project(folder, saved, starred), "The project could not be saved", self
        )
        self._task.succeeded.connect(partial(self._tell_saved, folder, self._session.volume, kept, left_out))
        self._task.failed.connect(self._fail)
        start_telling(self._task, self._session, "Saving the project")

    def _why_not_save(self) -> str | None:
        """Return why there is nothing that a project could hold, as one sentence; None if there is."""
        session = self._session
        if session.volume is None:
            return "There is nothing to save: open a chest CT first."
        if saved_session(session, self._history):
            return None
        if session.is_slice_forming:
            return "The slice is being made; save the project once it is."
        return "The slice is not in the history, so that no project can hold it: export it (Ctrl+E)."

    def stop(self) -> None:
        """Let what is being written become whole."""
        if self._task:
            self._task.wait(60)

    def _belongs(self, entry: Entry) -> bool:
        """Whether a result goes into the project although it is in no slice."""
        source = entry.source
        is_of_series = source is not None and source == self._session.source_of(source.slice_index)
        return entry.is_starred and not entry.is_deleted and is_of_series

    def _tell_saved(
        self, folder: Path, volume: CTVolume | None, kept: tuple[PlacedNodule, ...], left_out: int, _: object
    ) -> None:
        self._task = None
        remember(folder)
        if volume is self._session.volume:  # Another series, opened meanwhile, is another project.
            self._folder, self._session.in_project = folder, kept
        which = (
            "1 nodule was left out, for it is" if left_out == 1 else f"{left_out} nodules were left out, for they are"
        )
        but = f", but {which} not in the history" if left_out else ""
        severity = Severity.WARNING if left_out else Severity.INFO
        self._session.say(f"The project was saved to {folder}{but}.", severity)

    def _fail(self, message: str) -> None:
        self._task = None
        self._session.say(message, Severity.ERROR)

    def _keep_folder(self, folder: Path, is_whole: bool) -> None:
        """Save to that folder from now on; without a question only if nothing that it holds would be lost."""
        self._folder = folder if is_whole else None
        remember(folder)
        self._session.in_project = self._session.accepted

    def _forget_folder(self) -> None:
        """Another series is another project."""
        self._folder = None


def why_not_reopen(last: SavedSession | None) -> str | None:
    """Return why the last session cannot be reopened, as one sentence; None if it can, or what was behind its slice."""
    if last is None:
        return "There is no earlier session to go on with."
    if last.made and is_whole(located(last.made)):
        return None
    if last.made and last.behind:
        return why_not_reopen(last.behind)
    if last.made:
        return "The slice of the last session is not in the history any more."
    if not os.path.exists(last.path):
        return f"The CT of the last session is not in {last.path} any more."
    return None
