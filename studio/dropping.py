"""Files and folders that are dropped on the window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QWidget

from studio.session import Session


class Dropping(QObject):
    """Takes what is dropped on a window.

    Parameters
    ----------
    open_path : (path) -> None
    show_dropping : (is dragged over the window) -> None
    """

    def __init__(
        self,
        session: Session,
        open_path: Callable[[Path], object],
        show_dropping: Callable[[bool], object],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._session = session
        self._open_path = open_path
        self._show_dropping = show_dropping
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take files and folders of this machine."""
        if isinstance(event, QDropEvent) and event.type() is QEvent.Type.Drop:
            self._show_dropping(False)
            event.acceptProposedAction()
            self._open(_local_paths(event))
            return True
        if isinstance(event, QDragEnterEvent) and _local_paths(event):
            event.acceptProposedAction()
            self._show_dropping(True)
            return True
        if event.type() is QEvent.Type.DragLeave:
            self._show_dropping(False)
        return False

    def _open(self, paths: list[Path]) -> None:
        """Open what was dropped; of several files, the folder that they are in."""
        if len({path.parent for path in paths}) > 1:
            self._session.say("Drop one file or one folder.")
        elif paths:
            self._open_path(paths[0] if len(paths) == 1 else paths[0].parent)


def _local_paths(event: QDropEvent) -> list[Path]:
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
