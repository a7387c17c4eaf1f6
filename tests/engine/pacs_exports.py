"""Exports to send to a PACS, and the series that they were made of."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import generate_uid

from engine.ct_files import read_volume
from engine.exports import ExportOptions, export_files
from engine.pacs import send_objects
from engine.pacs_connection import Connection
from engine.pacs_objects import find_objects
from engine.pacs_service import Progress
from tests.conftest import write_series
from tests.engine.placed_nodules import make_result

SLICES = 5


def write_source(folder: Path, **tags: object) -> list[Path]:
    """A CT series of one study: noise of lung, 5 slices of 40 x 48 pixels; return its files."""
    hu = np.random.default_rng(3).normal(-820, 40, (SLICES, 40, 48)).astype(np.int16)
    study = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    return write_series(folder, hu, **(study | tags))


def write_export(source: Path, folder: Path, keep_identity: bool = False) -> None:
    """Export slice 2 of a series in all DICOM forms: 5 CT (one of them twice), a SEG and an SR; and as PNG."""
    volume = read_volume(source)
    export_files(
        volume,
        2,
        make_result(volume, 2),
        folder,
        ("DICOM", "DICOM series", "PNG"),
        ExportOptions(keep_identity=keep_identity),
    )


def send_export(folder: Path, connection: Connection, progress: Progress = lambda done, count: None) -> int:
    """Send all DICOM objects of an export's folder and those in it; return how many."""
    return send_objects(find_objects([folder]), connection, progress)


def datasets_of(folder: Path) -> dict[str, pydicom.Dataset]:
    """All DICOM objects in a folder and those in it, by SOP Instance UID."""
    return {(one := pydicom.dcmread(file)).SOPInstanceUID: one for file in sorted(folder.rglob("*.dcm"))}


def without_preamble(file: Path, bare: Path) -> None:
    """Write a DICOM file anew as some scanners do: its data set alone, in Explicit VR Little Endian."""
    dataset = pydicom.Dataset()
    dataset.update({element.tag: element for element in pydicom.dcmread(file)})
    pydicom.dcmwrite(bare, dataset, implicit_vr=False, little_endian=True)


def without_syntax(source: Path, folder: Path) -> int:
    """Write two images of a series, 0.dcm without file meta information; return how many."""
    files = sorted(source.iterdir())[:2]
    without_preamble(files[0], folder / "0.dcm")
    (folder / "0.dcm").write_bytes(b"\0" * 128 + b"DICM" + (folder / "0.dcm").read_bytes())
    shutil.copyfile(files[1], folder / "1.dcm")
    return len(files)
