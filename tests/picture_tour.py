"""The way through the program that its pictures are taken on: real mouse and key events, one state after the other.

    empty, slice, box, sampling, candidate, queue, finished, compare, ladder, light, search, accepted, export,
    exported, study, generated

The first nodule is made from what the window starts with, so that the pictures come out the same each time, but for
the hour in the history and what the device of this computer rounds differently.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from engine.ct import LUNG
from engine.events import EngineState
from engine.prior import suggest_for_generation
from engine.study import AnswerBook
from engine.study_trials import TrialImages, write_study
from studio.command_search import CommandSearch
from studio.export_dialog import ExportDialog
from studio.live_switch import LiveSwitch
from studio.main_window import MainWindow
from studio.reading import Reading, TrialClock
from studio.reading_window import ReadingWindow
from studio.sweep import CellState
from studio.theme import Theme, choose_theme
from tests.made_up_study import UID
from tests.own_window import wait
from tests.phantom import phantom_volume
from tests.picture_album import Album, wait_a_moment
from tests.studio.driving import drag

Key, Modifier = Qt.Key, Qt.KeyboardModifier
LEFT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton
#: Pixels of the window that bring the box into the middle of a narrower pane.
_PAN = 150
#: Of the slice that is made whole, with the box and the scores that go with it.
_SLICE_SEED = 21


@dataclass(frozen=True)
class Way:
    """Where the way leads along.

    Attributes
    ----------
    input : Path, optional
        CT to open; a made-up chest if left out.
    slice_index : int, optional
        From 0; the middle one if left out.
    box : (row, column, side)
        In pixels of the slice.
    zoom : float
        Enlargement around the box.
    size : (width, height)
        Of the window, in pixels.
    """

    input: Path | None = None
    slice_index: int | None = None
    box: tuple[int, int, int] = (230, 110, 32)
    zoom: float = 2.5
    size: tuple[int, int] = (1280, 900)


def walk(window: MainWindow, way: Way, album: Album, scratch: Path) -> None:
    """Go the whole way; the window must be shown, and its engine started."""
    window.resize(*way.size)
    wait(lambda: window.session.engine.state is EngineState.IDLE)
    album.keep(window, "empty")
    _open(window, way, album)
    _make(window, album)
    _look_back(window, album)
    _compare(window, album)
    _sweep(window, album)
    _change_theme(window, album)
    _export(window, album, scratch)
    _read_study(window, album, scratch / "study")
    _generate_slice(window, album)


def _open(window: MainWindow, way: Way, album: Album) -> None:
    session, view = window.session, window.view
    if way.input:
        window.open_path(way.input)
    else:
        session.show_volume(phantom_volume())
    wait(lambda: session.volume is not None)
    if way.slice_index is not None:
        session.go_to_slice(way.slice_index)
    wait(lambda: window.series_strip.pictures.of(session.slice_index) is not None)
    album.keep(window, "slice")
    row, column, side = way.box
    assert view.viewport_now is not None
    view.zoom(way.zoom, view.viewport_now.to_widget(row + side / 2, column + side / 2))
    live, session.live = session.live, LiveSwitch(is_on=False)  # Or the nodule would form before its picture is due.
    drag(view, (row, column), (row + side, column + side))
    wait(lambda: session.lungs is not None and session.engine.state is EngineState.IDLE)
    wait_a_moment()
    session.live = live
    album.keep(window, "box")


def _make(window: MainWindow, album: Album) -> None:
    session = window.session
    QTest.keyClick(window.view, Key.Key_G)
    wait(lambda: session.preview is not None and session.preview.step >= session.preview.steps // 2)
    album.keep(window, "sampling")
    wait(lambda: session.candidate is not None)
    album.keep(window, "candidate")
    QTest.mouseClick(window.hints.bubble.close_button, LEFT)  # It would lie on the history from now on.


def _look_back(window: MainWindow, album: Album) -> None:
    """Let ten seeds be made, and choose the third card of the history."""
    session, strip = window.session, window.strip
    QTest.keyClick(window.view, Key.Key_G, Modifier.ShiftModifier)
    wait(lambda: session.queue.done == 4 and session.queue_step is not None)
    album.keep(window, "queue")
    wait(lambda: session.queue.is_empty)
    shown = session.candidate
    card = strip.list.visualRect(strip.list.model().index(2, 0)).center()
    QTest.mouseClick(strip.list.viewport(), LEFT, pos=card)
    wait(lambda: session.candidate is not shown)
    wait_a_moment()
    album.keep(window, "finished")


def _compare(window: MainWindow, album: Album) -> None:
    """Show before | after side by side, and end it again."""
    QTest.keyClick(window.view, Key.Key_C)
    _pan(window.view, _PAN)
    album.keep(window, "compare")
    _pan(window.view, -_PAN)
    QTest.keyClick(window.view, Key.Key_C)


def _pan(view: QWidget, by: int) -> None:
    """Push the slice to the right with the middle mouse button."""
    start = QPoint(view.width() // 4, view.height() // 4)
    QTest.mousePress(view, MIDDLE, pos=start)
    QTest.mouseMove(view, start + QPoint(by, 0))
    QTest.mouseRelease(view, MIDDLE, pos=start + QPoint(by, 0))


def _sweep(window: MainWindow, album: Album) -> None:
    """Make a ladder of texture, and put its last into the slice."""
    session, panel = window.session, window.sweep_panel
    QTest.keyClick(window.view, Key.Key_5, Modifier.AltModifier)
    wait(lambda: session.sweep is not None and session.queue.is_empty)
    assert session.sweep
    assert panel.board
    assert all(cell.state(session.queue) is CellState.DONE for cell in session.sweep.cells)
    QTest.mouseClick(panel.board.cells[-1], LEFT)
    wait_a_moment()
    album.keep(window, "ladder")
    QTest.keyClick(window.view, Key.Key_E)


def _change_theme(window: MainWindow, album: Album) -> None:
    """Show the light theme, then the search for commands in the dark one; accept the nodule."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    choose_theme(app, Theme.LIGHT)
    album.keep(window, "light")
    choose_theme(app, Theme.DARK)
    QTest.keyClick(window.view, Key.Key_K, Modifier.ControlModifier)
    search = window.findChild(CommandSearch)
    assert isinstance(search, CommandSearch)
    QTest.keyClicks(search.field, "ladder")
    album.keep(search, "search")
    search.close()
    window.activateWindow()
    wait(window.isActiveWindow)
    QTest.keyClick(window.view, Key.Key_A)
    wait(lambda: bool(window.session.accepted))
    album.keep(window, "accepted")


def _export(window: MainWindow, album: Album, scratch: Path) -> None:
    window.export()
    dialog = window.findChild(ExportDialog)
    assert isinstance(dialog, ExportDialog)
    dialog.folder.setText(str(scratch / "export"))
    album.keep(dialog, "export")
    QTest.mouseClick(dialog.export, LEFT)
    wait(lambda: bool(dialog.outcome.text()))
    album.keep(dialog, "exported")
    dialog.close()


def _read_study(window: MainWindow, album: Album, folder: Path) -> None:
    """Rate the accepted nodule as a reader of a study does."""
    result = next(nodule.result for nodule in window.session.accepted)
    box = result.request.box
    trials = [TrialImages("rate_attributes", (result.slice,), (box.row, box.column, box.side))] * 2
    study = write_study(folder, "Nodules of a phantom", ["anna"], trials, LUNG, UID, 11, "0" * 64)
    reading = ReadingWindow(Reading(AnswerBook(study, "anna"), TrialClock()))
    reading.show()
    reading.activateWindow()
    wait(reading.isActiveWindow)
    QTest.keyClick(reading, Key.Key_Return)
    wait(lambda: reading.is_reading)
    for key in (Key.Key_Z, Key.Key_4, Key.Key_4, Key.Key_1):
        QTest.keyClick(reading, key)
    album.keep(reading, "study")
    reading.close()


def _generate_slice(window: MainWindow, album: Album) -> None:
    """Make a slice whole; not by its key, for which box and scores are drawn anew each time."""
    session = window.session
    session.options = replace(session.options, seed=_SLICE_SEED)
    window.slices.generate_with(*suggest_for_generation(_SLICE_SEED))
    wait(lambda: session.generated is not None and session.job is None)
    wait_a_moment()
    album.keep(window, "generated")
