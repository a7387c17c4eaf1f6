"""Tiny seeded networks: what each conditioning lets through, and what it must not."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.codec import Codec, IdentityCodec
from engine.conditioning import score_levels
from engine.network import CONDITIONINGS, ConditionedUNet, NetworkConfig
from tests.checkpoints import TINY_NETWORK, tiny_vq_codec

SIZE = 32
SCORES = score_levels((4, 4, 1, 2, 5))
OTHER_SCORES = score_levels((4, 4, 1, 2, 1))


@pytest.fixture(scope="module")
def codec() -> Codec:
    """Of 2 x 2 latents a position."""
    codec = tiny_vq_codec()
    codec.pixels = replace(codec.pixels, patch=2)
    return codec


def network(conditioning: str, codec: Codec) -> ConditionedUNet:
    torch.manual_seed(0)
    return ConditionedUNet(replace(TINY_NETWORK, conditioning=conditioning, context_channels=1), codec, SIZE).eval()


@torch.no_grad()
def predict(net: ConditionedUNet, scores: Tensor = SCORES, box: float = 1.0, features: float = 0.0) -> Tensor:
    torch.manual_seed(1)
    noisy, context = torch.randn(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    context[..., 2:4, 2:4] = box
    return net(noisy, torch.tensor([500]), context, scores, torch.full((1, 4), features))


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_latents_go_in_and_come_out(conditioning: str, codec: Codec) -> None:
    predicted = predict(network(conditioning, codec))

    assert predicted.shape == (1, 3, 8, 8)
    assert torch.isfinite(predicted).all()


@pytest.mark.parametrize(
    ("conditioning", "golden"),
    [
        ("tokens", (-0.3346, -0.1596, -0.0142)),
        ("paper-1", (0.0598, -0.427, -0.5666)),
        ("paper-2", (0.3924, -0.1487, -0.0935)),
        ("paper-3", (0.683, -0.283, 0.4413)),
    ],
)
def test_a_seeded_network_gives_what_it_always_gave(
    conditioning: str, golden: tuple[float, float, float], codec: Codec
) -> None:
    predicted = predict(network(conditioning, codec))

    assert predicted[0, :, 3, 3].tolist() == pytest.approx(golden, abs=2e-3)


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_the_mask_always_enters(conditioning: str, codec: Codec) -> None:
    net = network(conditioning, codec)

    assert not torch.equal(predict(net), predict(net, box=0.0))


@pytest.mark.parametrize(
    ("conditioning", "scores_enter"), [("tokens", True), ("paper-1", False), ("paper-2", False), ("paper-3", True)]
)
def test_scores_enter_where_they_should(conditioning: str, scores_enter: bool, codec: Codec) -> None:
    net = network(conditioning, codec)

    assert torch.equal(predict(net), predict(net, OTHER_SCORES)) is not scores_enter
    assert net.config.sees_attributes is scores_enter


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_only_ours_is_told_the_box_in_numbers(conditioning: str, codec: Codec) -> None:
    net = network(conditioning, codec)

    assert torch.equal(predict(net), predict(net, features=1.0)) is (conditioning != "tokens")


@pytest.mark.parametrize("conditioning", ["paper-1", "paper-2", "paper-3"])
def test_the_mask_is_in_cross_attention_from_configuration_2_on(conditioning: str, codec: Codec) -> None:
    """With the input channel of the mask cut off, only cross-attention can tell of it."""
    net = network(conditioning, codec)
    net.unet.conv_in.weight.data[:, -4:] = 0

    assert torch.equal(predict(net), predict(net, box=0.0)) is (conditioning == "paper-1")


def test_the_codec_is_not_part_of_the_network(codec: Codec) -> None:
    net = network("tokens", codec)

    assert {name.split(".")[0] for name in net.state_dict()} == {"tokens", "unet"}


def test_the_nodule_generator_keeps_its_names_and_shapes() -> None:
    """Checkpoints are loaded by them."""
    net = ConditionedUNet(NetworkConfig(), IdentityCodec(), 64)

    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}

    assert len(shapes) == 335
    assert shapes["tokens.attributes.weight"] == (30, 64)
    assert shapes["tokens.box.2.weight"] == (64, 64)
    assert shapes["unet.conv_in.weight"] == (64, 12, 3, 3)
    assert shapes["unet.conv_out.weight"] == (4, 64, 3, 3)
    assert shapes["unet.class_embedding.linear_1.weight"] == (256, 6 * 64)


def test_an_unknown_conditioning_is_refused() -> None:
    with pytest.raises(ValueError, match="conditioning is 'paper-4'"):
        NetworkConfig(conditioning="paper-4")
