from __future__ import annotations

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from engine.ct_files import read_volume
from engine.exports import ExportOptions, export_files
from engine.stored_values import encoding_of, stored_values
from engine.synthetic_data import synthetic_warning
from tests.engine.placed_nodules import make_result, make_second, make_volume, make_whole_slice, source_header

#: Must be there and must have a value (PS3.3, CT Image IOD, its mandatory modules).
TYPE_1 = (
    "StudyInstanceUID Modality SeriesInstanceUID FrameOfReferenceUID ImagePositionPatient "
    "ImageOrientationPatient PixelSpacing SamplesPerPixel PhotometricInterpretation Rows Columns BitsAllocated "
    "BitsStored HighBit PixelRepresentation PixelData ImageType RescaleIntercept RescaleSlope SOPClassUID "
    "SOPInstanceUID"
)
#: Must be there.
TYPE_2 = (
    "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime ReferringPhysicianName StudyID "
    "AccessionNumber SeriesNumber PatientPosition PositionReferenceIndicator Manufacturer InstanceNumber "
    "SliceThickness KVP AcquisitionNumber ContentDate ContentTime"
)


def exported(volume, folder, result=None):
    """Export the second slice; return the CT image and the segmentation as read back."""
    result = result or make_result(volume)
    export_files(volume, 1, result, folder, ["DICOM"], ExportOptions(keep_identity=True))
    return pydicom.dcmread(folder / "slice.dcm"), hd.seg.segread(folder / "mask.dcm")


def header_twice(**changes):
    return source_header(**changes), source_header(SOPInstanceUID="1.2.3.4.6", **changes)


@pytest.fixture
def volume():
    return make_volume(header_twice())


@pytest.fixture(params=["full header", "bare header", "no header"])
def any_volume(request):
    bare = pydicom.Dataset()
    bare.SOPClassUID, bare.SOPInstanceUID = pydicom.uid.CTImageStorage, "1.2.3.4.6"
    return make_volume({"full header": header_twice(), "bare header": (bare, bare), "no header": ()}[request.param])


@pytest.mark.parametrize(
    ("sop_class", "frame"), [(pydicom.uid.CTImageStorage, None), (pydicom.uid.EnhancedCTImageStorage, 7)]
)
def test_the_frame_of_a_multi_frame_source_is_named(sop_class, frame, tmp_path):
    volume = make_volume(header_twice(SOPClassUID=sop_class, InstanceNumber=7))
    (source,) = exported(volume, tmp_path)[0].SourceImageSequence
    assert source.get("ReferencedFrameNumber") == frame


def test_hu_come_back_bit_for_bit(any_volume, tmp_path):
    result = make_result(any_volume)
    image, _ = exported(any_volume, tmp_path, result)
    read = sitk.ReadImage(tmp_path / "slice.dcm")
    pixels = sitk.GetArrayFromImage(read)[0]
    assert pixels.dtype == np.int16
    np.testing.assert_array_equal(pixels, result.slice.hu)
    outside = np.ones(pixels.shape, bool)
    outside[10:22, 20:32] = False
    np.testing.assert_array_equal(pixels[outside], any_volume.hu[1][outside])
    assert image.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian


def test_it_lies_where_the_slice_lies(any_volume, tmp_path):
    image, _ = exported(any_volume, tmp_path)
    read = sitk.ReadImage(tmp_path / "slice.dcm")
    assert read.GetOrigin() == pytest.approx(any_volume.positions[1])
    assert read.GetSpacing() == pytest.approx((0.8, 0.6, 2.5))
    np.testing.assert_allclose(read.GetDirection()[0::3], any_volume.column_direction, atol=1e-9)
    np.testing.assert_allclose(read.GetDirection()[1::3], any_volume.row_direction, atol=1e-9)
    assert all(len(str(cosine)) <= 16 for cosine in image.ImageOrientationPatient)


def test_required_attributes_are_there(any_volume, tmp_path):
    image, _ = exported(any_volume, tmp_path)
    empty = [keyword for keyword in TYPE_1.split() if image.get(keyword) in (None, "")]
    missing = [keyword for keyword in TYPE_2.split() if keyword not in image]
    assert (empty, missing) == ([], [])
    assert image.Modality == "CT"


def test_it_is_derived_and_synthetic_and_says_by_what(any_volume, tmp_path):
    for image in exported(any_volume, tmp_path):
        assert image.ImageType[0] == "DERIVED"
        assert image.SyntheticData == "YES"
        assert image.ContentQualification == "RESEARCH"
        makers = {
            item.PurposeOfReferenceCodeSequence[0].CodeMeaning: item for item in image.ContributingEquipmentSequence
        }
        maker = makers["Synthesizing Equipment"]
        assert maker.ManufacturerModelName == "Nodule Studio disc"
        assert maker.SoftwareVersions == "0.1.0 0123456789abcdef"


def test_patient_study_and_acquisition_are_the_source_s(volume, tmp_path):
    source = volume.headers[1]
    for image in exported(volume, tmp_path):
        for keyword in [
            "PatientName",
            "PatientID",
            "PatientBirthDate",
            "PatientSex",
            "PatientAge",
            "StudyInstanceUID",
            "StudyDate",
            "StudyTime",
            "StudyID",
            "AccessionNumber",
            "FrameOfReferenceUID",
        ]:
            assert image[keyword].value == source[keyword].value, keyword
    image, _ = exported(volume, tmp_path)
    for keyword in ["KVP", "ConvolutionKernel", "SliceThickness", "Manufacturer", "ManufacturerModelName"]:
        assert image[keyword].value == source[keyword].value, keyword


def test_uids_are_new_and_the_source_is_named(volume, tmp_path):
    first = exported(volume, tmp_path)
    second = exported(volume, tmp_path)
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        uids = {image[keyword].value for image in (*first, *second)}
        assert len(uids) == 4
        assert uids.isdisjoint({"1.2.3.4.5", "1.2.3.4.6", "1.2.3.4.1"})
    source = first[0].SourceImageSequence[0]
    assert source.ReferencedSOPInstanceUID == "1.2.3.4.6"
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert first[0].DerivationCodeSequence[0].CodeMeaning == "Synthetic lung nodule"
    assert "rows 10 to 21 and columns 20 to 31" in first[0].DerivationDescription
    assert "disc" in first[0].DerivationDescription
    assert first[0].SeriesDescription == "Synthetic nodule Thorax 1.0 B70f"


def test_private_attributes_and_leftovers_of_pixels_stay_behind(volume, tmp_path):
    for image in exported(volume, tmp_path):
        assert not [element for element in image.iterall() if element.tag.is_private]
        assert not [element for element in image if element.tag.group == 0x6000]
        for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue"):
            assert keyword not in image
        assert "IconImageSequence" not in image


def test_the_source_header_is_left_alone(volume, tmp_path):
    before = source_header(SOPInstanceUID="1.2.3.4.6")
    exported(volume, tmp_path)
    assert volume.headers[1] == before


def test_lossy_stays_lossy(tmp_path):
    lossy = {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": "12",
        "LossyImageCompressionMethod": "ISO_15444_1",
    }
    image, mask = exported(make_volume(header_twice(**lossy)), tmp_path)
    assert image.LossyImageCompression == mask.LossyImageCompression == "01"
    assert image.LossyImageCompressionRatio == 12


def test_names_in_any_script_survive(tmp_path):
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    headers = header_twice(SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName=name)
    for image in exported(make_volume(headers), tmp_path):
        assert image.SpecificCharacterSet == "ISO_IR 192"
        assert image.PatientName == name


def test_equipment_that_contributed_before_stays(tmp_path):
    earlier = pydicom.Dataset()
    earlier.Manufacturer = "DEIDENTIFIERS INC"
    image, _ = exported(make_volume(header_twice(ContributingEquipmentSequence=[earlier])), tmp_path)
    makers = [item.Manufacturer for item in image.ContributingEquipmentSequence]
    assert makers == ["DEIDENTIFIERS INC", "Nodule Studio"]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_broken_header_gives_a_sound_image(tmp_path):
    headers = header_twice(
        PatientBirthDate="unknown", PatientSex="X", StudyDate="January", PatientName="Single", BodyPartExamined=""
    )
    for image in exported(make_volume(headers), tmp_path):
        assert [image.PatientBirthDate, image.PatientSex, image.StudyDate] == ["", "", ""]
        assert image.PatientName == "Single"
    assert pydicom.dcmread(tmp_path / "slice.dcm").BodyPartExamined == "CHEST"


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("content", [b"3,0 ", b"1\\2 ", b"1e999 "])
def test_what_is_no_number_gives_a_sound_image(tmp_path, content):
    headers = header_twice()
    for keyword in ("SliceThickness", "KVP", "StudyInstanceUID"):
        tag, representation = pydicom.tag.Tag(keyword), "UI" if keyword == "StudyInstanceUID" else "DS"
        headers[1]._dict[tag] = pydicom.dataelem.RawDataElement(
            tag, representation, len(content), content, 0, False, True
        )
    for image in exported(make_volume(headers), tmp_path):
        assert pydicom.uid.UID(image.StudyInstanceUID).is_valid
    image = pydicom.dcmread(tmp_path / "slice.dcm")
    assert (image.SliceThickness, image.KVP) == (None, None)


def test_the_two_segments(any_volume, tmp_path):
    result = make_result(any_volume)
    image, mask = exported(any_volume, tmp_path, result)
    box = np.zeros(result.slice.shape, bool)
    box[10:22, 20:32] = True
    frames = mask.get_pixels_by_source_instance([image.SOPInstanceUID])[0]
    np.testing.assert_array_equal(frames[..., 0], result.measurement.mask)
    np.testing.assert_array_equal(frames[..., 1], box)
    assert mask.SegmentationType == "BINARY"
    assert mask.FrameOfReferenceUID == image.FrameOfReferenceUID
    assert [segment.SegmentLabel for segment in mask.SegmentSequence] == [
        "Nodule, measured by Nodule Studio",
        "Box asked for in Nodule Studio",
    ]


def test_the_segments_name_their_algorithm(volume, tmp_path):
    _, mask = exported(volume, tmp_path)
    nodule, box = mask.SegmentSequence
    assert nodule.SegmentAlgorithmType == "AUTOMATIC"
    assert nodule.SegmentAlgorithmName == "Nodule Studio measurement"
    algorithm = nodule.SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmVersion == "0.1.0"
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeMeaning == "Morphological Operations"
    assert box.SegmentAlgorithmType == "MANUAL"
    assert "SegmentAlgorithmName" not in box
    assert "SegmentationAlgorithmIdentificationSequence" not in box
    assert mask.ManufacturerModelName == "Nodule Studio"
    assert nodule.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
    assert nodule.SegmentedPropertyTypeCodeSequence[0].CodeValue == "27925004"
    assert nodule.AnatomicRegionSequence[0].CodeValue == "39607008"


def test_a_segmentation_without_a_nodule_has_both_segments(volume, tmp_path):
    image, mask = exported(volume, tmp_path, make_result(volume, nodule=False))
    assert mask.NumberOfFrames == 2
    frames = mask.get_pixels_by_source_instance([image.SOPInstanceUID])[0]
    assert not frames[..., 0].any()
    assert frames[..., 1].sum() == 144


def test_hu_with_fractions_keep_the_source_s_rescale(tmp_path):
    stored = np.random.default_rng(1).integers(0, 4096, (2, 40, 48))
    hu = (stored * 0.4 - 1024.3).astype(np.float32)
    volume = make_volume(header_twice(RescaleSlope="0.4", RescaleIntercept="-1024.3"), hu=hu)
    image, _ = exported(volume, tmp_path)
    assert (str(image.RescaleSlope), str(image.RescaleIntercept)) == ("0.4", "-1024.3")
    pixels = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "slice.dcm"))[0].astype(np.float32)
    outside = np.ones(pixels.shape, bool)
    outside[10:22, 20:32] = False
    np.testing.assert_array_equal(pixels[outside], hu[1][outside])
    np.testing.assert_allclose(pixels, make_result(volume).slice.hu, atol=0.2 + 1e-4)


@pytest.mark.parametrize(
    ("hu", "slope", "exact"),
    [
        ([-3024, 0, 3071], "1", True),
        ([-3024.0, 0.0, 32767.0], "1", True),
        ([-1000.5, 0.25, 400.0], "0.03125", True),
        ([-1000.0, 0.1, 400.0], "0.03125", False),
        ([-1024.0, 50000.0, 65535.0], "2", False),
        ([-1024.0, 50000.0, 70000.0], "2", True),
    ],
)
def test_how_hu_are_stored(hu, slope, exact):
    values = np.array([hu], np.float32 if isinstance(hu[0], float) else np.int16)
    plane = values, np.ones(values.shape, bool)
    encoding = encoding_of([plane])
    stored = stored_values(*plane, encoding)
    assert (encoding.slope, stored.exact) == (slope, exact)
    assert stored.array.dtype.itemsize == 2
    assert len(encoding.slope) <= 16
    back = stored.array.astype(float) * float(encoding.slope) + float(encoding.intercept)
    np.testing.assert_allclose(back, values, atol=0 if exact else float(slope) / 2)


def test_what_lies_in_the_box_does_not_choose_the_steps():
    hu = np.array([[-1000, 30, 0.3]], np.float32)
    plane = hu, np.array([[True, True, False]])
    encoding = encoding_of([plane])
    stored = stored_values(*plane, encoding)
    assert (encoding.slope, stored.exact, stored.array.tolist()) == ("1", True, [[-1000, 30, 0]])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_hu_that_are_no_numbers(value):
    hu = np.array([[value, 1]], np.float32)
    with pytest.raises(ValueError, match="not finite numbers"):
        encoding_of([(hu, np.zeros((1, 2), bool))])


def test_rounded_hu_are_owned_up_to(tmp_path):
    hu = np.random.default_rng(2).uniform(-1000, 400, (2, 40, 48)).astype(np.float32)
    image, _ = exported(make_volume(hu=hu), tmp_path)
    assert f"but for rounding to steps of {image.RescaleSlope}" in image.DerivationDescription


def test_the_windows_of_the_studio_are_its_presets(volume, tmp_path):
    image, _ = exported(volume, tmp_path)
    assert list(image.WindowCenter) == [-600, 40, 400]
    assert list(image.WindowWidth) == [1500, 400, 1800]
    assert list(image.WindowCenterWidthExplanation) == ["Lung", "Mediastinum", "Bone"]


def test_exports_of_one_volume_are_of_one_study_and_frame(any_volume, tmp_path):
    first = exported(any_volume, tmp_path / "one")
    second = exported(any_volume, tmp_path / "two")
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        assert len({image[keyword].value for image in (*first, *second)}) == 1


def test_a_slice_that_was_made_whole(tmp_path):
    volume, result = make_whole_slice()
    export_files(volume, 0, result, tmp_path, ["DICOM"])
    image = pydicom.dcmread(tmp_path / "slice.dcm")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "slice.dcm"))[0], result.slice.hu)
    assert "Synthetic chest slice with a nodule" in image.DerivationDescription
    assert "unchanged" not in image.DerivationDescription
    assert "SourceImageSequence" not in image


def test_a_nodule_in_a_slice_that_was_made_whole_is_of_no_patient_either(tmp_path):
    volume, whole = make_whole_slice()
    export_files(volume, 0, make_second(volume), tmp_path / "one", ["DICOM"], earlier=[whole])
    # The same, where the slice is opened from its export.
    export_files(volume, 0, whole, tmp_path / "whole", ["DICOM"])
    opened = read_volume(tmp_path / "whole" / "slice.dcm")
    assert opened.is_made_whole
    export_files(opened, 0, make_second(opened), tmp_path / "two", ["DICOM", "DICOM series"], earlier=[whole])
    export_files(opened, 0, make_second(opened), tmp_path / "three", ["DICOM"], ExportOptions(keep_identity=True))
    files = ("one/slice.dcm", "two/slice.dcm", "two/series/0001.dcm", "three/slice.dcm")
    for image in (pydicom.dcmread(tmp_path / file) for file in files):
        assert (image.PatientName, image.PatientID) == ("SYNTHETIC^", f"SYNTHETIC-{whole.slice.sha256()[:12]}")
        assert image.SeriesDescription == "Synthetic chest slice"
        assert "The whole slice is synthetic, with a nodule of its own" in image.DerivationDescription
        assert image.SyntheticData == "YES"
        assert not any(keyword in image for keyword in ("PatientIdentityRemoved", "DeidentificationMethod"))
        assert "DeidentificationMethodCodeSequence" not in image
    for folder in ("whole", "one", "two"):
        segments = pydicom.dcmread(tmp_path / folder / "mask.dcm").SegmentSequence
        assert "the whole slice is synthetic" in segments[1].SegmentDescription


@pytest.mark.parametrize("keep_identity", [False, True])
def test_a_slice_that_was_made_whole_stays_the_same_nobody(tmp_path, keep_identity):
    volume, whole = make_whole_slice()
    options = ExportOptions(keep_identity=keep_identity)
    export_files(volume, 0, make_second(volume), tmp_path / "one", ["DICOM"], options, earlier=[whole])
    opened = read_volume(tmp_path / "one" / "slice.dcm")
    export_files(opened, 0, make_second(opened), tmp_path / "two", ["DICOM"], options)
    names = {pydicom.dcmread(tmp_path / folder / "slice.dcm").PatientID for folder in ("one", "two")}
    assert names == {f"SYNTHETIC-{whole.slice.sha256()[:12]}"}
    assert read_volume(tmp_path / "two" / "slice.dcm").is_made_whole


def test_a_slice_with_a_nodule_that_is_opened_again_says_that_it_was_synthetic(tmp_path):
    volume = make_volume((source_header(), source_header(SOPInstanceUID="1.2.3.4.6")))
    export_files(volume, 0, make_second(volume), tmp_path / "one", ["DICOM"])
    opened = read_volume(tmp_path / "one" / "slice.dcm")
    assert not opened.is_made_whole
    assert synthetic_warning(opened).startswith("The image says that it is synthetic")
    assert synthetic_warning(volume) == ""
    export_files(opened, 0, make_second(opened), tmp_path / "two", ["DICOM"])
    image = pydicom.dcmread(tmp_path / "two" / "slice.dcm")
    assert "The slice was synthetic, or had synthetic nodules, before it was opened" in image.DerivationDescription
    assert image.PatientName.family_name.startswith("NS-")
