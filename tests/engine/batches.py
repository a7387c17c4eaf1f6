"""A plan of batches, and what is read of a finished one. See the fixtures `chests`, `batch` and `finished_batch`."""

from __future__ import annotations

import csv
import json

#: Seven nodules of two patients, and three lines that cannot be made.
PLAN = """input,slice,box,margin,seed,count
first,,,,,3
first,1,60 30 6,4,11,
second,0-2,,3-5,,2
second,1,60 30 6,7,,
nowhere,,,,,2
second,2,50 80 5,none,5,
second,9,,,,
"""


def manifest(folder):
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def contents(folder):
    """Everything of a batch that must be the same however often it was stopped, by name."""
    files = sorted(path for path in (folder / "nodules").rglob("*") if path.is_file())
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path.suffix != ".json"}
    for path in (path for path in files if path.suffix == ".json"):
        record = json.loads(path.read_text("utf-8"))
        record.pop("seconds", None)
        found[path.relative_to(folder).as_posix()] = record
    return found
