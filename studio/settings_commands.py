"""What can be undone beside the slice: settings taken from a result, and results deleted from the history."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtGui import QUndoCommand

from engine.errors import InputError
from engine.events import Request, SamplingOptions, SliceRequest
from engine.nodule import NoduleAttributes
from studio.history import History
from studio.session import Session, Severity


class TakeSettings(QUndoCommand):
    """The scores, the seed, the steps and the guidance of a request instead of those that are set."""

    def __init__(self, session: Session, request: Request) -> None:
        super().__init__("settings of an earlier result")
        self._session = session
        self._before = (session.attributes, session.options)
        options = request.options
        if isinstance(request, SliceRequest):
            # The solver is no setting of the panel: slices have one of their own.
            options = replace(options, solver=session.options.solver)
        self._after = (request.attributes, options)

    @property
    def changes_anything(self) -> bool:
        """Whether other settings were set before."""
        return self._after != self._before

    def redo(self) -> None:
        """Set those of the request."""
        self._set(*self._after)

    def undo(self) -> None:
        """Set what was set before."""
        self._set(*self._before)

    def _set(self, attributes: NoduleAttributes, options: SamplingOptions) -> None:
        self._session.attributes, self._session.options = attributes, options


class TakeScores(QUndoCommand):
    """Suggested scores instead of those that are set."""

    def __init__(self, session: Session, suggested: NoduleAttributes) -> None:
        super().__init__("suggested scores")
        self._session = session
        self._before = session.attributes
        self._after = suggested

    def redo(self) -> None:
        """Set those that were suggested."""
        self._session.attributes = self._after

    def undo(self) -> None:
        """Set what was set before."""
        self._session.attributes = self._before


class DeleteResult(QUndoCommand):
    """A result in the trash instead of the journal."""

    def __init__(self, session: Session, history: History, path: Path) -> None:
        super().__init__("deletion of a result")
        self._session = session
        self._history = history
        self._path = path

    def redo(self) -> None:
        """Delete it; if that fails, say so, and there is nothing to undo."""
        try:
            self._history.delete(self._path)
        except InputError as error:
            self._session.say(str(error), Severity.ERROR)
            self.setObsolete(True)

    def undo(self) -> None:
        """Put it back."""
        try:
            self._history.put_back(self._path)
        except InputError as error:
            self._session.say(str(error), Severity.ERROR)
