from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

import engine.exports
from engine.ct import WindowLevel
from engine.errors import InputError
from engine.exports import check_folder, export_all, export_dicom, export_nifti, export_png, to_grey
from engine.nodule import BoundingBox
from engine.request_file import read_request
from tests.engine.placed_nodules import make_result, make_volume, source_header

ALL_FILES = {
    "slice.dcm",
    "mask.dcm",
    "slice.nii.gz",
    "mask.nii.gz",
    "box.nii.gz",
    "before.png",
    "after.png",
    "mask.png",
    "request.json",
}


@pytest.fixture
def volume():
    return make_volume((source_header(), source_header(SOPInstanceUID="1.2.3.4.6")))


@pytest.fixture
def result(volume):
    return make_result(volume)


def test_every_file_is_written_and_nothing_else(volume, result, tmp_path):
    folder = tmp_path / "not" / "there yet"
    files = export_all(volume, 1, result, folder)
    assert {file.name for file in files} == ALL_FILES
    assert {file.name for file in folder.iterdir()} == ALL_FILES
    assert all(file.parent == folder and file.stat().st_size > 0 for file in files)


@pytest.mark.parametrize(
    ("export", "names"),
    [
        (export_dicom, {"slice.dcm", "mask.dcm"}),
        (export_nifti, {"slice.nii.gz", "mask.nii.gz", "box.nii.gz"}),
        (export_png, {"before.png", "after.png", "mask.png", "request.json"}),
    ],
)
def test_one_format_alone(export, names, volume, result, tmp_path):
    assert {file.name for file in export(volume, 1, result, tmp_path)} == names
    assert {file.name for file in tmp_path.iterdir()} == names


def test_an_export_that_fails_leaves_the_old_files_and_nothing_of_its_own(volume, result, tmp_path, monkeypatch):
    export_all(volume, 1, make_result(volume, nodule=False), tmp_path)
    old = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(engine.exports, "write_request", full_disk)
    with pytest.raises(InputError, match=r"cannot be written to \(No space left on device\); choose another"):
        export_all(volume, 1, result, tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == old


def test_a_second_export_replaces_the_first(volume, result, tmp_path):
    export_all(volume, 1, make_result(volume, nodule=False), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    export_all(volume, 1, result, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == ALL_FILES | {"notes.txt"}
    assert np.asarray(Image.open(tmp_path / "mask.png")).any()


def test_itk_does_not_tell_of_a_full_disk_but_we_do(volume, result, tmp_path, monkeypatch):
    write = sitk.WriteImage

    def cut_short(image, path, **options):
        write(image * 0, path, **options)

    monkeypatch.setattr(sitk, "WriteImage", cut_short)
    with pytest.raises(InputError, match="No space left"):
        export_nifti(volume, 1, result, tmp_path)
    assert not list(tmp_path.iterdir())


def test_itk_that_cannot_write_is_one_sentence(volume, result, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("ITK ERROR: NiftiImageIO(0x55): many lines")

    monkeypatch.setattr(sitk, "WriteImage", refuse)
    with pytest.raises(InputError, match="cannot be written to") as caught:
        export_nifti(volume, 1, result, tmp_path)
    assert "ITK" not in str(caught.value)


def test_a_file_in_the_place_of_the_folder(volume, result, tmp_path):
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(InputError, match="is a file, not a folder; choose another"):
            export_all(volume, 1, result, folder)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_that_may_not_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    with pytest.raises(InputError, match="cannot be written to; choose another folder"):
        check_folder(tmp_path / "new")


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_nifti_keeps_hu_and_type(dtype, tmp_path):
    volume = make_volume(dtype=dtype)
    result = make_result(volume)
    export_nifti(volume, 1, result, tmp_path)
    image = sitk.ReadImage(tmp_path / "slice.nii.gz")
    pixels = sitk.GetArrayFromImage(image)
    assert pixels.dtype == dtype
    np.testing.assert_array_equal(pixels[0], result.slice.hu)


def test_nifti_masks_are_the_nodule_and_the_box(volume, result, tmp_path):
    export_nifti(volume, 1, result, tmp_path)
    box = np.zeros(result.slice.shape, bool)
    box[10:22, 20:32] = True
    for name, expected in [("mask", result.measurement.mask), ("box", box)]:
        pixels = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / f"{name}.nii.gz"))
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels[0], expected)


def test_nifti_lies_where_the_slice_lies(volume, result, tmp_path):
    export_nifti(volume, 1, result, tmp_path)
    row, column = 7, 30
    expected = (
        np.array(volume.positions[1])
        + row * volume.pixel_spacing[0] * np.array(volume.row_direction)
        + column * volume.pixel_spacing[1] * np.array(volume.column_direction)
    )
    for name in ("slice", "mask", "box"):
        image = sitk.ReadImage(tmp_path / f"{name}.nii.gz")
        assert image.GetSize() == (48, 40, 1)
        assert image.GetSpacing() == pytest.approx((0.8, 0.6, 2.5))
        point = image.TransformIndexToPhysicalPoint((column, row, 0))
        np.testing.assert_allclose(point, expected, atol=1e-4)


def test_nifti_takes_directions_that_are_not_quite_orthonormal(volume, tmp_path):
    crooked = dataclasses.replace(volume, column_direction=(0.99999, 1e-4, 0.0), row_direction=(2e-4, 1.00001, 0))
    export_nifti(crooked, 1, make_result(crooked), tmp_path)
    direction = np.reshape(sitk.ReadImage(tmp_path / "slice.nii.gz").GetDirection(), (3, 3))
    np.testing.assert_allclose(direction, np.eye(3), atol=3e-4)


def test_grey_values_of_the_lung_window():
    hu = np.array([[-3024, -1350, -600, 150, 3000]], np.int16)
    assert to_grey(hu, WindowLevel(1500, -600)).tolist() == [[0, 0, 128, 255, 255]]
    assert to_grey(hu, WindowLevel(400, 40)).tolist() == [[0, 0, 0, 198, 255]]


def test_png_before_and_after_differ_in_the_box_only(volume, result, tmp_path):
    export_png(volume, 1, result, tmp_path)
    before, after, mask = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("before", "after", "mask"))
    assert before.dtype == np.uint8
    assert before.shape == (40, 48)
    rows, columns = np.nonzero(before != after)
    assert rows.size
    assert {rows.min() >= 10, rows.max() < 22, columns.min() >= 20, columns.max() < 32} == {True}
    np.testing.assert_array_equal(after, to_grey(result.slice.hu, WindowLevel(1500, -600)))
    np.testing.assert_array_equal(mask, result.measurement.mask * 255)


def test_png_in_another_window(volume, result, tmp_path):
    window = WindowLevel(400, 40)
    export_all(volume, 1, result, tmp_path, window)
    after = np.asarray(Image.open(tmp_path / "after.png"))
    np.testing.assert_array_equal(after, to_grey(result.slice.hu, window))


def test_the_request_can_be_made_again(volume, result, tmp_path):
    export_all(volume, 1, result, tmp_path)
    saved = read_request(tmp_path / "request.json")
    again = saved.request(volume.slice_at(saved.slice_index))
    assert (again.box, again.attributes, again.options) == (
        BoundingBox(10, 20, 12, (40, 48)),
        result.request.attributes,
        result.request.options,
    )
    assert saved.slice_index == 1
    assert saved.input_name == "Thorax 3.zip"
    assert saved.series_uid == "1.2.3.4.1"
    assert (saved.checkpoint_name, saved.checkpoint_sha256) == ("disc", "0123456789abcdef" * 4)


def test_the_request_file_says_everything(volume, result, tmp_path):
    export_all(volume, 1, result, tmp_path)
    record = read_request(tmp_path / "request.json").record
    assert record["format_version"] == 1
    assert record["options"] == {"seed": 7, "steps": 12, "guidance": 2.5, "solver": "dpm++2m"}
    assert record["attributes"]["sphericity"] == {"score": 4, "name": "Ovoid/Round"}
    assert record["attributes"]["spiculation"] == {"score": None, "name": "Not given"}
    assert record["box"] == {"row": 10, "column": 20, "side": 12, "side_mm": [7.2, 9.6]}
    assert record["measurement"]["nodule_pixels"] == np.count_nonzero(result.measurement.mask)
    assert record["measurement"]["diameter_mm"] == 5.4
    assert record["input"]["sha256"] == result.request.slice.sha256()
    assert record["output"]["sha256"] == result.slice.sha256()
    assert record["input"]["sha256_outside_box"] == record["output"]["sha256_outside_box"]
    assert record["device"] == "CPU (1 thread)"
    assert set(record["versions"]) == {"python", "nodule-studio", "torch", "diffusers", "numpy"}


def test_a_change_outside_the_box_shows_in_the_hashes(volume, result, tmp_path):
    hu = np.array(result.slice.hu)
    hu[0, 10] += 1
    export_png(volume, 1, dataclasses.replace(result, slice=result.slice.with_hu(hu)), tmp_path)
    record = read_request(tmp_path / "request.json").record
    assert record["input"]["sha256_outside_box"] != record["output"]["sha256_outside_box"]


def test_a_request_without_dicom_and_with_scalars_of_numpy(tmp_path):
    volume = make_volume()
    result = make_result(volume)
    measurement = dataclasses.replace(result.measurement, mean_hu=np.float32(20.5))
    export_png(volume, 1, dataclasses.replace(result, measurement=measurement), tmp_path)
    saved = read_request(tmp_path / "request.json")
    assert saved.series_uid is None
    assert saved.record["measurement"]["mean_hu"] == 20.5


def test_a_saved_request_is_not_made_of_another_slice(volume, result, tmp_path):
    export_png(volume, 1, result, tmp_path)
    with pytest.raises(InputError, match=r"open slice 1 of Thorax 3\.zip"):
        read_request(tmp_path / "request.json").request(volume.slice_at(0))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[1]", "holds no request"),
        ('{"format_version": 99}', "has format 99 and this program reads format 1"),
        ('{"format_version": 1}', "is incomplete"),
        ('{"format_version": 1, "input": 3, "box": {}, "checkpoint": {}}', "is incomplete"),
    ],
)
def test_a_request_file_that_is_none(text, words, tmp_path):
    (tmp_path / "request.json").write_text(text)
    with pytest.raises(InputError, match=words):
        read_request(tmp_path / "request.json")


def test_a_request_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read; check that the file is there"):
        read_request(tmp_path / "request.json")
