"""Sends the DICOM objects of exports to a PACS."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QDialog, QProgressBar, QPushButton, QVBoxLayout, QWidget

from engine.pacs_connection import Connection
from studio.background import Progress
from studio.dialog_parts import heading, row, wrapped
from studio.network_work import NetworkWork
from studio.server_fields import Logins, ServerFields

if TYPE_CHECKING:
    from engine.pacs_objects import DicomObject


_SENDING = "Sending…"


class SendDialog(QDialog):
    """Says what there is to send and what speaks against it; sends it."""

    def __init__(self, folders: Sequence[Path], work: NetworkWork, logins: Logins, parent: QWidget) -> None:
        super().__init__(parent)
        self._work = work
        self._objects: list[DicomObject] = []
        self.setWindowTitle("Send to PACS")
        self.setMinimumWidth(600)
        self.folders = wrapped(text="\n".join(str(folder) for folder in folders))
        self.what, self.identity = wrapped("muted"), wrapped("warning")
        self.server = ServerFields(logins)
        self.progress = QProgressBar(textVisible=False, maximum=100)
        self.progress.setAccessibleName("Progress of sending")
        self.outcome, self.reason = wrapped(), wrapped("muted")
        self.test = QPushButton("Test connection", autoDefault=False)
        self.close_button = QPushButton("Close", autoDefault=False)
        self.send = QPushButton("Send", default=True)
        self.send.setProperty("role", "primary")
        self._lay_out()
        self._connect()
        work.start("Looking for DICOM objects…", partial(_look, folders), "The export could not be read", self._show)

    def _lay_out(self) -> None:
        rows = self._rows = QVBoxLayout(self)
        rows.setContentsMargins(24, 24, 24, 24)
        rows.setSpacing(8)
        rows.addWidget(heading("Export"))
        for label in (self.folders, self.what, self.identity):
            rows.addWidget(label)
        rows.addSpacing(8)
        rows.addWidget(heading("Server"))
        rows.addWidget(self.server)
        rows.addSpacing(8)
        for widget in (self.progress, self.outcome, self.reason):
            rows.addWidget(widget)
        rows.addStretch(1)
        rows.addLayout(row(self.test, None, self.close_button, self.send))

    def _connect(self) -> None:
        self.test.clicked.connect(self._test)
        self.send.clicked.connect(self._send)
        self.close_button.clicked.connect(self.reject)
        self.server.edited.connect(self._forget_outcome)
        self._work.changed.connect(self._show_state)

    def _show(self, found: tuple[list[DicomObject], str, str]) -> None:
        self._objects, what, warning = found
        self.what.setText(what)
        self.identity.setText(warning)

    def _why_not(self) -> str:
        if self._work.doing:
            return self._work.doing
        return self.server.why_not if self._objects else "There is nothing to send."

    def _show_state(self) -> None:
        why, busy = self._why_not(), bool(self._work.doing)
        for button, text in ((self.send, why), (self.test, self._work.doing or self.server.why_not)):
            button.setEnabled(not text)
            button.setToolTip(text)
        self.server.setEnabled(not (busy and self._objects))
        self.close_button.setText("Cancel" if busy else "Close")
        self.progress.setVisible(busy)
        # A range of 0 to 0 shows that it works without saying how far it is.
        self.progress.setRange(0, 100 if self._work.part else 0)
        self.progress.setValue(round(100 * self._work.part))
        if self._work.error:
            self.outcome.setText(self._work.error)
        for label, text in ((self.reason, why), (self.outcome, self.outcome.text())):
            label.setText(text)
            label.setVisible(bool(text))
        self.identity.setVisible(bool(self.identity.text()))
        self._rows.activate()
        self.resize(self.width(), self._rows.totalHeightForWidth(self.width()))

    def _forget_outcome(self) -> None:
        if self._objects:
            self.outcome.clear()
            self._work.cancel()  # Nothing is going on; it forgets why the last one failed.
        self._show_state()

    def _test(self) -> None:
        self.outcome.clear()
        connection = self.server.connection
        self._work.start(
            "Connecting…",
            partial(_check, connection),
            "The server could not be reached",
            lambda _: self._say_that_it_worked(connection, "The server answers."),
        )

    def _send(self) -> None:
        self.outcome.clear()
        connection = self.server.connection
        self._work.start(
            _SENDING,
            partial(_send, self._objects, connection),
            "The objects could not be sent",
            lambda count: self._say_that_it_worked(connection, _sent(count, connection)),
        )

    def _say_that_it_worked(self, connection: Connection, text: str) -> None:
        self.server.remember(connection)
        self.outcome.setText(text)

    def reject(self) -> None:
        """Cancel what is going on; close the dialog if nothing is, or nothing is known to send. Esc comes here, too."""
        if not (self._work.doing and self._objects):
            super().reject()
            return
        done, was_sending = round(self._work.part * len(self._objects)), self._work.doing == _SENDING
        self._work.cancel()
        self.outcome.setText(
            f"Cancelled after {done} of {len(self._objects)} objects." if was_sending else "Cancelled."
        )
        self._show_state()

    def done(self, result: int) -> None:
        """Leave nothing running."""
        self._work.changed.disconnect(self._show_state)
        self._work.cancel()
        super().done(result)


def _look(folders: Sequence[Path], progress: Progress) -> tuple[list[DicomObject], str, str]:
    from engine.pacs_objects import find_objects, identity_warning, what_there_is  # Imports pydicom.

    objects = find_objects(folders)
    return objects, what_there_is(objects), identity_warning(objects)


def _check(connection: Connection, progress: Progress) -> None:
    from engine.pacs import check_connection

    check_connection(connection)


def _send(objects: Sequence[DicomObject], connection: Connection, progress: Progress) -> int:
    from engine.pacs import send_objects

    return send_objects(objects, connection, lambda done, count: progress(done / count))


def _sent(count: int, connection: Connection) -> str:
    what = "The object is" if count == 1 else f"All {count} objects are"
    return f"{what} at {connection.address}."
