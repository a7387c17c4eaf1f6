"""A result read back from the files of its export."""

import json
from dataclasses import replace

import numpy as np
import pytest

from engine.ct_files import read_volume
from engine.errors import InputError
from engine.events import SliceSource
from engine.exported_result import exported_before, exported_result, made_whole_beside
from engine.exports import export_files
from engine.nodule import ATTRIBUTE_NAMES
from engine.replay import saved_request
from engine.score_reading import ScoreReading
from tests.engine.placed_nodules import make_result, make_second, make_volume, make_whole_slice


# Not DICOM with fractions of HU: it rounds them, and so holds another result.
@pytest.mark.parametrize(
    ("name", "dtype"),
    [("DICOM", np.int16), *((name, dtype) for name in ("NIfTI", "NRRD") for dtype in (np.int16, np.float32))],
)
def test_hu_and_request_are_those_of_the_export(tmp_path, name, dtype):
    volume = make_volume(dtype=dtype)
    result = make_result(volume)
    export_files(volume, 1, result, tmp_path / "out", [name])
    saved, source = saved_request(tmp_path / "out"), SliceSource(volume.source, None, 1)
    read = exported_result(saved, tmp_path / "out", volume.slice_at(1), source)
    assert read.slice.hu.dtype == dtype
    assert (read.slice.hu == result.slice.hu).all()
    assert read.before.sha256() == volume.slice_at(1).sha256()
    assert (read.request.box, read.request.attributes, read.request.options, read.request.source) == (
        result.request.box,
        result.request.attributes,
        result.request.options,
        source,
    )
    assert (read.checkpoint_sha256, read.seconds, read.device) == (
        result.checkpoint_sha256,
        result.seconds,
        result.device,
    )
    assert read.measurement.mask[result.request.box.slices].any()


def test_scores_that_were_read_back_stay(tmp_path):
    volume, result = make_volume(), make_result(make_volume())
    scores = {name: ScoreReading(3.5, 0.5) for name in ATTRIBUTE_NAMES}
    result = replace(result, measurement=replace(result.measurement, scores=scores))
    export_files(volume, 1, result, tmp_path / "out", ["NRRD"])
    read = exported_result(saved_request(tmp_path / "out"), tmp_path / "out", volume.slice_at(1))
    assert read.measurement.scores == scores


def test_pictures_of_16_bits_are_enough(tmp_path):
    volume = make_volume()
    result = make_result(volume)
    export_files(volume, 1, result, tmp_path / "out", ["PNG"])
    saved = saved_request(tmp_path / "out")
    assert exported_result(saved, tmp_path / "out", volume.slice_at(1)).slice.sha256() == result.slice.sha256()
    assert exported_before(saved, tmp_path / "out").sha256() == volume.slice_at(1).sha256()


def test_a_slice_that_was_made_whole_needs_no_other(tmp_path):
    volume, result = make_whole_slice()
    export_files(volume, 0, result, tmp_path / "out", ["NRRD"])
    read = exported_result(saved_request(tmp_path / "out"), tmp_path / "out", None)
    assert (read.slice.hu == result.slice.hu).all()
    assert read.before is None


@pytest.mark.parametrize("opened", ["whole/slice.dcm", "whole", "whole/series/0001.dcm", "whole/series"])
def test_the_nodule_of_a_slice_made_whole_is_known_where_its_export_is_opened(tmp_path, opened):
    volume, result = make_whole_slice()
    export_files(volume, 0, result, tmp_path / "whole", ["DICOM series" if "series" in opened else "DICOM"])
    read = made_whole_beside(read_volume(tmp_path / opened))
    assert read.request == result.request
    assert read.slice.sha256() == result.slice.sha256()
    assert read.measurement.mask[result.request.box.slices].any()


def test_what_is_no_slice_made_whole_has_no_nodule_of_its_own(tmp_path):
    volume, result = make_whole_slice()
    assert made_whole_beside(volume) is None
    export_files(volume, 0, make_second(volume), tmp_path / "second", ["DICOM"])
    assert made_whole_beside(read_volume(tmp_path / "second" / "slice.dcm")) is None
    export_files(volume, 0, result, tmp_path / "damaged", ["DICOM"])
    (tmp_path / "damaged" / "request.json").write_text("{")
    assert made_whole_beside(read_volume(tmp_path / "damaged" / "slice.dcm")) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"measurement": None},
        {"measurement": []},
        {"measurement": {"scores": {"spiculation": {}}}},
        {"seconds": "soon"},
        {"seconds": None},
        {"output": {"pixel_spacing_mm": []}},
        {"output": {"pixel_spacing_mm": [-1, -1]}},
    ],
)
def test_a_damaged_request_does_not_hinder_the_slice_beside_it(tmp_path, damage):
    volume, result = make_whole_slice()
    export_files(volume, 0, result, tmp_path, ["DICOM"])
    record = json.loads((tmp_path / "request.json").read_text())
    if "output" in damage:
        damage = {"output": record["output"] | damage["output"]}
    (tmp_path / "request.json").write_text(json.dumps(record | damage))
    assert made_whole_beside(read_volume(tmp_path / "slice.dcm")) is None


def test_without_a_file_of_the_same_hu_there_is_none(tmp_path):
    volume = make_volume()
    export_files(volume, 1, make_result(volume), tmp_path / "out", ["PNG", "NRRD"])
    request = tmp_path / "out" / "request.json"
    record = json.loads(request.read_text())
    record["output"]["sha256"] = "0" * 64
    request.write_text(json.dumps(record))
    assert exported_result(saved_request(request), tmp_path / "out", volume.slice_at(1)) is None
    (tmp_path / "out" / "slice.nrrd").unlink()
    assert exported_result(saved_request(request), tmp_path / "out", volume.slice_at(1)) is None


def test_a_damaged_file_is_named_and_another_slice_refused(tmp_path):
    volume = make_volume()
    export_files(volume, 1, make_result(volume), tmp_path / "out", ["NRRD"])
    (tmp_path / "out" / "slice.nrrd").write_bytes(b"NRRD0004\nnothing")
    saved = saved_request(tmp_path / "out")
    with pytest.raises(InputError, match="cannot be read; restore"):
        exported_result(saved, tmp_path / "out", volume.slice_at(1))
    with pytest.raises(InputError, match="not the slice"):
        exported_result(saved, tmp_path / "out", volume.slice_at(0))
