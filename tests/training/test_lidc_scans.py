"""Scans are found in any tree of files, and read whole or passed over and named."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from engine.errors import InputError
from tests.training.lidc_preparation import problems, run, two_known_scans, write_tree
from tests.training.made_up_scan import MadeUpScan
from training import lidc_scans, prepare_lidc
from training.lidc_scans import read_whole_scan
from training.prepared import read_slices


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> tuple[MadeUpScan, MadeUpScan]:
    return two_known_scans(monkeypatch)


def drop_a_slice(files: list[Path]) -> None:
    files[5].unlink()


def drop_the_last_slice(files: list[Path]) -> None:
    files[-1].unlink()


def cut_pixels(files: list[Path]) -> None:
    files[3].write_bytes(files[3].read_bytes()[:-2000])


def cut_the_header(files: list[Path]) -> None:
    files[0].write_bytes(files[0].read_bytes()[:400])


def empty_a_file(files: list[Path]) -> None:
    files[3].write_bytes(b"")


def copy_a_slice(files: list[Path]) -> None:
    shutil.copy(files[3], files[3].with_name("copy.dcm"))


def repeat_a_position(files: list[Path]) -> None:
    image = dcmread(files[3])
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    image.save_as(files[3].with_name("again.dcm"), enforce_file_format=True)


def two_sizes(files: list[Path]) -> None:
    image = dcmread(files[3])
    image.PixelSpacing = [0.5, 0.5]
    image.save_as(files[3], enforce_file_format=True)


@pytest.mark.parametrize(
    ("break_it", "problem"),
    [
        (drop_a_slice, "1 of 16 slices are missing"),
        (drop_the_last_slice, "1 of 16 slices are missing"),
        (cut_pixels, "1 of 16 files are truncated or damaged"),
        (cut_the_header, "1 of 16 files are damaged"),
        (empty_a_file, "1 of 16 slices are missing"),
        (copy_a_slice, "at the same position"),
        (repeat_a_position, "at the same position"),
        (two_sizes, "differ in size"),
    ],
)
def test_a_broken_scan_is_passed_over_and_named(
    tmp_path: Path, scans: tuple[MadeUpScan, ...], break_it: Any, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dicom = write_tree(tmp_path / "dicom", scans)
    break_it(sorted((dicom / scans[0].patient_id).rglob("*.dcm")))

    assert run(dicom, tmp_path / "out") == prepare_lidc.SOME_SKIPPED

    assert set(read_slices(tmp_path / "out", None).patients) == {"LIDC-IDRI-9002"}
    (name, sentence), *others = problems(tmp_path / "out").items()
    assert not others
    assert name == "LIDC-IDRI-9001-scan5000"
    assert problem in sentence
    assert f"{name}: {sentence}" in capsys.readouterr().err


def test_a_gap_that_the_database_has_too_is_a_missing_slice(tmp_path: Path) -> None:
    scan = MadeUpScan(generate_uid())
    files = scan.write(tmp_path)
    files.pop(5).unlink()

    with pytest.raises(InputError, match=r"neighbours lie up to 5 mm apart, elsewhere 2\.5 mm"):
        read_whole_scan(files, np.delete(scan.annotated().z_mm, 5))


def test_series_are_told_apart_in_one_folder_and_strangers_left_out(
    tmp_path: Path, scans: tuple[MadeUpScan, ...]
) -> None:
    for number, scan in enumerate((*scans, MadeUpScan(generate_uid()))):
        scan.write(tmp_path / "dicom", prefix=f"{number}-")

    assert run(tmp_path / "dicom", tmp_path / "out") == 0
    assert len(set(read_slices(tmp_path / "out", None).series_uids)) == 2


def test_series_are_told_apart_where_the_first_file_and_the_last_are_of_one(
    tmp_path: Path, scans: tuple[MadeUpScan, ...]
) -> None:
    for number, scan in enumerate(scans, start=1):
        scan.write(tmp_path / "dicom", prefix=f"{number}-")
    first = sorted((tmp_path / "dicom").iterdir())[0]
    first.rename(first.with_name("3-last.dcm"))

    assert run(tmp_path / "dicom", tmp_path / "out") == 0
    assert set(read_slices(tmp_path / "out", None).series_uids) == {scan.series_uid for scan in scans}
    shutil.rmtree(tmp_path / "out")
    # Both ends are of the second scan, and between them lies all of the first.
    (tmp_path / "dicom" / "3-last.dcm").rename(first)
    last = sorted((tmp_path / "dicom").iterdir())[-1]
    last.rename(last.with_name("0-first.dcm"))
    assert run(tmp_path / "dicom", tmp_path / "out") == 0


def test_files_of_a_series_are_not_opened_to_find_it(
    tmp_path: Path, scans: tuple[MadeUpScan, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = replace(scans[0], slices=40).write(tmp_path)
    (tmp_path / "0-notes.txt").write_text("no DICOM")
    (tmp_path / "i-notes.txt").write_text("no DICOM")
    opened: set[Path] = set()
    open_file = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *given: (opened.add(path), open_file(path, *given))[1])

    (found,) = lidc_scans.find_scans(tmp_path)

    assert set(files) <= set(found.files)
    assert len(opened & set(files)) <= 11


def test_what_is_no_dicom_among_the_files_does_not_matter(tmp_path: Path, scans: tuple[MadeUpScan, ...]) -> None:
    dicom = write_tree(tmp_path / "dicom", scans[:1])
    files = sorted(dicom.rglob("*.dcm"))
    files[3].with_suffix(".txt").write_text("notes between the slices")

    assert run(dicom, tmp_path / "out") == 0
