"""What is written of a slice that its source does not say: nothing, or what must be there, but never made-up facts."""

from __future__ import annotations

import json

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import JPEGLSLossless, JPEGLSNearLossless

from engine.ct_files import read_volume
from engine.export_identity import new_uid
from engine.exports import ExportOptions, export_files
from tests.conftest import write_series
from tests.engine.placed_nodules import make_result, make_volume, make_whole_slice, source_header

HU = np.random.default_rng(3).integers(-1000, 400, (1, 40, 48)).astype(np.int16)
PLACELESS = ("ImagePositionPatient", "ImageOrientationPatient")


def opened(folder, without=(), **tags):
    """Return one slice, read from a file."""
    (file,) = write_series(folder / "source", HU, without=without, **tags)
    return read_volume(file)


def exported(volume, folder, index=0, **options):
    """Return the slice and the segmentation, as read back; masks lie beside them."""
    export_files(volume, index, make_result(volume, index), folder, ["DICOM", "NIfTI"], ExportOptions(**options))
    return pydicom.dcmread(folder / "slice.dcm"), pydicom.dcmread(folder / "mask.dcm")


def measures(mask):
    return mask.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]


@pytest.mark.parametrize(
    ("tags", "spacing"),
    [
        ({"SliceThickness": "5", "SpacingBetweenSlices": "4"}, 4),
        ({"SliceThickness": "5"}, 5),
        ({"SliceThickness": "5", "SpacingBetweenSlices": "0"}, 5),
        ({"SliceThickness": None}, 1),
        ({"SliceThickness": "0"}, 1),
    ],
)
def test_a_single_slice_is_as_deep_as_its_header_says(tmp_path, tags, spacing):
    volume = opened(tmp_path, **tags)
    assert volume.slice_spacing == spacing
    exported(volume, tmp_path)
    for name in ("slice", "mask", "box"):
        assert sitk.ReadImage(tmp_path / f"{name}.nii.gz").GetSpacing()[2] == pytest.approx(spacing)


def test_a_thickness_that_nobody_knows_is_empty(tmp_path):
    bare = tuple(source_header(SOPInstanceUID=f"1.2.3.4.{number}", SliceThickness=None) for number in (5, 6))
    whole, made = make_whole_slice()
    export_files(whole, 0, made, tmp_path / "whole", ["DICOM"])
    places = {"headers": (make_volume(bare), 1), "no headers": (make_volume(), 1), "one": (opened(tmp_path), 0)}
    images = {name: exported(volume, tmp_path / name, index)[0] for name, (volume, index) in places.items()}
    images["whole"] = pydicom.dcmread(tmp_path / "whole" / "slice.dcm")
    told = {name: (image.SliceThickness, image.get("SpacingBetweenSlices")) for name, image in images.items()}
    assert told == {"headers": (None, 2.5), "no headers": (None, 2.5), "one": (2.5, None), "whole": (None, None)}


def test_segmentations_must_give_a_thickness(tmp_path):
    whole, made = make_whole_slice()
    export_files(whole, 0, made, tmp_path / "whole", ["DICOM"])
    alone = measures(pydicom.dcmread(tmp_path / "whole" / "mask.dcm"))
    among = measures(exported(make_volume(), tmp_path, 1)[1])
    told = [(item.SliceThickness, item.get("SpacingBetweenSlices")) for item in (alone, among)]
    assert told == [(1, None), (2.5, 2.5)]


@pytest.mark.parametrize("keep_identity", [True, False])
@pytest.mark.parametrize("without", [PLACELESS, PLACELESS[:1], PLACELESS[1:]])
def test_a_slice_without_a_place_is_in_no_frame_of_the_source(tmp_path, without, keep_identity):
    tags = {"FrameOfReferenceUID": "1.2.3", "SliceLocation": "-123.5", "PositionReferenceIndicator": "XY"}
    image, mask = exported(opened(tmp_path, without, **tags), tmp_path, keep_identity=keep_identity)
    assert "SliceLocation" not in image
    assert not image.PositionReferenceIndicator
    assert image.FrameOfReferenceUID == mask.FrameOfReferenceUID not in ("1.2.3", new_uid("1.2.3"))
    assert image.ImageComments.startswith("The source does not say where the slice lies")


def test_a_slice_with_a_place_stays_in_its_frame(tmp_path):
    volume = opened(tmp_path, FrameOfReferenceUID="1.2.3", SliceLocation="-123.5")
    image, _ = exported(volume, tmp_path, keep_identity=True)
    assert (image.FrameOfReferenceUID, image.SliceLocation) == ("1.2.3", -123.5)
    assert "ImageComments" not in image


@pytest.mark.parametrize("keep_identity", [True, False])
def test_what_was_assumed_is_in_the_request_file(tmp_path, keep_identity):
    exported(opened(tmp_path, PLACELESS), tmp_path, keep_identity=keep_identity)
    warnings = json.loads((tmp_path / "request.json").read_text())["input"]["warnings"]
    assert ["ImageOrientationPatient" in warnings[0], "ImagePositionPatient" in warnings[1]] == [True, True]


def test_warnings_that_name_files_are_not(tmp_path):
    write_series(tmp_path / "source", np.repeat(HU, 3, axis=0))
    (tmp_path / "source" / "Doe^Jane.dcm").write_bytes(b"\0" * 128 + b"DICM")
    volume = read_volume(tmp_path / "source")
    assert "Doe^Jane" in volume.warnings[0]
    for keep_identity in (True, False):
        exported(volume, tmp_path, keep_identity=keep_identity)
        assert ("Doe^Jane" in (tmp_path / "request.json").read_text()) == keep_identity


def compressed(folder, syntax, **told):
    """Return one slice of a compressed file whose header says no more of that than `told`."""

    def encode(header):
        allowed = {"jls_error": 3} if syntax == JPEGLSNearLossless else {}
        header.compress(syntax, generate_instance_uid=False, **allowed)
        for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            header.pop(keyword, None)
        header.update(told)

    return opened(folder, signed=False, bits_stored=12, encode=encode)


@pytest.mark.parametrize("keep_identity", [True, False])
def test_lossy_pixels_are_lossy_whatever_their_header_forgot(tmp_path, keep_identity):
    for dataset in exported(compressed(tmp_path, JPEGLSNearLossless), tmp_path, keep_identity=keep_identity):
        assert dataset.LossyImageCompression == "01"
        assert dataset.LossyImageCompressionMethod == "ISO_14495_1"
        assert 1 < dataset.LossyImageCompressionRatio < 3


def test_what_the_header_says_of_its_compression_stays(tmp_path):
    image, _ = exported(compressed(tmp_path, JPEGLSNearLossless, LossyImageCompression="00"), tmp_path)
    assert (image.LossyImageCompression, "LossyImageCompressionRatio" in image) == ("00", False)


def test_a_header_that_tells_its_compression_by_sequences_has_not_told_it(tmp_path):
    def encode(header):
        header.compress(JPEGLSNearLossless, generate_instance_uid=False, jls_error=3)
        for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            header.add_new(keyword, "SQ", [pydicom.Dataset()])

    (header,) = opened(tmp_path, signed=False, bits_stored=12, encode=encode).headers
    assert (header.LossyImageCompression, header.LossyImageCompressionMethod) == ("01", "ISO_14495_1")


def test_lossless_pixels_are_not_lossy(tmp_path):
    image, _ = exported(compressed(tmp_path, JPEGLSLossless), tmp_path)
    assert "LossyImageCompression" not in image
