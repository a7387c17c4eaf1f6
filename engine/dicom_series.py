"""DICOM frames grouped into series that can be shown: one grid, one phase, slices in order.

A Series Instance UID alone does not do: scouts stand in the same series as slices, and several phases or
reconstructions lie at the same positions. Anonymisers may give all series one UID, or none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.dicom_headers import Frame, NoImageError, read_frames
from engine.dicom_problems import is_localizer, problem_of
from engine.errors import InputError
from engine.orientation import Plane, plane_of, slice_normal

#: Slices nearer to each other than this, in mm, are at the same position.
SAME_POSITION = 0.01


@dataclass(frozen=True, eq=False)
class DicomSeries:
    """Slices of one series that belong together, in order.

    Attributes
    ----------
    uid : str
        Series Instance UID; followed by #2, #3 ... for further parts of a series that had to be split.
    frames : tuple of Frame
        Ascending along the slice normal, as SimpleITK and GDCM sort; by instance number if they have no position.
    part : str
        What tells this part of a split series from the others, empty if it was not split.
    problem : str
        One sentence on why it cannot be opened, empty if it can.
    copies : int
        How many copies of slices were left out.
    """

    uid: str
    frames: tuple[Frame, ...]
    part: str
    problem: str
    copies: int

    @property
    def description(self) -> str:
        """What people call it: the series description, its number, or the name of its first file."""
        first = self.frames[0]
        number = first.text("SeriesNumber")
        name = first.text("SeriesDescription").strip() or (f"Series {number}" if number else first.file.name)
        return f"{name} ({self.part})" if self.part else name

    @property
    def plane(self) -> Plane | Literal["unknown"]:
        """The plane of the body along which the slices lie."""
        directions = self.frames[0].directions
        return plane_of(*directions) if directions else "unknown"

    @property
    def is_ct(self) -> bool:
        """Can these be CT slices, as opposed to a scout or to another modality?"""
        return self.frames[0].text("Modality") in ("", "CT") and not is_localizer(self.frames)

    @property
    def slice_spacing(self) -> float:
        """Median distance between neighbouring slices in mm; 0 if there is one slice or they have no place."""
        places = distances(self.frames)
        return 0.0 if places is None or len(places) == 1 else float(np.median(np.diff(places)))


def find_series(
    files: Iterable[Path], damaged: Callable[[InputError], object] = lambda reason: None
) -> list[DicomSeries]:
    """Group DICOM files into series, those that can be opened first, then those with more slices.

    Where there is CT, other modalities, segmentations and scouts are left out; where there is none, they are
    listed with the reason why they cannot be opened. Files without an image are passed over.

    Parameters
    ----------
    files : that are DICOM
    damaged : called with what is said of each file that may have held an image and is passed over

    Raises
    ------
    InputError
        If there are files and none of them holds an image; with the reason for the first.
    """
    by_uid: dict[str, list[Frame]] = {}
    reasons: list[InputError] = []
    for file in files:
        try:
            for frame in read_frames(file):
                by_uid.setdefault(frame.text("SeriesInstanceUID"), []).append(frame)
        except InputError as error:
            reasons.append(error)
            if not isinstance(error, NoImageError):
                damaged(error)
    if reasons and not by_uid:
        raise reasons[0]
    found = [series for uid, frames in by_uid.items() for series in _series_of(uid, frames)]
    found.sort(key=lambda series: (bool(series.problem), -len(series.frames)))
    return [series for series in found if series.is_ct] or found


def distances(frames: Sequence[Frame]) -> NDArray[np.float64] | None:
    """Return the distance of each frame along the normal of the first in mm; None if they do not say."""
    directions = frames[0].directions
    positions = [frame.position for frame in frames if frame.position is not None]
    if directions is None or len(positions) != len(frames):
        return None
    return np.asarray(positions) @ slice_normal(*directions)


def _series_of(uid: str, frames: Sequence[Frame]) -> list[DicomSeries]:
    unique = _without_copies(frames)
    grids = sorted(_grids(unique), key=len, reverse=True)
    parts = [part for grid in grids for part in _phases(_ordered(grid))]
    return [
        DicomSeries(
            uid if index == 0 else f"{uid}#{index + 1}",
            tuple(part),
            label,
            problem_of(part, repeats=_most_at_one_position(part) > 1),
            copies=len(frames) - len(unique) if index == 0 else 0,
        )
        for index, (label, part) in enumerate(parts)
    ]


def _without_copies(frames: Sequence[Frame]) -> list[Frame]:
    """Leave out second copies of an image, and of two the shorter one: it may be cut short.

    The UID alone does not do: some anonymisers give all slices one.
    """
    kept: dict[object, Frame] = {}
    for frame in frames:
        uid = frame.text("SOPInstanceUID") or str(frame.file)
        key = uid, frame.index, frame.position, frame.text("InstanceNumber"), _origin(frame)
        if key not in kept or _length(frame) > _length(kept[key]):
            kept[key] = frame
    return list(kept.values())


def _length(frame: Frame) -> int:
    return frame.file.stat().st_size


def _origin(frame: Frame) -> tuple[str, ...]:
    """Return what is the same for all slices of a scan, beside the UID of the series or in its place."""
    patient = frame.text("PatientID")
    if frame.text("SeriesInstanceUID"):
        return (patient,)
    return patient, frame.text("SeriesNumber"), str(frame.file.parent)


def _grids(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Split frames by origin, size, spacing, orientation, and whether they have a position and are scouts."""
    grids: list[list[Frame]] = []
    for frame in frames:
        for grid in grids:
            if _same_grid(grid[0], frame):
                grid.append(frame)
                break
        else:
            grids.append([frame])
    return grids


def _same_grid(one: Frame, other: Frame) -> bool:
    kinds = [
        (_origin(frame), frame.shape, frame.position is None, is_localizer([frame]), frame.text("Modality"))
        for frame in (one, other)
    ]
    return (
        kinds[0] == kinds[1]
        and _near(one.pixel_spacing, other.pixel_spacing, 0.001)
        and _near(one.directions, other.directions, 0.01)
    )


def _near(one: object, other: object, tolerance: float) -> bool:
    if one is None or other is None:
        return one is other
    return np.allclose(np.asarray(one, float), np.asarray(other, float), rtol=0, atol=tolerance)


def _ordered(frames: Sequence[Frame]) -> list[Frame]:
    places = distances(frames)
    along = np.zeros(len(frames)) if places is None else places
    numbers = [frame.number("InstanceNumber") or 0 for frame in frames]
    order = sorted(range(len(frames)), key=lambda i: (along[i], numbers[i], str(frames[i].file)))
    return [frames[i] for i in order]


#: What tells phases and reconstructions at the same positions apart: what makes the fewest parts, the first of those.
_TOLD_APART: dict[str, Callable[[Frame], str]] = {
    "acquisition": lambda frame: frame.text("AcquisitionNumber"),
    "phase": lambda frame: frame.text("TemporalPositionIdentifier"),
    "frame acquisition": lambda frame: frame.text("FrameAcquisitionNumber"),
    "frame phase": lambda frame: frame.text("TemporalPositionIndex"),
    "cardiac phase": lambda frame: frame.text("NominalPercentageOfCardiacPhase"),
    "kernel": lambda frame: frame.text("ConvolutionKernel"),
    "thickness": lambda frame: frame.text("SliceThickness"),
    "description": lambda frame: frame.text("SeriesDescription"),
    "image type": lambda frame: frame.text("ImageType"),
    "acquired at": lambda frame: frame.text("AcquisitionTime"),
    "folder": lambda frame: frame.file.parent.name,
}


def _phases(frames: list[Frame]) -> list[tuple[str, list[Frame]]]:
    """Split ordered frames that lie at the same positions; return (what tells a part apart, its frames).

    Frames that all lie at one position are not phases of something: their positions are wrong, or copied. Blocks that
    overlap at their ends are more parts than there are frames at any position; a part of its own for most frames is
    no way to tell them apart.
    """
    repeats = _most_at_one_position(frames)
    if repeats in (1, len(frames)):
        return [("", frames)]
    splits: list[list[tuple[str, list[Frame]]]] = []
    for name, value_of_frame in _TOLD_APART.items():
        parts: dict[str, list[Frame]] = {}
        for frame in frames:
            parts.setdefault(value_of_frame(frame), []).append(frame)
        few = len(parts) <= max(repeats, len(frames) // 2)
        if few and all(_most_at_one_position(part) == 1 for part in parts.values()):
            splits.append([(f"{name} {value}", part) for value, part in parts.items()])
    return min(splits, key=len, default=[("", frames)])


def _most_at_one_position(frames: Sequence[Frame]) -> int:
    """Return how many of the ordered frames lie at the position at which most do."""
    places = distances(frames)
    if places is None:
        return 1
    position_index = np.cumsum(np.diff(places, prepend=places[0]) > SAME_POSITION)
    return int(np.bincount(position_index).max())
