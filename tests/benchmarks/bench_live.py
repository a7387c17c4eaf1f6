"""How soon a live picture is painted after a step of a slider: `python -m tests.benchmarks.bench_live`.

A window without a screen, with the checkpoint that comes with the studio and a made-up chest: a nodule is generated
(the baseline), then a slider goes up and down. Each time is from the step of the slider to the end of the painting of
the slice that shows the sketch of that step. Times depend on the machine; the ratio to the full run hardly does.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QObject

from engine.checkpoint import DEFAULT_CHECKPOINT
from engine.events import EngineState
from engine.job_runner import default_runner
from studio.main_window import MainWindow
from tests.own_window import own_window, wait
from tests.phantom import phantom_volume
from tests.studio.driving import drag


class Paints(QObject):
    """Counts how often a widget was painted."""

    count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Look at what the widget gets; keep nothing from it."""
        self.count += event.type() is QEvent.Type.Paint
        return False


def main() -> None:
    """Print the seconds of the full run and of the live pictures, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT, help="its folder")
    parser.add_argument("--repeats", type=int, default=4, help="how often the slider goes from 5 to 1 and back")
    options = parser.parse_args()
    with own_window(partial(default_runner, options.checkpoint)) as window:
        window.live.switch(True)  # However slow this computer is.
        full, live = measure(window, options.repeats)
        print(window.session.engine.detail)
    middle, worst = statistics.median(live), sorted(live)[int(0.95 * (len(live) - 1))]
    print(f"full nodule, G to painted: {full:.2f} s")
    print(f"live, slider step to painted: median {middle:.3f} s, p95 {worst:.3f} s of {len(live)}")
    print(f"live / full: {middle / full:.0%}")


def measure(window: MainWindow, repeats: int) -> tuple[float, list[float]]:
    """Return the seconds of a full nodule and of every live picture."""
    session = window.session
    wait(lambda: session.engine.state is EngineState.IDLE)
    session.show_volume(phantom_volume())
    drag(window.view, (230, 110), (262, 142))
    wait(lambda: session.candidate is not None)  # It comes by itself as the box is let go.
    first = session.candidate
    paints = Paints(window)
    window.view.installEventFilter(paints)
    full = seconds(paints, window.placing.generate, lambda: session.candidate is not first)
    slider = window.panel.rows["texture"].slider
    slider.setSliderDown(True)  # Nothing rests in between: no full run is to be timed with the others.
    live: list[float] = []
    for score in [*range(4, 0, -1), *range(2, 6)] * repeats:
        before, asked = session.sketch, session.candidate.result.request.attributes.texture if session.candidate else 0
        if score == asked:  # There the nodule itself is shown again.
            slider.setValue(score)
            continue
        live.append(seconds(paints, partial(slider.setValue, score), lambda before=before: is_new(window, before)))
    return full, live


def is_new(window: MainWindow, before: object) -> bool:
    """Whether another sketch is shown than before."""
    return window.session.sketch is not None and window.session.sketch is not before


def seconds(paints: Paints, do: Callable[[], object], until: Callable[[], bool]) -> float:
    """Return how long it takes from doing something until what follows is painted."""
    started = time.perf_counter()
    do()
    wait(until)
    painted = paints.count
    wait(lambda: paints.count > painted)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
