"""Tiny seeded checkpoints, for tests of everything around the network."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from engine.checkpoint import CheckpointConfig, save_checkpoint
from engine.codec import IdentityCodec
from engine.network import ConditionedUNet, NetworkConfig
from engine.window import WindowGrid

TINY_NETWORK = NetworkConfig(blocks=(8, 16), layers=1, first_attention_level=1, heads=2, token_width=8, norm_groups=4)


def save_tiny_checkpoint(folder: Path, seed: int = 0) -> Path:
    """Write a checkpoint of a few thousand random weights that loads in milliseconds, and return its folder."""
    torch.manual_seed(seed)
    grid, codec = WindowGrid(), IdentityCodec()
    network = ConditionedUNet(TINY_NETWORK, codec, grid.size)
    config = CheckpointConfig(
        name="tiny",
        grid=asdict(grid),
        codec=asdict(codec),
        network=asdict(TINY_NETWORK),
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
