"""A checkpoint gets an earlier one of its own training as its guide, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.checkpoint import load_checkpoint, read_manifest
from tests.checkpoints import save_tiny_checkpoint, save_tiny_slice_checkpoint
from training.add_guide import main


def test_the_guided_checkpoint_has_the_weights_of_both(tmp_path: Path) -> None:
    own, earlier = save_tiny_checkpoint(tmp_path / "own"), save_tiny_checkpoint(tmp_path / "earlier", seed=1)

    assert main(["--checkpoint", str(own), "--guide", str(earlier), "--out", str(tmp_path / "guided")]) == 0

    guided = load_checkpoint(tmp_path / "guided")
    assert guided.guide is not None
    for network, folder in ((guided.network, own), (guided.guide, earlier)):
        weights = load_checkpoint(folder).network.state_dict()
        assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in weights.items())
    assert guided.config.name == "guided"
    assert guided.config.training["guide"] == {"samples_seen": 0, "sha256": read_manifest(earlier)["sha256"]}


def test_a_slice_generator_keeps_its_vqvae_and_may_be_guided_where_it_is(tmp_path: Path) -> None:
    own, same = save_tiny_slice_checkpoint(tmp_path / "own"), save_tiny_slice_checkpoint(tmp_path / "same")

    assert main(["--checkpoint", str(own), "--guide", str(same), "--out", str(own)]) == 0

    guided, before = load_checkpoint(own), load_checkpoint(same)
    assert guided.guide is not None
    assert guided.codec.settings() == before.codec.settings()
    for network in (guided.network, guided.guide):
        weights = before.network.state_dict()
        assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())


def test_a_guide_of_another_training_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = save_tiny_slice_checkpoint(tmp_path / "own")
    other = save_tiny_slice_checkpoint(tmp_path / "other", seed=1)  # of another VQ-VAE

    assert main(["--checkpoint", str(own), "--guide", str(other), "--out", str(tmp_path / "guided")]) == 2

    assert "is not an earlier state of" in capsys.readouterr().err
    assert not (tmp_path / "guided").exists()
