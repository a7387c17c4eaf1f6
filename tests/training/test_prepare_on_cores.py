from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid

from tests.training.dying_work import die_of_the_second
from tests.training.made_up_scan import MadeUpScan
from training import lidc_scans, prepare_lidc
from training.lidc_scans import ScanFiles


def test_a_process_that_dies_stops_one_scan_only() -> None:
    scans = [ScanFiles(number, "patient", str(number), ()) for number in range(1, 4)]

    outcomes = {outcome.scan: outcome for outcome in prepare_lidc._on_cores(scans, die_of_the_second, workers=2)}

    assert [outcomes[f"patient-scan{number:04}"].slices for number in (1, 2, 3)] == [1, 0, 1]
    assert "died" in outcomes["patient-scan0002"].problem


def test_when_a_process_dies_half_as_many_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    pools: list[int] = []

    class Pool:
        """Does its work at once, and is broken from scan 2 on."""

        def __init__(self, workers: int, mp_context: object) -> None:
            pools.append(workers)
            self._is_broken = False

        def __enter__(self) -> "Pool":
            return self

        def __exit__(self, *raised: object) -> None:
            pass

        def submit(self, work: prepare_lidc.Work, scan: ScanFiles) -> Future[Any]:
            future: Future[Any] = Future()
            self._is_broken |= scan.scan_id == 2
            if self._is_broken:
                future.set_exception(BrokenProcessPool())
            else:
                future.set_result(work(scan))
            return future

    monkeypatch.setattr(prepare_lidc, "ProcessPoolExecutor", Pool)
    scans = [ScanFiles(number, "patient", str(number), ()) for number in range(1, 9)]

    outcomes = list(prepare_lidc._on_cores(scans, lambda scan: prepare_lidc.Outcome(scan.name, slices=1), workers=4))

    assert sorted(outcome.scan for outcome in outcomes) == [scan.name for scan in scans]
    assert [outcome.scan for outcome in outcomes if outcome.problem] == ["patient-scan0002"]
    # Alone only the one that is to blame.
    assert pools == [4, 2, 1]


def test_workers_may_run_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up = MadeUpScan(generate_uid())
    files = made_up.write(tmp_path / "dicom")
    given: list[Path] = []

    def remember(scan: ScanFiles, prepared: Path) -> prepare_lidc.Outcome:
        given.extend((prepared, *scan.files))
        return prepare_lidc.Outcome(scan.name)

    known = {made_up.series_uid: (made_up.scan_id, made_up.patient_id)}
    monkeypatch.setattr(lidc_scans, "list_scans", lambda: known)
    monkeypatch.setattr(prepare_lidc, "prepare_scan", remember)
    monkeypatch.chdir(tmp_path)

    prepare_lidc.prepare(Path("dicom"), Path("out"), workers=1)

    assert given == [tmp_path / "out", *files]
