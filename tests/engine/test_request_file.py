"""`request.json`: what it says, what is made again of it, and what is none."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from engine.errors import InputError
from engine.exports import ALL_FORMATS, ExportOptions, export_all, export_files
from engine.nodule import BoundingBox
from engine.request_file import read_request
from tests.engine.placed_nodules import make_result, make_volume, source_header

KEEPING = ExportOptions(keep_identity=True)


@pytest.fixture
def volume():
    return make_volume((source_header(), source_header(SOPInstanceUID="1.2.3.4.6")))


@pytest.fixture
def result(volume):
    return make_result(volume)


def test_the_request_can_be_made_again(volume, result, tmp_path):
    export_all(volume, 1, result, tmp_path, KEEPING)
    saved = read_request(tmp_path / "request.json")
    again = saved.request(volume.slice_at(saved.slice_index))
    assert (again.box, again.attributes, again.options) == (
        BoundingBox(10, 20, 12, (40, 48)),
        result.request.attributes,
        result.request.options,
    )
    assert saved.slice_index == 1
    assert saved.input_name == "Thorax 3.zip"
    assert saved.series_uid == "1.2.3.4.1"
    assert (saved.checkpoint_name, saved.checkpoint_sha256) == ("disc", "0123456789abcdef" * 4)


def test_what_was_opened_is_named_only_if_the_identity_is_kept(volume, result, tmp_path):
    export_all(volume, 1, result, tmp_path / "kept", KEEPING)
    export_all(volume, 1, result, tmp_path / "not")
    kept, not_kept = (read_request(tmp_path / name / "request.json") for name in ("kept", "not"))
    assert kept.record["input"]["path"] == "/data/Thorax 3.zip"
    assert not_kept.record["input"]["path"] is None
    assert not_kept.input_name == f"input-{not_kept.input_sha256[:12]}"
    assert not_kept.series_uid not in (None, kept.series_uid)
    assert not_kept.request(volume.slice_at(1)).box == result.request.box


def test_the_request_file_says_everything(volume, result, tmp_path):
    export_all(volume, 1, result, tmp_path)
    record = read_request(tmp_path / "request.json").record
    assert record["format_version"] == 1
    assert record["options"] == {"seed": 7, "steps": 12, "guidance": 2.5, "solver": "dpm++2m"}
    assert record["attributes"]["sphericity"] == {"score": 4, "name": "Ovoid/Round"}
    assert record["attributes"]["spiculation"] == {"score": None, "name": "Not given"}
    assert record["box"] == {"row": 10, "column": 20, "side": 12, "side_mm": [7.2, 9.6]}
    assert record["measurement"]["nodule_pixels"] == np.count_nonzero(result.measurement.mask)
    assert record["measurement"]["diameter_mm"] == 5.4
    assert record["input"]["sha256"] == result.request.slice.sha256()
    assert record["output"]["sha256"] == result.slice.sha256()
    assert record["input"]["sha256_outside_box"] == record["output"]["sha256_outside_box"]
    assert record["changed_pixels"] == {"in_box": 144, "outside_box": 0}
    assert record["export"]["formats"] == list(ALL_FORMATS)
    assert record["kind"] == "nodule"
    assert record["device"] == "CPU (1 thread)"
    assert set(record["versions"]) == {"python", "nodule-studio", "torch", "diffusers", "numpy"}


def test_a_request_without_dicom_and_with_scalars_of_numpy(tmp_path):
    volume = make_volume()
    result = make_result(volume)
    measurement = dataclasses.replace(result.measurement, mean_hu=np.float32(20.5))
    export_files(volume, 1, dataclasses.replace(result, measurement=measurement), tmp_path, ["PNG"])
    saved = read_request(tmp_path / "request.json")
    assert saved.series_uid is None
    assert saved.record["measurement"]["mean_hu"] == 20.5


def test_a_saved_request_is_not_made_of_another_slice(volume, result, tmp_path):
    export_files(volume, 1, result, tmp_path, ["PNG"], KEEPING)
    with pytest.raises(InputError, match=r"open slice 1 of Thorax 3\.zip"):
        read_request(tmp_path / "request.json").request(volume.slice_at(0))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[1]", "holds no request"),
        ('{"format_version": 99}', "has format 99 and this program reads format 1"),
        ('{"format_version": 1}', "is incomplete"),
        ('{"format_version": 1, "input": 3, "box": {}, "checkpoint": {}}', "is incomplete"),
    ],
)
def test_a_request_file_that_is_none(text, words, tmp_path):
    (tmp_path / "request.json").write_text(text)
    with pytest.raises(InputError, match=words):
        read_request(tmp_path / "request.json")


@pytest.mark.parametrize("missing", ["export", "versions", "device", "formats", "window", "identity_kept"])
def test_a_request_of_an_older_version_is_incomplete(missing, volume, result, tmp_path):
    export_files(volume, 1, result, tmp_path, ["PNG"])
    path = tmp_path / "request.json"
    record = json.loads(path.read_text())
    del (record if missing in record else record["export"])[missing]
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match="is incomplete or was changed; open a request"):
        read_request(path)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("output", "pixel_spacing_mm", "x"),
        ("output", "pixel_spacing_mm", [0.6, 0]),
        ("output", "pixel_spacing_mm", [0.6, "0.8"]),
        ("output", "sha256", 5),
        ("measurement", "diameter_mm", "large"),
        ("measurement", "scores", {"margin": 3}),
        ("options", "steps", 12.5),
        ("options", "seed", "7"),
        ("options", "guidance", True),
        ("options", "solver", None),
        ("box", "row", 10.0),
        ("input", "path", 5),
        ("input", "slice_index", "one"),
        ("checkpoint", "sha256", None),
        ("export", "formats", "DICOM"),
        ("export", "formats", ["TIFF"]),
        (None, "measurement", None),
        (None, "seconds", "soon"),
        (None, "device", None),
    ],
)
def test_a_request_that_was_edited_by_hand_is_one_sentence(part, name, value, volume, result, tmp_path):
    export_files(volume, 1, result, tmp_path, ["PNG"], KEEPING)
    path = tmp_path / "request.json"
    record = json.loads(path.read_text())
    (record[part] if part else record)[name] = value
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"request\.json is incomplete or was changed; open a request\.json as"):
        read_request(path)


def test_the_mark_that_editors_put_before_a_text_does_not_count(volume, result, tmp_path):
    export_files(volume, 1, result, tmp_path, ["PNG"])
    path = tmp_path / "request.json"
    before = read_request(path)
    path.write_text(path.read_text("utf-8"), "utf-8-sig")
    assert read_request(path) == before


def test_a_request_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read; check that the file is there"):
        read_request(tmp_path / "request.json")
