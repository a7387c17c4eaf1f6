"""Run by `test_train_slice` under ``accelerate launch``: two steps of a tiny run, and what each process saw and has."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch

from tests.checkpoints import TINY_NETWORK
from training.slice_loss import CONFIGURATIONS
from training.train_slice import SliceTrainer


def main(data: Path, vqvae: str, latents: Path, out: Path) -> None:
    options = replace(CONFIGURATIONS["1"], samples=8, batch=4, variants=2)
    trainer = SliceTrainer(options, data, vqvae, out / "run", latents, TINY_NETWORK)
    accelerator = trainer.run.accelerator
    noisy = trainer.draw().noisy
    for _ in trainer.run.steps_until(options.steps):
        trainer.train_step()
    trainer.save()
    seen = {"processes": accelerator.num_processes, "noisy": noisy, "network": trainer.run.network.state_dict()}
    torch.save(seen, out / f"process-{accelerator.process_index}.pt")
    trainer.run.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
