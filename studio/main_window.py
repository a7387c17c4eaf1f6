"""The window: slice, panel, menus; opens, exports and closes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QKeySequence, QPaintEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from studio import leaving
from studio.autosave import Autosave, read_session
from studio.best_of import BestOf
from studio.command_search import CommandSearch
from studio.device_note import DeviceNote
from studio.dropping import Dropping
from studio.engine_client import EngineClient
from studio.engine_status import EngineStatus
from studio.export_dialog import ExportDialog
from studio.extending import Extending
from studio.file_actions import FileActions
from studio.first_hints import FirstHints
from studio.grid_dialog import GridDialog
from studio.history import History
from studio.history_strip import HistoryStrip
from studio.keys_dialog import KeysDialog
from studio.live import Live
from studio.looking_back import LookingBack
from studio.lung_finder import LungFinder
from studio.menus import build_menus
from studio.nodule_panel import NodulePanel
from studio.notice_bar import NoticeBar, OpeningBar
from studio.opening import Opener
from studio.pacs_actions import PacsActions
from studio.placing import Placing
from studio.plausibility import Plausibility
from studio.presets import stored_presets
from studio.project_actions import ProjectActions
from studio.queue import JobQueue
from studio.reasons import WITHOUT_SLICE, why_not_export
from studio.regions import order_tabs
from studio.reopening import ResultOpener
from studio.restoring import Restorer
from studio.series_strip import SeriesStrip
from studio.session import Session, Severity
from studio.slice_bar import SliceBar
from studio.slice_making import SliceMaking
from studio.slice_texts import series_text
from studio.slice_view import SliceView
from studio.study_actions import StudyActions
from studio.suggesting import Suggesting
from studio.sweep_exporting import SweepExporting
from studio.sweep_panel import SliceAndSweep, SweepPanel
from studio.sweeping import Sweeping
from studio.view_actions import preset_actions
from studio.welcome import Welcome
from studio.window_entry import WindowEntry
from studio.window_place import restore_place, store_place

#: How long the status bar says why keys have done nothing, in milliseconds.
_MESSAGE_TIME = 5000


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
        self.placing = Placing(self.session, engine, history, self)
        may_replace = partial(leaving.may_leave, self.session, self.export, self)
        self.slices = SliceMaking(self.session, engine, history, self.placing, self.suggesting, may_replace, self)
        self.queue = JobQueue(self.session, self.placing, engine, self)
        self.live = Live(self.session, engine, self.placing, self)
        self.best_of = BestOf(self.session, self.queue, history, self)
        self.extending = Extending(self.session, self.placing, self.queue, history, self)
        self.opener = Opener(self.session, self)
        self.looking = LookingBack(self.session, history, self)
        self.results = ResultOpener(self.session, history, self.looking, self.placing, self.slices)
        self.sweeping = Sweeping(self.session, self.placing, self.queue, self.looking, history)
        self.sweep_exporting = SweepExporting(self.session, self)
        self.restorer = Restorer(self.session, history, self.opener, self.slices, self.queue, self.sweeping, self)
        last = read_session(session_file)
        self.projects = ProjectActions(self.session, history, self.restorer, last, self.may_leave, self)
        self.studies = StudyActions(self.session, history, self.show_dialog, self)
        self.pacs = PacsActions(self.session, self.opener, self.may_leave, self.show_dialog, self)
        self.files = FileActions(self)
        self.autosave = Autosave(self.session, history, self.slices, session_file, self)
        self.view = SliceView(self.session, self.placing)
        self.series_strip = SeriesStrip(self.session)
        self.slice_bar = SliceBar(self.session)
        self.welcome = Welcome(last)
        self.panel = NodulePanel(self.session, self.placing, self.queue, self.suggesting, self.live)
        self.sweep_panel = SweepPanel(self.session, self.sweeping, self.sweep_exporting)
        self.strip = HistoryStrip(self.session, history, self.looking, self.queue)
        self.notice_bar = NoticeBar(self.session)
        self.opening_bar = OpeningBar(self.session, self.opener.cancel)
        self.dropping = Dropping(self.session, self.open_path, self.welcome.show_dropping, self)
        centre = self._lay_out()
        self.setCentralWidget(centre)
        self.presets = preset_actions(self, self.session)
        self.window_entry = WindowEntry(self.session)
        controls = self.panel.placing
        self.hints = FirstHints(self.session, self.view, controls.generate, controls.accept, centre)
        self.parts = (self.welcome, self.series_strip, self.view, self.panel, self.sweep_panel, self.strip)
        self.parts += (self.window_entry, self.opening_bar, self.notice_bar, self.hints.bubble)
        self.commands = build_menus(self, self.presets)
        order_tabs(self.parts)
        self.engine_status, self._series_label = EngineStatus(self.session), QLabel()
        self.device_note = DeviceNote(self.session, self)
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().addWidget(self.engine_status)
        self.statusBar().addPermanentWidget(self._series_label)
        self._connect()
        self._show_session()
        restore_place(self)
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
        beside.addWidget(self.series_strip)
        beside.addWidget(SliceAndSweep(self.session, self.view, self.sweep_panel), 1)
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
        for signal in (session.accepted_changed, session.exported_changed, session.in_project_changed):
            signal.connect(self._show_session)
        self.panel.placing.export_wanted.connect(self.export)
        self.panel.placing.best_wanted.connect(self.best_of.start)
        self.panel.ladder_wanted.connect(self.sweeping.start)
        self.welcome.file_wanted.connect(self.files.choose_file)
        self.welcome.folder_wanted.connect(self.files.choose_folder)
        self.welcome.slice_wanted.connect(self.slices.generate)
        self.welcome.path_chosen.connect(self.open_path)
        self.welcome.last_wanted.connect(self.projects.reopen_last)
        self.commands["Generate"].triggered.connect(self.hints.note_generate)
        for name, why in WITHOUT_SLICE.items():
            self.commands[name].triggered.connect(partial(self._say_why_not, why))
        self.looking.source_wanted.connect(self.files.open_source)
        self.results.source_wanted.connect(self.files.open_source)
        self.looking.slice_wanted.connect(self.slices.open)
        self.slices.reopening_wanted.connect(self.projects.reopen)
        self.looking.replacement_wanted.connect(self.placing.put_instead)
        self.first_painted.connect(self.history.load)
        self.history.failed.connect(partial(self.session.say, severity=Severity.ERROR))
        self.first_painted.connect(self.plausibility.update)

    def _show_session(self) -> None:
        session, volume = self.session, self.session.volume
        page = 0 if volume is None else 1
        if self.pages.currentIndex() != page:
            self.pages.setCurrentIndex(page)
            self.view.setFocus()
        name = volume.description or volume.source.name if volume else ""
        self.setWindowTitle(f"{name}[*] – Nodule Studio" if name else "Nodule Studio[*]")
        self.setWindowModified(bool(session.not_kept))
        self._series_label.setText(series_text(volume) if volume else "")

    def _say_why_not(self, why_not: Callable[[Session], str | None]) -> None:
        """Say why what was asked for has done nothing, if there is a reason."""
        why = why_not(self.session)
        if why:
            self.session.say(why)

    # --- opening -------------------------------------------------------------------------------------

    def open_path(self, path: Path) -> None:
        """Open whatever a path is of; see `FileActions.open`."""
        self.files.open(path)

    # --- exporting and leaving -----------------------------------------------------------------------

    def export(self) -> None:
        """Ask what to export where; or say why nothing can be."""
        why = why_not_export(self.session)
        if why:
            self.session.say(why)
        elif any(dialog.is_writing for dialog in self.findChildren(ExportDialog)):
            self.session.say("The last export is still being written; export again in a moment.")
        else:
            dialog = ExportDialog(self.session, self)
            dialog.send_wanted.connect(self.pacs.send)
            self.show_dialog(dialog)

    def ask_for_grid(self) -> None:
        """Ask which two attributes to sweep."""
        self.show_dialog(GridDialog(self.session, self.sweeping, self))

    def show_keys(self) -> None:
        """Show what keys and mouse buttons do."""
        self.show_dialog(KeysDialog(self))

    def find_action(self) -> None:
        """Ask for words, and do the action that they find."""
        self.show_dialog(CommandSearch(self))

    def escape(self) -> None:
        """End a drag or a ruler, else the crosshair, the slice's job, the live picture, else the job of the queue."""
        if self.view.cancel_gesture():
            return
        if self.session.job:
            self.placing.cancel()
        elif self.session.sketch:
            self.live.drop()
        else:
            self.queue.cancel_running()

    def cancel_all(self) -> None:
        """Cancel the job in the slice and all of the queue."""
        self.placing.cancel()
        self.queue.cancel_all()

    def may_leave(self) -> bool:
        """Ask, if accepted nodules would be lost from view, or the way back to them, without having been exported."""
        return leaving.may_leave(self.session, self.export, self, self.slices)

    def show_dialog(self, dialog: QDialog) -> None:
        """Show a dialog that goes when it is closed."""
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Cancel, stop and join; the window goes first, for a step or a load may take a moment."""
        if not (leaving.may_drop_queue(self.session, self) and self.may_leave()):
            event.ignore()
            return
        store_place(self)
        self.hide()
        self.slices.stop()
        self.autosave.stop()
        self.cancel_all()
        for part in (
            self.lungs,
            self.plausibility,
            self.suggesting,
            self.looking,
            self.results,
            self.studies,
            self.sweep_exporting,
            self.restorer,
            self.opener,
            self.pacs,
            self.projects,
            self.strip.list,
            self.series_strip,
            self._engine,
            self.history,
            *self.findChildren(ExportDialog),
        ):
            part.stop()
        # While it is deleted it still tells that it has changed, to those who are already gone.
        self.session.undo_stack.blockSignals(True)
        event.accept()

    # --- keys and painting ---------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Show the original while Space is held; keys come here, too, whose action is disabled."""
        if event.key() == Qt.Key.Key_Space:
            self.session.original_shown = True
        else:
            self._say_why_disabled(event)
            super().keyPressEvent(event)

    def _say_why_disabled(self, event: QKeyEvent) -> None:
        """Say in the status bar why keys do nothing: in a menu, the reason is shown to a mouse alone."""
        keys = QKeySequence(event.keyCombination())
        for action in self.commands.values():
            if keys in action.shortcuts() and not action.isEnabled():
                self.statusBar().showMessage(action.statusTip(), _MESSAGE_TIME)

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
