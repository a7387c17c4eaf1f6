"""Padding of the source is padding in what is exported, or nothing is said of it."""

import numpy as np
import pydicom
import pytest
from pydicom import Dataset

from engine.ct_files import read_volume
from engine.export_padding import keep_padding
from engine.exports import export_files
from engine.stored_values import Encoding, stored_values
from tests.engine.placed_nodules import SHAPE, make_result

#: Two slices without any HU that the nodule and its surroundings have.
HU = np.random.default_rng(6).integers(100, 400, (2, *SHAPE))


def exported(folder, write_ct_series, hu, **written):
    """Export a series with a nodule in the second slice; return the first image, which has none, and the second."""
    write_ct_series(folder / "ct", hu, **written)
    volume = read_volume(folder / "ct")
    export_files(volume, 1, make_result(volume), folder / "out", ["DICOM", "DICOM series"])
    return [pydicom.dcmread(folder / "out" / name) for name in ("series/0001.dcm", "slice.dcm")]


def padded(value):
    hu = HU.astype(float)
    hu[:, :4, :4] = value
    return hu


def named_as_unsigned(header):
    header.add_new("PixelPaddingValue", "US", 63536)


@pytest.mark.parametrize("written", [{"PixelPaddingValue": -2000}, {"encode": named_as_unsigned}])
def test_padding_is_named_in_the_stored_values_of_the_export(write_ct_series, tmp_path, written):
    for image in exported(tmp_path, write_ct_series, padded(-3024), **written):
        assert (image.RescaleSlope, image.RescaleIntercept) == (1, 0)
        padding = image["PixelPaddingValue"]
        assert (padding.VR, padding.value) == ("SS", -3024)
        np.testing.assert_array_equal(image.pixel_array == padding.value, padded(-3024)[0] == -3024)
        assert "PixelPaddingRangeLimit" not in image


def test_padding_above_all_hu_is_unsigned(write_ct_series, tmp_path):
    for image in exported(tmp_path, write_ct_series, padded(62512), signed=False, PixelPaddingValue=63536):
        padding = image["PixelPaddingValue"]
        assert (padding.VR, padding.value) == ("US", 63536)
        np.testing.assert_array_equal(image.pixel_array == padding.value, padded(62512)[0] == 62512)


def test_a_range_of_padding_stays_a_range(write_ct_series, tmp_path):
    hu = padded(-1024.3)
    hu[:, 0, 0] += 4
    scale = {"slope": 0.4, "intercept": -1024.3, "signed": False}
    for image in exported(tmp_path, write_ct_series, hu, **scale, PixelPaddingValue=0, PixelPaddingRangeLimit=10):
        assert (image.RescaleSlope, image.RescaleIntercept) == (0.4, -1024.3)
        assert (image.PixelPaddingValue, image.PixelPaddingRangeLimit) == (0, 10)
        assert np.count_nonzero(image.pixel_array <= 10) == 16


def test_where_the_nodule_has_that_value_nothing_is_padding(write_ct_series, tmp_path):
    unedited, edited = exported(tmp_path, write_ct_series, padded(20), PixelPaddingValue=1044)
    assert unedited.PixelPaddingValue == 20
    assert "PixelPaddingValue" not in edited


def header_of(**changes):
    header = Dataset()
    header.PixelRepresentation, header.RescaleSlope, header.RescaleIntercept = 0, "0.5", "-1024"
    header.PixelPaddingValue = 0
    for keyword, value in changes.items():
        setattr(header, keyword, value)
    return header


def kept(header, hu):
    """Return what is said of HU that are stored in steps of 2."""
    image, opened = Dataset(), np.array([hu], np.float32)
    stored = stored_values(opened, np.ones(opened.shape, bool), Encoding("2", "0", np.int16))
    keep_padding(image, header, opened, stored)
    return {element.keyword: element.value for element in image}


def test_where_others_are_rounded_to_that_value_nothing_is_padding():
    assert kept(header_of(), [-1024, -1000.5, 400]) == {"PixelPaddingValue": -512}
    assert kept(header_of(), [-1024, -1023.5, 400]) == {}


@pytest.mark.parametrize(
    "changes",
    [
        *[{keyword: None} for keyword in ("PixelPaddingValue", "PixelRepresentation", "RescaleIntercept")],
        {"PixelPaddingValue": None, "PixelPaddingRangeLimit": 10},
        {"PixelPaddingValue": 10, "PixelPaddingRangeLimit": 0},
        {"RescaleIntercept": "-1e5"},
    ],
)
def test_a_header_that_does_not_tell(changes):
    assert kept(header_of(**changes), [-1024, -1000.5, 400]) == {}
