"""Seconds from starting `nodule-studio` until its window is painted: `python -m tests.benchmarks.bench_start`.

Every run is a process of its own. The first runs also read the libraries from the disk; the median is of a warm disk.
The window closes as soon as it is painted, before the model is loaded.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

_PROGRAM = """
import sys, time
from studio import __main__ as program

class Watched(program.MainWindow):
    def __init__(self, *parts):
        super().__init__(*parts)
        self.first_painted.connect(lambda: (print(time.time()), sys.stdout.flush(), program.QApplication.quit()))

program.MainWindow = Watched
program.main([])
"""


def main() -> None:
    """Print the seconds of each run, and their median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="number of starts")
    options = parser.parse_args()
    seconds = [start_once() for _ in range(options.runs)]
    print("seconds:", *(f"{second:.2f}" for second in seconds))
    print(f"median: {statistics.median(seconds):.2f}, fastest: {min(seconds):.2f}")


def start_once() -> float:
    """Start the program; return the seconds until its window was painted."""
    started = time.time()
    run = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    return float(run.stdout) - started


if __name__ == "__main__":
    main()
