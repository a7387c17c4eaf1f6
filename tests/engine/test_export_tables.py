from __future__ import annotations

import csv
import dataclasses
import json

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PIL import Image

from engine.events import Extension
from engine.export_tables import csv_text, nodule_rectangle, run_lengths, yolo_lines
from engine.exports import export_files
from engine.nodule import BoundingBox
from tests.engine.placed_nodules import make_result, make_volume, make_whole_slice


@pytest.fixture
def volume():
    return make_volume()


def unpacked(segmentation):
    """Return the mask of COCO's uncompressed run lengths."""
    rows, columns = segmentation["size"]
    values = np.arange(len(segmentation["counts"])) % 2 == 1
    return np.repeat(values, segmentation["counts"]).reshape(columns, rows).T


@pytest.fixture
def tables(volume, tmp_path):
    def write(result, of=volume, slice_index=1):
        export_files(of, slice_index, result, tmp_path, ["Tables", "PNG"])
        with (tmp_path / "nodule.csv").open(newline="", encoding="utf-8") as file:
            (row,) = csv.DictReader(file)
        return json.loads((tmp_path / "boxes.json").read_text()), (tmp_path / "after.txt").read_text(), row

    return write


def test_coco_has_rectangle_and_mask_of_the_nodule(volume, tables, tmp_path):
    result = make_result(volume)
    coco, _, _ = tables(result)
    (image,), (annotation,), (category,) = coco["images"], coco["annotations"], coco["categories"]
    with Image.open(tmp_path / image["file_name"]) as picture:
        assert picture.size == (image["width"], image["height"]) == (48, 40)
    assert (annotation["image_id"], annotation["category_id"]) == (image["id"], category["id"])
    assert annotation["bbox"] == [23, 12, 7, 7]
    mask = result.measurement.mask
    assert annotation["area"] == mask.sum()
    np.testing.assert_array_equal(unpacked(annotation["segmentation"]), mask)
    assert annotation["box_asked_for"] == [20, 10, 12, 12]
    assert annotation["attributes"]["spiculation"] is None


def test_yolo_has_the_same_rectangle(volume, tables):
    _, line, _ = tables(make_result(volume))
    name, *numbers = line.split()
    assert (name, line.count("\n")) == ("0", 1)
    assert [float(number) for number in numbers] == pytest.approx([26.5 / 48, 15.5 / 40, 7 / 48, 7 / 40], abs=1e-6)


def test_without_a_nodule_there_is_no_rectangle(volume, tables):
    coco, line, row = tables(make_result(volume, nodule=False))
    assert (coco["annotations"], line) == ([], "")
    assert row["nodule_pixels"] == "0"
    assert len(coco["images"]) == 1


def test_all_nodules_of_a_slice_are_marked(volume, tmp_path):
    """A later one stands over what is left of an earlier one."""
    first = make_result(volume)
    box = BoundingBox(14, 26, 8, (40, 48))
    mask = np.zeros((40, 48), bool)
    mask[16:19, 28:32] = True
    request = dataclasses.replace(first.request, slice=first.slice, box=box)
    hu = np.where(mask, 30, first.slice.hu).astype(np.int16)
    measurement = dataclasses.replace(first.measurement, mask=mask)
    second = dataclasses.replace(first, request=request, slice=first.slice.with_hu(hu), measurement=measurement)
    export_files(volume, 1, second, tmp_path, ["DICOM", "Tables", "LIDC XML"], earlier=[first])

    annotations = json.loads((tmp_path / "boxes.json").read_text())["annotations"]
    assert [annotation["bbox"] for annotation in annotations] == [[23, 12, 7, 7], [28, 16, 4, 3]]
    np.testing.assert_array_equal(unpacked(annotations[0]["segmentation"]), first.measurement.mask & ~box.mask())
    assert (tmp_path / "after.txt").read_text().count("\n") == 2
    assert (tmp_path / "nodule.xml").read_text().count("<unblindedReadNodule>") == 2
    told = "HU elsewhere are unchanged but for other synthetic nodules that were put in before"
    assert told in pydicom.dcmread(tmp_path / "slice.dcm").DerivationDescription


def test_csv_says_where_and_what(volume, tables):
    result = make_result(volume)
    _, _, row = tables(result)
    assert [row[name] for name in ("slice_index", "box_row", "box_column", "box_side")] == ["1", "10", "20", "12"]
    assert [row[name] for name in ("sphericity", "spiculation", "texture")] == ["4", "", "3"]
    assert float(row["diameter_mm"]) == 5.4
    assert row["output_sha256"] == result.slice.sha256()


def test_csv_tells_which_lines_are_of_one_nodule(volume, tables):
    placed = make_result(volume)
    extension = Extension(placed.nodule_sha256(), -2.5)
    part = dataclasses.replace(placed, request=dataclasses.replace(placed.request, extension=extension))
    rows = [tables(result)[2] for result in (placed, part)]
    assert [row["continues"] for row in rows] == ["", rows[0]["nodule_sha256"]]
    assert [row["offset_mm"] for row in rows] == ["", "-2.5"]


def test_the_centre_in_csv_is_where_itk_says_that_it_is(volume, tables, tmp_path):
    _, _, row = tables(make_result(volume))
    export_files(volume, 1, make_result(volume), tmp_path, ["NIfTI"])
    expected = sitk.ReadImage(tmp_path / "slice.nii.gz").TransformContinuousIndexToPhysicalPoint((26.0, 15.0, 0.0))
    assert [float(row[f"{axis}_mm"]) for axis in "xyz"] == pytest.approx(expected, abs=2e-3)


def test_without_a_nodule_the_centre_is_that_of_the_box(volume, tables):
    with_nodule, without = (tables(make_result(volume, nodule=nodule))[2] for nodule in (True, False))
    distance = [float(with_nodule[name]) - float(without[name]) for name in ("x_mm", "y_mm", "z_mm")]
    assert np.linalg.norm(distance) == pytest.approx(np.hypot(0.5 * 0.6, 0.5 * 0.8), abs=2e-3)


def test_of_a_slice_that_was_made_whole(tables):
    volume, result = make_whole_slice()
    coco, line, row = tables(result, volume, 0)
    assert coco["annotations"][0]["bbox"] == [23, 12, 7, 7]
    assert line.startswith("0 ")
    assert [float(row[f"{axis}_mm"]) for axis in "xyz"] == pytest.approx([(26 - 23.5) * 1.4, (15 - 19.5) * 1.4, 0])


@pytest.mark.parametrize("seed", range(5))
def test_run_lengths_of_any_mask(seed):
    mask = np.random.default_rng(seed).random((7, 5)) < 0.5
    counts = run_lengths(mask)
    np.testing.assert_array_equal(unpacked({"size": [7, 5], "counts": counts}), mask)
    assert all(count > 0 for count in counts[1:])


@pytest.mark.parametrize(("mask", "counts"), [(np.zeros((2, 3), bool), [6]), (np.ones((2, 3), bool), [0, 6])])
def test_run_lengths_of_all_or_nothing(mask, counts):
    assert run_lengths(mask) == counts


def test_a_rectangle_is_as_large_as_its_pixels():
    mask = np.zeros((5, 6), bool)
    mask[2, 3] = True
    assert nodule_rectangle(mask) == (3, 2, 1, 1)
    assert nodule_rectangle(np.ones((5, 6), bool)) == (0, 0, 6, 5)


def test_yolo_of_a_nodule_that_fills_the_slice(volume):
    result = make_result(volume)
    result.measurement.mask[:] = True
    assert yolo_lines([result]) == "0 0.500000 0.500000 1.000000 1.000000\n"


def test_csv_quotes_what_needs_it():
    rows = [{"name": 'a "b", c', "none": None}]
    assert csv_text(rows) == 'name,none\r\n"a ""b"", c",\r\n'
