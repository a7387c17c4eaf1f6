"""Real windows without a screen, with a scripted engine behind them."""

import os
import threading
from functools import partial

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QSettings, Qt
from PySide6.QtWidgets import QApplication

from engine.ct import CTVolume
from engine.events import EngineState
from engine.study import AnswerBook
from studio import reasons
from studio.engine_client import EngineClient
from studio.history import History
from studio.main_window import MainWindow
from studio.reading import Reading, TrialClock
from studio.reading_window import ReadingWindow
from studio.theme import apply_theme
from tests.scripted_engine import PATIENCE, Gate, Loading, ScriptedRunner
from tests.studio.driving import window_with
from tests.studio.extended import SizedRunner
from tests.studio.live_driving import RememberingRunner
from tests.studio.reader import Time, press


@pytest.fixture(scope="session")
def qapp(qapp, tmp_path_factory):
    """The application with the program's look, and settings of its own."""
    QSettings.setPath(
        QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(tmp_path_factory.mktemp("settings"))
    )
    qapp.setOrganizationName("Nodule Studio tests")
    qapp.setApplicationName("Nodule Studio tests")
    apply_theme(qapp)
    return qapp


@pytest.fixture
def qtbot(qtbot):
    """pytest-qt's, as patient as a busy machine asks for: it gives up after five seconds by itself."""
    for wait in (qtbot.waitUntil, qtbot.waitSignal, qtbot.waitActive):
        setattr(qtbot, wait.__name__, partial(wait, timeout=round(PATIENCE * 1000)))
    return qtbot


@pytest.fixture(autouse=True)
def nothing_remembered(qapp):
    """Each test begins without recent files and the like, and without sketches: those who test them switch them on."""
    QSettings().clear()
    QSettings().setValue("live", "off")


def delete_later_now():
    """Delete what `deleteLater` was called on: without an event loop of its own a test would never do it."""
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QApplication.processEvents()


@pytest.fixture(autouse=True)
def nothing_left(qapp):
    """No widget and no thread outlives its test."""
    threads, widgets = set(threading.enumerate()), set(QApplication.topLevelWidgets())
    yield
    delete_later_now()
    assert set(QApplication.topLevelWidgets()) <= widgets
    assert set(threading.enumerate()) <= threads


@pytest.fixture
def volume():
    """Five slices of 96 x 120 pixels of 0.7 mm; HU tell the slice, and rise from left to right."""
    columns = np.linspace(-900, -700, 120).astype(np.int16)
    hu = np.stack([np.broadcast_to(columns + 10 * index, (96, 120)) for index in range(5)])
    positions = tuple((-40.0, -30.0, -50 + 2.5 * index) for index in range(5))
    return CTVolume(hu.astype(np.int16), (0.7, 0.7), positions, description="Made up")


@pytest.fixture
def wide_volume():
    """One slice of 200 x 240 pixels of 0.7 mm, with room for nodules that do not see each other."""
    hu = np.linspace(-900, -700, 200 * 240).reshape(1, 200, 240).astype(np.int16)
    return CTVolume(hu, (0.7, 0.7), ((0.0, 0.0, 0.0),), description="Wide")


@pytest.fixture
def make_window(qapp, qtbot, tmp_path):
    """Show windows; close them after the test, and look that nothing of them is left. `size` None: as the program."""
    windows = []

    def make(runner=None, start=True, record=None, open_runner=None, size=(1000, 800)):
        runner = runner or ScriptedRunner()
        open_runner = open_runner or (runner if isinstance(runner, Loading) else Loading(runner))
        history = History(tmp_path / "journal")
        engine = EngineClient(open_runner, record or history.record)
        window = MainWindow(engine, history, tmp_path / "session.json")
        windows.append(window)
        if size:
            window.resize(*size)
        window.show()
        window.activateWindow()  # Keys of menus work in the active window only.
        with qtbot.waitActive(window):
            pass
        if start:
            engine.start()
        return window

    yield make
    while windows:
        window = windows.pop()
        window.session.close_volume()  # Or it would ask whether to export what is accepted, here or in a scan behind,
        window.queue.cancel_all()  # and whether to drop these.
        window.close()
        window.deleteLater()
        delete_later_now()


@pytest.fixture
def window(make_window, volume):
    """A window in which the made-up volume is open, and the keys go to the slice."""
    window = make_window()
    window.session.show_volume(volume)
    window.view.setFocus()
    return window


@pytest.fixture
def held(make_window, volume, doorman):
    """A window whose engine waits at the gate of the module's `doorman`, an `on_step`; then it runs freely."""
    window = make_window(ScriptedRunner(steps=2, on_step=doorman))
    window.session.show_volume(volume)
    window.view.setFocus()
    window.gate = doorman.gate
    yield window
    doorman.gate.open()


@pytest.fixture
def sized(make_window, volume):
    """A window with five slices, whose nodules measure 12 mm across."""
    return window_with(make_window, volume, SizedRunner(steps=2))


@pytest.fixture
def wide(sized, wide_volume):
    """The same with eleven slices, in which there is room out of sight of the first nodule."""
    positions = tuple((0.0, 0.0, 2.5 * index) for index in range(11))
    sized.session.show_volume(CTVolume(np.repeat(wide_volume.hu, 11, axis=0), (0.7, 0.7), positions))
    return sized


@pytest.fixture
def make_live(make_window, volume, qtbot):
    """A window in which live pictures are on, as at a first start."""

    def make(**script):
        QSettings().remove("live")
        runner = RememberingRunner(**script)
        window = make_window(runner)
        window.session.show_volume(volume)
        window.runner = runner
        qtbot.waitUntil(lambda: window.session.engine.state is EngineState.IDLE)
        return window

    return make


@pytest.fixture
def live(make_live):
    return make_live()


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def read(qapp, qtbot, time):
    """Open the reader mode of a study for a reader; close it after the test."""
    windows = []

    def open_window(study, reader="anna", begin=True):
        window = ReadingWindow(Reading(AnswerBook(study, reader), TrialClock(time)))
        windows.append(window)
        window.show()
        window.activateWindow()
        with qtbot.waitActive(window):
            pass
        if begin:
            press(window, Qt.Key.Key_Return)
            qtbot.waitUntil(lambda: window.is_reading)
        return window

    yield open_window
    for window in windows:
        try:
            window.close()
        except RuntimeError:  # The test has closed it.
            continue
    delete_later_now()


@pytest.fixture
def with_generator(monkeypatch, tmp_path):
    """As in a version that has a slice generator; the folder is looked for, and not read by the scripted engine."""
    monkeypatch.setattr(reasons, "DEFAULT_SLICE_CHECKPOINT", tmp_path)


@pytest.fixture
def held_empty(make_window):
    """A window whose engine waits in step 3 of 15, with nothing open."""
    gate = Gate(3)
    window = make_window(ScriptedRunner(on_step=gate))
    window.gate = gate
    yield window
    gate.open()
