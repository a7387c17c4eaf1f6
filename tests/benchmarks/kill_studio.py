"""Kills a working studio a hundred times and counts what is lost: `python -m tests.benchmarks.kill_studio`.

The moments are random. Each start goes on with the session of the one before. Exits with 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.conftest import write_series
from tests.studio.killing import kill_once


def main() -> int:
    """Kill, look, count; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="how often")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    draw, finished, lost = random.Random(options.seed), 0, []
    with tempfile.TemporaryDirectory() as scratch:
        ct = Path(scratch) / "ct"
        write_series(ct, np.random.default_rng(0).integers(-900, -700, (5, 96, 120)).astype(np.int16))
        for number in range(1, options.kills + 1):
            left = kill_once(Path(scratch), ct, draw)
            finished += len(left.finished)
            lost += left.missing
            print(f"kill {number}: {len(left.finished)} finished, {left.accepted} accepted, lost {left.missing or 0}")
    print(f"{options.kills} kills, {finished} results seen finished, {len(lost)} lost")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
