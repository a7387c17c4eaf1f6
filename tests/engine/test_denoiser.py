"""How often the network runs, on what, and with which attributes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.checkpoint import Checkpoint, load_checkpoint
from engine.conditioning import score_levels
from engine.denoiser import make_denoiser, make_slice_denoiser
from engine.device import Device
from engine.outline import draw_outlines
from engine.sampling import Denoiser
from tests.checkpoints import save_tiny_checkpoint, save_tiny_slice_checkpoint

BOX = torch.tensor([[20.0, 20.0, 40.0, 40.0]])
SPACING = torch.tensor([0.7])
LEVELS = score_levels((4, 4, 1, 2, 5))


@pytest.fixture(scope="module")
def nodule(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    # In bf16, a batch of two may be rounded otherwise than a batch of one.
    float32 = Device(torch.device("cpu"), torch.float32, "CPU")
    return load_checkpoint(save_tiny_checkpoint(tmp_path_factory.mktemp("nodule")), float32)


class Watched(nn.Module):
    """A network that counts what it is given."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network, self.config = network, network.config
        self.levels: list[list[list[int]]] = []
        self.contexts: list[Tensor] = []

    def forward(self, noisy: Tensor, step: Tensor, context: Tensor, levels: Tensor, features: Tensor) -> Tensor:
        assert len(noisy) == len(step) == len(context) == len(levels) == len(features)
        self.levels.append(levels.tolist())
        self.contexts.append(context)
        return self.network(noisy, step, context, levels, features)


def watch(checkpoint: Checkpoint, guidance: float, **sampling: Any) -> tuple[Denoiser, Watched]:
    network: Any = Watched(checkpoint.network)
    watched = replace(checkpoint, network=network, config=replace(checkpoint.config, sampling=sampling))
    if checkpoint.config.kind == "slice":
        return make_slice_denoiser(watched, BOX, SPACING, LEVELS, guidance), network
    return make_denoiser(watched, torch.full((1, 1, 64, 64), -850.0), BOX, SPACING, LEVELS, guidance, [0]), network


def run(denoiser: Denoiser, t: int, channels: int = 1, size: int = 64) -> Tensor:
    noisy = torch.randn(1, channels, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return denoiser(noisy, torch.tensor(t))


def test_guidance_is_one_batch_with_and_without_attributes(nodule: Checkpoint) -> None:
    denoiser, network = watch(nodule, guidance=2.0)

    run(denoiser, 999)

    assert network.levels == [[[4, 4, 1, 2, 5], [0] * 5]]


def test_guidance_leads_away_from_what_no_attributes_give(nodule: Checkpoint) -> None:
    given, twice, none = (run(watch(nodule, guidance)[0], 500) for guidance in (1.0, 2.0, 0.0))

    assert torch.allclose(twice, none + 2 * (given - none), atol=1e-4)


def test_above_the_interval_the_network_runs_once(nodule: Checkpoint) -> None:
    denoiser, network = watch(nodule, 2.0, guidance_highest_t=800)
    plain, _ = watch(nodule, 1.0)

    assert torch.equal(run(denoiser, 801), run(plain, 801))
    assert not torch.equal(run(denoiser, 800), run(plain, 800))
    assert [len(levels) for levels in network.levels] == [1, 2]


def test_a_network_that_knows_outlines_is_led_from_none_to_that_of_the_seed(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(save_tiny_checkpoint(tmp_path, context_channels=3))
    denoiser, network = watch(checkpoint, guidance=2.0)

    run(denoiser, 500)

    outline = draw_outlines(LEVELS, BOX, SPACING, [0], 64)
    assert outline.any()
    shaped, unshaped = network.contexts[0]
    assert torch.equal(shaped[2:].float(), outline[0])
    assert not unshaped[2:].any()
    assert torch.equal(shaped[:2], unshaped[:2])


def test_a_network_that_knows_no_outlines_is_given_none(nodule: Checkpoint) -> None:
    denoiser, network = watch(nodule, guidance=2.0)

    run(denoiser, 500)

    assert not network.contexts[0][:, 2:].any()


@pytest.mark.parametrize(("conditioning", "times"), [("tokens", 2), ("paper-1", 1), ("paper-2", 1), ("paper-3", 2)])
def test_only_networks_that_see_attributes_are_guided(
    tmp_path_factory: pytest.TempPathFactory, conditioning: str, times: int
) -> None:
    checkpoint = load_checkpoint(save_tiny_slice_checkpoint(tmp_path_factory.mktemp("slice"), conditioning))
    denoiser, network = watch(checkpoint, guidance=2.0)

    predicted = run(denoiser, 500, channels=3, size=16)

    assert predicted.shape == (1, 3, 16, 16)
    assert [len(levels) for levels in network.levels] == [times]


@pytest.mark.parametrize("conditioning", ["tokens", "paper-1"])
def test_a_guide_is_what_guidance_leads_away_from(tmp_path: Path, conditioning: str) -> None:
    float32 = Device(torch.device("cpu"), torch.float32, "CPU")
    plain, other = (
        load_checkpoint(save_tiny_slice_checkpoint(tmp_path / str(seed), conditioning, seed=seed), float32)
        for seed in (0, 1)
    )
    guide: Any = Watched(other.network)
    guided, network = watch(replace(plain, guide=guide), guidance=2.0)
    without = make_slice_denoiser(other, BOX, SPACING, torch.zeros_like(LEVELS), 1.0)

    predicted, given, none = (run(one, 500, 3, 16) for one in (guided, watch(plain, 1.0)[0], without))

    assert torch.allclose(predicted, none + 2 * (given - none), atol=1e-4)
    assert (network.levels, guide.levels) == ([[[4, 4, 1, 2, 5]]], [[[0] * 5]])


def test_the_largest_x0_of_the_manifest_holds(nodule: Checkpoint) -> None:
    free, _ = watch(nodule, 1.0)
    limited, _ = watch(nodule, 1.0, largest_x0=0.01)

    assert not torch.allclose(run(free, 500), run(limited, 500), atol=0.01)
