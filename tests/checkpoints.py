"""Tiny seeded checkpoints, for tests of everything around the network."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.vq_model import VQModel

from engine.checkpoint import CheckpointConfig, save_checkpoint
from engine.codec import IdentityCodec
from engine.network import ConditionedUNet, NetworkConfig
from engine.vq_codec import LatentStatistics, VQCodec
from engine.window import WindowGrid

TINY_NETWORK = NetworkConfig(blocks=(8, 16), layers=1, first_attention_level=1, heads=2, token_width=8, norm_groups=4)


def save_tiny_checkpoint(folder: Path, seed: int = 0, context_channels: int = 2) -> Path:
    """Write a checkpoint of a few thousand random weights that loads in milliseconds, and return its folder."""
    torch.manual_seed(seed)
    grid, codec = WindowGrid(), IdentityCodec()
    shape = replace(TINY_NETWORK, context_channels=context_channels)
    network = ConditionedUNet(shape, codec, grid.size)
    config = CheckpointConfig(
        name="tiny",
        grid=asdict(grid),
        codec=asdict(codec),
        network=asdict(shape),
        scheduler={
            "num_train_timesteps": 1000,
            "beta_schedule": "squaredcos_cap_v2",
            "prediction_type": "v_prediction",
            "beta_start": 0.0001,
            "beta_end": 0.02,
        },
        training={"samples_seen": 0, "data": "none: random weights for tests"},
    )
    save_checkpoint(folder, config, network.state_dict())
    return folder


_COMPONENTS = ((1.0, 0.1, 0.0), (-0.1, 0.9, 0.2), (0.0, -0.2, 0.8))


def tiny_vq_codec(seed: int = 0) -> VQCodec:
    """A VQ-VAE of 50,000 random weights; its latents are spread as those of a trained one."""
    torch.manual_seed(seed)
    vqvae = VQModel(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 8, 16),
        norm_num_groups=4,
        latent_channels=3,
        num_vq_embeddings=32,
    )
    vqvae.quantize.embedding.weight.data.normal_()
    statistics = LatentStatistics((0.0, 0.1, 0.2), _COMPONENTS, (0.1, 0.2, -0.3), -0.4)
    return VQCodec(vqvae, statistics).eval().requires_grad_(False)


def save_tiny_slice_checkpoint(
    folder: Path, conditioning: str = "tokens", size: int = 64, seed: int = 0, **changes: Any
) -> Path:
    """Write a slice generator that loads in milliseconds, and return its folder; `changes` are of its configuration."""
    codec = tiny_vq_codec(seed)
    shape = replace(TINY_NETWORK, conditioning=conditioning, context_channels=1)
    network = ConditionedUNet(shape, codec, size)
    config = CheckpointConfig(
        name="tiny slice",
        kind="slice",
        grid={"size": size},
        codec={"kind": "vqvae", **codec.settings()},
        network=asdict(shape),
        scheduler={
            "num_train_timesteps": 1000,
            "beta_schedule": "scaled_linear",
            "prediction_type": "epsilon",
            "beta_start": 0.0015,
            "beta_end": 0.0195,
        },
        training={"samples_seen": 0, "data": "none: random weights for tests"},
    )
    save_checkpoint(folder, replace(config, **changes), network.state_dict(), codec.state_dict())
    return folder
