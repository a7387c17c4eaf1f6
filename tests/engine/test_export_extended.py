"""One nodule over several slices as files: one segmentation of several frames, what it measures, and one lesion."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import highdicom
import numpy as np
import pydicom
import pytest

from engine.events import Extension
from engine.export_series import series_of
from engine.exports import ExportOptions, export_extended, export_files, export_series
from engine.request_file import read_request
from tests.engine.placed_nodules import make_result, make_second, make_volume, source_header


@pytest.fixture
def volume():
    return make_volume(tuple(source_header(SOPInstanceUID=f"1.2.3.4.{number}") for number in (5, 6)))


@pytest.fixture
def results(volume):
    placed, other = make_result(volume, 1), make_result(volume, 0)
    extension = Extension(placed.nodule_sha256(), -2.5)
    mask = np.roll(other.measurement.mask, 1, axis=0)
    return {
        1: placed,
        0: replace(
            other,
            request=replace(other.request, extension=extension),
            measurement=replace(other.measurement, mask=mask),
        ),
    }


def test_every_slice_is_in_one_series_and_one_segmentation(volume, results, tmp_path):
    files = export_extended(volume, 1, results, series_of(volume, results), tmp_path, with_series=True)

    assert {file.name for file in files} == {"series", "mask.dcm", "nodule.json", "deidentification.json"}
    images = [pydicom.dcmread(tmp_path / "series" / f"{number:04}.dcm") for number in (1, 2)]
    seg = highdicom.seg.segread(tmp_path / "mask.dcm")
    frames = seg.get_pixels_by_source_instance([image.SOPInstanceUID for image in images])
    assert frames.shape == (2, *results[1].slice.shape, 2)
    for index, (nodule, box) in enumerate(frames.transpose(0, 3, 1, 2)):
        np.testing.assert_array_equal(nodule, results[index].measurement.mask)
        np.testing.assert_array_equal(box, results[index].request.box.mask())
    assert {image.SeriesInstanceUID for image in images} == {seg.ReferencedSeriesSequence[0].SeriesInstanceUID}


def test_it_says_what_the_nodule_measures(volume, results, tmp_path):
    files = export_extended(volume, 1, results, series_of(volume, results), tmp_path)

    assert {file.name for file in files} == {"mask.dcm", "nodule.json", "deidentification.json"}
    record = json.loads((tmp_path / "nodule.json").read_text())
    pixels = sum(int(result.measurement.mask.sum()) for result in results.values())
    assert record["volume_mm3"] == pytest.approx(pixels * 0.6 * 0.8 * 2.5)
    assert (record["placed_in_slice"], record["diameter_mm"], record["length_mm"]) == (1, 5.4, 5.0)
    assert [row["output_sha256"] for row in record["slices"]] == [results[index].slice.sha256() for index in (0, 1)]


def test_the_same_export_has_the_same_bytes(volume, results, tmp_path):
    for name in ("one", "two"):
        series = series_of(volume, results, datetime(2031, 5, 9, tzinfo=UTC))
        export_extended(volume, 1, results, series, tmp_path / name, with_series=True)
    for file in ("mask.dcm", "series/0001.dcm", "nodule.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_the_request_of_each_slice_says_which_nodule_it_continues(volume, results, tmp_path):
    export_files(volume, 0, results[0], tmp_path, ["Tables"])

    request = read_request(tmp_path / "request.json").request(volume.slice_at(0))
    assert request.extension == results[0].request.extension


def with_another(volume, results):
    """The results of the slices where another nodule was built on that of slice 0, with a box that overlaps its own."""
    below = replace(volume, hu=np.stack([results[0].slice.hu, volume.hu[1]]))
    other = make_second(below)
    box = replace(results[0].request.box, row=14)
    hu = np.array(below.hu[0])
    hu[box.slices] = -700
    return {**results, 0: replace(other, request=replace(other.request, box=box), slice=other.slice.with_hu(hu))}


def test_the_mask_is_of_the_nodule_and_the_images_of_the_whole_scan(volume, results, tmp_path):
    series = series_of(volume, with_another(volume, results))
    export_series(volume, series, tmp_path / "whole-series")
    export_extended(volume, 1, results, series, tmp_path / "nodule")

    images = [pydicom.dcmread(file) for file in sorted((tmp_path / "whole-series" / "series").iterdir())]
    seg = highdicom.seg.segread(tmp_path / "nodule" / "mask.dcm")
    frames = seg.get_pixels_by_source_instance([image.SOPInstanceUID for image in images])
    for index, result in results.items():
        np.testing.assert_array_equal(frames[index, :, :, 0], result.measurement.mask)
    shown = images[0].pixel_array.astype(float) * float(images[0].RescaleSlope) + float(images[0].RescaleIntercept)
    np.testing.assert_array_equal(shown, series.results[0].slice.hu)


def tracked(folder):
    """Tracking UIDs and IDs of the segments."""
    return [(item.TrackingUID, item.TrackingID) for item in pydicom.dcmread(folder / "mask.dcm").SegmentSequence]


def test_all_parts_and_exports_are_of_one_lesion(volume, results, tmp_path):
    series = series_of(volume, results)
    export_extended(volume, 1, results, series, tmp_path / "nodule")
    for index, result in results.items():
        export_files(volume, index, result, tmp_path / f"part-{index}", ["DICOM"], series=series)
    export_files(volume, 1, results[1], tmp_path / "later", ["DICOM"])

    folders = sorted(tmp_path.iterdir())
    assert len({tuple(tracked(folder)) for folder in folders}) == 1
    nodule, box = tracked(tmp_path / "nodule")
    assert nodule[0] != box[0]
    assert nodule[1] == f"Nodule, measured by Nodule Studio {results[1].nodule_sha256()[:12]}"
    assert box[1].endswith(results[1].nodule_sha256()[:12])
    for report in (highdicom.sr.srread(file) for file in tmp_path.rglob("report.dcm")):
        (group,) = report.content.get_planar_roi_measurement_groups()
        assert (group.tracking_uid, group.tracking_identifier) == nodule


def test_another_nodule_or_study_is_another_lesion(volume, results, tmp_path):
    export_files(volume, 1, results[1], tmp_path / "one", ["DICOM"])
    export_files(volume, 0, make_second(volume), tmp_path / "other", ["DICOM"])
    export_files(volume, 1, results[1], tmp_path / "kept", ["DICOM"], ExportOptions(keep_identity=True))

    (one, _), (other, _), (kept, _) = (tracked(tmp_path / name) for name in ("one", "other", "kept"))
    assert len({one[0], other[0], kept[0]}) == 3
    assert other[1] != one[1] == kept[1]
