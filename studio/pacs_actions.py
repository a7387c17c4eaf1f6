"""What the File menu does with a PACS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QDialog, QFileDialog, QWidget

from studio.export_dialog import last_folder
from studio.network_work import NetworkWork
from studio.opening import Opener
from studio.pacs_dialog import PacsDialog
from studio.send_dialog import SendDialog
from studio.server_fields import Logins
from studio.session import Session


class PacsActions(QObject):
    """Opens the dialogs, and keeps what they share while the program runs.

    Parameters
    ----------
    may_leave : () -> bool
        Asks whether what is open may be replaced.
    show : (dialog) -> None
        Shows a dialog over the window.
    """

    def __init__(
        self,
        session: Session,
        opener: Opener,
        may_leave: Callable[[], bool],
        show: Callable[[QDialog], None],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._session = session
        self._opener = opener
        self._may_leave = may_leave
        self._show = show
        self._window = window
        self._work = NetworkWork(self)
        self._logins: Logins = {}

    def choose_export(self) -> None:
        """Ask for the folder of an export, and send it."""
        name = QFileDialog.getExistingDirectory(self._window, "Send an export", last_folder())
        if name:
            self.send([Path(name)])

    def send(self, folders: Sequence[Path]) -> None:
        """Ask where to send the DICOM objects of exports, and send them."""
        self._show(SendDialog(folders, self._work, self._logins, self._window))

    def open(self) -> None:
        """Ask for a series of a PACS, fetch it and open it."""
        dialog = PacsDialog(self._work, self._logins, self._window)
        dialog.fetched.connect(self._open_fetched)
        self._show(dialog)

    def stop(self) -> None:
        """Ask no server any more; see `NetworkWork.stop`."""
        self._work.stop()

    def _open_fetched(self, folder: Path) -> None:
        if self._may_leave():
            self._opener.open(folder)
        else:
            self._session.say(f"The series was fetched to {folder}; open it from there with File > Open folder.")
