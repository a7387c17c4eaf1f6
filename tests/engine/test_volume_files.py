"""NIfTI, NRRD and MetaImage: HU, orientation, and the sentence for what is no CT volume."""

import itertools
import struct

import numpy as np
import pytest
import SimpleITK as sitk

import engine.volume_files
from engine.ct_files import list_series, read_volume
from engine.synthetic_data import is_synthetic, synthetic_warning
from tests.engine.test_ct_files import refusal

SUFFIXES = ["nii", "nii.gz", "nrrd", "mha", "mhd"]


def image_of(hu, spacing=(0.7, 0.6, 2.0), direction=None, origin=(-10.0, -20.0, -30.0)):
    """An ITK image of (slices, rows, columns); spacing is (column, row, slice)."""
    image = sitk.GetImageFromArray(hu)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(np.ravel(direction).tolist())
    return image


def write(file, hu, **geometry):
    sitk.WriteImage(image_of(hu, **geometry), str(file))
    return file


def patch(file, offset, layout, *values):
    """Change numbers of a NIfTI-1 header."""
    content = bytearray(file.read_bytes())
    struct.pack_into(f"<{layout}", content, offset, *values)
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_volume(chest, tmp_path, suffix):
    file = write(tmp_path / f"chest.{suffix}", chest)
    seen = []
    volume = read_volume(file, progress=lambda done, total: seen.append((done, total)))
    assert volume.hu.dtype == np.int16
    np.testing.assert_array_equal(volume.hu, chest)
    np.testing.assert_allclose(volume.pixel_spacing, (0.6, 0.7), atol=1e-6)
    np.testing.assert_allclose(volume.positions, [(-10, -20, z) for z in (-30, -28, -26, -24)], atol=1e-6)
    assert (volume.source, volume.description, volume.headers, volume.warnings) == (file, file.name, (), ())
    assert seen[-1] == (4, 4)
    (info,) = list_series(file)
    assert (info.slices, info.slice_spacing, info.plane, info.problem) == (4, 2.0, "axial", "")
    assert read_volume(file, info.series_uid).hu.shape == chest.shape


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_suffix_in_capitals(chest, tmp_path, suffix):
    file = write(tmp_path / f"chest.{suffix}", chest).rename(tmp_path / f"CHEST.{suffix.upper()}")
    np.testing.assert_array_equal(read_volume(file).hu, chest)


def test_on_windows_it_is_said_which_names_itk_cannot_open(chest, tmp_path, monkeypatch):
    def find_nothing(reader):
        raise RuntimeError("The file does not exist.")

    monkeypatch.setattr(engine.volume_files, "_ON_WINDOWS", True)
    for name, words in (("Müller.nii", "letters other than A to Z; move or rename it"), ("chest.nii", "damaged")):
        file = write(tmp_path / name, chest)
        with monkeypatch.context() as patched:
            patched.setattr(sitk.ImageFileReader, "ReadImageInformation", find_nothing)
            assert words in refusal(file)
    assert len(read_volume(tmp_path / "Müller.nii")) == 4


def noted(file, hu, notes):
    """Write a file that describes itself so."""
    image = image_of(hu)
    image.SetMetaData("ITK_FileNotes", notes)
    sitk.WriteImage(image, str(file))
    return read_volume(file)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_says_that_it_is_synthetic_is_known_by_it(chest, tmp_path, suffix):
    for version in ("0.1.0", "9.0"):
        notes = f"Synthetic nodule, made by Nodule Studio {version}; not for diagnosis"
        volume = noted(tmp_path / f"chest.{suffix}", chest, notes)
        assert [is_synthetic(volume, index) for index in range(4)] == [True] * 4
        assert synthetic_warning(volume).startswith("4 of 4 slices say that they are synthetic")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_notes_do_not_make_it_synthetic(chest, tmp_path, suffix):
    for notes in ("FSL5.0", "Chest, made by Nodule Studio's neighbour", "Scan of a synthetic lung"):
        volume = noted(tmp_path / f"chest.{suffix}", chest, notes)
        assert (volume.has_synthetic_mark, synthetic_warning(volume)) == (False, "")


def test_a_description_that_is_no_text(chest, tmp_path):
    volume = read_volume(patch(write(tmp_path / "chest.nii", chest), 148, "4s", b"\xff\xfeM\xfc"))
    assert not volume.has_synthetic_mark


@pytest.mark.parametrize("suffix", ["nii", "mha"])
@pytest.mark.parametrize(("x", "y", "z"), list(itertools.product((1, -1), repeat=3)))
@pytest.mark.parametrize("transposed", [False, True])
def test_in_plane_orientation_is_turned_and_the_third_axis_kept(chest, tmp_path, suffix, x, y, z, transposed):
    stored = chest[:, ::y, ::x]
    direction = np.diag([x, y, z]).astype(float)
    spacing = (0.7, 0.6, 2.0)
    if transposed:
        stored, direction, spacing = stored.swapaxes(1, 2), direction[:, [1, 0, 2]], (0.6, 0.7, 2.0)
    file = write(tmp_path / f"chest.{suffix}", np.ascontiguousarray(stored), direction=direction, spacing=spacing)
    volume = read_volume(file)
    np.testing.assert_array_equal(volume.hu, chest)
    np.testing.assert_allclose(volume.pixel_spacing, (0.6, 0.7), atol=1e-6)
    first = (-10 - (0.7 * 31 if x < 0 else 0), -20 - (0.6 * 23 if y < 0 else 0), -30)
    np.testing.assert_allclose(volume.positions[0], first, atol=1e-5)
    np.testing.assert_allclose(volume.positions[3][2], -30 + 6 * z, atol=1e-5)
    np.testing.assert_allclose(volume.column_direction + volume.row_direction, (1, 0, 0, 0, 1, 0), atol=1e-6)


def test_floats(chest, tmp_path):
    whole = read_volume(write(tmp_path / "whole.nii", chest.astype(np.float64)))
    assert whole.hu.dtype == np.int16
    broken = read_volume(write(tmp_path / "broken.nii", chest + np.float32(0.25)))
    assert broken.hu.dtype == np.float32
    np.testing.assert_array_equal(broken.hu, chest + np.float32(0.25))


def test_scl_slope_of_nifti(chest, tmp_path):
    file = write(tmp_path / "scaled.nii", ((chest + 1024) // 2).astype(np.int16))
    volume = read_volume(patch(file, 112, "ff", 2.0, -1024.0))
    np.testing.assert_array_equal(volume.hu, (chest + 1024) // 2 * 2 - 1024)
    assert volume.hu.dtype == np.int16


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_slice_of_two_dimensions(chest, tmp_path, suffix):
    sitk.WriteImage(image_of(chest)[:, :, 1], str(tmp_path / f"slice.{suffix}"))
    volume = read_volume(tmp_path / f"slice.{suffix}")
    np.testing.assert_array_equal(volume.hu, chest[1:2])
    assert "a single picture" in " ".join(volume.warnings)


def test_a_single_slice_and_a_trailing_axis(chest, tmp_path):
    np.testing.assert_array_equal(read_volume(write(tmp_path / "one.nii.gz", chest[:1])).hu, chest[:1])
    for suffix in SUFFIXES:
        sitk.WriteImage(sitk.JoinSeries([image_of(chest)]), str(tmp_path / f"one.{suffix}"))
        np.testing.assert_array_equal(read_volume(tmp_path / f"one.{suffix}").hu, chest)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_several_volumes_and_several_values_a_pixel_are_refused(chest, tmp_path, suffix):
    image, file = image_of(chest), tmp_path / f"many.{suffix}"
    sitk.WriteImage(sitk.JoinSeries([image, image]), str(file))
    assert "several" in refusal(file)
    sitk.WriteImage(sitk.Compose(image, image, image), str(file))
    assert "several" in refusal(file)
    assert list_series(file)[0].problem


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_planes_are_refused(chest, tmp_path, suffix):
    for plane, order in (("coronal", [0, 2, 1]), ("sagittal", [1, 2, 0])):
        file = write(tmp_path / f"{plane}.{suffix}", chest, direction=np.eye(3)[:, order])
        assert plane in refusal(file)
        assert list_series(file)[0].plane == plane


@pytest.mark.parametrize(
    "change",
    [
        lambda hu: np.clip(hu, 0, 255).astype(np.uint8),
        lambda hu: (hu > 0).astype(np.int16),
        lambda hu: (hu + 1024).astype(np.uint16),
        lambda hu: np.clip(hu, -160, 240),
        lambda hu: hu / np.float32(1000),
    ],
)
def test_values_that_are_not_hu_are_refused(chest, tmp_path, change):
    assert "not Hounsfield units" in refusal(write(tmp_path / "grey.nii.gz", change(chest)))


def test_pixels_that_are_not_numbers_are_refused(chest, tmp_path):
    hu = chest.astype(np.float32)
    hu[0, 0, 0] = np.nan
    assert "not numbers" in refusal(write(tmp_path / "nan.nrrd", hu))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_files_are_refused(chest, tmp_path, suffix, capfd):
    content = write(tmp_path / f"whole.{suffix}", chest).read_bytes()
    (tmp_path / "whole.raw").unlink(missing_ok=True)
    file = tmp_path / f"bad.{suffix}"
    for damaged in (content[: len(content) - 40], content[:40], b"hello " * 100, b""):
        file.write_bytes(damaged)
        assert "damaged, cut short" in refusal(file)
    assert capfd.readouterr().err == ""


def test_a_header_without_its_data(chest, tmp_path):
    file = write(tmp_path / "chest.mhd", chest)
    (tmp_path / "chest.raw").unlink()
    assert '"chest.raw", which is missing' in refusal(file)


NRRD = "NRRD0004\ntype: short\ndimension: 3\nsizes: 32 24 4\nendian: little\nencoding: raw\n"
META = "ObjectType = Image\nNDims = 3\nDimSize = 32 24 4\nElementType = MET_SHORT\n"


@pytest.mark.parametrize(
    ("suffix", "header"),
    [
        ("nrrd", NRRD + "\n"),
        ("nrrd", NRRD + "space: left-posterior-superior\n\n"),
        ("nrrd", NRRD + "spacings: 1 nan 1\n\n"),
        ("nrrd", NRRD + "space: left-posterior-superior\nspace directions: (0.7,0,0) none (0,0,1)\n\n"),
        ("mha", META + "ElementDataFile = LOCAL\n"),
    ],
)
def test_a_file_without_spacing_is_refused(chest, tmp_path, suffix, header):
    (tmp_path / f"bare.{suffix}").write_bytes(header.encode() + chest.tobytes())
    assert "does not give its pixel spacing" in refusal(tmp_path / f"bare.{suffix}")


@pytest.mark.parametrize(
    ("suffix", "header"),
    [
        ("nrrd", NRRD + "spacings: 0.7 0.6 2\n\n"),
        ("nrrd", NRRD.replace("\n", "\r\n") + "spacings: 0.7 0.6 2\r\n\r\n"),
        ("mha", META + "ElementSpacing = 0.7 0.6 2\nElementDataFile = LOCAL\n"),
        ("mha", META + "ElementSize = 0.7 0.6 2\nElementDataFile = LOCAL\n"),
    ],
)
def test_a_file_without_orientation_is_shown_as_stored(chest, tmp_path, suffix, header):
    (tmp_path / f"bare.{suffix}").write_bytes(header.encode() + chest.tobytes())
    volume = read_volume(tmp_path / f"bare.{suffix}")
    np.testing.assert_array_equal(volume.hu, chest)
    assert volume.pixel_spacing == (0.6, 0.7)
    assert "check its sides" in volume.warnings[0]


@pytest.mark.parametrize(
    ("suffix", "header"),
    [
        ("nrrd", NRRD.replace("32 24 4", "32 24 4000000000") + "spacings: 1 1 2\n\n"),
        ("mha", META.replace("32 24 4", "32 24 -4") + "ElementSpacing = 1 1 2\nElementDataFile = LOCAL\n"),
        ("mha", META.replace("32 24 4", "0 0 0") + "ElementSpacing = 1 1 2\nElementDataFile = LOCAL\n"),
    ],
)
def test_sizes_that_cannot_be_are_refused_at_once(chest, tmp_path, suffix, header):
    """Of four billion slices, each would have got its position first."""
    (tmp_path / f"odd.{suffix}").write_bytes(header.encode() + chest.tobytes())
    assert "damaged, cut short" in refusal(tmp_path / f"odd.{suffix}")


@pytest.mark.parametrize("name", ["LIST\n0.raw\n1.raw\n2.raw\n3.raw", "%d.raw 0 3 1"])
def test_a_header_whose_slices_are_files_of_their_own(chest, tmp_path, name):
    for index, plane in enumerate(chest):
        (tmp_path / f"{index}.raw").write_bytes(plane.tobytes())
    (tmp_path / "chest.mhd").write_text(f"{META}ElementSpacing = 0.7 0.6 2\nElementDataFile = {name}\n")
    np.testing.assert_array_equal(read_volume(tmp_path / "chest.mhd").hu, chest)


def test_a_nifti_whose_data_begin_nowhere(chest, tmp_path):
    assert "damaged, cut short" in refusal(patch(write(tmp_path / "far.nii", chest), 108, "f", np.inf))


def test_nifti_without_spacing_or_orientation(chest, tmp_path):
    without_forms = patch(write(tmp_path / "forms.nii", chest), 252, "hh", 0, 0)
    assert "check its sides" in read_volume(without_forms).warnings[0]
    without_spacing = patch(write(tmp_path / "spacing.nii", chest), 80, "fff", 0, 0, 0)
    assert "does not give its pixel spacing" in refusal(without_spacing)


def test_a_sheared_nifti_is_refused(chest, tmp_path):
    file = patch(write(tmp_path / "sheared.nii", chest), 252, "hh", 0, 1)
    assert "right angles" in refusal(patch(file, 280, "4f", -0.7, 0.3, 0, 0))


def test_several_files_in_a_folder_want_a_choice(chest, tmp_path):
    write(tmp_path / "one.nii", chest)
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)
    write(tmp_path / "two.nrrd", chest + 1)
    assert "2 axial series" in refusal(tmp_path)
    np.testing.assert_array_equal(read_volume(tmp_path, "two.nrrd").hu, chest + 1)


def test_a_damaged_file_in_a_folder_does_not_hide_the_others(chest, tmp_path):
    (tmp_path / "a.nii").write_bytes(b"damaged")
    assert "damaged" in refusal(tmp_path)
    write(tmp_path / "b.nii", chest)
    np.testing.assert_array_equal(read_volume(tmp_path).hu, chest)


def test_real_files(data_folder):
    folder = data_folder / "dicom" / "other-formats"
    for name, shape in (("half_chest.mha", (129, 157, 115)), ("chest_2_slices.nrrd", (2, 349, 443))):
        volume = read_volume(folder / name)
        np.testing.assert_array_equal(volume.hu, sitk.GetArrayFromImage(sitk.ReadImage(str(folder / name))))
        assert volume.hu.shape == shape
        assert volume.warnings == ()


def test_a_nifti_of_a_series_shows_what_the_series_shows(data_folder, tmp_path):
    folder = data_folder / "dicom" / "LIDC-IDRI-0001"
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))[:5]
    sitk.WriteImage(sitk.ReadImage(names), str(tmp_path / "chest.nii.gz"))
    from_nifti, from_dicom = read_volume(tmp_path / "chest.nii.gz"), read_volume(folder)
    np.testing.assert_array_equal(from_nifti.hu, from_dicom.hu[:5])
    np.testing.assert_allclose(from_nifti.positions, from_dicom.positions[:5], atol=1e-3)
