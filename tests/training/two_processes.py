"""Run by `test_train_slice` under ``accelerate launch``: two steps of a tiny run, and what each process saw and has."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import torch

from engine.vq_codec import LatentStatistics, VQCodec
from tests.checkpoints import TINY_NETWORK
from training import slice_latents
from training.prepared import PreparedSlices
from training.slice_loss import CONFIGURATIONS
from training.train_slice import SliceTrainer
from training.vqvae_statistics import measure_statistics


def measure_otherwise(codec: VQCodec, slices: PreparedSlices) -> LatentStatistics:
    """As on a GPU, where sums differ a little: by chance there, by process here."""
    measured = measure_statistics(codec, slices)
    return replace(measured, preview_bias=measured.preview_bias + 1e-6 * int(os.environ["RANK"]))


def main(data: Path, vqvae: str, latents: Path, out: Path) -> None:
    slice_latents.measure_statistics = measure_otherwise
    options = replace(CONFIGURATIONS["1"], samples=8, batch=4, variants=2)
    trainer = SliceTrainer(options, data, vqvae, out / "run", latents, TINY_NETWORK)
    accelerator = trainer.run.accelerator
    noisy = trainer.draw().noisy
    for _ in trainer.run.steps_until(options.steps):
        trainer.train_step()
    trainer.save()
    seen = {"processes": accelerator.num_processes, "noisy": noisy, "network": trainer.run.network.state_dict()}
    seen["codec"] = trainer.codec.settings()
    torch.save(seen, out / f"process-{accelerator.process_index}.pt")
    trainer.run.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
