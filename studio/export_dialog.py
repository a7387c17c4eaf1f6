"""Asks which nodules to write to files, in which formats and where; shows what was written."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSettings, QSize, QStandardPaths, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from studio.background import Task
from studio.dialog_parts import heading, on_screen, row, wrapped
from studio.exporting import FORMATS, SERIES, ExportChoices, export_nodules
from studio.own_nodule import exportable
from studio.placed import PlacedNodule
from studio.session import Session, Severity
from studio.slice_texts import nodule_text
from studio.theme import icon
from studio.writing_dialog import WritingDialog

_FOLDER_KEY = "export folder"
#: More files than these are counted, not named.
_MOST_NAMES = 30
_CHECKED, _UNCHECKED = Qt.CheckState.Checked, Qt.CheckState.Unchecked


class ExportDialog(WritingDialog):
    """Exports the nodules of a session: those that were accepted, and the one that the slice was made with.

    Attributes
    ----------
    send_wanted : Signal(list of Path)
        The folders that were written are to be sent to a PACS.
    """

    send_wanted = Signal(list)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        # As they are now: a job that ends while the dialog is open may change them, and then the list is of others.
        self._volume, self._nodules = session.volume, exportable(session)
        self._written: list[Path] = []
        self.setWindowTitle("Export")
        self.setMinimumWidth(620)
        self.nodules = _list_of(self._nodules, session.not_exported)
        self.formats = {name: _checked(f"{name}:  {files}", name != SERIES) for name, files in FORMATS.items()}
        self.keep_identity = _checked("Leave the patient's name, dates and UIDs in", False)
        self.folder = QLineEdit(last_folder())
        self.folder.setAccessibleName("Folder")
        self.browse = QPushButton("Browse…", autoDefault=False)
        self.reason, self.outcome = wrapped("muted"), wrapped("")
        self.progress = QProgressBar(textVisible=False, maximum=100)
        self.progress.setAccessibleName("Progress of the export")
        self.open_folder = QPushButton(icon("open-folder"), "Open folder", autoDefault=False)
        self.send = QPushButton("Send to PACS…", autoDefault=False)
        self.close_button = QPushButton("Close", autoDefault=False)
        self.export = QPushButton("Export", default=True)
        self.export.setProperty("role", "primary")
        self._lay_out()
        self._connect()
        self._show_state()

    def _lay_out(self) -> None:
        body = QWidget()
        rows = self._rows = QVBoxLayout(body)
        rows.setContentsMargins(24, 24, 24, 8)
        rows.setSpacing(8)
        rows.addWidget(heading("Nodules"))
        rows.addWidget(self.nodules)
        rows.addSpacing(8)
        rows.addWidget(heading("Files"))
        for box in self.formats.values():
            rows.addWidget(box)
        rows.addSpacing(8)
        rows.addWidget(heading("Identity"))
        rows.addWidget(self.keep_identity)
        rows.addSpacing(8)
        rows.addWidget(heading("Folder"))
        rows.addLayout(row(self.folder, self.browse))
        rows.addSpacing(8)
        rows.addWidget(self.outcome)
        rows.addStretch(1)
        self.area = QScrollArea(widgetResizable=True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.verticalScrollBar().setAccessibleName("Scroll what is exported")
        self.area.setWidget(body)
        self._below = QVBoxLayout()
        self._below.setContentsMargins(24, 0, 24, 24)
        self._below.addWidget(self.progress)
        self._below.addWidget(self.reason)
        self._below.addLayout(row(self.open_folder, self.send, None, self.close_button, self.export))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.area, 1)
        layout.addLayout(self._below)

    def _connect(self) -> None:
        self.browse.clicked.connect(self._browse)
        self.open_folder.clicked.connect(self._open_folder)
        self.send.clicked.connect(self._send)
        self.close_button.clicked.connect(self.close)
        self.export.clicked.connect(self._start)
        self.nodules.itemChanged.connect(self._show_state)
        self.folder.textChanged.connect(self._show_state)
        for box in self.formats.values():
            box.toggled.connect(self._show_state)

    def _chosen_nodules(self) -> list[PlacedNodule]:
        chosen = (self.nodules.item(row).checkState() == _CHECKED for row in range(self.nodules.count()))
        return [nodule for nodule, yes in zip(self._nodules, chosen, strict=True) if yes]

    def _chosen_formats(self) -> list[str]:
        return [name for name, box in self.formats.items() if box.isChecked()]

    def _why_not(self) -> str | None:
        if self._task:
            return "Writing…"
        if not self._chosen_nodules():
            return "Choose a nodule."
        if not self._chosen_formats():
            return "Choose a kind of file."
        return None if self.folder.text().strip() else "Choose a folder."

    def _show_state(self) -> None:
        why = self._why_not()
        self.export.setEnabled(why is None)
        self.export.setToolTip(why or "")
        self.reason.setText(why or "")
        self.reason.setVisible(why is not None)
        self.progress.setVisible(self._task is not None)
        self.outcome.setVisible(bool(self.outcome.text()))
        self.open_folder.setVisible(bool(self._written))
        self.send.setVisible(any(True for folder in self._written for _ in folder.rglob("*.dcm")))
        self._fit()

    def _fit(self) -> None:
        """Be as high as what is said needs, or as the screen; `adjustSize` would stop at two thirds of it."""
        self._rows.activate()
        needed = sum(_height_of(part, self.width()) for part in (self._rows, self._below))
        # A bar that was needed before takes of the width, so that texts break anew, and would go on to be needed.
        self.area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.resize(self.width(), on_screen(QSize(self.width(), needed), self).height())
        self.area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        if self.outcome.text():
            self.area.ensureWidgetVisible(self.outcome)

    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export to", self.folder.text())
        if folder:
            self.folder.setText(folder)

    def _start(self) -> None:
        volume, accepted, nodules = self._volume, self._nodules, self._chosen_nodules()
        folder = self.folder.text().strip()
        choices = ExportChoices(self._chosen_formats(), self._session.window, self.keep_identity.isChecked())
        if volume is None:
            return
        self.outcome.clear()
        self._written = []
        self._task = Task(
            lambda progress: export_nodules(volume, nodules, accepted, choices, Path(folder).expanduser(), progress),
            "The nodules could not be exported",
            self,
        )
        self._task.progressed.connect(self._show_progress)
        self._task.succeeded.connect(partial(self._finish, nodules))
        self._task.failed.connect(self._fail)
        self._task.start()
        self._show_state()

    def _finish(self, nodules: list[PlacedNodule], folders: list[Path]) -> None:
        self._task = None
        self._written = folders
        fresh = (nodule for nodule in nodules if nodule not in self._session.exported)
        self._session.exported = (*self._session.exported, *fresh)
        remember_folder(folders[0].parent)
        self.outcome.setText(_what_was_written(folders))
        self._show_state()
        self._tell_unseen(f"The nodules were written to {folders[0].parent}.")

    def _show_progress(self, part: float) -> None:
        self.progress.setValue(round(100 * part))

    def _fail(self, message: str) -> None:
        self._task = None
        self.outcome.setText(message)
        self._show_state()
        self._tell_unseen(message, Severity.ERROR)

    def _send(self) -> None:
        self.close()
        self.send_wanted.emit(self._written)

    def _open_folder(self) -> None:
        folder = self._written[0] if len(self._written) == 1 else self._written[0].parent
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def _height_of(rows: QVBoxLayout, width: int) -> int:
    return rows.totalHeightForWidth(width) if rows.hasHeightForWidth() else rows.totalSizeHint().height()


def _what_was_written(folders: list[Path]) -> str:
    lines = [f"Written to {folders[0].parent}"]
    for folder in folders:
        files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
        names = ", ".join(file.name for file in files)
        lines.append(f"{folder.name}: " + (names if len(files) <= _MOST_NAMES else f"{len(files)} files"))
    return "\n".join(lines)


def _list_of(nodules: Sequence[PlacedNodule], not_exported: Sequence[PlacedNodule]) -> QListWidget:
    """Return a list with a check mark at every nodule that has not been exported; at all, if all have been."""
    widget = QListWidget()
    widget.setAccessibleName("Nodules to export")
    fresh = not_exported or nodules
    for nodule in nodules:
        item = QListWidgetItem(nodule_text(nodule))
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(_CHECKED if nodule in fresh else _UNCHECKED)
        widget.addItem(item)
    widget.setFixedHeight(min(160, 8 + 36 * max(1, widget.count())))
    return widget


def last_folder() -> str:
    """Return the folder that was exported to last; at first, one among the user's documents."""
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return str(QSettings().value(_FOLDER_KEY) or Path(documents) / "Nodule Studio")


def remember_folder(folder: Path) -> None:
    """Suggest that folder for the next export."""
    QSettings().setValue(_FOLDER_KEY, str(folder))


def _checked(text: str, checked: bool) -> QCheckBox:
    box = QCheckBox(text)
    box.setChecked(checked)
    return box
