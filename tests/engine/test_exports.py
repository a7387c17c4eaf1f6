from __future__ import annotations

import dataclasses
import gzip
import json
import os
import sys
from datetime import UTC, datetime

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PIL import Image

import engine.exports
import engine.synthetic_data
import engine.volume_files
from engine.ct import CTSlice, WindowLevel
from engine.ct_files import read_volume
from engine.errors import InputError
from engine.export_pictures import difference_map, to_16_bit, to_grey
from engine.export_series import series_of
from engine.exports import ALL_FORMATS, FORMATS, ExportOptions, export_all, export_extended, export_files, export_series
from engine.known_inputs import known_input, remember_input
from engine.request_file import read_request
from engine.synthetic_data import is_synthetic_mark, synthetic_warning
from tests.engine.placed_nodules import make_result, make_second, make_volume, make_whole_slice, source_header

ALWAYS = {"request.json", "deidentification.json"}
FILES = {
    "DICOM": {"slice.dcm", "mask.dcm", "report.dcm"},
    "DICOM series": {"series"},
    "NIfTI": {"slice.nii.gz", "mask.nii.gz", "box.nii.gz"},
    "NRRD": {"slice.nrrd", "mask.nrrd", "box.nrrd"},
    "PNG": {
        *("before.png", "after.png", "before-16bit.png", "after-16bit.png"),
        *("mask.png", "difference.png"),
    },
    "LIDC XML": {"nodule.xml"},
    "Tables": {"boxes.json", "after.txt", "nodule.csv"},
}
ALL_FILES = ALWAYS.union(*(FILES[name] for name in ALL_FORMATS))
MADE_BY = ", made by Nodule Studio 0.1.0; not for diagnosis"


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


@pytest.mark.parametrize("name", FORMATS)
def test_one_format_alone(name, volume, result, tmp_path):
    files = export_files(volume, 1, result, tmp_path, [name])
    assert {file.name for file in files} == {file.name for file in tmp_path.iterdir()} == FILES[name] | ALWAYS


def test_a_format_that_there_is_not(volume, result, tmp_path):
    with pytest.raises(ValueError, match="Word"):
        export_files(volume, 1, result, tmp_path, ["DICOM", "Word"])


def test_the_docstring_lists_every_file():
    for names in FILES.values():
        assert all(name in engine.exports.__doc__ for name in names)


def test_an_export_that_fails_leaves_the_old_files_and_nothing_of_its_own(volume, result, tmp_path, monkeypatch):
    export_all(volume, 1, make_result(volume, nodule=False), tmp_path)
    old = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(engine.exports, "write_request", full_disk)
    with pytest.raises(InputError, match=r"cannot be written to \(No space left on device\); choose another"):
        export_all(volume, 1, result, tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == old


def test_a_source_that_is_no_file_does_not_stand_in_for_one_that_is(tmp_path):
    """What is opened of a slice that was made whole has the name of no file."""
    volume, whole = make_whole_slice()
    export_all(volume, 0, whole, tmp_path / "whole")
    exported = tmp_path / "whole" / "slice.dcm"
    assert known_input(whole.slice.sha256()) == exported
    export_all(volume, 0, make_result(volume, 0), tmp_path / "nodule")
    assert known_input(whole.slice.sha256()) == exported


def test_a_source_that_is_a_file_is_remembered(volume, result, tmp_path):
    before = volume.slice_at(1).sha256()
    remember_input(before, tmp_path)
    (tmp_path / "source").touch()
    export_files(dataclasses.replace(volume, source=tmp_path / "source"), 1, result, tmp_path / "out", ["PNG"])
    assert known_input(before) == tmp_path / "source"


@pytest.mark.parametrize("opened", ["out/slice.nii.gz", "out", "out/series/0001.dcm"])
def test_what_was_opened_is_not_replaced(volume, result, tmp_path, opened):
    for name in ("out/slice.nii.gz", "out/series/0001.dcm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("opened")
    source = dataclasses.replace(volume, source=tmp_path / opened)
    with pytest.raises(InputError, match="would be replaced; give another folder"):
        export_files(source, 1, result, tmp_path / "out", ["NIfTI", "DICOM series"])
    assert {path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == {"opened"}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
def test_a_source_with_a_name_in_latin_1_is_remembered(tmp_path):
    source = tmp_path / os.fsdecode(b"M\xfcller")
    source.touch()
    remember_input("0" * 64, source)
    assert known_input("0" * 64) == source
    volume = dataclasses.replace(make_volume(), source=source)
    export_files(volume, 1, make_result(volume), tmp_path / "out", ["PNG"], ExportOptions(keep_identity=True))
    assert json.loads((tmp_path / "out" / "request.json").read_text("utf-8"))["input"]["path"] == str(source)


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
        export_files(volume, 1, result, tmp_path, ["NIfTI"])
    assert not list(tmp_path.iterdir())


def test_itk_that_cannot_write_is_one_sentence(volume, result, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("ITK ERROR: NiftiImageIO(0x55): many lines")

    monkeypatch.setattr(sitk, "WriteImage", refuse)
    with pytest.raises(InputError, match="cannot be written to") as caught:
        export_files(volume, 1, result, tmp_path, ["NIfTI"])
    assert "ITK" not in str(caught.value)
    monkeypatch.setattr(engine.volume_files, "_ON_WINDOWS", True)
    with pytest.raises(InputError, match=r"need a path without letters other than A to Z\); choose another"):
        export_files(volume, 1, result, tmp_path / "Müller", ["NIfTI"])


def test_a_file_in_the_place_of_the_folder(volume, result, tmp_path):
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(InputError, match="is a file, not a folder; choose another"):
            export_all(volume, 1, result, folder)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize(("name", "suffix"), [("NIfTI", "nii.gz"), ("NRRD", "nrrd")])
def test_volumes_keep_hu_and_type(dtype, name, suffix, tmp_path):
    volume = make_volume(dtype=dtype)
    result = make_result(volume)
    export_files(volume, 1, result, tmp_path, [name])
    image = sitk.ReadImage(tmp_path / f"slice.{suffix}")
    pixels = sitk.GetArrayFromImage(image)
    assert pixels.dtype == dtype
    np.testing.assert_array_equal(pixels[0], result.slice.hu)


@pytest.mark.parametrize(("name", "suffix"), [("NIfTI", "nii.gz"), ("NRRD", "nrrd")])
def test_volumes_say_what_they_are(name, suffix, volume, result, tmp_path):
    export_files(volume, 1, result, tmp_path, [name])
    told = {
        file: sitk.ReadImage(tmp_path / f"{file}.{suffix}").GetMetaData("ITK_FileNotes")
        for file in ("slice", "mask", "box")
    }
    assert told == {
        "slice": f"Synthetic nodule{MADE_BY}",
        "mask": f"Mask of a synthetic nodule{MADE_BY}",
        "box": f"Box of a synthetic nodule{MADE_BY}",
    }


def test_the_mark_stands_where_readers_of_each_format_look(volume, result, tmp_path):
    export_files(volume, 1, result, tmp_path, ["NIfTI", "NRRD"])
    nifti = gzip.decompress((tmp_path / "slice.nii.gz").read_bytes())
    # `descrip` of nifti1.h.
    assert nifti[148:228].rstrip(b"\0").decode() == f"Synthetic nodule{MADE_BY}"
    nrrd = (tmp_path / "slice.nrrd").read_bytes().split(b"\n\n")[0].decode().splitlines()
    assert f"ITK_FileNotes:=Synthetic nodule{MADE_BY}" in nrrd


def test_a_long_version_does_not_hinder_nifti(volume, result, tmp_path, monkeypatch):
    monkeypatch.setattr(engine.synthetic_data, "VERSION", "10.11.12.dev345+gabcdef01")
    export_files(volume, 1, result, tmp_path, ["NIfTI"])
    told = sitk.ReadImage(tmp_path / "mask.nii.gz").GetMetaData("ITK_FileNotes")
    assert len(told) == 79
    assert is_synthetic_mark(told)


@pytest.mark.parametrize("file", ["slice.nii.gz", "slice.nrrd"])
def test_a_volume_that_is_opened_again_is_known_as_synthetic(file, volume, result, tmp_path):
    export_files(volume, 1, result, tmp_path / "one", ["NIfTI", "NRRD"])
    opened = read_volume(tmp_path / "one" / file)
    assert synthetic_warning(opened).startswith("The image says that it is synthetic")
    export_files(opened, 0, make_second(opened), tmp_path / "two", ["DICOM", "PNG"])
    assert read_request(tmp_path / "two" / "request.json").is_input_synthetic
    image = pydicom.dcmread(tmp_path / "two" / "slice.dcm")
    assert "The slice was synthetic, or had synthetic nodules, before it was opened" in image.DerivationDescription
    assert marks_of_pictures(tmp_path / "two")["before"] == f"Synthetic nodule{MADE_BY}"


def test_nifti_masks_are_the_nodule_and_the_box(volume, result, tmp_path):
    export_files(volume, 1, result, tmp_path, ["NIfTI"])
    box = np.zeros(result.slice.shape, bool)
    box[10:22, 20:32] = True
    for name, expected in [("mask", result.measurement.mask), ("box", box)]:
        pixels = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / f"{name}.nii.gz"))
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels[0], expected)


@pytest.mark.parametrize(("name", "suffix"), [("NIfTI", "nii.gz"), ("NRRD", "nrrd")])
def test_volumes_lie_where_the_slice_lies(name, suffix, volume, result, tmp_path):
    export_files(volume, 1, result, tmp_path, [name])
    row, column = 7, 30
    expected = (
        np.array(volume.positions[1])
        + row * volume.pixel_spacing[0] * np.array(volume.row_direction)
        + column * volume.pixel_spacing[1] * np.array(volume.column_direction)
    )
    for name in ("slice", "mask", "box"):
        image = sitk.ReadImage(tmp_path / f"{name}.{suffix}")
        assert image.GetSize() == (48, 40, 1)
        assert image.GetSpacing() == pytest.approx((0.8, 0.6, 2.5))
        point = image.TransformIndexToPhysicalPoint((column, row, 0))
        np.testing.assert_allclose(point, expected, atol=1e-4)


def test_nifti_takes_directions_that_are_not_quite_orthonormal(volume, tmp_path):
    crooked = dataclasses.replace(volume, column_direction=(0.99999, 1e-4, 0.0), row_direction=(2e-4, 1.00001, 0))
    export_files(crooked, 1, make_result(crooked), tmp_path, ["NIfTI"])
    direction = np.reshape(sitk.ReadImage(tmp_path / "slice.nii.gz").GetDirection(), (3, 3))
    np.testing.assert_allclose(direction, np.eye(3), atol=3e-4)


def test_grey_values_of_the_lung_window():
    hu = np.array([[-3024, -1350, -600, 150, 3000]], np.int16)
    assert to_grey(hu, WindowLevel(1500, -600)).tolist() == [[0, 0, 128, 255, 255]]
    assert to_grey(hu, WindowLevel(400, 40)).tolist() == [[0, 0, 0, 198, 255]]


def test_png_before_and_after_differ_in_the_box_only(volume, result, tmp_path):
    export_files(volume, 1, result, tmp_path, ["PNG"])
    before, after, mask = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("before", "after", "mask"))
    assert before.dtype == np.uint8
    assert before.shape == (40, 48)
    rows, columns = np.nonzero(before != after)
    assert rows.size
    assert {rows.min() >= 10, rows.max() < 22, columns.min() >= 20, columns.max() < 32} == {True}
    np.testing.assert_array_equal(after, to_grey(result.slice.hu, WindowLevel(1500, -600)))
    np.testing.assert_array_equal(mask, result.measurement.mask * 255)


def test_16_bit_png_hold_every_hu(volume, result, tmp_path):
    export_files(volume, 1, result, tmp_path, ["PNG"])
    for name, ct_slice in [("before", result.request.slice), ("after", result.slice)]:
        picture = Image.open(tmp_path / f"{name}-16bit.png")
        assert picture.info["Description"] == "HU = value - 32768"
        np.testing.assert_array_equal(np.asarray(picture).astype(int) - 32768, ct_slice.hu)


def marks_of_pictures(folder):
    """What each picture of a folder says of itself, by name; None of one that says nothing."""
    marks = {}
    for file in folder.glob("*.png"):
        with Image.open(file) as picture:
            marks[file.stem] = picture.info.get("Warning")
    return marks


def test_pictures_say_what_they_are_but_those_of_a_slice_without_a_nodule(volume, result, tmp_path):
    export_files(volume, 1, result, tmp_path, ["PNG"])
    assert marks_of_pictures(tmp_path) == {
        "before": None,
        "before-16bit": None,
        "after": f"Synthetic nodule{MADE_BY}",
        "after-16bit": f"Synthetic nodule{MADE_BY}",
        "mask": f"Mask of a synthetic nodule{MADE_BY}",
        "difference": f"Change by a synthetic nodule{MADE_BY}",
    }


def test_a_picture_from_before_a_second_nodule_says_that_it_has_one(volume, result, tmp_path):
    with_it = dataclasses.replace(volume, hu=np.stack([volume.hu[0], result.slice.hu]))
    export_files(volume, 1, make_result(with_it), tmp_path, ["PNG"], earlier=[result])
    marks = marks_of_pictures(tmp_path)
    assert (marks["before"], marks["before-16bit"]) == (f"Synthetic nodule{MADE_BY}",) * 2


def test_a_slice_that_was_made_whole_says_so_in_every_format(tmp_path):
    volume, whole = make_whole_slice()
    export_files(volume, 0, whole, tmp_path / "one", ["NIfTI", "PNG"])
    told = sitk.ReadImage(tmp_path / "one" / "slice.nii.gz").GetMetaData("ITK_FileNotes")
    assert told == marks_of_pictures(tmp_path / "one")["after"] == f"Synthetic chest slice{MADE_BY}"
    export_files(volume, 0, make_second(volume), tmp_path / "two", ["PNG"], earlier=[whole])
    assert marks_of_pictures(tmp_path / "two")["before"] == f"Synthetic chest slice{MADE_BY}"


def test_16_bit_values_at_the_ends():
    hu = np.array([[-32768, -1000, 32767]], np.int16)
    assert to_16_bit(hu).tolist() == [[0, 31768, 65535]]
    assert to_16_bit(np.array([[-4e4, 0.4, 0.6, 1e6]], np.float32)).tolist() == [[0, 32768, 32769, 65535]]


def test_the_difference_map_shows_the_smallest_change():
    before = CTSlice(np.array([[0, 0, 0, 0, 0]], np.float32), (1.0, 1.0))
    after = CTSlice(np.array([[0, 0.01, -0.01, 5000, -5000]], np.float32), (1.0, 1.0))
    assert difference_map(before, after).tolist() == [[128, 129, 127, 255, 1]]


def test_the_difference_map_is_grey_outside_the_box(volume, result, tmp_path):
    export_files(volume, 1, result, tmp_path, ["PNG"])
    changed = np.asarray(Image.open(tmp_path / "difference.png")) != 128
    np.testing.assert_array_equal(changed, result.slice.hu != result.request.slice.hu)


def test_png_in_another_window(volume, result, tmp_path):
    window = WindowLevel(400, 40)
    export_all(volume, 1, result, tmp_path, ExportOptions(window))
    after = np.asarray(Image.open(tmp_path / "after.png"))
    np.testing.assert_array_equal(after, to_grey(result.slice.hu, window))


def test_a_slice_that_was_made_whole(tmp_path):
    volume, result = make_whole_slice()
    files = {file.name for file in export_all(volume, 0, result, tmp_path)}
    assert files == ALL_FILES - {"before.png", "before-16bit.png", "difference.png"}
    saved = read_request(tmp_path / "request.json")
    assert saved.is_whole_slice
    assert saved.record["changed_pixels"] is None
    assert saved.request(None) == result.request


def test_a_series_is_replaced_as_a_whole(volume, result, tmp_path):
    export_files(volume, 1, result, tmp_path, ["DICOM series"])
    for name in ("0009.dcm", ".DS_Store"):
        (tmp_path / "series" / name).touch()
    export_files(volume, 1, result, tmp_path, ["DICOM series"])
    assert [file.name for file in sorted((tmp_path / "series").iterdir())] == ["0001.dcm", "0002.dcm"]
    assert {file.name for file in tmp_path.iterdir()} == ALWAYS | {"series"}


def test_a_folder_of_other_files_is_not_replaced_by_a_series(volume, result, tmp_path):
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "IM7").write_text("a scan")
    series = series_of(volume, {1: result})
    for export in (
        lambda: export_files(volume, 1, result, tmp_path, ["DICOM series"]),
        lambda: export_series(volume, series, tmp_path),
        lambda: export_extended(volume, 1, {1: result}, series, tmp_path, with_series=True),
    ):
        with pytest.raises(InputError, match=r"series holds IM7, which no export wrote; give another folder\.$"):
            export()
    assert [path.name for path in tmp_path.rglob("*")] == ["series", "IM7"]


def test_the_same_moment_gives_the_same_bytes(volume, result, tmp_path):
    made = datetime(2031, 5, 9, 14, 3, 59, 123456, UTC)
    for name in ("one", "two"):
        export_files(volume, 1, result, tmp_path / name, FORMATS, ExportOptions(made=made))
    one, two = (
        {file.relative_to(tmp_path / name): file.read_bytes() for file in (tmp_path / name).rglob("*.*")}
        for name in ("one", "two")
    )
    assert one == two
    assert pydicom.dcmread(tmp_path / "one" / "report.dcm").ContentDate == "20310509"


def test_a_change_outside_the_box_shows_in_the_hashes(volume, result, tmp_path):
    hu = np.array(result.slice.hu)
    hu[0, 10] += 1
    export_files(volume, 1, dataclasses.replace(result, slice=result.slice.with_hu(hu)), tmp_path, ["PNG"])
    record = read_request(tmp_path / "request.json").record
    assert record["input"]["sha256_outside_box"] != record["output"]["sha256_outside_box"]
    assert record["changed_pixels"]["outside_box"] == 1
    assert np.asarray(Image.open(tmp_path / "difference.png"))[0, 10] == 129
