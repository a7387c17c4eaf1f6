"""Outlines, boxes and masks lie where the nodule is, however the scan was stored."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import generate_uid

from engine.ct_files import read_volume
from tests.training.lidc_preparation import run, two_known_scans, write_tree
from tests.training.made_up_scan import BALL_HU, LUNG_HU, SPACING_MM, MadeUpScan, with_hole
from training.lidc_rows import scan_rows
from training.prepared import hu_from_stored, read_nodules, read_slices


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> tuple[MadeUpScan, MadeUpScan]:
    return two_known_scans(monkeypatch)


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
