"""The cells of a sweep in rows and columns, with the names of the scores beside them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize, QSizeF, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QScrollArea, QWidget

from engine.events import Preview
from engine.nodule import SCORE_NAMES
from studio.measured import Measured, measured_for
from studio.session import Session
from studio.slice_image import grey_image
from studio.sweep import SCORES, Cell, CellState, Sweep, swept_text
from studio.sweep_cell import Look, SweepCell
from studio.sweeping import Sweeping
from studio.thumbnails import around

_ROW_NAMES = 84
#: Room for a ladder that is high enough, and for a few cells of a grid: with less nothing can be judged.
_LEAST = QSize(260, 120)


class SweepBoard(QScrollArea):
    """Shows one sweep as it is filled in, in the window of the session. A cell is chosen by a click or an arrow key.

    It scrolls where there is less room than for the smallest cells: it makes no window larger than the screen.
    """

    def __init__(self, session: Session, sweeping: Sweeping, sweep: Sweep, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._body = QWidget()
        self._body.setObjectName("sweepBody")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.horizontalScrollBar().setAccessibleName("Scroll the ladder or grid sideways")
        self.verticalScrollBar().setAccessibleName("Scroll the ladder or grid")
        self._session = session
        self._sweeping = sweeping
        self.number = sweep.number
        self._swept = sweep.swept
        self._seen: dict[SweepCell, object] = {}
        self.cells = [SweepCell(is_small=sweep.down is not None) for _ in sweep.cells]
        self._lay_out(sweep)
        for number, cell in enumerate(self.cells):
            cell.clicked.connect(lambda _=False, number=number: self.choose(number))
            cell.settings_wanted.connect(partial(self.choose, number, True))
            cell.left.connect(partial(self._step, number))
        for signal in (
            session.sweep_changed,
            session.queue_changed,
            session.window_changed,
            session.shown_changed,
            session.box_changed,
            session.candidate_changed,
            session.accepted_changed,
        ):
            # Not a lambda: that would keep this board, with all its results, as long as the session.
            signal.connect(self.show_all)
        session.queue_step_changed.connect(self._show_forming)
        self._make_stop(self._start(sweep))
        self.show_all()

    def _lay_out(self, sweep: Sweep) -> None:
        self._grid = layout = QGridLayout(self._body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        first = 1 if sweep.down else 0
        if sweep.down:
            layout.addWidget(
                _name(f"{sweep.down.capitalize()}\N{NO-BREAK SPACE}↓\n{sweep.across.capitalize()}\N{NO-BREAK SPACE}→"),
                0,
                0,
            )
            layout.setColumnMinimumWidth(0, _ROW_NAMES)
            for row, score in enumerate(SCORES):
                layout.addWidget(_name(_score_text(sweep.down, score)), row + 1, 0)
        for column, score in enumerate(SCORES):
            layout.addWidget(_name(_score_text(sweep.across, score)), 0, column + first)
            layout.setColumnStretch(column + first, 1)
        for number, cell in enumerate(self.cells):
            row, column = divmod(number, len(SCORES))
            layout.addWidget(cell, row + 1, column + first)
            layout.setRowStretch(row + 1, 1)
        self.setWidget(self._body)

    def minimumSizeHint(self) -> QSize:
        """As large as the smallest cells together, but no larger than all screens have room for."""
        return self._body.minimumSizeHint().boundedTo(_LEAST)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fill the room with cells; do not scroll before they are as small as can be, which Qt would by itself."""
        super().resizeEvent(event)
        room = self.viewport().size()
        width = max(room.width(), self._body.minimumSizeHint().width())
        self._body.resize(width, max(room.height(), self._grid.minimumHeightForWidth(width)))

    def _start(self, sweep: Sweep) -> int:
        """Return the cell whose scores are those of the sliders."""
        wanted = self._session.attributes
        return next((i for i, cell in enumerate(sweep.cells) if cell.request.attributes == wanted), 0)

    # --- what is shown -------------------------------------------------------------------------------

    def show_all(self) -> None:
        """Show how far all cells are."""
        self.show_cells(lambda cell: True)

    def show_cells(self, which: Callable[[Cell], bool]) -> None:
        """Show how far some of the cells are."""
        sweep = self._session.sweep
        if sweep and sweep.number == self.number:
            for cell, widget in zip(sweep.cells, self.cells, strict=True):
                if which(cell):
                    self._show_cell(cell, widget)

    def _show_forming(self) -> None:
        self.show_cells(lambda cell: cell.state(self._session.queue) is CellState.RUNNING)

    def _show_cell(self, cell: Cell, widget: SweepCell) -> None:
        session, state = self._session, cell.state(self._session.queue)
        step = session.queue_step if state is CellState.RUNNING else None
        is_in_slice = self._sweeping.is_in_slice(cell)
        seen = (cell, state, step, is_in_slice, session.window, session.shown.inverted)
        if self._seen.get(widget) == seen:  # The queue changes often, and most cells not with it.
            return
        self._seen[widget] = seen
        look = self._look(cell, state, step, is_in_slice)
        widget.show_look(look)
        words = ", ".join(measured.text for measured in all_measured(cell, self._swept))
        state = "in the slice" if look.is_in_slice else look.state.value.lower()
        name = f"{swept_text(cell.request, self._swept).capitalize()}: {state}"
        widget.setAccessibleName(f"{name}, {words}" if words else name)
        widget.setToolTip(_tip(cell, look, name, words))

    def _look(self, cell: Cell, state: CellState, step: Preview | None, is_in_slice: bool) -> Look:
        session, request = self._session, cell.request
        hu = cell.result.slice.hu if cell.result else request.slice.hu
        if step:
            hu = hu.astype("float32")
            hu[step.slices] = step.hu
        part = hu[around(request.box)]
        row_mm, column_mm = request.slice.pixel_spacing
        return Look(
            image=grey_image(part, session.window, session.shown.inverted),
            size_mm=QSizeF(part.shape[1] * column_mm, part.shape[0] * row_mm),
            state=state,
            lines=_lines(cell, self._swept),
            part=step.step / step.steps if step else 0.0,
            is_in_slice=is_in_slice,
        )

    # --- what is chosen ------------------------------------------------------------------------------

    def choose(self, number: int, takes_settings: bool = False) -> None:
        """Show what a cell holds in the slice; make what has failed or was cancelled."""
        sweep, look = self._session.sweep, self.cells[number].look
        if sweep is None or look is None:
            return
        if look.can_retry:
            self._sweeping.retry(sweep.cells[number])
        else:
            self._sweeping.show(sweep.cells[number], takes_settings)
        self._make_stop(number)

    def take_focus(self) -> None:
        """Let the arrow keys lead from cell to cell."""
        self._stop.setFocus()
        self.ensureWidgetVisible(self._stop, 0, 0)

    def _step(self, number: int, down: int, right: int) -> None:
        """Go to a neighbour, if there is one; show it if it is done."""
        row, column = divmod(number, len(SCORES))
        row, column = row + down, column + right
        if not (0 <= row < len(self.cells) // len(SCORES) and 0 <= column < len(SCORES)):
            return
        to = row * len(SCORES) + column
        self._make_stop(to)
        self.take_focus()
        look = self.cells[to].look
        if look and look.state is CellState.DONE:
            self.choose(to)

    def _make_stop(self, number: int) -> None:
        """Let Tab lead to this cell: one stop for all of them."""
        for cell in self.cells:
            cell.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._stop = self.cells[number]
        self._stop.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


def all_measured(cell: Cell, swept: tuple[str, ...]) -> tuple[Measured, ...]:
    """Return all that was measured for the attributes that are swept, each value once."""
    if cell.result is None:
        return ()
    measurement = cell.result.measurement
    return tuple(dict.fromkeys(value for name in swept for value in measured_for(name, measurement)))


def _lines(cell: Cell, swept: tuple[str, ...]) -> tuple[str, ...]:
    """Return two lines for a ladder; for a grid one, with the most telling value of each of its attributes."""
    if cell.result is None:
        return ()
    if len(swept) == 1:
        return tuple(measured.text for measured in measured_for(swept[0], cell.result.measurement)[:2])
    most_telling = dict.fromkeys(measured_for(name, cell.result.measurement)[0].short for name in swept)
    return (" · ".join(most_telling),)


def _tip(cell: Cell, look: Look, name: str, words: str) -> str:
    what = "\n".join(part for part in (name, words, cell.failure) if part)
    if look.can_retry:
        return f"{what}\nClick to make it again"
    is_done = look.state is CellState.DONE
    return f"{what}\nClick to see it in the slice, double-click to show and take its settings" if is_done else what


def _score_text(attribute: str, score: int) -> str:
    return f"<b>{score}</b> {SCORE_NAMES[attribute][score - 1]}"


def _name(text: str) -> QLabel:
    label = QLabel(text, alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
    label.setProperty("role", "muted")
    label.setMinimumWidth(1)
    return label
