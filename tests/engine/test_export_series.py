from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from engine.ct_files import read_volume
from engine.export_series import series_image, series_of
from engine.exports import ExportOptions, export_files, export_series
from tests.engine.placed_nodules import make_result, make_second, make_volume, make_whole_slice, source_header


@pytest.fixture
def volume():
    return make_volume(tuple(source_header(SOPInstanceUID=f"1.2.3.4.{number}") for number in (5, 6)))


def files_in(folder):
    return sorted((folder / "series").iterdir())


def images_in(folder):
    return [pydicom.dcmread(file) for file in files_in(folder)]


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
    series = series_of(volume, results)
    assert export_series(volume, series, tmp_path) == [tmp_path / "deidentification.json", tmp_path / "series"]
    expected = np.stack([results[index].slice.hu for index in range(2)])
    np.testing.assert_array_equal(sitk.GetArrayFromImage(itk_volume(tmp_path)), expected)
    assert {image.SyntheticData for image in images_in(tmp_path)} == {"YES"}


def test_it_says_what_became_of_the_identity(volume, tmp_path):
    results = {index: make_result(volume, index) for index in range(2)}
    for name, options in (("kept", ExportOptions(keep_identity=True)), ("not", ExportOptions())):
        export_series(volume, series_of(volume, results), tmp_path / name, options)
    kept, not_kept = (json.loads((tmp_path / name / "deidentification.json").read_text()) for name in ("kept", "not"))
    assert "PatientName (0010,0010)" in kept["kept"]
    assert "PatientName (0010,0010)" in not_kept["replaced"]
    assert (kept["identity_kept"], not_kept["identity_kept"]) == (True, False)


def test_another_choice_of_nodules_is_another_series(volume, tmp_path):
    made = datetime(2031, 5, 9, tzinfo=UTC)
    one, two = make_result(volume, 0), make_result(volume, 1)
    export_series(volume, series_of(volume, {1: two}, made), tmp_path / "one")
    export_series(volume, series_of(volume, {0: one, 1: two}, made), tmp_path / "both")
    assert images_in(tmp_path / "one")[0].SeriesInstanceUID != images_in(tmp_path / "both")[0].SeriesInstanceUID


def test_hu_with_fractions_are_kept_as_the_source_stored_them(tmp_path):
    stored = np.random.default_rng(1).integers(0, 4096, (2, 40, 48))
    hu = (stored * 0.4 - 1024.3).astype(np.float32)
    volume = make_volume((source_header(RescaleSlope="0.4", RescaleIntercept="-1024.3"),) * 2, hu=hu)
    export_files(volume, 1, make_result(volume), tmp_path, ["DICOM series"])
    read = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "series" / "0001.dcm"))[0].astype(np.float32)
    np.testing.assert_array_equal(read, hu[0])


def test_images_and_marks_of_one_export_are_of_one_series(volume, tmp_path):
    results = {index: make_result(volume, index) for index in range(2)}
    series = series_of(volume, results)
    export_series(volume, series, tmp_path)
    for index, result in results.items():
        export_files(volume, index, result, tmp_path / str(index), ["DICOM", "LIDC XML"], series=series)
    masks = [pydicom.dcmread(tmp_path / str(index) / "mask.dcm") for index in range(2)]
    for index, image in enumerate(images_in(tmp_path)):
        assert (tmp_path / str(index) / "slice.dcm").read_bytes() == files_in(tmp_path)[index].read_bytes()
        (referred,) = masks[index].ReferencedSeriesSequence
        assert referred.SeriesInstanceUID == image.SeriesInstanceUID
        assert referred.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
        marks = (tmp_path / str(index) / "nodule.xml").read_text()
        assert image.SeriesInstanceUID in marks
        assert image.SOPInstanceUID in marks
    assert masks[0].SOPInstanceUID != masks[1].SOPInstanceUID
    assert masks[0].SeriesInstanceUID != masks[1].SeriesInstanceUID


def test_a_result_that_another_was_built_on_is_of_a_series_of_its_own(volume, tmp_path):
    first = make_second(volume)
    with_it = replace(volume, hu=np.stack([first.slice.hu, volume.hu[1]]))
    series = series_of(volume, {0: make_result(with_it, 0)})
    export_files(volume, 0, first, tmp_path, ["DICOM"], series=series)
    image = pydicom.dcmread(tmp_path / "slice.dcm")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "slice.dcm"))[0], first.slice.hu)
    assert image.SOPInstanceUID != series_image(volume, 0, series).SOPInstanceUID
    assert image.SeriesInstanceUID != series_image(volume, 0, series).SeriesInstanceUID
    assert image.ContentTime == series.stamp.dicom_time


def read_as_itk(folder):
    """The whole series, whose type and scale ITK takes from its first image, and each of its images alone."""
    files = files_in(folder)
    return sitk.GetArrayFromImage(itk_volume(folder)), [
        sitk.GetArrayFromImage(sitk.ReadImage(file))[0].astype(np.float32) for file in files
    ]


def encodings_in(folder):
    return {(image.RescaleSlope, image.RescaleIntercept, image.PixelRepresentation) for image in images_in(folder)}


def test_a_first_slice_of_whole_hu_does_not_round_the_others(tmp_path):
    stored = np.random.default_rng(1).integers(0, 4096, (2, 40, 48))
    stored[0] &= ~1
    hu = (stored * 0.5 - 1024).astype(np.float32)
    volume = make_volume((source_header(RescaleSlope="0.5", RescaleIntercept="-1024"),) * 2, hu=hu)
    result = make_result(volume)
    export_files(volume, 1, result, tmp_path, ["DICOM", "DICOM series"])
    assert encodings_in(tmp_path) == {(0.5, -1024, 1)}
    whole, alone = read_as_itk(tmp_path)
    outside = ~result.request.box.mask()
    np.testing.assert_array_equal(whole[0], hu[0])
    np.testing.assert_array_equal(whole[1][outside], hu[1][outside])
    np.testing.assert_array_equal(whole[1], alone[1])


def test_hu_of_no_known_steps_have_the_same_in_all_slices(tmp_path):
    hu = np.random.default_rng(2).uniform(-1000, 400, (2, 40, 48)).astype(np.float32)
    hu[0] = np.rint(hu[0])
    hu[0, 0, 0] = 3000
    volume = make_volume(hu=hu)
    made = datetime(2031, 5, 9, tzinfo=UTC)
    for name in ("DICOM", "DICOM series"):
        export_files(volume, 1, make_result(volume), tmp_path, [name], ExportOptions(made=made))
    assert len(encodings_in(tmp_path)) == 1
    whole, alone = read_as_itk(tmp_path)
    np.testing.assert_array_equal(whole, alone)
    np.testing.assert_array_equal(whole[0], hu[0])
    np.testing.assert_allclose(whole[1][:8], hu[1][:8], atol=float(images_in(tmp_path)[1].RescaleSlope) / 2)
    # Alone it has the UIDs that it has in the series, and so the same bytes.
    assert (tmp_path / "slice.dcm").read_bytes() == (tmp_path / "series" / "0002.dcm").read_bytes()


def test_a_slice_with_metal_gives_its_type_to_all(tmp_path):
    hu = np.random.default_rng(3).integers(0, 400, (2, 40, 48)).astype(np.float32)
    hu[1, 0, 0] = 40000
    volume = make_volume(hu=hu)
    export_files(volume, 0, make_second(volume), tmp_path, ["DICOM series"])
    assert encodings_in(tmp_path) == {(1, 0, 0)}
    np.testing.assert_array_equal(read_as_itk(tmp_path)[0][1], hu[1])


def test_a_slice_that_was_made_whole_is_a_series_of_one(tmp_path):
    volume, result = make_whole_slice()
    export_files(volume, 0, result, tmp_path, ["DICOM series"])
    assert len(images_in(tmp_path)) == 1
    assert json.loads((tmp_path / "request.json").read_text())["export"]["formats"] == ["DICOM series"]
