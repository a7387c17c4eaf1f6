"""DICOM to Hounsfield units: rescale, bits, transfer syntaxes, order of slices, orientation."""

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from engine.ct_files import list_series, read_volume
from engine.errors import InputError
from engine.orientation import Geometry, plane_of, radiological
from tests.conftest import STANDARD_ORIENTATION


def change_stored(change):
    """Return an encoder that changes the stored values as uint16."""

    def encode(header):
        header.PixelData = change(np.frombuffer(header.PixelData, np.uint16)).astype(np.uint16).tobytes()

    return encode


def read_by_simpleitk(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))


@pytest.mark.parametrize(
    ("signed", "slope", "intercept", "bits_stored"),
    [
        (True, 1, -1024, 16),
        (True, 1, 0, 12),
        (False, 1, -1024, 16),
        (False, 1, -1024, 12),
        (False, 2, -2048, 16),
        (True, 0.5, -1000.5, 16),
        (True, [1, 2, 1, 5], [-1024, -1000, 0, -1024], 16),
    ],
)
def test_hounsfield_units(write_ct_series, chest, tmp_path, signed, slope, intercept, bits_stored):
    write_ct_series(tmp_path, chest, signed=signed, slope=slope, intercept=intercept, bits_stored=bits_stored)
    volume = read_volume(tmp_path)
    steps = np.broadcast_to(slope, 4)[:, None, None]
    offsets = np.broadcast_to(intercept, 4)[:, None, None]
    expected = np.rint((chest - offsets) / steps) * steps + offsets
    np.testing.assert_array_equal(volume.hu, expected)


def test_whole_hu_are_int16_and_others_float32(write_ct_series, chest, tmp_path):
    write_ct_series(tmp_path / "whole", chest, slope=1, intercept=-1024)
    write_ct_series(tmp_path / "halves", chest, slope=1, intercept=-1024.5)
    write_ct_series(tmp_path / "large", chest, signed=False, encode=change_stored(lambda stored: stored + 60000))
    kinds = [read_volume(tmp_path / name).hu.dtype for name in ("whole", "halves", "large")]
    assert kinds == [np.int16, np.float32, np.float32]


def test_padding_stays_as_stored(write_ct_series, chest, tmp_path):
    padded = chest.copy()
    padded[:, :2, :2] = -3024
    write_ct_series(tmp_path, padded, PixelPaddingValue=-2000)
    np.testing.assert_array_equal(read_volume(tmp_path).hu, padded)


def test_unused_bits_do_not_count(write_ct_series, chest, tmp_path):
    write_ct_series(tmp_path, chest, signed=False, bits_stored=12, encode=change_stored(lambda stored: stored | 0xF000))
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)


def test_signed_values_of_twelve_bits_without_their_sign_bits(write_ct_series, chest, tmp_path):
    write_ct_series(tmp_path, chest, intercept=0, bits_stored=12, encode=change_stored(lambda stored: stored & 0x0FFF))
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)


@pytest.mark.parametrize("high_bit", [15, 10])
def test_values_that_do_not_end_at_the_lowest_bit_are_refused(write_ct_series, chest, tmp_path, high_bit):
    files = write_ct_series(tmp_path, chest, signed=False, bits_stored=12, high_bit=high_bit)
    with pytest.raises(InputError, match=rf"^None of the 4 .* 12 bits and HighBit {high_bit}, where DICOM asks for 11"):
        read_volume(tmp_path)
    with pytest.raises(InputError, match=rf'^"slice001.dcm" has values of 12 bits and HighBit {high_bit}, .*\.$'):
        read_volume(files[1])


def test_without_bits_stored_the_high_bit_tells_that_they_are_fewer(write_ct_series, chest, tmp_path):
    write_ct_series(tmp_path, chest, signed=False, bits_stored=12, without=["BitsStored"])
    with pytest.raises(InputError, match="16 bits and HighBit 11, where DICOM asks for 15"):
        read_volume(tmp_path)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_compressed(write_ct_series, chest, tmp_path, syntax, signed):
    encode = {"encode": lambda header: header.compress(syntax, generate_instance_uid=False)}
    write_ct_series(tmp_path, np.kron(chest, np.ones((4, 4), np.int16)), signed=signed, **encode)
    np.testing.assert_array_equal(read_volume(tmp_path).hu[:, ::4, ::4], chest)


@pytest.mark.parametrize("signed", [True, False])
def test_jpeg_2000_that_calls_its_values_otherwise_than_the_header(write_ct_series, chest, tmp_path, signed):
    """Encoders are known to store signed values of 13 bits as unsigned, and unsigned ones as signed."""

    def encode(header):
        stored = np.frombuffer(header.PixelData, np.uint16) & 0x1FFF
        as_signed = (stored ^ 0x1000).astype(np.int16) - np.int16(0x1000)
        header.PixelData = (stored if signed else as_signed).tobytes()
        header.PixelRepresentation = int(not signed)
        header.compress(JPEG2000Lossless, generate_instance_uid=False)
        header.PixelRepresentation = int(signed)

    hu = np.kron(chest, np.ones((4, 4), np.int16))
    hu[:, 20:40, 20:40] = -2000 if signed else 4000
    intercept = 0 if signed else -1024
    write_ct_series(tmp_path, hu, signed=signed, bits_stored=13, intercept=intercept, encode=encode)
    np.testing.assert_array_equal(read_volume(tmp_path).hu, hu)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_uncompressed(write_ct_series, chest, tmp_path, syntax):
    for file in write_ct_series(tmp_path, chest):
        dataset = pydicom.dcmread(file)
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()
        pydicom.dcmwrite(
            file,
            dataset,
            implicit_vr=syntax == ImplicitVRLittleEndian,
            little_endian=syntax != ExplicitVRBigEndian,
            force_encoding=True,
        )
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)


@pytest.mark.parametrize("implicit", [True, False])
def test_without_preamble_and_file_meta_information(write_ct_series, chest, tmp_path, implicit):
    for file in write_ct_series(tmp_path, chest):
        bare = pydicom.Dataset()
        bare.update({element.tag: element for element in pydicom.dcmread(file)})
        pydicom.dcmwrite(file, bare, implicit_vr=implicit, little_endian=True)
        assert file.read_bytes()[128:132] != b"DICM"
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)


def test_a_transfer_syntax_that_is_there_and_empty(write_ct_series, chest, tmp_path):
    for file in write_ct_series(tmp_path, chest):
        file.write_bytes(file.read_bytes().replace(b"1.2.840.10008.1.2.1\0", bytes(20)))
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)


def test_headers_dropped_by_anonymisers_are_completed(write_ct_series, chest, tmp_path):
    write_ct_series(
        tmp_path,
        chest,
        without=["BitsStored", "HighBit", "SamplesPerPixel", "PhotometricInterpretation", "SeriesInstanceUID"],
    )
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)


def test_a_rescale_that_cannot_be_costs_its_slice_only(write_ct_series, chest, tmp_path):
    def spoil(header):
        if header.InstanceNumber == 2:
            header.RescaleIntercept = 1e30

    write_ct_series(tmp_path, chest, encode=spoil)
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.hu, chest[[0, 2, 3]])
    assert '"slice001.dcm" has the rescale slope 1 and intercept 1e+30, which make no' in volume.warnings[0]


@pytest.mark.parametrize("written", [b"2,0 ", b"nan ", b"2\\2 "])
def test_a_rescale_that_is_no_number_costs_its_slice_only(write_ct_series, chest, tmp_path, written):
    write_ct_series(tmp_path, chest, encode=lambda header: setattr(header, "RescaleSlope", "7.25"))
    file = tmp_path / "slice001.dcm"
    content = file.read_bytes()
    assert content.count(b"7.25") == 1
    file.write_bytes(content.replace(b"7.25", written))
    volume = read_volume(tmp_path)
    assert len(volume) == len(chest) - 1
    assert '"slice001.dcm" has a RescaleSlope that is no number' in volume.warnings[0]


def test_attributes_of_another_type_are_told_as_text_or_are_missing(write_ct_series, chest, tmp_path):
    def spoil(header):
        header.add_new("PatientID", "US", 17)
        header.add_new("KVP", "FD", 120.0)
        header.add_new("StudyDate", "SQ", [pydicom.Dataset()])
        header.add_new("SeriesDescription", "SQ", [pydicom.Dataset()])
        header.add_new("FrameOfReferenceUID", "OB", b"1.2.3.4\0")
        header.add_new("ProcedureCodeSequence", "LO", "text")

    write_ct_series(tmp_path, chest, encode=spoil)
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.hu, chest)
    assert volume.description == "Series 1"
    for header in volume.headers:
        assert (header.PatientID, header["PatientID"].VR, str(header.KVP), header["KVP"].VR) == (
            "17",
            "LO",
            "120",
            "DS",
        )
        for keyword in ("StudyDate", "SeriesDescription", "FrameOfReferenceUID", "ProcedureCodeSequence"):
            assert keyword not in header


def in_plane_orientations():
    """The eight flips and transposes of a slice, as (what to do with a stack of slices, orientation)."""
    right_to_left, front_to_back = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    for transposed, flip_columns, flip_rows in itertools.product((False, True), repeat=3):
        columns, rows = (front_to_back, right_to_left) if transposed else (right_to_left, front_to_back)
        signs = np.repeat([-1 if flip_columns else 1, -1 if flip_rows else 1], 3)

        def store(stack, axes=(0, 2, 1) if transposed else (0, 1, 2), flips=(flip_rows, flip_columns)):
            stored = stack.transpose(axes)
            return stored[:, :: -1 if flips[0] else 1, :: -1 if flips[1] else 1]

        yield store, tuple(signs * np.array(columns + rows))


@pytest.mark.parametrize("upwards", [True, False])
@pytest.mark.parametrize(("store", "orientation"), list(in_plane_orientations()))
def test_every_orientation_shows_the_same_anatomy(write_ct_series, chest, tmp_path, store, orientation, upwards):
    """Whatever the file's own way, and whichever way its slices are numbered, each point of the body has its HU."""
    stored = store(chest if upwards else chest[::-1])
    row_spacing, column_spacing = (0.5, 0.8) if stored.shape[1:] == (24, 32) else (0.8, 0.5)
    first = np.array([-100.0, -120.0, -50.0 if upwards else -42.5])
    for cosines, step, count in (
        (orientation[:3], column_spacing, stored.shape[2]),
        (orientation[3:], row_spacing, stored.shape[1]),
    ):
        if min(cosines) < 0:
            first = first - np.array(cosines) * step * (count - 1)
    write_ct_series(
        tmp_path,
        stored,
        orientation=orientation,
        first_position=first,
        slice_step=(0, 0, 2.5 if upwards else -2.5),
        pixel_spacing=(row_spacing, column_spacing),
    )
    volume = read_volume(tmp_path)
    ascending = np.cross(orientation[:3], orientation[3:])[2] > 0
    order = slice(None) if ascending else slice(None, None, -1)
    np.testing.assert_array_equal(volume.hu, chest[order])
    assert volume.pixel_spacing == (0.5, 0.8)
    assert (volume.column_direction, volume.row_direction) == ((1, 0, 0), (0, 1, 0))
    np.testing.assert_allclose(volume.positions, [(-100, -120, z) for z in (-50, -47.5, -45, -42.5)][order], atol=1e-6)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path))
    assert [header.SOPInstanceUID for header in volume.headers] == [
        pydicom.dcmread(name).SOPInstanceUID for name in names
    ]


def test_a_tilted_gantry_is_axial(write_ct_series, chest, tmp_path):
    tilt = np.radians(30)
    orientation = (1, 0, 0, 0, np.cos(tilt), -np.sin(tilt))
    write_ct_series(tmp_path, chest[:, ::-1, ::-1], orientation=(-1, 0, 0, *(-np.array(orientation[3:]))))
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.hu, chest)
    np.testing.assert_allclose(volume.row_direction, orientation[3:], atol=1e-6)
    expected = np.array([-100, -120, -50]) - 0.75 * (31 * np.array([1, 0, 0]) + 23 * np.array(orientation[3:]))
    np.testing.assert_allclose(volume.positions[0], expected, atol=1e-4)


def test_slices_of_a_tilted_gantry_are_as_far_apart_as_their_planes(write_ct_series, chest, tmp_path):
    """The table moves along z, 2.5 mm a slice; the distance that DICOM and NIfTI ask for is along the normal."""
    tilt = np.radians(30)
    orientation = (1, 0, 0, 0, np.cos(tilt), -np.sin(tilt))
    write_ct_series(tmp_path, chest, orientation=orientation, slice_step=(0, 0, 2.5))
    assert read_volume(tmp_path).slice_spacing == pytest.approx(2.5 * np.cos(tilt))


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [
        (STANDARD_ORIENTATION, "axial"),
        ((1, 0, 0, 0, 0, -1), "coronal"),
        ((0, 1, 0, 0, 0, -1), "sagittal"),
        ((1, 0, 0, 0, 0.7071, -0.7071), "oblique"),
    ],
)
def test_planes(orientation, plane):
    assert plane_of(orientation[:3], orientation[3:]) == plane


def test_radiological_keeps_every_pixel_where_it_is_in_the_patient():
    """A slice rolled by 30 degrees, mirrored and transposed: position + steps leads to the same HU as before."""
    rolled = np.radians(30)
    columns, rows = (-np.sin(rolled), -np.cos(rolled), 0.0), (-np.cos(rolled), np.sin(rolled), 0.0)
    before = Geometry(columns, rows, (0.5, 0.8), ((3.0, 4.0, 5.0),))
    stack = np.arange(12, dtype=np.int16).reshape(1, 3, 4)

    def places(hu, geometry):
        row, column = np.indices(hu.shape[1:]).reshape(2, -1)
        points = np.array(geometry.positions[0]) + (
            np.outer(row, geometry.row_direction) * geometry.pixel_spacing[0]
            + np.outer(column, geometry.column_direction) * geometry.pixel_spacing[1]
        )
        return dict(zip(hu.ravel().tolist(), points, strict=True))

    turned, after = radiological(stack, before)
    assert after.column_direction[0] > 0.8
    assert after.row_direction[1] > 0.8
    old, new = places(stack, before), places(turned, after)
    np.testing.assert_allclose([new[value] for value in old], list(old.values()), atol=1e-9)
    assert after == replace(before, **vars(after))


def test_same_hu_as_simpleitk(data_folder):
    folder = data_folder / "dicom" / "LIDC-IDRI-0001"
    volume, image = read_volume(folder), read_by_simpleitk(folder)
    expected = sitk.GetArrayFromImage(image)
    assert volume.hu.dtype == np.int16
    np.testing.assert_array_equal(volume.hu, expected)
    np.testing.assert_allclose(volume.positions[0], image.GetOrigin(), atol=1e-6)
    assert volume.pixel_spacing == (0.703125, 0.703125)
    assert volume.slice_spacing == 2.5
    assert len(volume) == 133


def test_six_syntaxes_hold_one_slice(data_folder):
    files = sorted((data_folder / "dicom" / "one-slice-six-syntaxes").glob("*.dcm"))
    hu = {file.stem.split("_")[1]: read_volume(file).hu.astype(int) for file in files}
    assert set(hu) == {"J2KI", "J2KR", "JLSL", "JLSN", "JPLL", "RLE"}
    for lossless in ("J2KR", "JLSL", "JPLL"):
        np.testing.assert_array_equal(hu[lossless], hu["RLE"])
    assert np.abs(hu["JLSN"] - hu["RLE"]).max() <= 10
    assert np.abs(hu["J2KI"] - hu["RLE"]).mean() < 40


def test_jpeg_data_cut_short_are_refused(data_folder, tmp_path):
    for name in ("JPLL", "JLSL", "J2KR", "RLE"):
        dataset = pydicom.dcmread(data_folder / "dicom" / "one-slice-six-syntaxes" / f"CT1_{name}_{name}.dcm")
        frame = next(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=1))
        dataset.PixelData = pydicom.encaps.encapsulate([frame[: len(frame) * 49 // 50]])
        dataset.save_as(tmp_path / f"{name}.dcm")
        with pytest.raises(InputError, match="cut short"):
            read_volume(tmp_path / f"{name}.dcm")


def test_real_planes_and_stripped_headers(data_folder):
    listed = list_series(data_folder / "dicom" / "three-planes")
    assert sorted(info.plane for info in listed) == ["axial"] * 2 + ["coronal"] * 2 + ["sagittal"] * 2
    assert [bool(info.problem) for info in listed] == [False] * 2 + [True] * 4
    volume = read_volume(data_folder / "dicom" / "no-modality")
    assert volume.hu.min() == -2048
    assert "does not say that it is CT" in volume.warnings[0]
