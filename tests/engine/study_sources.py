"""What the studies of the tests are made of: results in a journal, and a series with real nodules named in a CSV."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine import journal
from engine.ct import CTSlice
from engine.events import GenerationResult, SamplingOptions
from engine.nodule import BoundingBox, NoduleAttributes
from tests.scripted_engine import scripted_request, scripted_result

SHAPE = (64, 80)


def made_result(seed: int, shape: tuple[int, int] = SHAPE, step: int = 1) -> GenerationResult:
    """A box of -100 + seed HU in a slice of noise that the seed draws; HU of the slice are multiples of `step`."""
    draw = np.random.default_rng(seed)
    hu = (draw.integers(-900 // step, -700 // step, shape) * step).astype(np.int16)
    row, column = (int(draw.integers(10, length - 20)) for length in shape)
    request = replace(
        scripted_request(),
        slice=CTSlice(hu, (0.7, 0.7)),
        box=BoundingBox(row, column, 8 + seed % 4, shape),
        attributes=NoduleAttributes(*(1 + (seed + shift) % 5 for shift in range(4)), None),
        options=SamplingOptions(seed),
    )
    return scripted_result(request)


def write_results(folder: Path, count: int) -> Path:
    """Record results with the seeds from 0; return the journal."""
    for seed in range(count):
        journal.record(made_result(seed), folder)
    return folder


def write_real(
    folder: Path,
    count: int,
    write_ct_series: Callable[..., list[Path]],
    hu_step: int = 1,
    shape: tuple[int, int] = (60, 60),
    slice_mm: float = 12.0,
) -> Path:
    """Write a series of other noise with a nodule in each slice; return the CSV that names them, every other scored."""
    draw = np.random.default_rng(99)
    hu = (draw.integers(-900 // hu_step, -700 // hu_step, (count, *shape)) * hu_step).astype(np.int16)
    lines = ["path,slice,row,column,side,sphericity,margin,lobulation,spiculation,texture"]
    for index in range(count):
        hu[index, 20:28, 10 + index : 18 + index] = 40
        scores = "4,5,1,1,5" if index % 2 else ",,,,"
        lines.append(f"series,{index},18,{8 + index},12,{scores}")
    write_ct_series(folder / "series", hu, pixel_spacing=(0.8, 0.8), slice_step=(0, 0, slice_mm))
    (folder / "real.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "real.csv"
