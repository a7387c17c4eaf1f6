"""Where a run's averages lie, what it is taken up again with, and what it writes."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from engine.device import bf16_pays
from engine.errors import InputError
from tests.checkpoints import save_tiny_checkpoint
from training import train_nodule, train_scorer, train_slice, train_vqvae, training_run
from training.evaluate import EvaluationOptions
from training.nodule_loss import TrainingOptions
from training.run_options import Pace, add_options, add_run_arguments, as_arguments, take_options
from training.scorer_loss import ScorerOptions
from training.slice_comparisons import SliceEvaluationOptions
from training.slice_loss import CONFIGURATIONS, SliceOptions
from training.train_nodule import NoduleOptions
from training.training_run import TrainingRun, make_accelerator
from training.vqvae_loss import VQVAEOptions

OPTIONS = TrainingOptions(samples=16, batch=4)
PACE = Pace(validate_on=3, validate_every=7)


def make_run(folder: Path, options: TrainingOptions = OPTIONS, channels: int = 2) -> TrainingRun:
    return TrainingRun(torch.nn.Conv2d(1, channels, 3), options, folder, make_accelerator())


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The folder of a run that was saved."""
    run = make_run(tmp_path)
    run.resume(None)
    run.save_state()
    run.close()
    return tmp_path


def test_averages_are_where_the_network_is(tmp_path: Path) -> None:
    """As on a GPU, whose place another device takes: accelerate moves the network when it prepares it."""
    elsewhere = torch.device("meta")
    accelerator: Any = SimpleNamespace(
        num_processes=1,
        is_main_process=False,
        device=elsewhere,
        prepare=lambda model, optimizer: (model.to(elsewhere), optimizer),
        unwrap_model=lambda model: model,
    )

    run = TrainingRun(torch.nn.Conv2d(1, 2, 3), OPTIONS, tmp_path, accelerator)

    run.ema.step(run.network.parameters())
    assert {average.device for average in run.ema.shadow_params} == {elsewhere}


def test_more_samples_another_rate_and_new_options_go_on(saved: Path) -> None:
    before = json.loads((saved / "options.json").read_text())
    del before["min_snr"]  # an option that came later
    (saved / "options.json").write_text(json.dumps(before))
    options = replace(OPTIONS, samples=32, learning_rate=1e-4, min_snr=5.0)

    run = make_run(saved, options)
    run.resume(None)
    run.close()

    assert json.loads((saved / "options.json").read_text()) == asdict(options)


def test_other_options_are_named_and_those_of_the_run_kept(saved: Path) -> None:
    before = (saved / "options.json").read_text()
    run = make_run(saved, replace(OPTIONS, batch=8, schedule="linear"))

    with pytest.raises(InputError, match=r"made with batch 4, not 8, schedule squaredcos_cap_v2, not linear; give"):
        run.resume(None)

    run.close()
    assert (saved / "options.json").read_text() == before


def test_another_network_leaves_the_options_as_they_are(saved: Path) -> None:
    before = (saved / "options.json").read_text()
    run = make_run(saved, replace(OPTIONS, samples=32), channels=3)

    with pytest.raises(InputError, match="another network; give --run another folder"):
        run.resume(None)

    run.close()
    assert (saved / "options.json").read_text() == before


def test_a_checkpoint_of_another_network_is_no_start(tmp_path: Path) -> None:
    other = save_tiny_checkpoint(tmp_path / "other")
    run = make_run(tmp_path / "run")

    with pytest.raises(InputError, match="has another network than this run"):
        run.resume(other)

    run.close()


def test_processes_that_do_not_see_the_state_are_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_run, "gather_object", lambda steps: [*steps, 0, 0])
    before = (saved / "options.json").read_text()
    state = torch.load(saved / "state.pt", weights_only=True)
    torch.save({**state, "step": 3}, saved / "state.pt")
    run = make_run(saved, replace(OPTIONS, samples=32))

    with pytest.raises(InputError, match="different steps, 0 and 3; give --run a folder that all machines see"):
        run.resume(None)

    run.close()
    assert (saved / "options.json").read_text() == before


def test_one_of_several_processes_without_a_gpu_takes_the_state_up(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(saved)
    monkeypatch.setattr(Accelerator, "device", torch.device("cpu", 0))  # as accelerate names it there

    run.resume(None)

    run.close()


def test_a_run_says_what_it_runs_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path)
    run.close()

    place = f"Training on {run.device.device}, in {'bf16' if bf16_pays() else 'fp32'}; processes: 1."
    assert place in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(("device", "built_for"), [("nvidia0", None), ("nvidia0", "13.0"), ("none", None)])
def test_a_gpu_that_torch_was_not_built_for_is_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    built_for: str | None,
) -> None:
    (tmp_path / "nvidia0").touch()
    pays = bf16_pays()  # which looks at torch's version, too
    monkeypatch.setattr(training_run, "bf16_pays", lambda: pays)
    monkeypatch.setattr(training_run, "_NVIDIA_GPU", tmp_path / device)
    monkeypatch.setattr(torch.version, "cuda", built_for)

    make_accelerator()

    assert ("built without CUDA" in capsys.readouterr().err) == (device == "nvidia0" and built_for is None)


def test_a_gradient_that_is_no_number_stops_the_run_before_it_spoils_the_weights(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    before = [parameter.clone() for parameter in run.network.parameters()]

    with pytest.raises(FloatingPointError, match="the gradient's norm is nan at step 0; start again with a lower"):
        run.take_step(lambda network: (network.weight * 0).sqrt().sum())

    assert all(map(torch.equal, before, run.network.parameters()))
    run.close()


def test_figures_of_steps_that_a_run_comes_to_again_stand_once(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for step, error in ((1, 0.5), (2, 0.4), (3, 0.3), (2, 0.4), (2, 0.41)):  # Killed after 3, taken up after 1.
        run.step = step
        run.write_held_out({"error": error})
    run.close()

    lines = [json.loads(line) for line in (tmp_path / "held_out.jsonl").read_text().splitlines()]
    assert [(line["step"], line["error"]) for line in lines] == [(1, 0.5), (2, 0.41)]


def test_scalars_of_steps_that_a_run_comes_to_again_stand_once(tmp_path: Path) -> None:
    for last, loss in ((3, 0.5), (2, 0.4)):  # Killed after 3 with the state of 1, taken up there.
        run = make_run(tmp_path)
        run.resume(None)
        while run.step < last:
            run.step += 1
            run.log("loss", loss)
            if run.step == 1:
                run.save_state()
        run.close()

    scalars = EventAccumulator(str(tmp_path / "scalars"))
    scalars.Reload()
    assert [(event.step, event.value) for event in scalars.Scalars("loss")] == [(1, 0.5), (2, pytest.approx(0.4))]


def test_a_run_records_its_data(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.resume(None, made_by={"tests": [{"patients": 7}]})
    run.close()

    assert json.loads((tmp_path / "data.json").read_text()) == {"tests": [{"patients": 7}]}


def test_averages_warm_up_as_the_help_says(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.close()

    decays = {steps: run.ema.get_decay(steps) for steps in (5_000, 25_100, 25_200)}

    assert decays[5_000] == pytest.approx(0.9983, abs=5e-5)
    assert decays[5_000] == pytest.approx(1 - 5_000**-0.75)
    assert decays[25_100] < decays[25_200] == OPTIONS.ema_decay


def test_figures_on_held_out_patients_may_be_nested(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.write_held_out({"slices": 3, "quantised": {"psnr_db": 30.5}})
    run.close()

    (line,) = (tmp_path / "held_out.jsonl").read_text().splitlines()
    assert json.loads(line) == {"step": 0, "samples": 0, "slices": 3, "quantised": {"psnr_db": 30.5}}


def test_the_command_line_leaves_what_is_not_given_as_it_is() -> None:
    parser = argparse.ArgumentParser()
    add_run_arguments(parser, PACE, VQVAEOptions())
    given = vars(parser.parse_args(["--widths", "8", "16", "16", "--save-every", "5", "--codes", "64"]))

    assert take_options(given, PACE) == replace(PACE, save_every=5)
    assert take_options(given, VQVAEOptions()) == VQVAEOptions(widths=(8, 16, 16), codes=64)
    assert given == {}


@pytest.mark.parametrize(
    "options",
    [
        VQVAEOptions(widths=(8, 16, 16), learning_rate=2.5e-5, start_from="a folder"),
        VQVAEOptions(),
        NoduleOptions(agreed=True),
        CONFIGURATIONS["studio"],
    ],
    ids=lambda options: type(options).__name__,
)
def test_options_become_the_arguments_that_they_are_taken_from(options: Any) -> None:
    parser = argparse.ArgumentParser()
    add_run_arguments(parser, PACE, options)

    given = vars(parser.parse_args(as_arguments(options)))

    assert take_options(given, type(options)()) == options


@pytest.mark.parametrize(
    "defaults", [[NoduleOptions()], [VQVAEOptions()], [ScorerOptions()], list(CONFIGURATIONS.values())], ids=str
)
def test_every_option_is_explained(defaults: list[Any]) -> None:
    parser = argparse.ArgumentParser()
    add_run_arguments(parser, PACE, *defaults)

    explained = {action.dest: str(action.help) for action in parser._actions}

    for field in fields(defaults[0]):
        meaning, default = explained[field.name].split(" (default: ")
        assert len(meaning) > 10
        assert len(default) > 1


@pytest.mark.parametrize("default", [EvaluationOptions(), SliceEvaluationOptions()], ids=["nodule", "slice"])
def test_every_option_of_an_evaluation_is_explained_and_taken(default: Any) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, default)

    assert vars(parser.parse_args(["--steps", "7"])) == {**asdict(default), "steps": 7}
    meanings = [str(action.help).split(" (default: ")[0] for action in parser._actions]
    assert min(map(len, meanings)) > 10


def test_the_help_has_meaning_choices_and_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    parser = argparse.ArgumentParser()
    add_run_arguments(parser, PACE, *CONFIGURATIONS.values())

    lines = [" ".join(line.split()) for line in parser.format_help().splitlines()]

    for line in (
        # Of the class, of the class that it comes from, and over two lines of the docstring.
        "--beta-end BETA_END of the schedules linear and scaled_linear (default: 0.0195 or 0.02)",
        "--seed SEED of everything drawn (default: 0)",
        "of the loss. box: mean inside the box plus `outside` times mean outside; box5: five times heavier in the box; "
        "none: everywhere the same (default: none or box)",
    ):
        assert any(line in shown for shown in lines)
    assert "{box,box5,none}" in parser.format_help()


@pytest.mark.parametrize("main", [train_slice.main, train_nodule.main, train_vqvae.main, train_scorer.main])
def test_the_help_of_each_trainer_has_its_own_pace(
    main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    pace = sys.modules[main.__module__].DEFAULT_PACE

    with pytest.raises(SystemExit):
        main(["--help"])

    text = " ".join(capsys.readouterr().out.split())
    assert f"seconds between saved states (default: {pace.save_every})" in text
    assert f"steps between validations (default: {pace.validate_every})" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [("prediction", "v"), ("schedule", "cosine"), ("weighting", "boxes"), ("conditioning", "paper-4")],
)
def test_names_that_are_none_are_refused(name: str, value: str) -> None:
    with pytest.raises(InputError, match=f"--{name} is {value}; give one of "):
        replace(SliceOptions(), **{name: value})


@pytest.mark.parametrize(("samples", "batch"), [(8, 0), (3, 4), (-8, 4)])
def test_a_run_without_a_step_is_refused(tmp_path: Path, samples: int, batch: int) -> None:
    with pytest.raises(InputError, match="no step to take"):
        make_run(tmp_path, replace(OPTIONS, samples=samples, batch=batch))


def test_validations_are_a_step_apart_at_least() -> None:
    with pytest.raises(InputError, match="--validate-every is 0"):
        Pace(validate_on=1, validate_every=0)
