"""Milliseconds that the lung mask and a suggested box take: `python -m tests.benchmarks.bench_lungs`.

On a made-up chest of 512 x 512 pixels as a chest CT shows it, and as a PET/CT does: half as large, with pixels that
are too coarse to be joined. The median of several runs, in time of the processor.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from engine.ct import CTSlice
from engine.lungs import lung_mask
from engine.prior import suggest_box
from tests.phantom import phantom_slice


def main() -> None:
    """Print a line for each spacing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9, help="number of runs")
    options = parser.parse_args()
    chest = phantom_slice()
    far = np.pad(chest[::2, ::2], 128, constant_values=-1000)
    for hu, spacing in ((chest, 0.7), (far, 1.4)):
        ct_slice = CTSlice(hu, (spacing, spacing))
        mask = median_ms(lambda: lung_mask(ct_slice), options.runs)  # noqa: B023 - called at once
        box = median_ms(lambda: suggest_box(ct_slice, 0), options.runs)  # noqa: B023
        print(f"{spacing} mm: lung mask {mask:.0f} ms, suggested box {box:.0f} ms")


def median_ms(call: Callable[[], object], runs: int) -> float:
    """Return the median time of a call, after one that warms up."""
    call()
    times: list[float] = []
    for _ in range(runs):
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    main()
