import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint, read_manifest
from engine.errors import InputError
from tests.checkpoints import save_tiny_checkpoint


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


@pytest.mark.skipif(not DEFAULT_CHECKPOINT.exists(), reason="the embedded checkpoint is not in this tree")
def test_the_embedded_checkpoint_is_whole() -> None:
    assert read_manifest(DEFAULT_CHECKPOINT)["training"]["samples_seen"] > 0
    assert (DEFAULT_CHECKPOINT / "README.md").read_text().startswith("# ")
