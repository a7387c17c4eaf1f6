"""Milliseconds from an input to its painting, while the engine samples and while it rests: `python -m
tests.benchmarks.bench_view`.

The real window with the real engine, without a screen, on a made-up chest of 512 x 512. Every input has a time at
which it is due, as if a hand made it; what keeps the window from it counts. The clock stops when the window has been
painted. Beside it: the processor time of the window's thread, which other programs on the computer do not lengthen,
and what the same takes while the engine rests, the baseline.

While the engine samples, torch uses all cores that it finds; `taskset` and OMP_NUM_THREADS keep it to fewer.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtTest import QTest

from engine.checkpoint import DEFAULT_CHECKPOINT
from engine.events import EngineState
from engine.job_runner import default_runner
from engine.nodule import BoundingBox
from studio import commands
from studio.main_window import MainWindow
from studio.shown import Comparison
from studio.slice_view import SliceView
from tests.own_window import own_window, wait
from tests.phantom import phantom_volume
from tests.studio.driving import LEFT, RIGHT, at, wheel

_BOX = (230, 110, 32)
#: Between two inputs: what a mouse sends and a screen of 60 Hz shows is denser than a radiologist can see.
_INTERVAL = 0.033

Inputs = Iterator[Callable[[], object]]


@dataclass
class Times:
    """What was measured, one number an input, in ms."""

    to_paint: list[float] = field(default_factory=list[float])
    processor: list[float] = field(default_factory=list[float])


def main() -> None:
    """Print the times of each kind of input."""
    options = _parser().parse_args()
    with own_window(partial(default_runner, options.checkpoint)) as window:
        _open_chest(window, options)
        _measure_all(window, Watch(), options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100, help="number of inputs of each kind")
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT, help="its folder")
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 900), help="of the window")
    return parser


def _open_chest(window: MainWindow, options: argparse.Namespace) -> None:
    window.resize(*options.size)
    wait(lambda: window.session.engine.state is EngineState.IDLE)
    window.session.show_volume(phantom_volume(9))
    window.view.setFocus()
    _settle()


def _measure_all(window: MainWindow, watch: Watch, options: argparse.Namespace) -> None:
    kinds = {
        "scroll": _scroll,
        "window/level": _drag_window,
        "box drag": _drag_box,
        "before | after, scroll": partial(_scroll, comparison=Comparison.SIDE_BY_SIDE),
        "difference, window/level": partial(_drag_window, comparison=Comparison.DIFFERENCE),
    }
    print(f"{'ms':26}{'idle: p50':>10}{'p95':>7}{'processor p95':>15}{'sampling: p50':>15}{'p95':>7}", end="")
    print(f"{'processor p95':>15}{'p95 to idle':>13}")
    for name, inputs in kinds.items():
        idle = watch.measure(inputs(window, options.inputs))
        _start_sampling(window)
        keeps_on = QTimer(window, interval=200)
        keeps_on.timeout.connect(lambda: _keep_sampling(window))
        keeps_on.start()
        busy = watch.measure(inputs(window, options.inputs))
        assert window.session.queue.running, "the engine did not sample all the time"
        keeps_on.stop()
        window.queue.cancel_all()
        wait(lambda: window.session.engine.state is EngineState.IDLE)
        _print_row(name, idle, busy)


def _print_row(name: str, idle: Times, busy: Times) -> None:
    row = [f"{name:26}"]
    for times, width in ((idle, 10), (busy, 15)):
        p50, p95 = statistics.median(times.to_paint), _p95(times.to_paint)
        row.append(f"{p50:{width}.1f}{p95:7.1f}{_p95(times.processor):15.1f}")
    print(*row, f"{_p95(busy.to_paint) / _p95(idle.to_paint):12.1f}x", sep="", flush=True)


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


# --- sampling ----------------------------------------------------------------------------------------


def _start_sampling(window: MainWindow) -> None:
    session = window.session
    session.go_to_slice(len(session.volume or ()) // 2)
    commands.set_box(session, BoundingBox(*_BOX, (512, 512)))
    session.options = replace(session.options, steps=50)
    window.queue.try_seeds()
    wait(lambda: session.queue_step is not None)


def _keep_sampling(window: MainWindow) -> None:
    """Queue more of the running job, so that the engine does not rest."""
    queue = window.session.queue
    if queue.running and len(queue.waiting) < 2:
        window.queue.add(queue.running.slice_index, [queue.running.request])


# --- inputs ------------------------------------------------------------------------------------------


def _show(window: MainWindow, comparison: Comparison) -> None:
    window.session.shown = replace(window.session.shown, comparison=comparison)
    window.session.go_to_slice(4)
    _settle()


def _scroll(window: MainWindow, count: int, comparison: Comparison = Comparison.NONE) -> Inputs:
    """Turn the wheel up and down through the series."""
    _show(window, comparison)
    for number in range(count):
        yield partial(wheel, window.view, -1 if (number // 4) % 2 else 1)


def _drag_window(window: MainWindow, count: int, comparison: Comparison = Comparison.NONE) -> Inputs:
    """Drag with the right button to and fro."""
    _show(window, comparison)
    yield from _drag(window, count, RIGHT, (300, 250))


def _drag_box(window: MainWindow, count: int) -> Inputs:
    """Drag the box with the left button, and let it go where it was."""
    _show(window, Comparison.NONE)
    row, column, side = _BOX
    commands.set_box(window.session, BoundingBox(*_BOX, (512, 512)))
    yield from _drag(window, count, LEFT, (row + side // 2, column + side // 2))
    window.view.cancel_gesture()


def _drag(window: MainWindow, count: int, button: Qt.MouseButton, start: tuple[int, int]) -> Inputs:
    view = window.view
    QTest.mousePress(view, button, pos=at(view, *start))
    for number in range(count):
        away = 3 * (1 + min(number % 20, 20 - number % 20))
        yield partial(QTest.mouseMove, view, at(view, start[0] + away, start[1] + away))
    if button is LEFT:
        view.cancel_gesture()
    QTest.mouseRelease(view, button, pos=at(view, *start))


# --- measuring ---------------------------------------------------------------------------------------


class Watch:
    """Sends inputs when they are due, and takes the time until the view and its window have been painted."""

    def __init__(self) -> None:
        self._is_due = False
        self._due = self._began = 0.0
        self._times = Times()
        self._inputs: Inputs = iter(())
        # Not that of the application: it closes the window when it ends.
        self._loop = QEventLoop()
        self._timer = QTimer(singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._send)
        paint = SliceView.paintEvent

        def painted(view: SliceView, event: object) -> None:
            paint(view, event)
            if self._is_due:
                self._is_due = False
                # The rest of the window is painted and shown before Qt looks at its timers again.
                QTimer.singleShot(0, self._end)

        SliceView.paintEvent = painted

    def measure(self, inputs: Inputs) -> Times:
        """Send the inputs; return the times, without the first few."""
        self._times, self._inputs = Times(), inputs
        self._due = time.perf_counter()
        self._schedule()
        self._loop.exec()
        return Times(self._times.to_paint[5:], self._times.processor[5:])

    def _schedule(self) -> None:
        send = next(self._inputs, None)
        if send is None:
            self._loop.quit()
            return
        self._due = max(self._due + _INTERVAL, time.perf_counter() + 0.002)
        self._next = send
        self._timer.start(max(0, round(1000 * (self._due - time.perf_counter()))))

    def _send(self) -> None:
        # A timer may be early by part of a millisecond.
        self._due = min(self._due, time.perf_counter())
        self._began = time.thread_time()
        self._is_due = True
        self._next()

    def _end(self) -> None:
        self._times.to_paint.append(1000 * (time.perf_counter() - self._due))
        self._times.processor.append(1000 * (time.thread_time() - self._began))
        self._schedule()


def _settle() -> None:
    """Let everything be painted that waits, pictures of the series too."""
    end = time.monotonic() + 0.5
    wait(lambda: time.monotonic() > end)


if __name__ == "__main__":
    main()
