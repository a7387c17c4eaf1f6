"""Kills a batch at random moments and goes on with it: `python -m tests.benchmarks.kill_batch`.

Counts what is lost (a nodule that was finished and is gone, changed or broken; a row that is missing at the end) and
what is made twice (a finished nodule that was written again; a row that stands twice in the manifest). A batch that
comes to its end before it is killed is looked through, and a new one begun. Exits with 1 if anything was lost or made
twice.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from engine.ct_files import read_volume
from engine.replay import saved_request
from tests.checkpoints import save_tiny_checkpoint
from tests.engine.small_chests import write_chest

Seen = dict[str, tuple[int, int]]


@dataclass
class Count:
    """What went wrong in all batches together."""

    kills: int = 0
    finished: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)


def command(scratch: Path) -> list[str]:
    """Return the command that begins the batch and goes on with it."""
    given = ["--checkpoint", scratch / "checkpoint", "--steps", 2, "--out", scratch / "out"]
    return [sys.executable, "-m", "engine", "batch", str(scratch / "plan.csv"), *map(str, given)]


def nodules(out: Path) -> Seen:
    """Return the finished nodules, with what tells one that was written again: its folder's inode and file's time."""
    found: Seen = {}
    for place in sorted((out / "nodules").glob("[0-9]*")) if out.is_dir() else []:
        if place.is_dir():
            row = place / "row.json"
            found[place.name] = (place.stat().st_ino, row.stat().st_mtime_ns if row.is_file() else 0)
    return found


def compare(before: Seen, after: Seen, count: Count) -> None:
    """Count what was finished before and is gone, or is another one, after."""
    count.lost += sorted(before.keys() - after.keys())
    count.twice += sorted(name for name in before.keys() & after.keys() if before[name] != after[name])


def run_for(scratch: Path, seconds: float | None) -> bool:
    """Run the batch, killing it after so many seconds; return whether it came to its end first."""
    said = scratch / "said.txt"
    with said.open("w") as log:
        process = subprocess.Popen(command(scratch), stdout=subprocess.DEVNULL, stderr=log)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False
    if code:
        raise SystemExit(f"the batch ended with {code}: {said.read_text()}")
    return True


def look_through(out: Path, volume_hash: dict[int, str], rows: int, count: Count) -> None:
    """Count what is missing, broken or there twice when a batch came to its end."""
    with (out / "manifest.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    numbers = [int(line["number"]) for line in lines]
    count.lost += [f"row {number}" for number in set(range(1, rows + 1)) - set(numbers)]
    count.twice += [f"row {number}" for number in set(numbers) if numbers.count(number) > 1]
    for line in lines:
        saved = saved_request(out / line["folder"])
        whole = all((out / line["folder"] / f"{name}.nii.gz").is_file() for name in ("slice", "mask", "box"))
        if not whole or saved.output_sha256 != line["output_sha256"]:
            count.lost.append(line["folder"])
        if saved.input_sha256 != volume_hash[int(line["slice_index"])]:
            count.lost.append(f"{line['folder']}: its input")
    leftovers = [path.name for path in (out / "nodules").iterdir() if path.name.startswith(".")]
    count.lost += [f"left over: {name}" for name in leftovers]
    count.finished += len(lines)


def main() -> int:
    """Kill, look, count; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=20, help="how often")
    parser.add_argument("--rows", type=int, default=60, help="nodules of the batch")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    draw, count = random.Random(options.seed), Count()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        chest = write_chest(scratch / "chest", "PAT")
        volume = read_volume(chest)
        hashes = {index: volume.slice_at(index).sha256() for index in range(len(volume))}
        save_tiny_checkpoint(scratch / "checkpoint")
        (scratch / "plan.csv").write_text(f"input,count\nchest,{options.rows}\n")
        started = time.monotonic()
        run_for(scratch, None)
        whole_run = time.monotonic() - started
        shutil.rmtree(scratch / "out")
        before: Seen = {}
        while count.kills < options.kills or before:
            ended = run_for(scratch, draw.uniform(0, whole_run * 0.8) if count.kills < options.kills else None)
            after = nodules(scratch / "out")
            compare(before, after, count)
            before = after
            begun = (scratch / "out/batch.json").is_file()
            if ended:
                look_through(scratch / "out", hashes, options.rows, count)
                shutil.rmtree(scratch / "out")
                before = {}
            else:
                count.kills += 1
                print(json.dumps({"kill": count.kills, "begun": begun, "finished": len(after)}), flush=True)
    print(f"{count.kills} kills, {count.finished} nodules made, {len(count.lost)} lost, {len(count.twice)} made twice")
    for problem in [*count.lost, *count.twice]:
        print(problem)
    return 1 if count.lost or count.twice else 0


if __name__ == "__main__":
    sys.exit(main())
