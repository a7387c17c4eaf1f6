import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import checkpoint as checkpoint_module
from engine.checkpoint import (
    CHECKPOINTS,
    DEFAULT_CHECKPOINT,
    DEFAULT_SLICE_CHECKPOINT,
    config_of,
    load_checkpoint,
    read_manifest,
    save_checkpoint,
)
from engine.device import Device
from engine.errors import InputError
from tests.checkpoints import save_tiny_checkpoint, save_tiny_slice_checkpoint, tiny_vq_codec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tiny_checkpoint(tmp_path / "tiny")


def test_a_saved_checkpoint_loads_with_its_weights(folder: Path) -> None:
    checkpoint = load_checkpoint(folder)

    assert checkpoint.sha256 == read_manifest(folder)["sha256"]
    assert checkpoint.config.name == "tiny"
    again = load_checkpoint(folder)
    for first, second in zip(checkpoint.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(first, second)


def test_other_weights_are_another_checkpoint(tmp_path: Path) -> None:
    first, second = (save_tiny_checkpoint(tmp_path / str(seed), seed) for seed in (0, 1))

    assert read_manifest(first)["sha256"] != read_manifest(second)["sha256"]


def test_a_checkpoint_stays_whole_until_another_one_is_written_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_tiny_slice_checkpoint(tmp_path / "tiny")
    before, save = read_manifest(folder)["sha256"], checkpoint_module.save_halves

    def fill_the_disk(weights: Any, path: Path) -> str:
        if "vqvae" in path.name:
            raise OSError("No space left on device")
        return save(weights, path)

    monkeypatch.setattr(checkpoint_module, "save_halves", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        save_tiny_slice_checkpoint(tmp_path / "tiny", training={"samples_seen": 7})

    assert load_checkpoint(folder).sha256 == before


def flip_a_byte_of_the_weights(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)


def change_the_manifest(folder: Path) -> None:
    manifest = json.loads((folder / "checkpoint.json").read_text())
    manifest["codec"]["hu_max"] = 3000.0
    (folder / "checkpoint.json").write_text(json.dumps(manifest))


def set_another_format(folder: Path) -> None:
    manifest = json.loads((folder / "checkpoint.json").read_text())
    (folder / "checkpoint.json").write_text(json.dumps({**manifest, "format_version": 99}))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (flip_a_byte_of_the_weights, "model.safetensors .* was altered"),
        (change_the_manifest, "checkpoint.json .* was altered"),
        (set_another_format, "has format 99"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda folder: (folder / "checkpoint.json").unlink(), "There is no checkpoint.json"),
        (lambda folder: (folder / "checkpoint.json").write_text("{"), "is not JSON"),
        (lambda folder: (folder / "checkpoint.json").write_text("[]"), "describes no checkpoint"),
    ],
)
def test_a_damaged_checkpoint_is_refused_in_one_sentence(
    folder: Path, damage: Callable[[Path], object], sentence: str
) -> None:
    damage(folder)

    with pytest.raises(InputError, match=sentence) as refused:
        load_checkpoint(folder)
    assert "\n" not in str(refused.value)


@pytest.fixture
def slice_folder(tmp_path: Path) -> Path:
    return save_tiny_slice_checkpoint(tmp_path / "slice", "paper-3")


def test_a_slice_generator_comes_back_with_its_codec(slice_folder: Path) -> None:
    checkpoint, codec = load_checkpoint(slice_folder), tiny_vq_codec()

    assert (checkpoint.config.kind, checkpoint.grid.size) == ("slice", 64)
    assert checkpoint.network.config.conditioning == "paper-3"
    assert checkpoint.codec.settings() == codec.settings()
    latents = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    # Weights are stored as fp16.
    assert torch.allclose(checkpoint.codec.preview(latents), codec.preview(latents))
    assert (checkpoint.codec.decode(latents) - codec.decode(latents)).abs().mean() < 2


def test_a_loaded_checkpoint_saves_as_the_same(slice_folder: Path, tmp_path: Path) -> None:
    loaded = load_checkpoint(slice_folder, Device(torch.device("cpu"), torch.float32, "CPU"))
    codec: Any = loaded.codec

    save_checkpoint(tmp_path / "again", loaded.config, loaded.network.state_dict(), codec.state_dict())

    assert read_manifest(tmp_path / "again") == read_manifest(slice_folder)


def test_another_codec_is_another_checkpoint(slice_folder: Path, tmp_path: Path) -> None:
    loaded = load_checkpoint(slice_folder)
    other = tiny_vq_codec(seed=1).state_dict()

    save_checkpoint(tmp_path / "other", loaded.config, loaded.network.state_dict(), other)

    assert read_manifest(tmp_path / "other")["sha256"] != read_manifest(slice_folder)["sha256"]


def alter_the_codec(folder: Path) -> None:
    content = bytearray((folder / "vqvae.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "vqvae.safetensors").write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (alter_the_codec, "vqvae.safetensors .* was altered"),
        (lambda folder: (folder / "vqvae.safetensors").unlink(), "vqvae.safetensors is missing"),
    ],
)
def test_a_damaged_codec_is_refused_in_one_sentence(
    slice_folder: Path, damage: Callable[[Path], object], sentence: str
) -> None:
    damage(slice_folder)

    with pytest.raises(InputError, match=sentence) as refused:
        load_checkpoint(slice_folder)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("kind", "codec_weights"), [("vqvae", None), ("identity", {})])
def test_weights_of_a_codec_go_with_one_that_has_them(
    folder: Path, kind: str, codec_weights: dict[str, torch.Tensor] | None
) -> None:
    config = replace(config_of(read_manifest(folder)), codec={"kind": kind})

    with pytest.raises(ValueError, match=f"codec of the kind '{kind}'"):
        save_checkpoint(folder, config, {}, codec_weights)


def test_a_codec_of_a_later_version_is_refused(folder: Path) -> None:
    config = replace(config_of(read_manifest(folder)), codec={"kind": "wavelets"})
    save_checkpoint(folder, config, {})

    with pytest.raises(InputError, match="codec of the kind 'wavelets'; use one made for this version"):
        load_checkpoint(folder)


def test_settings_of_sampling_may_be_left_out(folder: Path, tmp_path: Path) -> None:
    without = config_of(read_manifest(folder))
    limited = replace(without, sampling={"guidance_highest_t": 800})

    save_checkpoint(tmp_path / "limited", limited, {})

    assert "sampling" not in read_manifest(folder)
    assert "few_steps" not in read_manifest(folder)
    assert without.sampling == {}
    assert config_of(read_manifest(tmp_path / "limited")) == limited


@pytest.mark.skipif(not DEFAULT_CHECKPOINT.exists(), reason="the embedded checkpoint is not in this tree")
@pytest.mark.parametrize("embedded", [DEFAULT_CHECKPOINT, DEFAULT_SLICE_CHECKPOINT, CHECKPOINTS / "slice-1"])
def test_embedded_checkpoints_are_whole(embedded: Path) -> None:
    assert read_manifest(embedded)["training"]["samples_seen"] > 0
    assert (embedded / "README.md").read_text().startswith("# ")
    # A clone of the project has all of them.
    assert max(file.stat().st_size for file in embedded.iterdir()) < 25e6


@pytest.mark.skipif(not DEFAULT_CHECKPOINT.exists(), reason="the embedded checkpoint is not in this tree")
def test_the_embedded_baseline_is_the_first_configuration_of_the_paper() -> None:
    config = config_of(read_manifest(CHECKPOINTS / "slice-1"))
    assert config.network["conditioning"] == "paper-1"
    assert config.scheduler["prediction_type"] == "epsilon"
    assert config.scheduler["num_train_timesteps"] == 1000


@pytest.fixture
def guided_folder(slice_folder: Path, tmp_path: Path) -> Path:
    loaded, other = load_checkpoint(slice_folder), save_tiny_slice_checkpoint(tmp_path / "other", "paper-3", seed=1)
    codec: Any = loaded.codec
    guide = load_checkpoint(other).network.state_dict()
    save_checkpoint(tmp_path / "guided", loaded.config, loaded.network.state_dict(), codec.state_dict(), guide)
    return tmp_path / "guided"


def test_a_guide_comes_back(guided_folder: Path, slice_folder: Path, tmp_path: Path) -> None:
    guided, guide = load_checkpoint(guided_folder), load_checkpoint(tmp_path / "other").network.state_dict()

    assert guided.guide is not None
    assert all(torch.equal(weights, guide[name]) for name, weights in guided.guide.state_dict().items())
    assert load_checkpoint(slice_folder).guide is None
    assert guided.sha256 != read_manifest(slice_folder)["sha256"]


def test_a_guide_that_is_missing_or_another_is_refused(guided_folder: Path, slice_folder: Path) -> None:
    (guided_folder / "guide.safetensors").write_bytes((slice_folder / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match=r"guide\.safetensors .* was altered"):
        load_checkpoint(guided_folder)

    (guided_folder / "guide.safetensors").unlink()
    with pytest.raises(InputError, match=r"guide\.safetensors is missing"):
        load_checkpoint(guided_folder)
