"""Random starts, cancels, moves and undos in the real window: `python -m tests.benchmarks.soak_studio [--real]`.

Every action is a key or a mouse event as a user makes it, drawn from a seed; between two of them events are handled for
a few milliseconds, so that they meet the engine at any moment. After each, what must hold at any time is looked at.
Now and then the script waits for the engine to rest: then all is undone and redone, and every state on the way must be
met again. From time to time the series is opened anew, and counted is what must not grow: widgets, threads, results in
memory. Exits with 1 if anything was wrong.

The engine is a scripted one, or with --real that of the embedded checkpoint.
"""

from __future__ import annotations

import argparse
import gc
import logging
import random
import resource
import sys
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QEvent, QtMsgType, qInstallMessageHandler
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from engine.checkpoint import DEFAULT_CHECKPOINT
from engine.ct import CTVolume
from engine.events import EngineState, GenerationResult, SamplingOptions
from engine.job_runner import default_runner
from studio.commands import Scene
from studio.main_window import MainWindow
from tests.benchmarks.random_user import CTRL, KEY, SHIFT, RandomUser, handle_events
from tests.own_window import own_window
from tests.phantom import phantom_volume
from tests.scripted_engine import Loading, ScriptedRunner

#: Seconds after which the engine counts as hung.
_PATIENCE = 90.0
_SETTLE_EVERY, _REOPEN_EVERY = 20, 100


def main() -> int:
    """Soak; return the exit code."""
    options = _parser().parse_args()
    complaints: list[str] = []
    _listen(complaints)
    threads = threading.active_count()
    # A step takes a moment, so that actions come between steps.
    scripted = Loading(ScriptedRunner(on_step=lambda step: time.sleep(0.003)))
    with own_window(partial(default_runner, DEFAULT_CHECKPOINT) if options.real else scripted) as window:
        window.resize(1280, 800)
        soak = Soak(window, options, complaints)
        soak.run()
    if threading.active_count() > threads:
        complaints.append(f"leak: threads are left: {[thread.name for thread in threading.enumerate()]}")
    engine = "real" if options.real else "scripted"
    print(f"{soak.done} actions, seed {options.seed}, {engine} engine: {soak.summary()}")
    kinds = Counter(complaint.split(":")[0] for complaint in complaints)
    print(", ".join(f"{kind}s {kinds[kind]}" for kind in ("hang", "leak", "wrong state")))
    for complaint, times in Counter(complaints).most_common(20):
        print(f"{times} x {complaint}")
    return 1 if complaints else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--actions", type=int, default=1000, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of the actions")
    parser.add_argument("--real", action="store_true", help="sample with the embedded checkpoint")
    return parser


def _listen(complaints: list[str]) -> None:
    """Take what is raised in a slot, logged as an error or said by Qt for a wrong state."""

    def raised(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        complaints.append(f"wrong state: {kind.__name__}: {error}")
        sys.__excepthook__(kind, error, trace)

    def said(kind: QtMsgType, context: object, text: str) -> None:
        if kind is not QtMsgType.QtDebugMsg and "propagateSizeHints" not in text:
            complaints.append(f"wrong state: Qt says: {text}")

    class Logged(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            complaints.append(f"wrong state: logged: {record.getMessage()}")

    sys.excepthook = raised
    qInstallMessageHandler(said)
    logging.getLogger().addHandler(Logged(logging.ERROR))


class Soak:
    """Acts on a window and keeps a list of what went wrong: "hang: ...", "leak: ...", "wrong state: ..."."""

    def __init__(self, window: MainWindow, options: argparse.Namespace, complaints: list[str]) -> None:
        self._window, self._session = window, window.session
        self._actions = options.actions
        self._steps = 2 if options.real else 5
        self._complaints = complaints
        self._draw = random.Random(options.seed)
        # Small: what is tested are states, not pictures.
        whole = phantom_volume(3)
        self._hu = whole.hu[:, 150:350, 80:280].copy()
        self._positions, self._spacing = whole.positions, whole.pixel_spacing
        self._counts: list[dict[str, int]] = []
        self._user = RandomUser(window, self._draw)
        self.done = 0

    def run(self) -> None:
        """Do all actions."""
        self._reopen()
        while self.done < self._actions and not any(text.startswith("hang") for text in self._complaints):
            self._user.act()
            self.done += 1
            handle_events(self._draw.choice((0, 0, 0.005, 0.02, 0.05)))
            self._check()
            if self.done % _SETTLE_EVERY == 0:
                self._settle()
                self._undo_and_redo()
            if self.done % _REOPEN_EVERY == 0:
                self._reopen()

    def summary(self) -> str:
        """Return what was counted after the first and the last opening."""
        first, last = self._counts[0], self._counts[-1]
        return ", ".join(f"{name} {first[name]} to {last[name]}" for name in first)

    # --- checking ------------------------------------------------------------------------------------

    def _complain(self, kind: str, text: str) -> None:
        self._complaints.append(f"{kind}: {text} (after {self._user.last})")

    def _check(self) -> None:
        """Look at what must hold at any time."""
        session = self._session
        queue, volume = session.queue, session.volume
        numbers = [job.number for job in (*([queue.running] if queue.running else []), *queue.waiting)]
        truths = {
            "a series is open": volume is not None,
            "the slice is one of the series": volume is not None and 0 <= session.slice_index < len(volume),
            "jobs of the queue are told apart": len(set(numbers)) == len(numbers),
            "a job is in its place": session.job is None or session.job.place == session.box,
            "only a job has a preview": session.job is not None or session.preview is None,
            "a candidate is in its box": session.candidate is None or session.candidate.place == session.box,
            "no nodule is accepted twice": len({id(one) for one in session.accepted}) == len(session.accepted),
            "a candidate is not accepted": session.candidate not in session.accepted,
            "boxes lie on their slices": session.box is None
            or (volume is not None and session.box.box.slice_shape == volume.slice_at(0).shape),
        }
        for truth, holds in truths.items():
            if not holds:
                self._complain("wrong state", f"not so: {truth}")

    def _settle(self) -> None:
        """Wait until the engine rests, with all that was asked of it made or cancelled."""
        if self._draw.random() < 0.5:
            QTest.keyClick(self._window.view, KEY.Key_Escape, SHIFT)
        session = self._session
        if session.queue.is_held:
            self._complain("wrong state", "a job has failed")
            self._window.queue.cancel_all()
        rested = time.monotonic()
        deadline = rested + _PATIENCE
        # What follows when a slider rests is asked for half a second later.
        while time.monotonic() - rested < 0.7:
            handle_events(0.01)
            if session.engine.state is not EngineState.IDLE or session.job or not session.queue.is_empty:
                rested = time.monotonic()
            if rested > deadline:
                self._complain("hang", f"engine {session.engine.state}, job {session.job}, queue {session.queue}")
                return
        self._check()

    def _undo_and_redo(self) -> None:
        """Undo all and redo all: every state is met again on the way back."""
        stack, session = self._session.undo_stack, self._session
        there = stack.index()
        met = {there: Scene.of(session)}
        while stack.canUndo():
            QTest.keyClick(self._window.view, KEY.Key_Z, CTRL)
            met[stack.index()] = Scene.of(session)
            self._check()
        if (session.box, session.candidate, session.accepted) != (None, None, ()):
            self._complain("wrong state", "something is left when all is undone")
        while stack.index() < there:
            QTest.keyClick(self._window.view, KEY.Key_Z, CTRL | SHIFT)
            if Scene.of(session) != met[stack.index()]:
                self._complain("wrong state", f"redo of '{stack.command(stack.index() - 1).text()}' led elsewhere")
        self._settle()
        if Scene.of(session) != met[there]:
            self._complain("wrong state", "undo and redo of all led elsewhere")

    def _reopen(self) -> None:
        """Open the series anew, and count what must not grow with what was done before."""
        session = self._session
        session.show_volume(CTVolume(self._hu, self._spacing, self._positions, description="Made-up chest"))
        session.options = SamplingOptions(self._draw.randrange(10**6), self._steps)
        session.ranking = ()
        self._window.view.setFocus()
        self._settle()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
        results = sum(type(one) is GenerationResult for one in gc.get_objects())
        counts = {
            "widgets": len(QApplication.allWidgets()),
            "threads": threading.active_count(),
            "results": results,
            "MB": _resident_mb(),
        }
        self._counts.append(counts)
        # From the second time on: some parts of the window are made when they are first wanted.
        usual = self._counts[min(1, len(self._counts) - 1)]
        for name, spare in (("widgets", 5), ("threads", 1), ("results", 5), ("MB", 150)):
            if counts[name] > usual[name] + spare:
                self._complain("leak", f"{name} have grown from {usual[name]} to {counts[name]}")


def _resident_mb() -> int:
    """Return the memory that is in use now; where that is not told, the most there ever was."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() // 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**10


if __name__ == "__main__":
    sys.exit(main())
