"""A dialog that writes files in the background."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QWidget

from studio.background import Task
from studio.session import Session, Severity


class WritingDialog(QDialog):
    """Closed while files are being written, it is only hidden: they become whole, and the window tells the end.

    Those that derive from it set `_task` as long as files are being written, and call `_tell_unseen` at the end.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._task: Task | None = None

    @property
    def is_writing(self) -> bool:
        """Whether files are being written; the dialog may have been closed meanwhile."""
        return self._task is not None

    def done(self, result: int) -> None:
        """Close, also by Esc; the window never waits for what is being written."""
        if self._task:
            self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
            self.hide()
        else:
            super().done(result)

    def stop(self) -> None:
        """Let what is being written become whole, and tell nothing of it any more: the program ends."""
        if self._task:
            self._task.wait(60)
            self._task.abandon()

    def _tell_unseen(self, text: str, severity: Severity = Severity.INFO) -> None:
        """Say how it has ended in the window, and go, if the dialog was closed meanwhile."""
        if not self.isVisible():
            self._session.say(text, severity)
            self.deleteLater()
