"""One nodule over several slices as files: the series, one segmentation of several frames, and what it measures."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import highdicom
import numpy as np
import pydicom
import pytest

from engine.events import Extension
from engine.exports import ExportOptions, export_extended, export_files
from engine.request_file import read_request
from tests.engine.placed_nodules import make_result, make_volume, source_header


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
    files = export_extended(volume, 1, results, tmp_path)

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
    export_extended(volume, 1, results, tmp_path)

    record = json.loads((tmp_path / "nodule.json").read_text())
    pixels = sum(int(result.measurement.mask.sum()) for result in results.values())
    assert record["volume_mm3"] == pytest.approx(pixels * 0.6 * 0.8 * 2.5)
    assert (record["placed_in_slice"], record["diameter_mm"], record["length_mm"]) == (1, 5.4, 5.0)
    assert [row["output_sha256"] for row in record["slices"]] == [results[index].slice.sha256() for index in (0, 1)]


def test_the_same_export_has_the_same_bytes(volume, results, tmp_path):
    options = ExportOptions(made=datetime(2031, 5, 9, tzinfo=UTC))
    for name in ("one", "two"):
        export_extended(volume, 1, results, tmp_path / name, options)
    for file in ("mask.dcm", "series/0001.dcm", "nodule.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_the_request_of_each_slice_says_which_nodule_it_continues(volume, results, tmp_path):
    export_files(volume, 0, results[0], tmp_path, ["Tables"])

    request = read_request(tmp_path / "request.json").request(volume.slice_at(0))
    assert request.extension == results[0].request.extension
