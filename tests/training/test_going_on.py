"""What a run is not started from, and what it is not taken up with, whatever the shapes."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.checkpoint import CHECKPOINTS, CheckpointConfig, config_of, read_manifest, save_checkpoint
from engine.codec import IdentityCodec
from engine.errors import InputError
from engine.vq_codec import load_vq_codec, save_vq_codec
from tests.checkpoints import TINY_NETWORK
from tests.training.prepared_slices import write_prepared, write_training_data
from training.going_on import check_data, check_resumed, check_start
from training.nodule_loss import TrainingOptions, make_training_scheduler, settings_of
from training.prepared import write_description
from training.run_options import Pace
from training.slice_loss import CONFIGURATIONS, SliceOptions, make_slice_scheduler
from training.train_slice import train_slice

ONE_STEP = Pace(validate_on=2, stop_at=1)
CODEC = {"kind": "vqvae", "hu_max": 2500.0, "statistics": {"mean": [0.0, 1.5], "components": [[1.0, 0.2]]}}
SCHEDULE = settings_of(make_slice_scheduler(CONFIGURATIONS["studio"]))
OWN = CheckpointConfig("own", codec=CODEC, scheduler=SCHEDULE)


def test_rounding_and_names_of_another_version_are_no_difference() -> None:
    nearly = {"mean": (0.0, 1.5003), "components": ((1.0, 0.2),)}

    check_start(Path("start"), OWN, replace(OWN, codec={**CODEC, "statistics": nearly, "new": True}))


@pytest.mark.parametrize(
    "codec",
    [
        {**CODEC, "hu_max": 600.0},
        {**CODEC, "kind": "identity"},
        {**CODEC, "statistics": {"mean": [0.0, 1.6], "components": [[1.0, 0.2]]}},
        {**CODEC, "statistics": {"mean": [0.0, 1.5], "components": [[1.0]]}},
        {**CODEC, "statistics": None},
    ],
)
def test_another_codec_is_no_start(codec: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="checkpoint start was trained with another codec"):
        check_start(Path("start"), replace(OWN, codec=codec), OWN)


def test_another_schedule_is_no_start() -> None:
    before = replace(OWN, scheduler={**SCHEDULE, "prediction_type": "epsilon", "beta_start": 0.0015})

    with pytest.raises(
        InputError, match=r"with prediction_type epsilon, not v_prediction, beta_start 0.0015, not 0.0001"
    ):
        check_start(Path("start"), before, OWN)


def test_the_embedded_checkpoints_are_starts() -> None:
    nodule = CheckpointConfig(
        "run", codec=asdict(IdentityCodec()), scheduler=settings_of(make_training_scheduler(TrainingOptions()))
    )
    codec = {"kind": "vqvae", **load_vq_codec(CHECKPOINTS / "vqvae").settings()}

    check_start(CHECKPOINTS / "nodule", config_of(read_manifest(CHECKPOINTS / "nodule")), nodule)
    check_start(CHECKPOINTS / "slice", config_of(read_manifest(CHECKPOINTS / "slice")), replace(OWN, codec=codec))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return write_training_data(tmp_path_factory.mktemp("made"))


def options_of(configuration: str) -> SliceOptions:
    return replace(CONFIGURATIONS[configuration], samples=8, batch=2, variants=1)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory, made: dict[str, Any]) -> Path:
    """A run of one step."""
    run = tmp_path_factory.mktemp("before") / "run"
    train_slice(options_of("1"), run=run, pace=ONE_STEP, network=TINY_NETWORK, **made)
    return run


def test_a_run_starts_from_a_checkpoint_of_its_own_kind_alone(
    tmp_path: Path, made: dict[str, Any], before: Path
) -> None:
    def start(options: SliceOptions, folder: str, **changes: Any) -> None:
        given = {**made, **changes, "start_from": before / "checkpoint"}
        train_slice(options, run=tmp_path / folder, pace=replace(ONE_STEP, stop_at=2), network=TINY_NETWORK, **given)

    start(options_of("1"), "same")
    with pytest.raises(InputError, match="with prediction_type epsilon, not v_prediction; give the same"):
        start(replace(options_of("1"), prediction="v_prediction"), "prediction")
    with pytest.raises(InputError, match="with beta_schedule scaled_linear, not linear"):
        start(replace(options_of("1"), schedule="linear"), "schedule")
    with pytest.raises(InputError, match="another codec"):
        start(options_of("1"), "codec", vqvae=str(write_other_vqvae(tmp_path / "vqvae", made)))


def test_the_optimizer_of_a_run_that_starts_from_a_checkpoint_warms_up_once(
    tmp_path: Path, made: dict[str, Any], before: Path
) -> None:
    for stop_at in (2, 3):
        pace = replace(ONE_STEP, stop_at=stop_at)
        given: dict[str, Any] = {"start_from": before / "checkpoint", "network": TINY_NETWORK, **made}
        train_slice(options_of("1"), run=tmp_path, pace=pace, **given)
        state = torch.load(tmp_path / "state.pt", weights_only=True)
        assert (state["step"], state["first_step"]) == (stop_at, 1)


def write_other_vqvae(folder: Path, made: dict[str, Any]) -> Path:
    """Write one of the same shape."""
    codec = load_vq_codec(made["vqvae"])
    assert codec.statistics is not None
    codec.statistics = replace(codec.statistics, mean=tuple(mean + 0.1 for mean in codec.statistics.mean))
    save_vq_codec(codec, folder)
    return folder


def test_a_run_is_not_taken_up_with_other_data(tmp_path: Path, made: dict[str, Any], before: Path) -> None:
    data = write_prepared(tmp_path / "prepared")
    write_description(data, "tests", patients=7)

    with pytest.raises(InputError, match=r"made with other data, as prepared.json records them; give the same"):
        train_slice(options_of("1"), run=before, pace=ONE_STEP, network=TINY_NETWORK, **{**made, "data": data})


def test_data_are_compared_once_there_is_a_state_and_a_record(tmp_path: Path) -> None:
    before, now = {"tests": [{"patients": 6}]}, {"tests": [{"patients": 7}]}

    check_data(tmp_path, now)
    (tmp_path / "state.pt").touch()
    check_data(tmp_path, now)  # older than the record
    (tmp_path / "data.json").write_text(json.dumps(before))
    check_data(tmp_path, before)
    with pytest.raises(InputError, match="give the same, or give --run another folder"):
        check_data(tmp_path, now)
    (tmp_path / "state.pt").unlink()
    check_data(tmp_path, now)


def test_a_run_that_was_killed_before_its_first_checkpoint_is_taken_up(tmp_path: Path) -> None:
    (tmp_path / "state.pt").touch()

    check_resumed(tmp_path, CODEC, {})
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "checkpoint.json").write_text('{"codec"')
    check_resumed(tmp_path, CODEC, {})
    save_checkpoint(tmp_path / "checkpoint", replace(OWN, codec={"hu_max": 600.0}, training={"data": {}}), {})
    with pytest.raises(InputError, match="another VQ-VAE"):
        check_resumed(tmp_path, CODEC, {})
