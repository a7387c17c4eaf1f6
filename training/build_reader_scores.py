"""Build the table behind `engine.reader_scores` from the readers' scores in prepared data.

    python -m training.build_reader_scores --data PREPARED

The table holds counts and means only: no identifiers and no pixels.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.nodule import ATTRIBUTE_NAMES
from engine.reader_scores import READER_SCORES_FILE
from training.command import command
from training.prepared import read_nodules
from training.scorer_samples import readers_of_nodules

Table = dict[str, dict[str, Any]]


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Build the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of prepared data with nodules")
    parser.add_argument("--out", type=Path, default=READER_SCORES_FILE, help="table to write")
    options = parser.parse_args(arguments)
    _, readers = readers_of_nodules(read_nodules(options.data, held_out=None))
    options.out.write_text(json.dumps(table_of(readers), indent=1) + "\n")
    print(f"{options.out}: {int((readers[:, :, 0] > 0).sum())} readings of {len(readers)} nodules")


def table_of(readers: NDArray[np.int8]) -> Table:
    """Return the table of scores (nodules, readers, 5), 0 where not given."""
    return {name: _attribute(readers[:, :, index].astype(np.int64)) for index, name in enumerate(ATTRIBUTE_NAMES)}


def _attribute(readers: NDArray[np.int64]) -> dict[str, Any]:
    counts = np.bincount(readers.ravel(), minlength=6)[1:]
    pairs = np.zeros((6, 6))
    for one in range(readers.shape[1]):
        for other in range(readers.shape[1]):
            if one != other:
                np.add.at(pairs, (readers[:, one], readers[:, other]), 1)
    return {
        "shares": [round(float(share), 4) for share in counts / max(1, counts.sum())],
        "others": [_mean_and_deviation(row) for row in pairs[1:, 1:]],
    }


def _mean_and_deviation(counts: NDArray[np.float64]) -> tuple[float, float]:
    """Of the scores from 1 to 5, counted so often; of all five once where there are none."""
    weights, scores = (counts if counts.any() else np.ones(5)), np.arange(1, 6)
    mean = float(np.average(scores, weights=weights))
    return round(mean, 2), round(float(np.average((scores - mean) ** 2, weights=weights) ** 0.5), 2)


if __name__ == "__main__":
    sys.exit(main())
