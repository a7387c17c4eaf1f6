"""What is found in files, folders and zips, which series is read, and the sentence for what cannot be."""

import os
import random
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PIL import Image
from pydicom.uid import (
    MPEG2MPML,
    EncapsulatedPDFStorage,
    EnhancedCTImageStorage,
    MediaStorageDirectoryStorage,
    SegmentationStorage,
    generate_uid,
)

from engine.ct_files import list_series, read_volume
from engine.errors import InputError

CORONAL = (1, 0, 0, 0, 0, -1)
SAGITTAL = (0, 1, 0, 0, 0, -1)


def refusal(path, series_uid=None):
    """Return the sentence with which a path is refused, checked to be one."""
    with pytest.raises(InputError) as caught:
        read_volume(Path(path), series_uid)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_list_and_read_one_series(write_ct_series, chest, tmp_path):
    files = write_ct_series(tmp_path / "deep" / "down", chest, pixel_spacing=(0.6, 0.7), description="THIN LUNG")
    (info,) = list_series(tmp_path)
    assert info.series_uid == pydicom.dcmread(files[0]).SeriesInstanceUID
    assert (info.description, info.slices, info.plane, info.problem) == ("THIN LUNG", 4, "axial", "")
    assert (info.pixel_spacing, info.slice_spacing, info.files) == ((0.6, 0.7), 2.5, tuple(files))
    seen = []
    volume = read_volume(tmp_path, info.series_uid, lambda done, total: seen.append((done, total)))
    assert set(seen[:-4]) == {(0, 1)}
    assert seen[-4:] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert (volume.source, volume.description, volume.warnings) == (tmp_path, "THIN LUNG", ())
    assert [header.InstanceNumber for header in volume.headers] == [1, 2, 3, 4]
    assert all("PixelData" not in header for header in volume.headers)


def test_a_file_is_one_slice_of_its_series(write_ct_series, chest, tmp_path):
    file = write_ct_series(tmp_path, chest)[2]
    volume = read_volume(file)
    np.testing.assert_array_equal(volume.hu, chest[2:3])
    assert volume.positions == ((-100, -120, -45),)
    assert [info.slices for info in list_series(file)] == [1]


def test_names_and_times_of_files_do_not_matter(write_ct_series, chest, tmp_path):
    files = write_ct_series(tmp_path, chest)
    names = [file.with_name(f"{index}") for index, file in enumerate(files)]
    random.Random(1).shuffle(names)
    for file, name in zip(files, names, strict=True):
        file.rename(name)
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)


def test_what_else_lies_in_a_folder_is_passed_over(write_ct_series, chest, tmp_path):
    write_ct_series(tmp_path / "ct", chest)
    write_ct_series(tmp_path / "pet", chest, Modality="PT")
    write_ct_series(tmp_path / "scout", chest[:1], orientation=CORONAL, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_ct_series(tmp_path / "seg", chest[:1], Modality="SEG", SOPClassUID=SegmentationStorage)
    write_ct_series(tmp_path / "report", chest[:1], Modality="SR", without=["Rows", "Columns", "PixelData"])
    write_ct_series(tmp_path / "shot", chest[:1], without=["PixelSpacing", "ImagePositionPatient"], Modality="OT")
    (tmp_path / "notes.txt").write_text("seen by two readers")
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "._slice.nii").write_bytes(b"\0\5\x16\7")
    Image.new("L", (8, 8)).save(tmp_path / "key.png")
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)
    assert len(list_series(tmp_path)) == 1


def test_files_that_cannot_be_read_do_not_hide_the_others(write_ct_series, chest, tmp_path, monkeypatch):
    open_any = Path.open

    def open_unlocked(file, *how, **more):
        if file.stem == "locked":
            raise PermissionError(13, "Permission denied")
        return open_any(file, *how, **more)

    monkeypatch.setattr(Path, "open", open_unlocked)
    for name in ("locked.txt", "locked.nii"):
        (tmp_path / name).touch()
        assert f'{name}" cannot be read (Permission denied)' in refusal(tmp_path / name)
        assert "locked." in refusal(tmp_path)
    sitk.WriteImage(sitk.GetImageFromArray(chest), tmp_path / "scan.nii")
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)
    write_ct_series(tmp_path / "ct", chest)
    assert '2, since "locked.nii" cannot be read (Permission denied)' in read_volume(tmp_path).warnings[0]


def test_a_file_that_ends_in_its_header_is_said_to_be_missing(write_ct_series, chest, tmp_path):
    """At an end of the series, no gap would tell."""
    last = write_ct_series(tmp_path, chest)[-1]
    content = last.read_bytes()
    last.write_bytes(content[: content.index(b"\x28\0\x10\0")])  # Rows
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.hu, chest[:3])
    assert f'1, since "{last.name}" is cut short or damaged; get the file again' in volume.warnings[0]


def test_names_of_series_do_not_close_their_quotes(write_ct_series, chest, tmp_path):
    """What is kept with data goes without what stands in quotes."""
    for name in ("one", "two"):
        write_ct_series(tmp_path / name, chest, description=f'Lung "Meier" {name}')
    assert "Meier" not in re.sub(r'"[^"]*"', "", refusal(tmp_path))


def test_what_a_killed_export_left_is_no_series(write_ct_series, chest, tmp_path):
    write_ct_series(tmp_path / "ct", chest)
    write_ct_series(tmp_path / ".nodule-studio-x" / "made" / "series", chest[:2])
    assert [info.slices for info in list_series(tmp_path)] == [4]


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make links")
def test_folders_that_are_linked_are_looked_into_once(write_ct_series, chest, tmp_path):
    write_ct_series(tmp_path / "archive" / "scan", chest)
    (tmp_path / "study").mkdir()
    for name, there in (("scan", tmp_path / "archive" / "scan"), ("again", tmp_path / "study"), ("gone", "nowhere")):
        (tmp_path / "study" / name).symlink_to(there)
    volume = read_volume(tmp_path / "study")
    np.testing.assert_array_equal(volume.hu, chest)
    assert volume.warnings == ()


def test_folders_that_may_not_be_looked_into(write_ct_series, chest, tmp_path, monkeypatch):
    scan = os.scandir

    def scan_unlocked(folder):
        if Path(folder).name == "locked":
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    (tmp_path / "locked").mkdir()
    write_ct_series(tmp_path / "ct", chest)
    monkeypatch.setattr(os, "scandir", scan_unlocked)
    assert refusal(tmp_path / "locked") == '"locked" cannot be read (Permission denied); check the file.'
    assert '1, since "locked" cannot be read (Permission denied)' in read_volume(tmp_path).warnings[0]


def test_a_report_in_dicom_does_not_hide_a_volume_in_another_format(write_ct_series, chest, tmp_path):
    without = ["Rows", "Columns", "PixelData"]
    write_ct_series(tmp_path, chest[:1], Modality="SR", SOPClassUID=EncapsulatedPDFStorage, without=without)
    assert "without an image" in refusal(tmp_path)
    sitk.WriteImage(sitk.GetImageFromArray(chest), tmp_path / "scan.nii")
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)


def test_a_scout_in_the_same_series(write_ct_series, chest, tmp_path):
    uid = generate_uid()
    scout = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write_ct_series(tmp_path / "scout", chest[:1], orientation=CORONAL, series_uid=uid, ImageType=scout)
    write_ct_series(tmp_path / "slices", chest, series_uid=uid)
    np.testing.assert_array_equal(read_volume(tmp_path, uid).hu, chest)
    assert "localizer" in refusal(tmp_path / "scout")


def test_coronal_and_sagittal_are_listed_and_refused(write_ct_series, chest, tmp_path):
    write_ct_series(tmp_path / "c", chest, orientation=CORONAL, description="COR")
    assert "coronal" in refusal(tmp_path)
    write_ct_series(tmp_path / "s", chest, orientation=SAGITTAL, description="SAG")
    assert "sagittal" in refusal(tmp_path / "s")
    assert "oblique" in refusal(write_ct_series(tmp_path / "o", chest, orientation=(1, 0, 0, 0, 0.7, 0.714))[0])
    write_ct_series(tmp_path / "a", chest, description="AX")
    listed = {info.description: info for info in list_series(tmp_path)}
    assert {listed[name].plane for name in ("COR", "SAG", "AX")} == {"coronal", "sagittal", "axial"}
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)
    assert "coronal" in refusal(tmp_path, listed["COR"].series_uid)


def test_several_axial_series_want_a_choice(write_ct_series, chest, tmp_path):
    write_ct_series(tmp_path / "soft", chest, description="SOFT")
    write_ct_series(tmp_path / "lung", chest[:2], description="LUNG")
    sentence = refusal(tmp_path)
    assert "2 axial series" in sentence
    assert "SOFT" in sentence
    listed = {info.description: info.series_uid for info in list_series(tmp_path)}
    assert len(read_volume(tmp_path, listed["LUNG"])) == 2
    assert "no series 1.2.3" in refusal(tmp_path, "1.2.3")


def test_series_that_cannot_be_opened_are_no_rivals(write_ct_series, chest, tmp_path):
    write_ct_series(tmp_path / "z", chest, RescaleType="Z_EFF")
    assert "Z_EFF, not Hounsfield" in refusal(tmp_path)
    write_ct_series(tmp_path / "hu", chest)
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)


def test_a_missing_slice_is_said(write_ct_series, chest, tmp_path):
    files = write_ct_series(tmp_path, np.concatenate([chest, chest]))
    files[3].unlink()
    volume = read_volume(tmp_path)
    assert len(volume) == 7
    assert "seem to be missing: 1" in volume.warnings[0]


def test_a_slice_cut_short_is_left_out(write_ct_series, chest, tmp_path):
    files = write_ct_series(tmp_path, chest)
    files[3].write_bytes(files[3].read_bytes()[:-100])
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.hu, chest[:3])
    assert len(volume.headers) == 3
    assert "1 of 4 slices" in volume.warnings[0]
    assert "cut short" in volume.warnings[0]
    assert "cut short" in refusal(files[3])


def test_real_broken_files(data_folder):
    volume = read_volume(data_folder / "dicom" / "LIDC-IDRI-0003-partial")
    assert len(volume) == 10
    assert "1 of 11" in volume.warnings[0]
    broken = data_folder / "dicom" / "undecodable"
    assert "None of the 3 slices" in refusal(broken)
    for file in broken.iterdir():
        assert "cannot be decoded" in refusal(file)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Modality": "MR"}, "MR, not CT"),
        ({"Modality": "PT"}, "PT, not CT"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "colour"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "colour"),
        ({"without": ["PixelSpacing"]}, "PixelSpacing"),
        ({"PixelSpacing": [0, 0]}, "PixelSpacing"),
        ({"without": ["ImagePositionPatient"]}, "ImagePositionPatient"),
        ({"without": ["ImageOrientationPatient"]}, "ImageOrientationPatient"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "ImageOrientationPatient"),
        ({"RescaleType": "Z_EFF"}, "Z_EFF, not Hounsfield"),
        ({"NumberOfFrames": 2}, "multi-frame"),
        ({"without": ["PixelData"]}, "lacks PixelData"),
        ({"without": ["PixelRepresentation"]}, "lacks PixelRepresentation"),
        ({"without": ["Rows", "Columns", "PixelData"]}, "cut short or damaged"),
        ({"without": ["Rows", "PixelData"], "SOPClassUID": EncapsulatedPDFStorage}, "without an image"),
        ({"without": ["RescaleSlope", "RescaleIntercept"]}, "not Hounsfield units"),
        ({"without": ["Modality"], "intercept": 0, "RescaleIntercept": 1000}, "not Hounsfield units"),
    ],
)
def test_dicom_that_is_refused(write_ct_series, chest, tmp_path, changes, words):
    write_ct_series(tmp_path, chest, signed="intercept" in changes, **changes)
    assert words in refusal(tmp_path)


def test_a_transfer_syntax_without_decoder(write_ct_series, chest, tmp_path):
    def encode(header):
        header.PixelData = pydicom.encaps.encapsulate([header.PixelData])
        header["PixelData"].VR = "OB"
        header.file_meta.TransferSyntaxUID = MPEG2MPML

    assert "MPEG2" in refusal(write_ct_series(tmp_path, chest[:1], encode=encode)[0])


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("Modality", "does not say that it is CT"),
        ("ImageOrientationPatient", "check its sides"),
        ("ImagePositionPatient", "where the slice lies"),
    ],
)
def test_a_single_slice_may_say_less(write_ct_series, chest, tmp_path, missing, words):
    (file,) = write_ct_series(tmp_path, chest[:1], without=[missing])
    volume = read_volume(file)
    np.testing.assert_array_equal(volume.hu, chest[:1])
    assert words in " ".join(volume.warnings)


def test_hu_without_rescale(write_ct_series, chest, tmp_path):
    write_ct_series(tmp_path, chest, intercept=0, without=["RescaleSlope", "RescaleIntercept"])
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.hu, chest)
    assert "no RescaleIntercept" in volume.warnings[0]


def test_a_dicomdir_stands_for_its_folder(write_ct_series, chest, tmp_path):
    write_ct_series(tmp_path / "images", chest)
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MediaStorageDirectoryStorage, generate_uid()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    index = pydicom.dataset.FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    index.FileSetID = "TEST"
    index.save_as(tmp_path / "DICOMDIR")
    np.testing.assert_array_equal(read_volume(tmp_path / "DICOMDIR").hu, chest)
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)


def enhanced(file, frames):
    """Write single-frame CT files as one enhanced CT file: frames in the order given, rescale in each."""
    slices = [pydicom.dcmread(frame) for frame in frames]
    whole = pydicom.dcmread(frames[0])
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    whole.NumberOfFrames = len(frames)
    whole.PixelData = b"".join(one.PixelData for one in slices)

    def macro(dataset, *keywords):
        item = pydicom.Dataset()
        for keyword in keywords:
            item[keyword] = dataset[keyword]
        return [item]

    shared = pydicom.Dataset()
    shared.PlaneOrientationSequence = macro(whole, "ImageOrientationPatient")
    shared.PixelMeasuresSequence = macro(whole, "PixelSpacing", "SliceThickness")
    whole.SharedFunctionalGroupsSequence = [shared]
    whole.PerFrameFunctionalGroupsSequence = []
    for one in slices:
        group = pydicom.Dataset()
        group.PlanePositionSequence = macro(one, "ImagePositionPatient")
        group.PixelValueTransformationSequence = macro(one, "RescaleSlope", "RescaleIntercept")
        whole.PerFrameFunctionalGroupsSequence.append(group)
    for keyword in [
        "ImageOrientationPatient",
        "PixelSpacing",
        "ImagePositionPatient",
        "RescaleSlope",
        "RescaleIntercept",
    ]:
        delattr(whole, keyword)
    whole.save_as(file)


@pytest.mark.parametrize("compressed", [True, False])
def test_enhanced_ct(write_ct_series, chest, tmp_path, compressed):
    files = write_ct_series(tmp_path / "single", chest, intercept=[-1024, -1000, -2000, 0])
    enhanced(tmp_path / "enhanced.dcm", [files[index] for index in (2, 0, 3, 1)])
    if compressed:
        dataset = pydicom.dcmread(tmp_path / "enhanced.dcm")
        dataset.compress(pydicom.uid.RLELossless)
        dataset.save_as(tmp_path / "enhanced.dcm")
    volume = read_volume(tmp_path / "enhanced.dcm")
    np.testing.assert_array_equal(volume.hu, chest)
    assert [position[2] for position in volume.positions] == [-50, -47.5, -45, -42.5]
    assert [header.ImagePositionPatient[2] for header in volume.headers] == [-50, -47.5, -45, -42.5]
    assert [header.RescaleIntercept for header in volume.headers] == [-1024, -1000, -2000, 0]
    assert "PerFrameFunctionalGroupsSequence" not in volume.headers[0]


def _shared(dataset):
    return dataset.SharedFunctionalGroupsSequence[0]


def _of_a_frame(dataset):
    return dataset.PerFrameFunctionalGroupsSequence[2]


def spoilt(file, files, holder, *element):
    """Write an enhanced CT file of which one element is another: keyword, VR and value."""
    enhanced(file, files)
    dataset = pydicom.dcmread(file)
    holder(dataset).add_new(*element)
    dataset.save_as(file)


@pytest.mark.parametrize(
    ("holder", "keyword", "representation", "value", "words"),
    [
        *[
            (holder, keyword, representation, value, f"{keyword} that is no sequence")
            for holder, keyword, representation, value in (
                (lambda dataset: dataset, "PerFrameFunctionalGroupsSequence", "LO", "text"),
                (lambda dataset: dataset, "SharedFunctionalGroupsSequence", "US", 5),
                (_shared, "PixelMeasuresSequence", "LO", ["several", "texts"]),
                (_of_a_frame, "PlanePositionSequence", "FD", 1.5),
                (_of_a_frame, "PixelValueTransformationSequence", "LO", ""),
            )
        ],
        (lambda dataset: dataset, "PerFrameFunctionalGroupsSequence", "SQ", [], "where each frame lies"),
        (_shared, "PixelMeasuresSequence", "SQ", [], "no valid PixelSpacing"),
        *[
            (
                lambda dataset: _shared(dataset).PixelMeasuresSequence[0],
                "PixelSpacing",
                *element,
                "no valid PixelSpacing",
            )
            for element in (("LO", ["a", "b"]), ("SQ", [pydicom.Dataset()]), ("DS", ["0.7"]), ("OB", b"12"))
        ],
    ],
)
def test_functional_groups_that_are_none(
    write_ct_series, chest, tmp_path, holder, keyword, representation, value, words
):
    files = write_ct_series(tmp_path / "single", chest)
    spoilt(tmp_path / "enhanced.dcm", files, holder, keyword, representation, value)
    assert words in refusal(tmp_path / "enhanced.dcm")


@pytest.mark.parametrize("element", [("LO", "abc"), ("SQ", [pydicom.Dataset()]), ("OB", b"12")])
def test_a_rescale_in_functional_groups_that_is_no_number(write_ct_series, chest, tmp_path, element):
    def holder(dataset):
        return _of_a_frame(dataset).PixelValueTransformationSequence[0]

    spoilt(tmp_path / "enhanced.dcm", write_ct_series(tmp_path / "single", chest), holder, "RescaleSlope", *element)
    volume = read_volume(tmp_path / "enhanced.dcm")
    np.testing.assert_array_equal(volume.hu, chest[[0, 1, 3]])
    assert "has a RescaleSlope that is no number" in volume.warnings[0]


def test_what_is_not_there_and_what_is_no_ct(tmp_path):
    assert "There is no file" in refusal(tmp_path / "missing")
    assert "holds no CT image" in refusal(tmp_path)
    for name, content in (("text.dcm", b"hello " * 100), ("empty.dcm", b""), ("short", b"\x08\0")):
        (tmp_path / name).write_bytes(content)
        assert "not a CT image" in refusal(tmp_path / name)
    for suffix in ("png", "jpg"):
        Image.new("L", (16, 16)).save(tmp_path / f"picture.{suffix}")
        assert "not a CT image" in refusal(tmp_path / f"picture.{suffix}")
    (tmp_path / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\x02\0\x10\0UI\x14\0broken")
    assert "damaged" in refusal(tmp_path / "broken.dcm")
    with pytest.raises(InputError, match="no file or folder"):
        list_series(tmp_path / "missing")
