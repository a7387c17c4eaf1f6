"""How long reading the scores of a nodule takes, against measuring it: `python -m tests.benchmarks.bench_scorer`."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch

from engine.ct import CTSlice
from engine.measurement import measure_nodule
from engine.nodule import BoundingBox
from engine.read_back import DEFAULT_SCORER
from engine.scorer import load_scorer
from tests.phantom import SPACING_MM, phantom_slice

_REPEATS = 30


def _seconds(work: Callable[[], object]) -> float:
    work()
    times: list[float] = []
    for _ in range(_REPEATS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return median(times)


def main() -> None:
    """Time both on a nodule of 10 mm in a slice of 512 x 512, and print the ratio."""
    hu = phantom_slice()
    rows, columns = np.indices(hu.shape)
    hu[np.hypot(rows - 246, columns - 126) < 7] = 30
    after, box = CTSlice(hu, (SPACING_MM, SPACING_MM)), BoundingBox(234, 114, 24, (512, 512))
    before = CTSlice(phantom_slice(), (SPACING_MM, SPACING_MM))
    scorer, measurement = load_scorer(DEFAULT_SCORER), measure_nodule(before, after, box)
    measuring = _seconds(lambda: measure_nodule(before, after, box))
    reading = _seconds(lambda: scorer.read(after, measurement))
    print(f"{torch.get_num_threads()} threads, time of the processor; measuring {1000 * measuring:.1f} ms (baseline)")
    print(f"reading back {1000 * reading:.1f} ms, {reading / measuring:.2f} of the baseline")


if __name__ == "__main__":
    main()
