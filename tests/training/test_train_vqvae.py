import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import InputError
from engine.vq_codec import VQCodec, load_vq_codec
from tests.checkpoints import tiny_vq_codec
from tests.training.crops_file import HELD_OUT
from tests.training.made_up_slices import write_made_up_slices
from tests.training.vqvae_data import write_vqvae_data
from training import train_vqvae as train_vqvae_module
from training.prepared import hu_from_stored, read_description, read_slices, write_description
from training.run_options import Pace
from training.train_vqvae import VQVAETrainer, main, train_vqvae
from training.vqvae_loss import Autoencoder, VQVAEOptions, make_vqvae, reconstruction_loss
from training.vqvae_samples import draw_crops, read_nodules_if_any, read_vqvae_data
from training.vqvae_statistics import measure_statistics

OPTIONS = VQVAEOptions(samples=8, batch=2, crop=64, unquantised=0.5, codes=16, widths=(4, 4, 8), learning_rate=1e-3)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vqvae_data(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """An unbroken run."""
    run = tmp_path_factory.mktemp("run")
    train_vqvae(OPTIONS, data, run)
    return run


def network_of(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "state.pt", weights_only=True)["network"]


@pytest.mark.parametrize("stop_at", [2, 3])  # before the code book is made, and after
def test_a_run_taken_up_again_ends_where_an_unbroken_one_does(
    tmp_path: Path, data: Path, whole: Path, stop_at: int
) -> None:
    train_vqvae(OPTIONS, data, tmp_path, Pace(validate_on=1, stop_at=stop_at))
    train_vqvae(OPTIONS, data, tmp_path)

    expected, ended = network_of(whole), network_of(tmp_path)
    assert all(torch.equal(expected[name], ended[name]) for name in expected)


def test_a_run_that_was_killed_at_its_end_exports_when_started_again(tmp_path: Path, data: Path, whole: Path) -> None:
    shutil.copytree(whole, tmp_path / "run", ignore=shutil.ignore_patterns("vqvae"))

    train_vqvae(OPTIONS, data, tmp_path / "run", Pace(validate_on=1))

    assert load_vq_codec(tmp_path / "run" / "vqvae").statistics is not None


CODES = "codec.vqvae.quantize.embedding.weight"


def test_fewer_samples_do_not_skip_the_code_book(tmp_path: Path, data: Path) -> None:
    train_vqvae(replace(OPTIONS, samples=16), data, tmp_path, Pace(validate_on=1, stop_at=3))
    assert network_of(tmp_path)[CODES].abs().max() <= 1 / OPTIONS.codes  # as diffusers draws them at random

    train_vqvae(OPTIONS, data, tmp_path)  # half of whose steps were two

    assert network_of(tmp_path)[CODES].abs().max() > 1 / OPTIONS.codes


def test_more_samples_leave_the_code_book_as_it_is(tmp_path: Path, data: Path, whole: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")

    train_vqvae(replace(OPTIONS, samples=20), data, tmp_path / "run", Pace(validate_on=1, stop_at=6))

    before, after = network_of(whole), network_of(tmp_path / "run")
    assert torch.equal(before[CODES], after[CODES])
    assert all(torch.equal(before[name], after[name]) for name in before if ".encoder." in name)


def test_a_run_starts_from_the_weights_of_another(tmp_path: Path, data: Path, whole: Path) -> None:
    before = load_vq_codec(whole / "vqvae").vqvae.state_dict()
    options = replace(OPTIONS, start_from=str(whole / "vqvae"), learning_rate=0.0)

    train_vqvae(options, data, tmp_path)

    after = load_vq_codec(tmp_path / "vqvae").vqvae.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if not name.startswith("quantize."))
    assert str(whole / "vqvae") in (tmp_path / "vqvae" / "README.md").read_text()


def test_a_run_that_has_a_state_does_not_need_what_it_started_from(tmp_path: Path, data: Path, whole: Path) -> None:
    shutil.copytree(whole / "vqvae", tmp_path / "first")
    options = replace(OPTIONS, start_from=str(tmp_path / "first"))
    train_vqvae(options, data, tmp_path / "run", Pace(validate_on=1, stop_at=1))
    shutil.rmtree(tmp_path / "first")

    train_vqvae(options, data, tmp_path / "run")

    assert (tmp_path / "run" / "vqvae" / "config.json").is_file()


def test_weights_of_another_shape_are_refused(
    tmp_path: Path, data: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--data", str(data), "--run", str(tmp_path), "--start-from", str(whole / "vqvae"), "--codes", "16"]

    assert main([*given, "--widths", "4", "4", "4"]) == 2

    assert "give the --widths and --latent-channels that it has" in capsys.readouterr().err


def test_what_cannot_be_gone_on_from_is_refused_before_data_are_read(
    tmp_path: Path, data: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise AssertionError("data were read first")

    monkeypatch.setattr(train_vqvae_module, "read_vqvae_data", fail)
    shutil.copytree(whole, tmp_path / "run")

    with pytest.raises(InputError, match="There is no VQ-VAE"):
        train_vqvae(replace(OPTIONS, start_from=str(tmp_path / "nowhere")), data, tmp_path / "new")
    with pytest.raises(InputError, match="made with crop 64, not 128"):
        train_vqvae(replace(OPTIONS, crop=128), data, tmp_path / "run")


def test_a_run_is_not_taken_up_with_other_data(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_vqvae(OPTIONS, data, tmp_path / "run", Pace(validate_on=1, stop_at=1))  # no code book yet
    other = shutil.copytree(data, tmp_path / "other")
    write_description(other, "tests", patients=7)

    with monkeypatch.context() as patched:
        patched.delattr(train_vqvae_module, "read_vqvae_data")  # refused before
        with pytest.raises(InputError, match=r"made with other data, as prepared.json records them; give the same"):
            train_vqvae(OPTIONS, other, tmp_path / "run")

    train_vqvae(OPTIONS, data, tmp_path / "run", Pace(validate_on=1, stop_at=2))


def test_what_the_weights_were_made_with_stands_beside_them(tmp_path: Path, data: Path, whole: Path) -> None:
    training = json.loads((whole / "vqvae" / "training.json").read_text())
    card = (whole / "vqvae" / "README.md").read_text()
    command = next(line for line in card.splitlines() if line.startswith("python -m training.train_vqvae"))
    again = shlex.split(command.replace("PREPARED", str(data)).replace("runs/vqvae", str(tmp_path / "again")))[3:]

    assert training["samples_seen"] == 8
    assert training["data"] == read_description(data)["made_by"]
    assert VQVAEOptions(**{**training["options"], "widths": tuple(training["options"]["widths"])}) == OPTIONS
    assert "Batches of 2, AdamW at 0.001" in card
    assert main(again) == 0
    assert (tmp_path / "again" / "options.json").read_text() == (whole / "options.json").read_text()
    expected, made = (load_vq_codec(run / "vqvae").vqvae.state_dict() for run in (whole, tmp_path / "again"))
    assert all(torch.equal(expected[name], made[name]) for name in expected)


@pytest.mark.parametrize("made", [False, True])
def test_older_states_do_not_say_whether_there_is_a_code_book(made: bool) -> None:
    state = Autoencoder(VQCodec(make_vqvae(OPTIONS))).state_dict()
    del state["has_codes"]
    if made:
        state[CODES] = torch.randn(state[CODES].shape, generator=torch.Generator().manual_seed(0))

    taken_up = Autoencoder(VQCodec(make_vqvae(OPTIONS)))
    taken_up.load_state_dict(state)

    assert bool(taken_up.has_codes) == made


def test_nothing_is_said_of_a_code_book_that_is_not_there(tmp_path: Path, data: Path) -> None:
    train_vqvae(OPTIONS, data, tmp_path, Pace(validate_on=1, stop_at=1))

    (line,) = (tmp_path / "held_out.jsonl").read_text().splitlines()
    assert set(json.loads(line)) == {"step", "samples", "slices", "patients", "nodules", "unquantised"}
    assert not (tmp_path / "vqvae").exists()
    assert (tmp_path / "sheets" / "0000001.png").is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop": 100}, "--crop is 100"),
        ({"crop": 320}, "--crop is 320"),
        ({"crop": 0}, "--crop is 0"),
        ({"unquantised": 1.0}, "--unquantised is 1;"),
        ({"unquantised": -0.1}, "--unquantised is -0.1;"),
        ({"crop": 64, "codes": 65537}, "give at most 65536"),
    ],
)
def test_options_out_of_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(OPTIONS, **changes)


def test_every_run_has_steps_with_a_code_book() -> None:
    assert replace(OPTIONS, unquantised=0.99).quantised_from == OPTIONS.steps - 1


def test_the_encoder_stays_as_it_is_once_there_is_a_code_book(data: Path, tmp_path: Path) -> None:
    trainer = VQVAETrainer(OPTIONS, data, tmp_path)
    states = []
    for _ in range(OPTIONS.steps):
        trainer.train_step()
        states.append({name: tensor.clone() for name, tensor in trainer.run.network.state_dict().items()})
    trainer.run.close()

    after, last = states[OPTIONS.quantised_from], states[-1]
    changed = {name.split(".")[2] for name in last if not torch.equal(after[name], last[name])}
    assert changed == {"decoder", "post_quant_conv"}
    moved = {name.split(".")[2] for name in last if not torch.equal(states[0][name], states[1][name])}
    assert {"encoder", "quant_conv"} <= moved
    assert "quantize" not in moved


def test_a_run_leaves_a_codec_with_card_scalars_and_sheets(whole: Path) -> None:
    codec = load_vq_codec(whole / "vqvae")
    figures = json.loads((whole / "held_out.jsonl").read_text().splitlines()[-1])
    card = (whole / "vqvae" / "README.md").read_text()

    assert codec.statistics is not None
    assert json.loads((whole / "options.json").read_text())["codes"] == 16
    assert figures["samples"] == 8
    assert figures["slices"] == 3 * len(HELD_OUT)
    assert f"{figures['quantised']['lung_mae_hu']:.1f}" in card
    assert "made-up" in card
    with Image.open(whole / "sheets" / "0000004.png") as sheet:
        assert sheet.size == (3 * 256, 6 * 256)
    assert list((whole / "scalars").iterdir())


def test_the_command_trains_and_says_what_is_missing(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--samples=2", "--batch=1", "--crop=64", "--codes=8", "--widths", "4", "4", "4", "--unquantised=0.5"]

    assert main(["--data", str(data), "--run", str(tmp_path / "run"), *small]) == 0
    assert load_vq_codec(tmp_path / "run" / "vqvae").vqvae.config.block_out_channels == [4, 4, 4]
    assert main(["--data", str(data), "--run", str(tmp_path / "other"), *small, "--crop=100"]) == 2
    assert "--crop is 100" in capsys.readouterr().err
    assert main(["--data", str(tmp_path / "nothing"), "--run", str(tmp_path / "other"), *small]) == 2
    assert "prepared.json" in capsys.readouterr().err


def test_whole_slices_are_enough(tmp_path: Path) -> None:
    data = read_vqvae_data(write_made_up_slices(tmp_path))

    hu, known = draw_crops(data, replace(OPTIONS, nodule_share=1.0), 3, np.random.default_rng(0))

    assert data.nodules is None
    assert hu.shape == (3, 1, 64, 64)
    assert known.all()


def test_crops_that_are_there_and_cannot_be_read_are_not_passed_over(tmp_path: Path, data: Path) -> None:
    shutil.copytree(data, tmp_path / "newer")
    (tmp_path / "newer" / "prepared.json").write_text('{"format_version": 99}')
    write_made_up_slices(tmp_path / "slices")

    assert read_nodules_if_any(tmp_path / "slices", held_out=True) is None
    with pytest.raises(InputError, match="has format 99"):
        read_nodules_if_any(tmp_path / "newer", held_out=True)


def test_crops_of_nodules_say_what_was_mirrored(data: Path) -> None:
    options = replace(OPTIONS, crop=128, nodule_share=1.0)

    hu, known = draw_crops(read_vqvae_data(data), options, 2, np.random.default_rng(0))

    assert hu.shape == known.shape == (2, 1, 128, 128)
    assert known.float().mean() == pytest.approx((48 / 64) ** 2)
    assert known[:, :, 32, 32].all()
    # In the middle of each of the four places lies a solid nodule.
    assert (hu[:, 0, 32::64, 32::64] > -100).all()


def test_crops_of_slices_show_the_body(data: Path) -> None:
    hu, _ = draw_crops(read_vqvae_data(data), replace(OPTIONS, nodule_share=0.0), 16, np.random.default_rng(0))

    assert ((hu > -950).float().mean((1, 2, 3)) > 0.2).all()


def test_errors_in_bone_and_in_what_is_not_known_count_less() -> None:
    codec = tiny_vq_codec()
    lung, bone = (codec.to_images(torch.full((1, 1, 4, 4), hu)) for hu in (-800.0, 1200.0))
    known = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    off = 100 / 1750

    in_lung = reconstruction_loss(codec, lung + off, lung, known, 0.5)
    in_bone = reconstruction_loss(codec, bone + off, bone, known, 0.5)
    half_known = known & (torch.arange(4) < 2)
    wrong_where_unknown = torch.where(half_known, lung, lung + off)

    assert in_lung.item() == pytest.approx(1.5, rel=1e-3)
    assert in_bone.item() == pytest.approx(0.2**2 + 0.5 * 0.2, rel=1e-3)
    assert reconstruction_loss(codec, wrong_where_unknown, lung, half_known, 0.5) == 0


def test_with_a_code_book_training_sees_what_the_codec_decodes() -> None:
    codec = VQCodec(tiny_vq_codec().vqvae)
    hu = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 1000 - 900

    seen = Autoencoder(codec)(codec.to_images(hu), None).clamp(-1, 1)

    assert torch.allclose(seen, codec.to_images(codec.decode(codec.encode(hu))), atol=1e-5)


def test_statistics_make_latents_standard_and_previews_close(data: Path) -> None:
    slices = read_slices(data, held_out=False)
    codec = VQCodec(tiny_vq_codec().vqvae)
    codec.statistics = measure_statistics(codec, slices, count=4)
    hu = torch.from_numpy(hu_from_stored(slices.images[[0, 2, 5, 8]]))[:, None]

    latents = codec.encode(hu)

    assert latents.mean((0, 2, 3)).abs().max() < 1e-3
    assert torch.allclose(latents.std((0, 2, 3)), torch.ones(3), atol=1e-3)
    coarse = torch.nn.functional.avg_pool2d(hu, 4)
    # Least squares: never worse than the best constant.
    assert (codec.preview(latents) - coarse).square().mean() < coarse.var()
