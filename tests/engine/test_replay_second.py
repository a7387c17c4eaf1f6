"""A nodule that was put into a slice after another one is made again from the CT that has neither."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine.__main__ import main
from engine.checkpoint import load_checkpoint
from engine.ct_files import read_volume
from engine.events import GenerationRequest, SamplingOptions
from engine.exports import export_all
from engine.generation import place_nodule
from engine.nodule import BoundingBox, NoduleAttributes
from tests.checkpoints import save_tiny_checkpoint


@pytest.fixture(scope="module")
def exported(tmp_path_factory, write_ct_series):
    """A folder with the checkpoint, the CT as `ct`, and the exports of both nodules as `first` and `second`."""
    folder = tmp_path_factory.mktemp("two")
    checkpoint = load_checkpoint(save_tiny_checkpoint(folder / "checkpoint"))
    hu = np.random.default_rng(0).normal(-820, 40, (2, 64, 64)).astype(np.int16)
    write_ct_series(folder / "ct", hu)
    volume = read_volume(folder / "ct")
    now = volume.slice_at(1)
    for name, row in (("first", 6), ("second", 34)):
        request = GenerationRequest(
            now, BoundingBox(row, 24, 16, now.shape), NoduleAttributes(4, 5, 1, 1, 5), SamplingOptions(3, 2)
        )
        *_, finished = place_nodule(checkpoint, request, previews=False)
        export_all(volume, 1, finished.result, folder / name)
        now = finished.result.slice
    return folder


def replay(exported, *more):
    return main([str(part) for part in ("replay", exported / "second", "--checkpoint", exported / "checkpoint", *more)])


def test_the_exported_picture_shows_the_slice_with_the_first(exported, capsys):
    assert replay(exported, "--input", exported / "ct") == 0
    assert json.loads(capsys.readouterr().out)["same_hu"] is True


def test_without_that_picture_the_export_of_the_first_is_asked_for_and_serves(exported, capsys):
    (exported / "second" / "before-16bit.png").unlink()
    assert replay(exported, "--input", exported / "ct") == 2
    assert capsys.readouterr().err == (
        "This nodule was put into a slice that had another one already; give slice.dcm of that one's export with "
        "--input.\n"
    )
    assert replay(exported, "--input", exported / "first" / "slice.dcm") == 0
    assert json.loads(capsys.readouterr().out)["same_hu"] is True
