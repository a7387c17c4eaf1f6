"""``nodule-engine place --extend``, with the program's own generator: there must be a nodule to extend."""

from __future__ import annotations

import json

import numpy as np
import pydicom
import pytest
from scipy.ndimage import gaussian_filter

from engine.__main__ import main

BOX, ATTRIBUTES = ["--box", "20", "20", "24"], ["--attributes", "5", "5", "1", "1", "5"]
ARGUMENTS = ["--slice", "1", *BOX, *ATTRIBUTES, "--seed", "3", "--steps", "4"]


@pytest.fixture(scope="module")
def series(tmp_path_factory, write_ct_series):
    """Three slices of 64 x 64 pixels: lung without anything in it."""
    folder = tmp_path_factory.mktemp("series")
    noise = gaussian_filter(np.random.default_rng(3).normal(0, 120, (3, 64, 64)), (0, 1, 1))
    uids = {"StudyInstanceUID": "1.2.3.4", "FrameOfReferenceUID": "1.2.3.5"}
    write_ct_series(folder, (noise - 860).astype(np.int16), **uids)
    return folder


def test_the_nodule_goes_on_and_can_be_repeated(series, tmp_path, capsys):
    assert main(["place", str(series), *ARGUMENTS, "--extend", "--whole-series", "--out", str(tmp_path)]) == 0

    printed = json.loads(capsys.readouterr().out)
    slices = printed["extended"]["slices"]
    assert slices == [0, 1, 2]
    assert printed["extended"]["volume_mm3"] > 0
    others = {"slice-001", "slice-003"}
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == others | {"nodule"}
    written = [pydicom.dcmread(file).pixel_array for file in sorted((tmp_path / "nodule" / "series").iterdir())]
    read = [pydicom.dcmread(file).pixel_array for file in sorted(series.iterdir())]
    assert [index for index in range(3) if not np.array_equal(written[index], read[index])] == slices
    for number, folder in enumerate(("slice-001", ".", "slice-003"), start=1):
        image = tmp_path / "nodule" / "series" / f"{number:04}.dcm"
        assert (tmp_path / folder / "slice.dcm").read_bytes() == image.read_bytes()
    masks = [pydicom.dcmread(file) for file in tmp_path.rglob("mask.dcm")]
    assert len({mask.SOPInstanceUID for mask in masks}) == len(masks) == 4
    assert len({mask.SegmentSequence[0].TrackingUID for mask in masks}) == 1

    again = ["--input", str(series), "--out", str(tmp_path / "again")]
    assert main(["replay", str(tmp_path / min(others)), *again]) == 0
    repeated = json.loads(capsys.readouterr().out)
    assert repeated["same_hu"] is True
    assert repeated["different_files"] == []

    before = contents(tmp_path)
    for left, arguments in (("slice-001", ["--slice", "0", "--extend"]), ("nodule", [])):
        assert main(["place", str(series), *ARGUMENTS, *arguments, "--out", str(tmp_path)]) == 2
        assert f"holds {left}, which is of an earlier nodule; give another folder." in capsys.readouterr().err
    assert contents(tmp_path) == before


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_nodule_that_cannot_go_on_leaves_nothing(series, tmp_path, capsys):
    arguments = ["place", str(min(series.iterdir())), *ARGUMENTS[2:], "--extend", "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "has one slice, so that the nodule has no other to go on in" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_memory_that_is_full_is_told_in_one_sentence_and_leaves_nothing(series, tmp_path, capsys, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("engine.extend_command.load_checkpoint", fail)
    assert main(["place", str(series), *ARGUMENTS, "--extend", "--out", str(tmp_path / "out")]) == 2
    sentence = "The nodule could not be extended: the memory is full; close other programs and try again.\n"
    assert capsys.readouterr().err == sentence
    assert not (tmp_path / "out").exists()
