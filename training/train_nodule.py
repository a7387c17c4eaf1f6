"""Train the nodule generator.

    python -m training.train_nodule --data lidc_nodule_crops.parquet --run runs/nodule --samples 200000

Everything that a run is lies in its folder: options, state (network, optimizer, EMA, step), TensorBoard scalars,
contact sheets, and `checkpoint/`, the newest EMA weights as the studio loads them. Starting it again with the same
folder takes it up at the step where it was saved. Under ``accelerate launch`` it runs on several processes.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from engine.checkpoint import Checkpoint, CheckpointConfig, load_checkpoint, save_checkpoint
from engine.codec import IdentityCodec
from engine.device import Device
from engine.network import ConditionedUNet, NetworkConfig
from engine.window import WindowGrid
from training.nodule_crops import NoduleCrops, load_crops, sampling_weights
from training.nodule_loss import (
    TrainingOptions,
    drop_attributes,
    learning_rate_at,
    loss_of,
    make_inputs,
    make_training_scheduler,
    predict,
    validation_errors,
)
from training.nodule_samples import draw_batch
from training.training_sheet import make_contact_sheet

#: The network of the checkpoint that comes with the studio.
STUDIO_NETWORK = NetworkConfig()


class Trainer:
    """A run: network, optimizer and EMA, and the step they are at."""

    def __init__(self, options: TrainingOptions, crops: NoduleCrops, run: Path, network: NetworkConfig) -> None:
        torch.manual_seed(options.seed)
        self.options, self.crops, self.run = options, crops, run
        self.accelerator = Accelerator(mixed_precision="bf16", cpu=not _has_accelerator())
        self.grid, self.codec, self.config = WindowGrid(), IdentityCodec(), network
        self.scheduler = make_training_scheduler(options)
        model: Any = ConditionedUNet(self.config, self.codec, self.grid.size)
        model = model.to(memory_format=torch.channels_last)
        averaging: dict[str, Any] = {"use_ema_warmup": True, "power": 0.75, "foreach": True}
        self.ema = EMAModel(model.parameters(), decay=options.ema_decay, **averaging)
        optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=0.01, fused=True)
        self.network, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.weights = sampling_weights(crops)
        self.step = 0

    def train_step(self) -> float:
        """Draw a batch, take a step, and return the loss. What is drawn depends on seed and step alone."""
        options, rank = self.options, self.accelerator.process_index
        count = options.batch // self.accelerator.num_processes
        drawn = np.random.default_rng([options.seed, self.step, rank])
        samples = draw_batch(self.crops, self.weights, self.grid, count, drawn)
        generator = torch.Generator().manual_seed(int(drawn.integers(2**62)))
        noise = torch.randn(samples.hu.shape, generator=generator)
        step = torch.randint(0, 1000, (count,), generator=generator)
        levels = drop_attributes(samples.levels, options, generator)
        inputs = make_inputs(samples, self.codec, self.scheduler, step, noise, levels).to(self.accelerator.device)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(self.step, options)
        loss = loss_of(predict(self.network, inputs), inputs, options)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.step(self.accelerator.unwrap_model(self.network).parameters())
        self.step += 1
        return loss.item()

    def save(self) -> None:
        """Write state and EMA checkpoint; a run killed while writing keeps the state before."""
        if not self.accelerator.is_main_process:
            return
        network = self.accelerator.unwrap_model(self.network)
        state = {
            "step": self.step,
            "network": network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.state_dict(),
        }
        torch.save(state, self.run / "state.new")
        (self.run / "state.new").replace(self.run / "state.pt")
        with ema_weights(self.ema, network):
            save_checkpoint(self.run / "checkpoint", self.checkpoint_config(), network.state_dict())

    def resume(self, start_from: Path | None) -> None:
        """Go on from the state in the run's folder; without one, from a checkpoint if one is given."""
        if not (self.run / "state.pt").exists():
            if start_from:
                self._start_from(start_from)
            return
        state = torch.load(self.run / "state.pt", map_location=self.accelerator.device, weights_only=True)
        self.accelerator.unwrap_model(self.network).load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.load_state_dict(state["ema"])
        self.step = state["step"]

    def _start_from(self, folder: Path) -> None:
        """Take weights and the count of samples from a checkpoint; moments and averages start anew."""
        loaded = load_checkpoint(folder, Device(self.accelerator.device, torch.float32, ""))
        network = self.accelerator.unwrap_model(self.network)
        network.load_state_dict(loaded.network.state_dict())
        self.ema.shadow_params = [parameter.clone().detach() for parameter in network.parameters()]
        self.step = loaded.config.training["samples_seen"] // self.options.batch

    def as_checkpoint(self) -> Checkpoint:
        """Return the network as the engine sees it, in training's own precision."""
        device = Device(self.accelerator.device, torch.float32, str(self.accelerator.device))
        network = self.accelerator.unwrap_model(self.network)
        return Checkpoint(self.checkpoint_config(), "", network, self.grid, self.codec, device)

    def checkpoint_config(self) -> CheckpointConfig:
        """Describe the checkpoint as it is now."""
        names = ("num_train_timesteps", "beta_schedule", "prediction_type", "beta_start", "beta_end")
        return CheckpointConfig(
            name="nodule",
            grid=asdict(self.grid),
            codec=asdict(self.codec),
            network=asdict(self.config),
            scheduler={name: self.scheduler.config[name] for name in names},
            training={
                "samples_seen": self.step * self.options.batch,
                "data": "LIDC-IDRI nodule crops, patients held out by hash",
                "options": asdict(self.options),
            },
        )


def _has_accelerator() -> bool:
    return torch.cuda.is_available() or torch.backends.mps.is_available()


class ema_weights:
    """Within this block, the network has the averaged weights."""

    def __init__(self, ema: EMAModel, network: torch.nn.Module) -> None:
        self._ema, self._network = ema, network

    def __enter__(self) -> None:
        self._ema.store(self._network.parameters())
        self._ema.copy_to(self._network.parameters())

    def __exit__(self, *_: object) -> None:
        self._ema.restore(self._network.parameters())


def train(
    options: TrainingOptions,
    data: Path,
    run: Path,
    save_every: float = 180,
    validate_every: int = 500,
    validate_on: int = 192,
    stop_at: int | None = None,
    start_from: Path | None = None,
    network: NetworkConfig = STUDIO_NETWORK,
) -> None:
    """Train until `options.samples` have been seen, from where the run stopped.

    Parameters
    ----------
    data : ``lidc_nodule_crops.parquet``
    run : the run's folder
    save_every : seconds between saved states
    validate_every : steps between validations
    validate_on : held-out cases in a validation
    stop_at : step to stop at before the end, to be taken up later
    start_from : checkpoint to go on from where the run has no state of its own
    network : shape of the network
    """
    run.mkdir(parents=True, exist_ok=True)
    (run / "options.json").write_text(json.dumps(asdict(options), indent=2) + "\n")
    trainer = Trainer(options, load_crops(data, held_out=False), run, network)
    held_out = load_crops(data, held_out=True)
    trainer.resume(start_from)
    writer = SummaryWriter(str(run / "scalars"))
    last_saved = time.monotonic()
    last = min(options.steps, stop_at or options.steps)
    main = trainer.accelerator.is_main_process
    with _listening_for_stop() as asked_to_stop:
        for _ in tqdm(range(trainer.step, last), initial=trainer.step, total=options.steps, disable=not main):
            writer.add_scalar("loss", trainer.train_step(), trainer.step)
            done = trainer.step == last
            if done or asked_to_stop or time.monotonic() - last_saved > save_every:
                trainer.save()
                last_saved = time.monotonic()
            if asked_to_stop:
                break
            if main and (done or trainer.step % validate_every == 0):
                _validate(trainer, held_out, validate_on, writer)
    writer.close()


@contextmanager
def _listening_for_stop() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM: a run ends after the step that it is in, its state saved."""
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _validate(trainer: Trainer, held_out: NoduleCrops, count: int, writer: SummaryWriter) -> None:
    network = trainer.accelerator.unwrap_model(trainer.network)
    with ema_weights(trainer.ema, network):
        errors = validation_errors(network, held_out, trainer.codec, trainer.scheduler, trainer.grid, count)
        sheet = make_contact_sheet(trainer.as_checkpoint(), held_out, columns=min(12, count))
    for name, value in errors.items():
        writer.add_scalar(f"held_out_v_error/{name}_attributes", value, trainer.step)
    entry = {"step": trainer.step, "samples": trainer.step * trainer.options.batch, **errors}
    with (trainer.run / "held_out.jsonl").open("a") as log:
        log.write(json.dumps(entry) + "\n")
    sheets = trainer.run / "sheets"
    sheets.mkdir(exist_ok=True)
    sheet.save(sheets / f"{trainer.step:07d}.png")


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="lidc_nodule_crops.parquet")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--save-every", type=int, default=180, help="seconds between saved states")
    parser.add_argument("--start-from", type=Path, help="checkpoint to go on from, if the run has no state of its own")
    parser.add_argument("--validate-every", type=int, default=500, help="steps between validations")
    for field in fields(TrainingOptions):
        kind = type(field.default)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    given = vars(parser.parse_args())
    options = TrainingOptions(**{field.name: given.pop(field.name) for field in fields(TrainingOptions)})
    train(options, **given)


if __name__ == "__main__":
    main()
