"""Seconds to export one slice of 512 x 512 in all formats: `python -m tests.benchmarks.bench_exports`.

The first export of a process also imports the libraries. Beside the seconds on the clock stand those of the processor,
which a busy machine does not make longer. The slice is a made-up one, so is the header; `--data FOLDER` takes a
DICOM folder instead.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from engine.ct import CTVolume
from engine.ct_files import read_volume
from engine.events import GenerationRequest, GenerationResult, SamplingOptions
from engine.exports import ALL_FORMATS, SERIES, export_all, export_files
from engine.measurement import NoduleMeasurement
from engine.nodule import BoundingBox, NoduleAttributes
from tests.engine.placed_nodules import source_header
from tests.phantom import phantom_volume


def made_up_volume(slices: int) -> CTVolume:
    """Return a phantom with headers as a scanner writes them."""
    volume = phantom_volume(slices)
    headers = tuple(source_header(SOPInstanceUID=f"1.2.3.4.{5 + index}") for index in range(slices))
    return CTVolume(volume.hu, volume.pixel_spacing, volume.positions, source=volume.source, headers=headers)


def placed(volume: CTVolume, index: int) -> GenerationResult:
    """Return a disc of 35 HU in a box of 30 pixels."""
    before = volume.slice_at(index)
    box = BoundingBox.nearest(before.shape[0] / 2, before.shape[1] / 4, 30, before.shape)
    rows, columns = np.indices(before.shape)
    mask = np.hypot(rows + 0.5 - box.centre[0], columns + 0.5 - box.centre[1]) < 10
    hu = np.array(before.hu)
    hu[mask] = 35
    request = GenerationRequest(before, box, NoduleAttributes(4, 5, 1, 1, 5), SamplingOptions())
    measurement = NoduleMeasurement(mask, 14.0, 35.0)
    return GenerationResult(request, before.with_hu(hu), measurement, 1.0, "disc", "0" * 64, "none")


def timed(action: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that an action takes, on the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - clock, time.process_time() - processor


def main() -> None:
    """Print the seconds of the first export, the median of the others, and those of each format alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, help="folder of one DICOM series")
    parser.add_argument("--repeats", type=int, default=7, help="number of exports")
    options = parser.parse_args()
    volume = read_volume(options.data) if options.data else made_up_volume(9)
    index = len(volume) // 2
    result = placed(volume, index)
    with TemporaryDirectory() as folder:
        into = Path(folder)

        def show(what: str, formats: tuple[str, ...], repeats: int) -> None:
            runs = [timed(lambda: export_files(volume, index, result, into, formats)) for _ in range(repeats)]
            clock, processor = (statistics.median(times) for times in zip(*runs, strict=True))
            print(f"{what:34s} {clock:6.2f} s on the clock, {processor:6.2f} s of the processor")

        clock, processor = timed(lambda: export_all(volume, index, result, into))
        print(f"{'all formats, with imports':34s} {clock:6.2f} s on the clock, {processor:6.2f} s of the processor")
        show("all formats", ALL_FORMATS, options.repeats)
        for name in ALL_FORMATS:
            show(f"  {name} alone", (name,), options.repeats)
        show(f"{SERIES} ({len(volume)} slices)", (SERIES,), 1)


if __name__ == "__main__":
    main()
