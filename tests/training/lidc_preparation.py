"""Made-up scans that the database knows, on disk as TCIA ships LIDC-IDRI, and the command that prepares them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from tests.training.made_up_scan import MadeUpScan
from training import lidc_scans, prepare_lidc
from training.prepare_lidc import main


def two_known_scans(monkeypatch: pytest.MonkeyPatch) -> tuple[MadeUpScan, MadeUpScan]:
    """Two made-up scans that the database knows."""
    made_up = MadeUpScan(generate_uid()), MadeUpScan(generate_uid(), "LIDC-IDRI-9002", 5001, radius=5.0)
    known = {scan.series_uid: (scan.scan_id, scan.patient_id) for scan in made_up}
    annotated = {scan.scan_id: scan.annotated() for scan in made_up}
    monkeypatch.setattr(lidc_scans, "list_scans", lambda: known)
    monkeypatch.setattr(prepare_lidc, "read_annotated_scan", annotated.__getitem__)
    return made_up


def write_tree(folder: Path, scans: tuple[MadeUpScan, ...]) -> Path:
    """As TCIA ships it: patient, study, series; the names of the last two say nothing."""
    for scan in scans:
        scan.write(folder / scan.patient_id / "01-01-2000-NA-NA-1" / "3000566.000000-1")
    return folder


def run(dicom: Path, out: Path, *options: str) -> int:
    return main(["--dicom", str(dicom), "--out", str(out), "--workers", "1", *options])


def problems(out: Path) -> dict[str, str]:
    return {entry["scan"]: entry["problem"] for entry in json.loads((out / "skipped.json").read_text())}
