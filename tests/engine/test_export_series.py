from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from engine.ct_files import read_volume
from engine.exports import ExportOptions, export_files, export_series
from tests.engine.placed_nodules import make_result, make_volume, make_whole_slice, source_header


@pytest.fixture
def volume():
    return make_volume(tuple(source_header(SOPInstanceUID=f"1.2.3.4.{number}") for number in (5, 6)))


def images_in(folder):
    return [pydicom.dcmread(file) for file in sorted((folder / "series").iterdir())]


def itk_volume(folder):
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder / "series"))
    return sitk.ReadImage(names)


@pytest.mark.parametrize("has_headers", [True, False])
def test_itk_reads_the_whole_volume_back(has_headers, volume, tmp_path):
    volume = volume if has_headers else make_volume()
    result = make_result(volume)
    export_files(volume, 1, result, tmp_path, ["DICOM series"])
    read = itk_volume(tmp_path)
    expected = np.array(volume.hu)
    expected[1] = result.slice.hu
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read), expected)
    assert read.GetOrigin() == pytest.approx(volume.positions[0])
    assert read.GetSpacing() == pytest.approx((0.8, 0.6, 2.5))


def test_one_new_series_in_the_frame_of_the_source(volume, tmp_path):
    export_files(volume, 1, make_result(volume), tmp_path, ["DICOM series"], ExportOptions(keep_identity=True))
    images = images_in(tmp_path)
    assert {image.FrameOfReferenceUID for image in images} == {"1.2.3.4.9"}
    assert {image.StudyInstanceUID for image in images} == {"1.2.3.4"}
    assert len({image.SeriesInstanceUID for image in images} - {"1.2.3.4.1"}) == 1
    assert len({image.SOPInstanceUID for image in images}) == 2
    assert [image.InstanceNumber for image in images] == [1, 2]
    sources = [image.SourceImageSequence[0].ReferencedSOPInstanceUID for image in images]
    assert sources == ["1.2.3.4.5", "1.2.3.4.6"]


def test_only_what_was_edited_is_synthetic(volume, tmp_path):
    export_files(volume, 1, make_result(volume), tmp_path, ["DICOM series"])
    untouched, edited = images_in(tmp_path)
    assert (untouched.SyntheticData, edited.SyntheticData) == ("NO", "YES")
    assert untouched.ImageType[0] == edited.ImageType[0] == "DERIVED"
    assert "HU are unchanged." in untouched.DerivationDescription
    assert "ContributingEquipmentSequence" not in untouched


@pytest.mark.parametrize("options", [ExportOptions(), ExportOptions(keep_identity=True)])
def test_a_slice_that_was_synthetic_stays_so(options, volume, tmp_path):
    export_files(volume, 1, make_result(volume), tmp_path / "first", ["DICOM series"], options)
    opened = read_volume(tmp_path / "first" / "series")
    export_files(opened, 0, make_result(opened, 0), tmp_path / "second", ["DICOM series"], options)
    assert [image.SyntheticData for image in images_in(tmp_path / "second")] == ["YES", "YES"]


def test_it_keeps_what_is_said_of_its_derivation(volume, tmp_path):
    said = "Synthetic lung nodule made by another program. " * 21
    volume.headers[0].DerivationDescription = said
    export_files(volume, 1, make_result(volume), tmp_path, ["DICOM series"], ExportOptions(keep_identity=True))
    description = images_in(tmp_path)[0].DerivationDescription
    assert description.startswith("Copied into a series with synthetic nodules in other slices. HU are unchanged.")
    assert "Synthetic lung nodule made by another program." in description
    assert len(description) == 1024


def test_the_finished_slice_is_among_them_byte_by_byte(volume, tmp_path):
    export_files(volume, 1, make_result(volume), tmp_path, ["DICOM", "DICOM series"])
    assert (tmp_path / "series" / "0002.dcm").read_bytes() == (tmp_path / "slice.dcm").read_bytes()


def test_several_nodules_in_one_series(volume, tmp_path):
    results = {index: make_result(volume, index) for index in range(2)}
    assert export_series(volume, results, tmp_path) == [tmp_path / "deidentification.json", tmp_path / "series"]
    expected = np.stack([results[index].slice.hu for index in range(2)])
    np.testing.assert_array_equal(sitk.GetArrayFromImage(itk_volume(tmp_path)), expected)
    assert {image.SyntheticData for image in images_in(tmp_path)} == {"YES"}


def test_it_says_what_became_of_the_identity(volume, tmp_path):
    results = {index: make_result(volume, index) for index in range(2)}
    for name, options in (("kept", ExportOptions(keep_identity=True)), ("not", ExportOptions())):
        export_series(volume, results, tmp_path / name, options)
    kept, not_kept = (json.loads((tmp_path / name / "deidentification.json").read_text()) for name in ("kept", "not"))
    assert "PatientName (0010,0010)" in kept["kept"]
    assert "PatientName (0010,0010)" in not_kept["replaced"]
    assert (kept["identity_kept"], not_kept["identity_kept"]) == (True, False)


def test_another_choice_of_nodules_is_another_series(volume, tmp_path):
    options = ExportOptions(made=datetime(2031, 5, 9, tzinfo=UTC))
    one, two = make_result(volume, 0), make_result(volume, 1)
    export_series(volume, {1: two}, tmp_path / "one", options)
    export_series(volume, {0: one, 1: two}, tmp_path / "both", options)
    assert images_in(tmp_path / "one")[0].SeriesInstanceUID != images_in(tmp_path / "both")[0].SeriesInstanceUID


def test_hu_with_fractions_are_kept_as_the_source_stored_them(tmp_path):
    stored = np.random.default_rng(1).integers(0, 4096, (2, 40, 48))
    hu = (stored * 0.4 - 1024.3).astype(np.float32)
    volume = make_volume((source_header(RescaleSlope="0.4", RescaleIntercept="-1024.3"),) * 2, hu=hu)
    export_files(volume, 1, make_result(volume), tmp_path, ["DICOM series"])
    read = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "series" / "0001.dcm"))[0].astype(np.float32)
    np.testing.assert_array_equal(read, hu[0])


def test_a_slice_that_was_made_whole_is_a_series_of_one(tmp_path):
    volume, result = make_whole_slice()
    export_files(volume, 0, result, tmp_path, ["DICOM series"])
    assert len(images_in(tmp_path)) == 1
    assert json.loads((tmp_path / "request.json").read_text())["export"]["formats"] == ["DICOM series"]
