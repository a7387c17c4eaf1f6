"""Nodules a minute of a batch, against plain `place` calls of the same run: `python -m tests.benchmarks.bench_batch`.

Both make the same nodules in a made-up chest of 512 x 512 with the checkpoint that comes with the program (or
`--checkpoint`), and export the same format. Plain: `nodule-engine place` in a process of its own for each, which loads
libraries, checkpoint and slice again; and `place_nodule` alone in a loop, with nothing loaded, chosen or exported.
Seconds are those of the processor, all threads together, which a busy machine does not make longer; with
OMP_NUM_THREADS=1 they are those of one core, and as many processes as there are cores share them.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import SimpleITK as sitk

from engine.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint
from engine.ct import CTSlice
from engine.events import GenerationRequest, SamplingOptions
from engine.generation import place_nodule
from engine.nodule import ATTRIBUTE_NAMES, BoundingBox, NoduleAttributes
from tests.phantom import SPACING_MM, phantom_volume

SLICES = 5


def engine(*arguments: object) -> float:
    """Run ``nodule-engine``; return the seconds of the processor."""
    started = children_seconds()
    made = [sys.executable, "-m", "engine", *map(str, arguments)]
    ended = subprocess.run(made, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(ended.stderr)
    return children_seconds() - started


def children_seconds() -> float:
    """Return the seconds that ended subprocesses had of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def box_of(line: dict[str, str]) -> list[str]:
    """Return ROW COLUMN SIDE of a line of the manifest."""
    return [line[name] for name in ("box_row", "box_column", "box_side")]


def main() -> None:
    """Print nodules a minute of each way, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--nodules", type=int, default=20, help="in the batch")
    parser.add_argument("--plain", type=int, default=3, help="of them made by plain calls, too")
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT)
    parser.add_argument("--steps", type=int, default=SamplingOptions().steps)
    options = parser.parse_args()
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        volume = phantom_volume(SLICES)
        image = sitk.GetImageFromArray(volume.hu)
        image.SetSpacing((SPACING_MM, SPACING_MM, 2.5))
        sitk.WriteImage(image, folder / "chest.nii.gz")
        common = ["--checkpoint", options.checkpoint, "--steps", options.steps, "--out"]

        def batch(nodules: int) -> float:
            (folder / "plan.csv").write_text(f"input,count\nchest.nii.gz,{nodules}\n")
            return engine("batch", folder / "plan.csv", *common, folder / f"out{nodules}")

        start_alone, whole = batch(1), batch(options.nodules)
        with (folder / f"out{options.nodules}/manifest.csv").open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))[: options.plain]
        plain = sum(
            engine(
                *("place", folder / "chest.nii.gz", "--slice", line["slice_index"], "--box", *box_of(line)),
                *("--seed", line["seed"], "--attributes", *(line[name] for name in ATTRIBUTE_NAMES)),
                *(*common, folder / f"plain{line['number']}"),
            )
            for line in lines
        ) / len(lines)
        alone = place_alone(options, volume.hu, lines)
    each = (whole - start_alone) / max(1, options.nodules - 1)
    report = {
        "batch_seconds_a_nodule": round(each, 2),
        "batch_start_and_end_seconds": round(start_alone - each, 1),
        "batch_nodules_a_minute": round(60 / each, 1),
        "plain_place_nodules_a_minute": round(60 / plain, 1),
        "place_nodule_alone_a_minute": round(60 / alone, 1),
        "batch_against_plain_place": round(plain / each, 2),
        "batch_against_place_nodule_alone": round(alone / each, 2),
        "thousand_nodules_minutes_of_the_processor": round((start_alone + 999 * each) / 60, 1),
    }
    print(json.dumps(report, indent=2))


def place_alone(options: argparse.Namespace, hu: object, lines: list[dict[str, str]]) -> float:
    """Return the seconds of the network and the pasting of one nodule, all else being loaded."""
    checkpoint = load_checkpoint(options.checkpoint)
    seconds: list[float] = []
    for line in lines[:1] + lines:
        ct_slice = CTSlice(hu[int(line["slice_index"])], (SPACING_MM, SPACING_MM))  # type: ignore[index]
        box = BoundingBox(*map(int, box_of(line)), slice_shape=ct_slice.shape)
        attributes = NoduleAttributes.from_scores([int(line[name]) for name in ATTRIBUTE_NAMES])
        request = GenerationRequest(ct_slice, box, attributes, SamplingOptions(int(line["seed"]), options.steps))
        started = time.process_time()
        list(place_nodule(checkpoint, request, previews=False))
        seconds.append(time.process_time() - started)
    # The first one warms up.
    return sum(seconds[1:]) / len(seconds[1:])


if __name__ == "__main__":
    main()
