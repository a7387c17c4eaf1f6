import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.checkpoint import load_checkpoint
from engine.codec import IdentityCodec
from engine.errors import InputError
from engine.window import WindowGrid
from tests.checkpoints import TINY_NETWORK, save_tiny_checkpoint
from tests.training.crops_file import HELD_OUT, TRAINING, write_crops
from training import train_nodule
from training.nodule_crops import load_crops
from training.nodule_loss import (
    TrainingOptions,
    drop_attributes,
    loss_of,
    make_inputs,
    make_training_scheduler,
    snr_weight,
)
from training.nodule_samples import fixed_batch
from training.run_options import Pace, learning_rate_at
from training.train_nodule import NoduleOptions, NoduleTrainer, main, train

OPTIONS = NoduleOptions(samples=16, batch=4, learning_rate=1e-3, agreed=False)
QUICK = Pace(validate_on=4)
OUTLINED_NETWORK = replace(TINY_NETWORK, context_channels=3)


@pytest.fixture(scope="module")
def crops_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_crops(tmp_path_factory.mktemp("crops") / "crops.parquet", [*HELD_OUT, *TRAINING])


def weights_after(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "state.pt", weights_only=True)["network"]


def test_a_run_taken_up_again_ends_where_an_unbroken_one_does(tmp_path: Path, crops_path: Path) -> None:
    train(OPTIONS, crops_path, tmp_path / "whole", QUICK, network=TINY_NETWORK)
    train(OPTIONS, crops_path, tmp_path / "parts", replace(QUICK, stop_at=2), network=TINY_NETWORK)
    train(OPTIONS, crops_path, tmp_path / "parts", QUICK, network=TINY_NETWORK)

    whole, parts = weights_after(tmp_path / "whole"), weights_after(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_run_leaves_a_checkpoint_scalars_and_a_contact_sheet(tmp_path: Path, crops_path: Path) -> None:
    train(OPTIONS, crops_path, tmp_path, QUICK, network=TINY_NETWORK)

    assert load_checkpoint(tmp_path / "checkpoint").config.training["samples_seen"] == 16
    assert json.loads((tmp_path / "options.json").read_text())["learning_rate"] == 1e-3
    log = json.loads((tmp_path / "held_out.jsonl").read_text().splitlines()[-1])
    assert log["samples"] == 16
    assert 0 < log["with"] < 10
    assert list((tmp_path / "sheets").glob("*.png"))
    assert list((tmp_path / "scalars").iterdir())


def test_a_run_that_was_killed_at_its_end_ends_when_started_again(tmp_path: Path, crops_path: Path) -> None:
    train(OPTIONS, crops_path, tmp_path, QUICK, network=TINY_NETWORK)
    (tmp_path / "checkpoint" / "model.safetensors").unlink()
    (sheet,) = (tmp_path / "sheets").iterdir()
    sheet.unlink()

    train(OPTIONS, crops_path, tmp_path, QUICK, network=TINY_NETWORK)

    assert load_checkpoint(tmp_path / "checkpoint").config.training["samples_seen"] == 16
    assert sheet.is_file()


def test_the_command_tells_a_run_that_was_stopped_from_one_that_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for is_done, code in ((True, 0), (False, 3)):
        monkeypatch.setattr(train_nodule, "train", lambda *args, is_done=is_done, **options: is_done)
        assert main(["--data", str(tmp_path), "--run", str(tmp_path)]) == code


def test_a_run_is_not_taken_up_with_other_data(tmp_path: Path, crops_path: Path) -> None:
    run = tmp_path / "run"
    train(OPTIONS, crops_path, run, replace(QUICK, stop_at=2), network=TINY_NETWORK)
    other = Path(shutil.copy(crops_path, tmp_path / "others.parquet"))

    with pytest.raises(InputError, match=r"made with other data, as prepared.json records them; give the same"):
        train(OPTIONS, other, run, QUICK, network=TINY_NETWORK)


def test_a_checkpoint_that_has_seen_all_samples_is_no_start(tmp_path: Path, crops_path: Path) -> None:
    train(OPTIONS, crops_path, tmp_path / "before", QUICK, network=TINY_NETWORK)
    start = tmp_path / "before" / "checkpoint"

    with pytest.raises(InputError, match="has seen 16 samples already, and --samples is 16; give more"):
        train(OPTIONS, crops_path, tmp_path / "after", QUICK, start, TINY_NETWORK)


def test_what_cannot_be_gone_on_from_is_refused_before_crops_are_read(
    tmp_path: Path, crops_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("crops were read first")

    monkeypatch.setattr(train_nodule, "load_crops", fail)

    with pytest.raises(InputError, match=r"There is no checkpoint\.json"):
        train(OPTIONS, crops_path, tmp_path / "run", QUICK, tmp_path, TINY_NETWORK)


def test_a_lost_run_goes_on_from_its_checkpoint(tmp_path: Path, crops_path: Path) -> None:
    lost = save_tiny_checkpoint(tmp_path / "shipped")

    train(OPTIONS, crops_path, tmp_path / "new", replace(QUICK, stop_at=1), lost, TINY_NETWORK)

    before, after = load_file(lost / "model.safetensors"), weights_after(tmp_path / "new")
    # One step at the foot of the warm-up: hardly moved from where it started, where fresh weights are far away.
    moved = [(before[name].float() - after[name]).abs().max() for name in before]
    assert 0 < max(moved) < 0.01


def test_attributes_are_dropped_as_often_as_asked() -> None:
    levels = torch.full((4000, 5), 3)
    options = replace(OPTIONS, drop_all=0.2, drop_one=0.1)

    dropped = drop_attributes(levels, options, torch.Generator().manual_seed(0)) == 0

    assert dropped.all(dim=1).float().mean() == pytest.approx(0.2, abs=0.03)
    assert dropped.float().mean() == pytest.approx(0.2 + 0.8 * 0.1, abs=0.03)


def test_the_rate_warms_up_stays_and_falls() -> None:
    options = TrainingOptions(samples=16_000, batch=16, learning_rate=1.0)

    assert learning_rate_at(0, options) == pytest.approx(1 / 300)
    assert learning_rate_at(500, options) == 1
    assert learning_rate_at(900, options) == pytest.approx(0.5)
    assert learning_rate_at(400, options, first_step=400) == pytest.approx(1 / 300)


@pytest.mark.parametrize("weighting", ["box", "box5", "none"])
def test_what_is_off_the_crop_costs_nothing(crops_path: Path, weighting: str) -> None:
    options = replace(OPTIONS, weighting=weighting)
    samples = fixed_batch(load_crops(crops_path, held_out=True), np.arange(4), WindowGrid(), seed=0)
    samples = replace(samples, known=samples.known & (torch.arange(64) < 60))
    noise = torch.randn(samples.hu.shape, generator=torch.Generator().manual_seed(0))
    step = torch.full((4,), 500)
    inputs = make_inputs(samples, IdentityCodec(), make_training_scheduler(options), step, noise, samples.levels)

    off_the_crop = inputs.target + 7 * (1 - inputs.known)
    in_the_box = inputs.target + inputs.mask

    assert loss_of(off_the_crop, inputs, options) == 0
    assert loss_of(in_the_box, inputs, options) > 0


def test_min_snr_limits_the_weight_of_clean_steps() -> None:
    alpha_bar = torch.tensor([0.999, 0.5])

    weight = snr_weight(alpha_bar, replace(OPTIONS, min_snr=5.0))

    assert weight[0] == pytest.approx(5 / 1000, rel=1e-2)
    assert weight[1] == pytest.approx(0.5)


def test_the_command_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path / "nothing.parquet"), "--run", str(tmp_path / "run")]) == 2

    assert "There is no file" in capsys.readouterr().err


def test_a_network_is_told_as_many_outlines_as_asked(tmp_path: Path, crops_path: Path) -> None:
    for share in (0.0, 0.5, 1.0):
        options = replace(OPTIONS, batch=64, samples=64, outlines=share)
        trainer = NoduleTrainer(options, crops_path, tmp_path / str(share), OUTLINED_NETWORK)
        inputs = trainer.draw()
        trainer.run.close()

        told = inputs.context[:, 2].flatten(1).any(dim=1)
        assert told.float().mean().item() == pytest.approx(share, abs=0.2)
        # An outline lies in its box.
        assert not (inputs.context[:, 2] * (inputs.mask[:, 0] == 0)).any()


def test_a_run_with_outlines_starts_from_a_network_that_knew_none(tmp_path: Path, crops_path: Path) -> None:
    before = save_tiny_checkpoint(tmp_path / "before")
    options = replace(OPTIONS, samples=4, learning_rate=0.0)

    train(options, crops_path, tmp_path / "run", QUICK, before, OUTLINED_NETWORK)

    old, new = (load_checkpoint(folder).network.state_dict() for folder in (before, tmp_path / "run" / "checkpoint"))
    name = "unet.conv_in.weight"
    known = old[name].shape[1]
    assert new[name].shape[1] > known
    assert not new[name][:, known:].any()
    new[name] = new[name][:, :known]
    assert all(torch.equal(old[key], new[key]) for key in old)
