"""The panel of a sweep beside or below the slice: what is swept, how far it is, the cells, and what to do with them."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QSplitter, QVBoxLayout, QWidget

from studio.buttons import small_button
from studio.measured import legend
from studio.session import Session
from studio.slice_view import SliceView
from studio.sweep import Sweep, constants_text, title_text
from studio.sweep_board import SweepBoard
from studio.sweep_exporting import SweepExporting
from studio.sweeping import Sweeping
from studio.theme import icon

#: What a ladder takes of the height, in pixels, and a grid of the width, as a share.
_LADDER_HEIGHT = 236
#: The slice keeps at least so many pixels beside a sweep, where the window has them.
_LEAST_SLICE = 320
_GRID_SHARE = 0.6


class SweepPanel(QFrame):
    """Shows the session's sweep."""

    def __init__(
        self, session: Session, sweeping: Sweeping, exporting: SweepExporting, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._sweeping = sweeping
        self.board: SweepBoard | None = None
        self.setObjectName("sweep")
        self.title, self.progress = QLabel(), QLabel()
        self.constants, self.legend = QLabel(), QLabel()
        self.title.setProperty("role", "heading")
        for label in (self.constants, self.legend, self.progress):
            label.setProperty("role", "muted")
        for label in (self.title, self.constants, self.legend):
            label.setMinimumWidth(1)  # Cut off by a narrow window rather than making it wider.
        self.cancel = small_button("Cancel", "Cancel what is still to come; what has been made stays (Ctrl+Alt+X)")
        self.retry = small_button("", "Make those that have failed or were cancelled (Ctrl+Alt+M)")
        self.export = small_button("Export", "Export what has been made")
        self.export.setIcon(icon("export"))
        self.export.setMenu(_export_menu(exporting, self))
        self.close_button = small_button("", "Hide; what is in the queue is made all the same (E)")
        self.close_button.setIcon(icon("close"))
        self.close_button.setProperty("role", "tiny")
        self.close_button.setAccessibleName("Hide the ladder or grid")
        self.cancel.clicked.connect(lambda: sweeping.cancel())
        self.retry.clicked.connect(lambda: sweeping.retry_all())
        self.close_button.clicked.connect(lambda: setattr(session, "is_sweep_shown", False))
        self._lay_out()
        for signal in (session.sweep_changed, session.is_sweep_shown_changed, session.queue_changed):
            signal.connect(self.show_sweep)
        self.show_sweep()

    def _lay_out(self) -> None:
        header = QHBoxLayout()
        header.setSpacing(8)
        header.addWidget(self.title)
        header.addWidget(self.constants, 1)
        for widget in (self.progress, self.retry, self.cancel, self.export, self.close_button):
            header.addWidget(widget)
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(12, 6, 12, 8)
        self._rows.setSpacing(6)
        self._rows.addLayout(header)
        self._rows.addWidget(self.legend)

    def show_sweep(self) -> None:
        """Show the sweep, if there is one and it is wanted."""
        session, sweep = self._session, self._session.sweep
        if sweep:
            self._show_board(sweep)
            self.title.setText(title_text(sweep))
            self._show_constants(sweep)
            self.progress.setText(progress_text(session, sweep))
            self.cancel.setVisible(bool(sweep.unfinished(session.queue)))
            missing = len(sweep.to_retry(session.queue))
            self.retry.setText(f"Make the other {missing}")
            self.retry.setVisible(missing > 0)
            self.export.setEnabled(bool(sweep.results))
            self.export.setToolTip("Export what has been made" if sweep.results else "Nothing has been made yet")
        else:
            self._drop_board()
        is_shown = sweep is not None and session.is_sweep_shown
        self.setVisible(is_shown)

    def _show_constants(self, sweep: Sweep) -> None:
        """Show what stays the same beside the title of a ladder; of a grid, which is narrower, below it."""
        constants = constants_text(sweep)
        measured = legend(sweep.swept, (result.measurement for result in sweep.results))
        self.constants.setText("" if sweep.down else constants)
        self.legend.setText(f"{constants}.  {measured}" if measured else constants)
        self.legend.setVisible(sweep.down is not None)
        for label in (self.constants, self.legend):
            label.setToolTip(label.text())

    def _show_board(self, sweep: Sweep) -> None:
        if self.board and self.board.number == sweep.number:
            return
        self._drop_board()
        self.board = SweepBoard(self._session, self._sweeping, sweep)
        self._rows.addWidget(self.board, 1)

    def _drop_board(self) -> None:
        """Let go of the cells, and of the results that they show."""
        if self.board:
            self.board.hide()
            self.board.deleteLater()
            self.board = None


class SliceAndSweep(QSplitter):
    """The slice, and a ladder below it or a grid beside it."""

    def __init__(self, session: Session, view: SliceView, panel: SweepPanel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._view = view
        self._panel = panel
        self._number: int | None = None
        self.setChildrenCollapsible(False)
        self.addWidget(view)
        self.addWidget(panel)
        self.setStretchFactor(0, 1)
        session.sweep_changed.connect(self._follow)
        session.is_sweep_shown_changed.connect(self._give_keys)
        session.is_sweep_shown_changed.connect(self._follow)

    def _follow(self) -> None:
        """Give a new sweep its place and the keys, as soon as it is shown."""
        sweep = self._session.sweep
        if sweep is None or not self._session.is_sweep_shown or sweep.number == self._number:
            return
        self._number = sweep.number
        across = Qt.Orientation.Horizontal
        self.setOrientation(across if sweep.down else Qt.Orientation.Vertical)
        size = (self.width() if sweep.down else self.height()) - self.handleWidth()
        wanted = round(_GRID_SHARE * size) if sweep.down else _LADDER_HEIGHT
        slice_size = max(size - wanted, min(_LEAST_SLICE, size - 1))
        self.setSizes([slice_size, size - slice_size])
        self._view.show_box()
        self._give_keys()

    def _give_keys(self) -> None:
        if self._session.is_sweep_shown and self._panel.board:
            self._panel.board.take_focus()
        elif self._panel.isAncestorOf(self.focusWidget()):
            self._view.setFocus()


def progress_text(session: Session, sweep: Sweep) -> str:
    """Return how far a sweep is, in a few words; they also say why there is nothing to export."""
    queue, done, count = session.queue, len(sweep.results), len(sweep.cells)
    if queue.is_held and sweep.unfinished(queue):
        return f"{done} of {count}, held after a failure"
    return f"{done} of {count}" if done else f"None of {count} made yet"


def _export_menu(exporting: SweepExporting, parent: QWidget) -> QMenu:
    menu = QMenu(parent)
    menu.addAction("Sheet: all side by side in one PNG…").triggered.connect(lambda: exporting.export_sheet())
    menu.addAction("Set: a folder for each…").triggered.connect(lambda: exporting.export_set())
    return menu
