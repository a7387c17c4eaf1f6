import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.checkpoint import load_checkpoint
from engine.errors import InputError
from engine.vq_codec import LatentStatistics, VQCodec, load_vq_codec, save_vq_codec
from tests.checkpoints import TINY_NETWORK, save_tiny_checkpoint, tiny_vq_codec
from tests.training.prepared_slices import write_training_data
from training import prepared, slice_latents
from training import train_slice as train_slice_module
from training.prepared import PreparedSlices
from training.run_options import Pace
from training.slice_loss import (
    CONFIGURATIONS,
    SliceOptions,
)
from training.train_slice import SliceTrainer, main, train_slice
from training.vqvae_statistics import measure_statistics

SMALL = {"samples": 8, "batch": 2, "learning_rate": 1e-3, "variants": 2}
ONE_VALIDATION = Pace(validate_on=2)
Made = dict[str, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return write_training_data(tmp_path_factory.mktemp("made"))


def options_of(configuration: str, **changes: Any) -> SliceOptions:
    return replace(CONFIGURATIONS[configuration], **{**SMALL, **changes})


def state_of(run: Path) -> dict[str, Any]:
    return torch.load(run / "state.pt", weights_only=True)


def test_a_run_taken_up_again_ends_where_an_unbroken_one_does(tmp_path: Path, made: Made) -> None:
    options = options_of("studio")
    train_slice(options, run=tmp_path / "whole", pace=ONE_VALIDATION, network=TINY_NETWORK, **made)
    half = replace(ONE_VALIDATION, stop_at=2)
    train_slice(options, run=tmp_path / "parts", pace=half, network=TINY_NETWORK, **made)
    train_slice(options, run=tmp_path / "parts", pace=ONE_VALIDATION, network=TINY_NETWORK, **made)

    whole, parts = state_of(tmp_path / "whole"), state_of(tmp_path / "parts")
    assert whole["step"] == parts["step"] == 4
    assert all(torch.equal(whole["network"][name], parts["network"][name]) for name in whole["network"])
    assert all(map(torch.equal, whole["ema"]["shadow_params"], parts["ema"]["shadow_params"]))


def test_a_run_leaves_a_checkpoint_with_its_vqvae_and_a_sheet(tmp_path: Path, made: Made) -> None:
    train_slice(options_of("3"), run=tmp_path / "slice-3", pace=ONE_VALIDATION, network=TINY_NETWORK, **made)

    checkpoint = load_checkpoint(tmp_path / "slice-3" / "checkpoint")
    assert (checkpoint.config.name, checkpoint.config.kind) == ("slice-3", "slice")
    assert checkpoint.config.network["conditioning"] == "paper-3"
    assert checkpoint.config.training["samples_seen"] == 8
    assert checkpoint.config.scheduler["beta_start"] == 0.0015
    assert checkpoint.config.sampling["guidance_highest_t"] == -1
    assert isinstance(checkpoint.codec, VQCodec)
    assert checkpoint.codec.statistics == tiny_vq_codec().statistics
    assert json.loads((tmp_path / "slice-3" / "options.json").read_text())["trusted"] is False
    log = json.loads((tmp_path / "slice-3" / "held_out.jsonl").read_text().splitlines()[-1])
    assert log["samples"] == 8
    assert log["box"] > 0
    assert log["whole"] > 0
    assert list((tmp_path / "slice-3" / "sheets").glob("*.png"))
    assert list((tmp_path / "slice-3" / "scalars").iterdir())


def test_a_studio_run_teaches_guidance_and_knows_what_not_to_trust(tmp_path: Path, made: Made) -> None:
    def trainer(configuration: str) -> SliceTrainer:
        options = options_of(configuration)
        return SliceTrainer(options, run=tmp_path / configuration, network=TINY_NETWORK, **made)

    paper, studio = trainer("3"), trainer("studio")

    # All made-up scans are of LIDC's initial release.
    assert (studio.readings.scores[:, 2:4] == 0).all()
    assert (paper.readings.scores[:, 2:4] > 0).all()
    assert studio.limits.guidance_highest_t is None
    assert paper.limits.guidance_highest_t == -1


def test_the_latents_of_a_foreign_vqvae_are_measured(tmp_path: Path, made: Made) -> None:
    save_vq_codec(VQCodec(tiny_vq_codec().vqvae), tmp_path / "foreign")
    given = {**made, "vqvae": str(tmp_path / "foreign"), "latents": tmp_path / "latents"}

    trainer = SliceTrainer(options_of("1"), run=tmp_path / "run", network=TINY_NETWORK, **given)

    latents = trainer.latents.take(np.arange(6), np.zeros(6, np.int64))
    assert latents.mean((0, 2, 3)).numpy() == pytest.approx(np.zeros(3), abs=0.02)
    assert latents.std((0, 2, 3)).numpy() == pytest.approx(np.ones(3), abs=0.02)
    assert trainer.checkpoint_config().codec["statistics"]["components"]


def test_the_latents_of_a_foreign_vqvae_are_measured_and_encoded_once(
    tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(codec: VQCodec, slices: PreparedSlices) -> LatentStatistics:
        measured.append(codec)
        exact = measure_statistics(codec, slices)
        # As on a GPU, where sums differ a little each time.
        return replace(exact, preview_bias=exact.preview_bias + 1e-6 * len(measured))

    measured: list[VQCodec] = []
    monkeypatch.setattr(slice_latents, "measure_statistics", measure)
    for seed in (0, 1):
        save_vq_codec(VQCodec(tiny_vq_codec(seed).vqvae), tmp_path / str(seed))

    def codec_of(run: str, vqvae: int) -> dict[str, Any]:
        given = {**made, "vqvae": str(tmp_path / str(vqvae)), "latents": tmp_path / "latents"}
        return SliceTrainer(options_of("1"), run=tmp_path / run, network=TINY_NETWORK, **given).codec.settings()

    first = codec_of("run", 0)
    caches = set((tmp_path / "latents").iterdir())

    assert codec_of("run", 0) == codec_of("another run", 0) == first
    assert set((tmp_path / "latents").iterdir()) == caches
    assert len(measured) == 1
    assert codec_of("run of another VQ-VAE", 1) != first


def test_the_papers_configurations_see_the_same_samples_noise_and_steps(tmp_path: Path, made: Made) -> None:
    inputs = []
    for configuration in "123":
        options = options_of(configuration)
        trainer = SliceTrainer(options, run=tmp_path / configuration, network=TINY_NETWORK, **made)
        inputs.append(trainer.draw())

    for name in ("noisy", "target", "step", "context", "levels"):
        first, *others = (getattr(each, name) for each in inputs)
        assert all(torch.equal(first, other) for other in others)


def test_what_cannot_be_gone_on_from_is_refused_before_slices_are_read(
    tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("slices were read first")

    monkeypatch.setattr(train_slice_module, "read_slices", fail)
    run: dict[str, Any] = {"run": tmp_path / "run", "network": TINY_NETWORK, **made}

    with pytest.raises(InputError, match=r"There is no checkpoint\.json"):
        train_slice(options_of("1"), start_from=tmp_path, **run)
    with pytest.raises(InputError, match="another codec"):
        train_slice(options_of("1"), start_from=save_tiny_checkpoint(tmp_path / "nodule"), **run)


def test_data_without_held_out_patients_are_refused_before_slices_are_encoded(
    tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("slices were encoded first")

    monkeypatch.setattr(train_slice_module, "cache_latents", fail)
    monkeypatch.setattr(prepared, "is_held_out", lambda _: False)

    with pytest.raises(InputError, match="has no slices with a nodule of held-out patients; prepare"):
        train_slice(options_of("1"), run=tmp_path, network=TINY_NETWORK, **made)


def test_another_networks_run_is_refused(tmp_path: Path, made: Made) -> None:
    pace = Pace(validate_on=2, stop_at=1)
    train_slice(options_of("1"), run=tmp_path, pace=pace, network=TINY_NETWORK, **made)

    with pytest.raises(InputError, match="another network; give --run another folder"):
        train_slice(options_of("2"), run=tmp_path, pace=pace, network=TINY_NETWORK, **made)


def test_a_run_is_not_taken_up_with_the_latents_of_another_vqvae(tmp_path: Path, made: Made) -> None:
    pace = Pace(validate_on=2, stop_at=1)
    train_slice(options_of("1"), run=tmp_path / "run", pace=pace, network=TINY_NETWORK, **made)
    codec = load_vq_codec(made["vqvae"])
    assert codec.statistics is not None
    # As many components, so that the network is the same.
    codec.statistics = replace(codec.statistics, mean=tuple(mean + 0.1 for mean in codec.statistics.mean))
    save_vq_codec(codec, tmp_path / "vqvae")
    other = {**made, "vqvae": str(tmp_path / "vqvae")}

    with pytest.raises(InputError, match="another VQ-VAE or other data; give the same"):
        train_slice(options_of("1"), run=tmp_path / "run", pace=pace, network=TINY_NETWORK, **other)


def test_the_command_line_replaces_options_and_names_what_is_wrong(
    tmp_path: Path, made: Made, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []

    def note(options: SliceOptions, **rest: Any) -> bool:
        called.append((options, rest))
        return True

    monkeypatch.setattr("training.train_slice.train_slice", note)
    arguments = ["--configuration", "2", "--data", "p", "--vqvae", "v", "--run", str(tmp_path)]

    assert main([*arguments, "--samples", "7", "--rare-scores", "--validate-every", "9"]) == 0

    ((options, rest),) = called
    assert options == replace(CONFIGURATIONS["2"], samples=7, rare_scores=True)
    assert (rest["vqvae"], rest["pace"].validate_every) == ("v", 9)

    monkeypatch.undo()
    wrong = ["--configuration", "1", "--data", str(tmp_path), "--vqvae", made["vqvae"], "--run", str(tmp_path / "r")]
    assert main(wrong) == 2
    assert "prepared.json" in capsys.readouterr().err


def test_a_run_that_was_killed_at_its_end_ends_when_started_again(tmp_path: Path, made: Made) -> None:
    run: dict[str, Any] = {"run": tmp_path, "pace": ONE_VALIDATION, "network": TINY_NETWORK, **made}
    train_slice(options_of("1"), **run)
    (tmp_path / "held_out.jsonl").unlink()
    (tmp_path / "checkpoint" / "checkpoint.json").unlink()

    train_slice(options_of("1"), **run)

    assert json.loads((tmp_path / "held_out.jsonl").read_text())["step"] == 4
    assert load_checkpoint(tmp_path / "checkpoint").config.training["samples_seen"] == 8


def test_sigterm_saves_the_step_that_was_reached_and_says_so(
    tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    take_step = SliceTrainer.train_step

    def stopped_in_the_second_step(trainer: SliceTrainer) -> float:
        if trainer.run.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return take_step(trainer)

    monkeypatch.setattr(SliceTrainer, "train_step", stopped_in_the_second_step)
    is_done = train_slice(options_of("1"), run=tmp_path, pace=ONE_VALIDATION, network=TINY_NETWORK, **made)

    assert not is_done
    assert "Stopped at step 2 of 4; the same command goes on from there." in capsys.readouterr().err
    assert state_of(tmp_path)["step"] == 2
    assert load_checkpoint(tmp_path / "checkpoint").config.training["samples_seen"] == 4


def test_two_processes_see_different_samples_and_agree_on_the_weights(tmp_path: Path, made: Made) -> None:
    script = Path(__file__).with_name("two_processes.py")
    # Under --cpu, accelerate starts several processes by MPI only; --multi_gpu does so by torchrun, GPUs or not.
    launch = ["-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--num_machines", "1", "--num_cpu_threads_per_process", "1", "--main_process_port", "0"]
    quiet = ["--mixed_precision", "bf16", "--dynamo_backend", "no"]
    own = {"PYTHONPATH": str(script.parents[2]), "GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    save_vq_codec(VQCodec(tiny_vq_codec().vqvae), tmp_path / "foreign")
    places = [str(path) for path in (made["data"], tmp_path / "foreign", tmp_path / "latents", tmp_path)]

    ended = subprocess.run(
        [sys.executable, *launch, *quiet, str(script), *places],
        capture_output=True,
        text=True,
        env={**os.environ, **own},
    )

    assert ended.returncode == 0, ended.stderr
    first, second = (torch.load(tmp_path / f"process-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first["processes"] == second["processes"] == 2
    assert ended.stderr.count("processes: 2.") == 1  # the main process says what it runs on
    assert not torch.equal(first["noisy"], second["noisy"])
    assert first["codec"] == second["codec"]
    assert all(torch.equal(first["network"][name], second["network"][name]) for name in first["network"])
    assert state_of(tmp_path / "run")["step"] == 2
