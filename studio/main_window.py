"""The window: slice, panel, menus; opens, exports and closes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeyEvent,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.events import SliceSource
from studio.autosave import Autosave, read_session
from studio.engine_client import EngineClient
from studio.export_dialog import ExportDialog
from studio.history import History
from studio.history_strip import HistoryStrip
from studio.keys_dialog import KeysDialog
from studio.looking_back import LookingBack
from studio.lung_finder import LungFinder
from studio.menus import build_menus
from studio.nodule_panel import NodulePanel
from studio.notice_bar import NoticeBar, OpeningBar
from studio.opening import Opener
from studio.placing import Placing
from studio.plausibility import Plausibility
from studio.presets import stored_presets
from studio.project import is_project
from studio.project_actions import ProjectActions
from studio.queue import JobQueue
from studio.reasons import engine_text, why_not_export
from studio.restoring import Restorer
from studio.series_dialog import SeriesDialog
from studio.session import Session
from studio.slice_bar import SliceBar
from studio.slice_making import SliceMaking
from studio.slice_texts import series_text
from studio.slice_view import SliceView
from studio.suggesting import Suggesting
from studio.view_actions import preset_actions
from studio.welcome import Welcome
from studio.window_entry import WindowEntry

if TYPE_CHECKING:
    from engine.ct_files import SeriesInfo

_FILES = (
    "CT and projects (project.json *.dcm *.dicom *.ima *.zip *.nii *.nii.gz *.nrrd *.nhdr *.mha *.mhd);;All files (*)"
)


class MainWindow(QMainWindow):
    """One window, one session, one engine, one history; it stops them when it closes.

    Attributes
    ----------
    first_painted : Signal()
        The window is on the screen: now is the time to load the model.
    """

    first_painted = Signal()

    def __init__(self, engine: EngineClient, history: History, session_file: Path) -> None:
        super().__init__()
        self._engine = engine
        self._is_painted = False
        self.session = Session(self)
        self.session.presets = stored_presets()
        self.session.window = self.session.presets["Lung"]
        self.lungs = LungFinder(self.session, self)
        self.plausibility = Plausibility(self.session, self)
        self.suggesting = Suggesting(self.session, self)
        self.history = history
        self.placing = Placing(self.session, engine, self)
        self.slices = SliceMaking(self.session, engine, self.placing, self.suggesting, self.may_leave, self)
        self.queue = JobQueue(self.session, self.placing, engine, self)
        self.opener = Opener(self.session, self)
        self.looking = LookingBack(self.session, history, self)
        self.restorer = Restorer(self.session, history, self.opener, self)
        last = read_session(session_file)
        self.projects = ProjectActions(self.session, history, self.restorer, last, self.may_leave, self)
        self.autosave = Autosave(self.session, history, session_file, self)
        self.view = SliceView(self.session, self.placing)
        self.slice_bar = SliceBar(self.session)
        self.welcome = Welcome(last)
        self.panel = NodulePanel(self.session, self.placing, self.queue, self.suggesting)
        self.strip = HistoryStrip(self.session, history, self.looking, self.queue)
        self.notice_bar = NoticeBar(self.session)
        self.opening_bar = OpeningBar(self.session, self.opener.cancel)
        self.setAcceptDrops(True)
        self.resize(1280, 900)
        self.setCentralWidget(self._lay_out())
        self.presets = preset_actions(self, self.session)
        self.window_entry = WindowEntry(self.session)
        self.commands = build_menus(self, self.presets)
        self._engine_label, self._series_label = QLabel(), QLabel()
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().addWidget(self._engine_label)
        self.statusBar().addPermanentWidget(self._series_label)
        self._connect()
        self._show_session()
        self.welcome.take_focus()

    def _lay_out(self) -> QWidget:
        viewer, centre = QWidget(), QWidget()
        self.pages = QStackedWidget()
        self.pages.addWidget(self.welcome)
        self.pages.addWidget(viewer)
        left = QVBoxLayout()
        for widget in (self.opening_bar, self.notice_bar, self.pages, self.strip):
            left.addWidget(widget, 1 if widget is self.pages else 0)
        beside, layout = QHBoxLayout(viewer), QHBoxLayout(centre)
        beside.addWidget(self.view, 1)
        beside.addWidget(self.slice_bar)
        layout.addLayout(left, 1)
        layout.addWidget(self.panel)
        for box in (left, beside, layout):
            box.setContentsMargins(0, 0, 0, 0)
            box.setSpacing(0)
        return centre

    def _connect(self) -> None:
        session = self.session
        for signal in (session.volume_changed, session.engine_changed):
            signal.connect(self._show_session)
        for signal in (session.accepted_changed, session.exported_changed):
            signal.connect(self._show_session)
        self.opener.choice_wanted.connect(self._choose_series)
        self.panel.placing.export_wanted.connect(self.export)
        self.welcome.file_wanted.connect(self.choose_file)
        self.welcome.folder_wanted.connect(self.choose_folder)
        self.welcome.slice_wanted.connect(self.slices.generate)
        self.welcome.path_chosen.connect(self.open_path)
        self.welcome.last_wanted.connect(self.projects.reopen_last)
        self.looking.source_wanted.connect(self._open_source)
        self.looking.slice_wanted.connect(self.slices.open)
        self.first_painted.connect(self.history.load)
        self.first_painted.connect(self.plausibility.update)

    def _show_session(self) -> None:
        session, volume = self.session, self.session.volume
        page = 0 if volume is None else 1
        if self.pages.currentIndex() != page:
            self.pages.setCurrentIndex(page)
            self.view.setFocus()
        name = volume.description or volume.source.name if volume else ""
        self.setWindowTitle(f"{name}[*] – Nodule Studio" if name else "Nodule Studio[*]")
        self.setWindowModified(bool(session.not_exported))
        self._engine_label.setText(engine_text(session))
        self._engine_label.setToolTip(session.engine.detail)
        self._series_label.setText(series_text(volume) if volume else "")

    # --- opening -------------------------------------------------------------------------------------

    def open_path(self, path: Path) -> None:
        """Open a file or folder, or a project, instead of what is open."""
        if is_project(path):
            self.projects.open(path)
        elif self.may_leave():
            self.opener.open(path)

    def _open_source(self, source: SliceSource, then: Callable[[], object]) -> None:
        if self.may_leave():
            self.opener.read(source.path, source.series_uid, then)

    def choose_file(self) -> None:
        """Ask for a file and open it."""
        name, _ = QFileDialog.getOpenFileName(self, "Open a CT image", filter=_FILES)
        if name:
            self.open_path(Path(name))

    def choose_folder(self) -> None:
        """Ask for a folder and open it."""
        name = QFileDialog.getExistingDirectory(self, "Open a folder of DICOM files")
        if name:
            self.open_path(Path(name))

    def _choose_series(self, path: Path, found: list[SeriesInfo]) -> None:
        dialog = SeriesDialog(found, self)
        dialog.accepted.connect(lambda: self.opener.read(path, dialog.chosen_uid))
        self._show_dialog(dialog)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders of this machine."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()
            self.welcome.show_dropping(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Nothing is to be dropped any more."""
        self.welcome.show_dropping(False)

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped; of several files, the folder that they are in."""
        self.welcome.show_dropping(False)
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        if len({path.parent for path in paths}) > 1:
            self.session.say("Drop one file or one folder.")
        elif paths:
            self.open_path(paths[0] if len(paths) == 1 else paths[0].parent)

    # --- exporting and leaving -----------------------------------------------------------------------

    def export(self) -> None:
        """Ask what to export where; or say why nothing can be."""
        why = why_not_export(self.session)
        if why:
            self.session.say(why)
        else:
            self._show_dialog(ExportDialog(self.session, self))

    def show_keys(self) -> None:
        """Show what keys and mouse buttons do."""
        self._show_dialog(KeysDialog(self))

    def escape(self) -> None:
        """Cancel what is going on: a drag, else the job in the slice, else the one of the queue."""
        if self.view.cancel_gesture():
            return
        if self.session.job:
            self.placing.cancel()
        else:
            self.queue.cancel_running()

    def cancel_all(self) -> None:
        """Cancel the job in the slice and all of the queue."""
        self.placing.cancel()
        self.queue.cancel_all()

    def may_leave(self) -> bool:
        """Ask, if accepted nodules would be lost from view without having been exported."""
        count = len(self.session.not_exported)
        if count == 0:
            return True
        which = "1 accepted nodule has" if count == 1 else f"{count} accepted nodules have"
        box = QMessageBox(QMessageBox.Icon.NoIcon, "Nodule Studio", f"{which} not been exported.", parent=self)
        box.setInformativeText("Every result is kept in the journal, but not as DICOM, NIfTI or PNG files.")
        leave = box.addButton("Leave without exporting", QMessageBox.ButtonRole.DestructiveRole)
        export = box.addButton("Export…", QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(export)
        box.exec()
        clicked = box.clickedButton()
        box.deleteLater()
        if clicked is export:
            self.export()
        return clicked is leave

    def _may_drop_queue(self) -> bool:
        """Ask, if jobs would be lost that wait."""
        count = len(self.session.queue.waiting)
        if count == 0:
            return True
        which = "1 job waits" if count == 1 else f"{count} jobs wait"
        text = f"{which} in the queue and will not be made. Results that are finished are kept."
        box = QMessageBox(QMessageBox.Icon.NoIcon, "Nodule Studio", text, parent=self)
        leave = box.addButton("Leave", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        clicked = box.clickedButton()
        box.deleteLater()
        return clicked is leave

    def _show_dialog(self, dialog: QDialog) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Cancel, stop and join; the window goes first, for a step or a load may take a moment."""
        if not (self._may_drop_queue() and self.may_leave()):
            event.ignore()
            return
        self.hide()
        self.slices.stop()
        self.autosave.stop()
        self.cancel_all()
        for part in (
            self.lungs,
            self.plausibility,
            self.suggesting,
            self.looking,
            self.restorer,
            self.opener,
            self.projects,
            self.strip.list,
            self._engine,
            self.history,
        ):
            part.stop()
        # While it is deleted it still tells that it has changed, to those who are already gone.
        self.session.undo_stack.blockSignals(True)
        event.accept()

    # --- keys and painting ---------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Show the original while Space is held."""
        if event.key() == Qt.Key.Key_Space:
            self.session.original_shown = True
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Show the nodules again."""
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.session.original_shown = False
        else:
            super().keyReleaseEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Show the nodules again when another window takes the keys: the release of Space goes there."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.ActivationChange and not self.isActiveWindow():
            self.session.original_shown = False

    def paintEvent(self, event: QPaintEvent) -> None:
        """Tell when the window is on the screen for the first time."""
        super().paintEvent(event)
        if not self._is_painted:
            self._is_painted = True
            self.first_painted.emit()
