"""The slices of a DICOM series as one volume in Hounsfield units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import cast

import numpy as np

from engine.ct import CTVolume, HUArray
from engine.dicom_headers import Frame, read_dataset
from engine.dicom_pixels import frame_hu, note_lossy_compression
from engine.dicom_series import DicomSeries, distances
from engine.dicom_types import set_own_types
from engine.errors import InputError
from engine.hounsfield import stacked
from engine.orientation import Geometry, radiological
from engine.synthetic_data import says_made_whole

#: A distance to the next slice above this many times the usual one is a gap.
GAP = 1.5


def read_series(series: DicomSeries, source: Path, progress: Callable[[int, int], None] | None = None) -> CTVolume:
    """Read the pixels of a series; slices that cannot be read are left out, with a warning.

    Parameters
    ----------
    series : from `engine.dicom_series.find_series`
    source : Path
        What the user opened.
    progress : called with (slices done, slices in all) after each slice

    Raises
    ------
    InputError
        If the series has a problem, or none of its slices can be read.
    """
    if series.problem:
        raise InputError(series.problem)
    frames, planes, failures = _read_frames(series.frames, progress)
    if not frames:
        if len(failures) == 1:
            raise failures[0]
        raise InputError(f"None of the {len(failures)} slices of this series can be read: {failures[0]}")
    hu, geometry = radiological(stacked(planes), _geometry(frames))
    return CTVolume(
        hu,
        geometry.pixel_spacing,
        geometry.positions,
        geometry.column_direction,
        geometry.row_direction,
        source,
        series.description,
        tuple(frame.header for frame in frames),
        warnings=tuple(_warnings(series, frames, failures)),
        is_made_whole=all(says_made_whole(frame.header) for frame in frames),
    )


def _read_frames(
    frames: Sequence[Frame], progress: Callable[[int, int], None] | None
) -> tuple[list[Frame], list[HUArray], list[InputError]]:
    """Return the frames that can be read, their HU, and why the others cannot."""
    # The frames of a multi-frame file follow each other: keep the file that is being read, and no other.
    opened = lru_cache(maxsize=1)(partial(read_dataset, pixels=True))
    read: list[Frame] = []
    planes: list[HUArray] = []
    failures: list[InputError] = []
    for done, frame in enumerate(frames, 1):
        try:
            planes.append(frame_hu(frame, opened(frame.file)))
            # Only now: what HU are made of was looked at as it stands in the file, to be refused where it is wrong.
            set_own_types(frame.header)
            note_lossy_compression(frame, opened(frame.file))
            read.append(frame)
        except InputError as error:
            failures.append(error)
        if progress is not None:
            progress(done, len(frames))
    return read, planes, failures


def _geometry(frames: Sequence[Frame]) -> Geometry:
    """Return where the slices lie; a single slice that does not say is taken for axial, as it is stored."""
    columns, rows = frames[0].directions or ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    positions = tuple(frame.position or (0.0, 0.0, 0.0) for frame in frames)
    return Geometry(columns, rows, cast("tuple[float, float]", frames[0].pixel_spacing), positions)


def _warnings(series: DicomSeries, frames: Sequence[Frame], failures: Sequence[InputError]) -> list[str]:
    found: list[str] = []
    first = frames[0]
    if failures:
        found.append(f"{len(failures)} of {len(series.frames)} slices were left out: {failures[0]}")
    if series.copies:
        found.append(f"Copies of slices that were left out: {series.copies}.")
    if not first.text("Modality"):
        found.append("The file does not say that it is CT; its values look like Hounsfield units.")
    if first.number("RescaleIntercept") is None:
        found.append("The file has no RescaleIntercept; its values look like Hounsfield units.")
    if first.directions is None:
        found.append("The file has no ImageOrientationPatient; the slice is shown as stored: check its sides.")
    if first.position is None:
        found.append("The file has no ImagePositionPatient; where the slice lies in the patient is unknown.")
    return found + _gaps(frames)


def _gaps(frames: Sequence[Frame]) -> list[str]:
    places = distances(frames)
    if places is None or len(places) < 3:
        return []
    steps = np.diff(places)
    usual = float(np.median(steps))
    wide = steps[steps > GAP * usual]
    if not len(wide):
        return []
    missing = int(np.rint(wide / usual - 1).sum())
    return [
        f"Slices that seem to be missing: {missing}; neighbours lie up to {wide.max():.4g} mm apart, "
        f"elsewhere {usual:.4g} mm."
    ]
