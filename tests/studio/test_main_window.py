"""The window as a whole: closing, reasons, what it imports."""

import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from engine.events import EngineState, StateChanged
from engine.nodule import SCORE_NAMES
from studio import lung_finder, project, suggesting
from studio.device_note import NO_GPU
from studio.session import Notice
from studio.window_entry import WindowEntry
from tests.scripted_engine import PATIENCE, Gate, Loading, ScriptedRunner
from tests.studio.driving import LEFT, draw_box, wheel

KEY = Qt.Key


def engine_threads():
    return [thread for thread in threading.enumerate() if thread.name == "engine"]


def test_the_window_can_be_closed_while_it_samples(make_window, volume, qtbot):
    gate = Gate(3)
    runner = ScriptedRunner(on_step=gate)
    window = make_window(runner)
    window.session.show_volume(volume)
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_G)
    gate.wait_until_reached(3)
    threading.Timer(0.1, gate.open).start()
    assert window.close()
    assert runner.closed == [1]
    assert not engine_threads()


def test_the_window_can_be_closed_while_the_model_is_loaded(make_window):
    gate = Gate()
    window = make_window(Loading(ScriptedRunner(), gate=gate))
    gate.wait_until_reached()
    threading.Timer(0.1, gate.open).start()
    assert window.close()
    assert not engine_threads()


def test_the_window_can_be_closed_before_the_engine_was_started(make_window):
    assert make_window(start=False).close()


def test_the_engine_can_be_started_when_the_window_is_painted(make_window, qtbot):
    window = make_window(start=False)
    painted = []
    window.first_painted.connect(lambda: painted.append(True))
    window._is_painted = False
    window.update()
    qtbot.waitUntil(lambda: painted == [True])
    window.repaint()
    assert painted == [True]


@pytest.mark.parametrize(
    ("state", "detail", "text"),
    [
        (EngineState.LOADING, "", "Loading the model"),
        (EngineState.IDLE, "CPU, 2 threads", "Ready on CPU, 2 threads"),
        (EngineState.SAMPLING, "CPU, 2 threads", "Generating on CPU, 2 threads"),
        (EngineState.CANCELLING, "", "Cancelling"),
        (EngineState.FAILED, "No checkpoint.", "The model could not be loaded"),
        (EngineState.STOPPED, "", "Stopped"),
    ],
)
def test_the_status_bar_says_what_the_engine_does(window, state, detail, text):
    window.placing.handle(StateChanged(state, detail))
    assert window.engine_status.text.text() == text


def test_a_bar_moves_in_the_status_bar_while_the_engine_loads_for_more_than_a_moment(window, qtbot):
    busy = window.engine_status.busy
    assert not busy.isVisible()
    window.placing.handle(StateChanged(EngineState.LOADING))
    assert not busy.isVisible()
    qtbot.waitUntil(busy.isVisible)
    window.placing.handle(StateChanged(EngineState.IDLE, "CPU"))
    assert not busy.isVisible()


def test_a_missing_gpu_is_said_once_and_never_again(make_window):
    first = make_window(start=False)
    first.session.say("Something more important.")
    first.placing.handle(StateChanged(EngineState.IDLE, "CPU, 2 threads"))
    assert first.session.notice.text == "Something more important."
    first.session.notice = None
    first.placing.handle(StateChanged(EngineState.IDLE, "CPU, 2 threads"))
    assert first.session.notice.text == NO_GPU
    second = make_window(start=False)
    second.placing.handle(StateChanged(EngineState.IDLE, "CPU, 2 threads"))
    assert second.session.notice is None


def test_nothing_is_said_of_a_gpu_that_is_there(make_window):
    window = make_window(start=False)
    window.placing.handle(StateChanged(EngineState.IDLE, "NVIDIA RTX A2000"))
    assert window.session.notice is None


def test_generate_says_why_it_cannot_be_pressed(make_window, volume, qtbot):
    window = make_window()
    controls = window.panel.placing

    def why():
        assert not controls.generate.isEnabled()
        return controls.status.text()

    assert why() == "Open a chest CT first."
    window.session.show_volume(volume)
    assert why() == "Draw a box first: drag a square on the slice."
    draw_box(window, 30, 40, 5)
    assert why() == "The box is 3.5 mm wide; draw a larger one, of 4 to 60 mm."
    draw_box(window, 5, 5, 88)
    assert why() == "The box is 61.6 mm wide; draw a smaller one, of 4 to 60 mm."
    window.session.undo_stack.undo()
    window.session.undo_stack.undo()
    draw_box(window)
    assert controls.generate.isEnabled()
    assert controls.status.text() == ""
    window.session.go_to_slice(0)
    assert why() == "The box is on slice 3; go there, or draw one here."
    QTest.keyClick(window.view, KEY.Key_G)
    assert window.notice_bar.text.text() == "The box is on slice 3; go there, or draw one here."
    assert window.session.job is None


@pytest.mark.parametrize("keys", ["B", "F", "Del", "P", "Ctrl+0", "Ctrl++", "Ctrl+-"])
def test_keys_that_need_a_slice_say_so_without_one_and_nothing_with_one(make_window, volume, keys):
    window = make_window()
    QTest.keySequence(window, keys)
    assert window.notice_bar.text.text() == "Open a chest CT first."
    window.session.notice = None
    window.session.show_volume(volume)
    window.view.setFocus()
    QTest.keySequence(window.view, keys)
    assert window.session.notice is None or keys == "P"


def test_no_box_is_moved_to_the_middle_of_a_slice_that_is_being_made_and_why(held_empty, with_generator, qtbot):
    QTest.keySequence(held_empty, "Ctrl+G")
    qtbot.waitUntil(lambda: held_empty.session.is_slice_forming)
    box = held_empty.session.box
    QTest.keyClick(held_empty.view, KEY.Key_B)
    assert held_empty.session.box == box
    assert held_empty.notice_bar.text.text() == "The slice is being made; Esc cancels it."


def test_undo_and_redo_say_what_they_would_do_and_why_they_cannot(window):
    undo, redo = window.commands["Undo"], window.commands["Redo"]
    assert (undo.isEnabled(), undo.toolTip()) == (False, "There is nothing to undo")
    assert undo.statusTip() == "There is nothing to undo"
    assert undo.associatedObjects()[0].toolTipsVisible()
    draw_box(window)
    assert (undo.isEnabled(), undo.toolTip()) == (True, "Undo box (Ctrl+Z)")
    assert undo.statusTip() == ""
    undo.trigger()
    assert (redo.isEnabled(), redo.toolTip()) == (True, "Redo box (Ctrl+Shift+Z)")


@pytest.mark.parametrize("name", list(SCORE_NAMES))
def test_sliders_set_scores_by_mouse_and_by_keys_and_name_them(window, name):
    row = window.panel.rows[name]
    slider = row.slider
    for score in range(1, 6):
        QTest.mouseClick(slider, LEFT, pos=slider.rect().topLeft() + _point(slider.stop_x(score), 11))
        assert getattr(window.session.attributes, name) == score
        assert row._name.text() == SCORE_NAMES[name][score - 1]
    QTest.keyClick(slider, KEY.Key_Left)
    assert getattr(window.session.attributes, name) == 4
    assert slider.accessibleDescription() == SCORE_NAMES[name][3]


def test_a_score_that_is_not_given_is_shown_as_such_and_any_can_be_chosen(window):
    row = window.panel.rows["lobulation"]
    for score in range(1, 6):
        window.session.attributes = replace(window.session.attributes, lobulation=None)
        assert (row._name.text(), row.slider.accessibleDescription()) == ("Not given", "Not given")
        without = row.slider.grab().toImage()
        QTest.mouseClick(row.slider, LEFT, pos=_point(row.slider.stop_x(score), 11))
        assert window.session.attributes.lobulation == score
        assert row.slider.grab().toImage() != without


def test_the_wheel_changes_a_field_only_while_that_has_the_focus(window):
    window.activateWindow()
    window.view.setFocus()
    sampling, entry = window.panel.sampling, window.findChild(WindowEntry)
    fields = (sampling.seed, sampling.steps, sampling.guidance, entry.black, entry.white, window.strip.which)
    before = window.session.options, window.session.window, window.strip.which.currentIndex()
    for field in fields:
        assert not field.focusPolicy() & Qt.FocusPolicy.WheelFocus & ~Qt.FocusPolicy.StrongFocus
        wheel(field, -1)
    assert (window.session.options, window.session.window, window.strip.which.currentIndex()) == before
    sampling.steps.setFocus()
    wheel(sampling.steps, -1)
    assert window.session.options.steps == before[0].steps - 1


def _point(x, y):
    from PySide6.QtCore import QPoint

    return QPoint(round(x), y)


def test_clicking_a_button_leaves_the_keys_to_the_slice(window, qtbot):
    window.activateWindow()
    window.view.setFocus()
    draw_box(window)
    QTest.mouseClick(window.panel.placing.generate, LEFT)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert window.focusWidget() is window.view
    for button in (window.notice_bar.offer, window.notice_bar.close_button):
        window.session.notice = Notice("A message", offer="An offer", do=lambda: None)
        QTest.mouseClick(button, LEFT)
        assert window.session.notice is None
        assert window.focusWidget() is window.view


def test_the_window_stays_responsive_while_the_engine_computes(make_window, volume, qtbot):
    """Python code in the engine thread shares the interpreter; the event loop must get its turns in every step."""
    turns, steps = [], []

    def compute(step):
        """Compute without a pause until the event loop has had three turns."""
        enough, give_up = len(turns) + 3, time.monotonic() + PATIENCE
        while len(turns) < enough:
            sum(range(1000))
            assert time.monotonic() < give_up, "the event loop stood still"
        steps.append(step)

    window = make_window(ScriptedRunner(steps=5, on_step=compute))
    window.session.show_volume(volume)
    draw_box(window)
    timer = QTimer(window, interval=0)
    timer.timeout.connect(lambda: turns.append(None))
    timer.start()
    QTest.keyClick(window.view, KEY.Key_G)
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    assert steps == [1, 2, 3, 4, 5]


def held(function, gate):
    """The same function, which waits at a gate first."""

    def wait_and_do(*args, **options):
        gate()
        return function(*args, **options)

    return wait_and_do


@pytest.mark.parametrize(
    ("part", "name", "key", "text"),
    [
        (lung_finder, "lung_mask", "L", "Finding the lungs"),
        (suggesting, "suggest_box", "P", "Finding a suggestion"),
        (project, "save_project", "Ctrl+S", "Saving the project"),
    ],
)
def test_what_takes_more_than_a_moment_in_the_background_is_told_with_a_bar(
    window, qtbot, monkeypatch, tmp_path, part, name, key, text
):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(tmp_path / "project"))
    status, gate = window.engine_status, Gate()
    monkeypatch.setattr(part, name, held(getattr(part, name), gate))
    QTest.keySequence(window.view, key)
    gate.wait_until_reached()
    assert not status.busy.isVisible()
    qtbot.waitUntil(status.busy.isVisible)
    assert status.doing.text() == text
    assert status.doing.isVisible()
    gate.open()
    qtbot.waitUntil(lambda: not status.busy.isVisible())
    assert window.session.doing == ()


def test_starting_imports_nothing_slow():
    """torch, pydicom and their like take seconds to import: not before the window is up."""
    slow = {"torch", "diffusers", "pydicom", "highdicom", "SimpleITK", "scipy", "skimage", "PIL", "pyqtgraph"}
    code = f"import sys, studio.__main__; print(sorted({slow!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
