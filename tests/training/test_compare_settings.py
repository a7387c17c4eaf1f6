"""Runs of different noise schedules, compared at the same noise levels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.checkpoint import load_checkpoint
from engine.device import Device
from engine.errors import InputError
from tests.checkpoints import save_tiny_checkpoint, save_tiny_slice_checkpoint
from tests.training.crops_file import HELD_OUT, write_crops
from training.compare_settings import NOISE_LEVELS, errors_by_noise_level, main
from training.nodule_crops import load_crops

FLOAT32 = Device(torch.device("cpu"), torch.float32, "CPU")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("settings")
    return save_tiny_checkpoint(root / "tiny"), write_crops(root / "crops.parquet", list(HELD_OUT))


def with_scheduler(checkpoint, **settings):
    config = replace(checkpoint.config, scheduler={**checkpoint.config.scheduler, **settings})
    return replace(checkpoint, config=config)


def test_the_same_network_has_the_same_errors(folders):
    checkpoint = load_checkpoint(folders[0], FLOAT32)

    first, second = errors_by_noise_level([checkpoint, checkpoint], load_crops(folders[1], held_out=True), 4)

    assert first.shape == (len(NOISE_LEVELS),)
    np.testing.assert_array_equal(first, second)


def test_a_network_that_predicts_nothing_has_errors_that_the_schedule_hardly_changes(folders):
    """An estimate of zero has the error x0 squared over the share of noise, whatever the schedule."""
    checkpoint = load_checkpoint(folders[0], FLOAT32)
    for parameter in checkpoint.network.parameters():
        parameter.zero_()
    settings = {"prediction_type": "sample"}
    schedules = [with_scheduler(checkpoint, beta_schedule=name, **settings) for name in ("squaredcos_cap_v2", "linear")]

    cosine, linear = errors_by_noise_level(schedules, load_crops(folders[1], held_out=True), 4)

    np.testing.assert_allclose(cosine[1:], linear[1:], rtol=0.02)
    np.testing.assert_allclose(cosine * NOISE_LEVELS, (cosine * NOISE_LEVELS)[-1], rtol=0.1)


def test_the_command_prints_a_row_a_checkpoint(folders, capsys):
    assert main([str(folders[0]), str(folders[0]), "--data", str(folders[1]), "--count", "2"]) == 0

    assert capsys.readouterr().out.count(str(folders[0])) == 2


def test_a_folder_that_is_no_checkpoint_is_refused(folders, tmp_path, capsys):
    assert main([str(tmp_path), "--data", str(folders[1])]) == 2

    assert "There is no checkpoint.json" in capsys.readouterr().err


def test_what_cannot_be_compared_is_refused(folders, tmp_path, capsys):
    tiny = str(folders[0])
    whole_slices = str(save_tiny_slice_checkpoint(tmp_path / "slice"))

    assert main([tiny, whole_slices, "--data", str(folders[1])]) == 2
    assert "makes whole slices, not nodules" in capsys.readouterr().err
    assert main([tiny, "--data", str(tmp_path / "nothing.parquet")]) == 2
    assert "There is no file" in capsys.readouterr().err


def test_another_window_is_refused(folders):
    checkpoint = load_checkpoint(folders[0], FLOAT32)
    finer = replace(checkpoint, grid=replace(checkpoint.grid, spacing_mm=0.5))

    with pytest.raises(InputError, match="has another window than"):
        errors_by_noise_level([checkpoint, finer], load_crops(folders[1], held_out=True), 2)
