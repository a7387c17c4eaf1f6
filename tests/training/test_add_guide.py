"""A checkpoint gets an earlier one of its own training as its guide, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.checkpoint import CODEC_WEIGHTS, config_of, load_checkpoint, read_manifest, save_checkpoint
from engine.denoiser import make_slice_denoiser
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


#: As `training.train_slice` writes it where attributes were never dropped.
NEVER_WITHOUT = {"guidance_highest_t": -1, "largest_x0": 3.0}


@pytest.mark.parametrize("conditioning", ["paper-1", "paper-2"])
def test_a_network_without_attributes_is_led_away_from_its_guide(tmp_path: Path, conditioning: str) -> None:
    own = save_tiny_slice_checkpoint(tmp_path / "own", conditioning, sampling=NEVER_WITHOUT)
    guide = save_tiny_slice_checkpoint(tmp_path / "guide", conditioning, sampling=NEVER_WITHOUT)
    config, weights = config_of(read_manifest(guide)), load_checkpoint(guide).network.state_dict()
    earlier = {name: tensor * 0.5 for name, tensor in weights.items()}
    save_checkpoint(guide, config, earlier, load_file(guide / CODEC_WEIGHTS))

    assert main(["--checkpoint", str(own), "--guide", str(guide), "--out", str(tmp_path / "guided")]) == 0

    guided = load_checkpoint(tmp_path / "guided")
    noisy = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    boxes, spacing_mm, levels = torch.tensor([[20, 20, 40, 40]]), torch.tensor([1.4]), torch.full((1, 5), 3)
    with torch.inference_mode():
        alone, led = (
            make_slice_denoiser(guided, boxes, spacing_mm, levels, guidance)(noisy, torch.tensor(500))
            for guidance in (1.0, 3.0)
        )
    assert not torch.allclose(alone, led, atol=1e-3)
    assert guided.config.sampling["largest_x0"] == 3


def test_a_network_that_was_never_without_attributes_gets_no_guide(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = save_tiny_slice_checkpoint(tmp_path / "own", "paper-3", sampling=NEVER_WITHOUT)

    assert main(["--checkpoint", str(own), "--guide", str(own), "--out", str(tmp_path / "guided")]) == 2

    assert "was never trained without attributes" in capsys.readouterr().err
    assert not (tmp_path / "guided").exists()


def test_a_guide_that_has_seen_more_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = save_tiny_slice_checkpoint(tmp_path / "own", training={"samples_seen": 4000})
    later = save_tiny_slice_checkpoint(tmp_path / "later", training={"samples_seen": 6000})
    out = tmp_path / "guided"

    assert main(["--checkpoint", str(own), "--guide", str(later), "--out", str(out)]) == 2
    assert "has seen 6,000 samples and is not an earlier state" in capsys.readouterr().err
    assert not out.exists()
    assert main(["--checkpoint", str(later), "--guide", str(own), "--out", str(out)]) == 0


def test_a_guide_of_another_training_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = save_tiny_slice_checkpoint(tmp_path / "own")
    other = save_tiny_slice_checkpoint(tmp_path / "other", seed=1)  # of another VQ-VAE

    assert main(["--checkpoint", str(own), "--guide", str(other), "--out", str(tmp_path / "guided")]) == 2

    assert "is not an earlier state of" in capsys.readouterr().err
    assert not (tmp_path / "guided").exists()
