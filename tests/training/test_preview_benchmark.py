"""What `tests.benchmarks.bench_preview` measures; how long it takes counts for nothing here."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.checkpoint import DEFAULT_SLICE_CHECKPOINT, read_manifest
from engine.network import ConditionedUNet
from engine.vq_codec import VQCodec
from tests.benchmarks import bench_preview


def test_the_studios_own_network_and_vqvae_are_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured: list[Any] = []

    def note(forward: Any) -> Any:
        def run(module: Any, *inputs: torch.Tensor) -> torch.Tensor:
            measured.append(module)
            return forward(module, *inputs)

        return run

    monkeypatch.setattr("sys.argv", ["bench_preview", "--runs", "1"])
    monkeypatch.setattr(ConditionedUNet, "forward", note(ConditionedUNet.forward))
    monkeypatch.setattr(VQCodec, "preview", note(VQCodec.preview))

    bench_preview.main()

    manifest = read_manifest(DEFAULT_SLICE_CHECKPOINT)
    network = next(module for module in measured if isinstance(module, ConditionedUNet))
    codec = next(module for module in measured if isinstance(module, VQCodec))
    blocks = [block.resnets[0].out_channels for block in network.unet.down_blocks]
    assert blocks == manifest["network"]["blocks"]
    assert list(codec.vqvae.config.block_out_channels) == manifest["codec"]["model"]["block_out_channels"]
    assert "preview / step: " in capsys.readouterr().out
