"""Train the nodule generator.

    python -m training.train_nodule --data lidc_nodule_crops.parquet --run runs/nodule --samples 200000

Everything that a run is lies in its folder: options, state (network, optimizer, EMA, step), TensorBoard scalars,
contact sheets, and `checkpoint/`, the newest EMA weights as the studio loads them. Starting it again with the same
folder takes it up at the step where it was saved. Under ``accelerate launch`` it runs on several processes.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from engine.checkpoint import CheckpointConfig, save_checkpoint
from engine.codec import IdentityCodec
from engine.conditioning import box_features, box_mask, context_channels
from engine.network import ConditionedUNet, NetworkConfig
from engine.sampling import estimate_x0
from engine.window import WindowGrid
from training.nodule_crops import NoduleCrops, load_crops, sampling_weights
from training.nodule_samples import Samples, draw_batch, fixed_batch


@dataclass(frozen=True)
class TrainingOptions:
    """Everything that influences the weights; saved with the run.

    Attributes
    ----------
    samples : how many samples are seen in all; the rate falls to zero over the last fifth of them
    batch : samples a step, over all processes
    learning_rate : of AdamW, after a warm-up of 300 steps
    prediction : what the network predicts: v_prediction, epsilon or sample
    schedule : diffusers' noise schedule: squaredcos_cap_v2, linear or scaled_linear
    weighting : of the loss. box: mean inside the box plus `outside` times mean outside; box5: five times heavier
        in the box; none: everywhere the same
    outside : see weighting
    min_snr : gamma of min-SNR weighting (Hang et al. 2023); 0 switches it off
    drop_all, drop_one : how often all attributes are dropped together, and each on its own
    ema_decay : of the averaged weights
    seed : of everything drawn
    """

    samples: int = 200_000
    batch: int = 16
    learning_rate: float = 3e-4
    prediction: str = "v_prediction"
    schedule: str = "squaredcos_cap_v2"
    weighting: str = "box"
    outside: float = 0.1
    min_snr: float = 0.0
    drop_all: float = 0.15
    drop_one: float = 0.1
    ema_decay: float = 0.9995
    seed: int = 0

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.samples // self.batch


def learning_rate_at(step: int, options: TrainingOptions) -> float:
    """Warm-up, plateau, and a linear fall to zero over the last fifth of the steps."""
    warm_up = min(1.0, (step + 1) / 300)
    fall = min(1.0, (options.steps - step) / max(1, options.steps // 5))
    return options.learning_rate * warm_up * fall


@dataclass(frozen=True)
class NetworkInputs:
    """What the network is given, and what goes into the loss; see `ConditionedUNet.forward`."""

    target: Tensor
    noisy: Tensor
    step: Tensor
    context: Tensor
    levels: Tensor
    features: Tensor
    mask: Tensor
    known: Tensor
    alpha_bar: Tensor


def make_inputs(
    samples: Samples, codec: IdentityCodec, scheduler: DDPMScheduler, step: Tensor, noise: Tensor, levels: Tensor
) -> NetworkInputs:
    """Noise a batch to the time steps given, (N,), with the noise given, (N, 1, size, size)."""
    size = samples.hu.shape[-1]
    clean: Any = codec.encode(samples.hu)
    mask = box_mask(samples.boxes, size)
    noisy = scheduler.add_noise(clean, noise, step)  # type: ignore[arg-type]
    targets = {"v_prediction": scheduler.get_velocity(clean, noise, step), "epsilon": noise, "sample": clean}  # type: ignore[arg-type]
    return NetworkInputs(
        target=targets[scheduler.config["prediction_type"]],
        noisy=noisy,
        step=step,
        context=context_channels(clean, mask),
        levels=levels,
        features=box_features(samples.boxes, samples.spacing_mm, size),
        mask=mask,
        known=samples.known.float(),
        alpha_bar=scheduler.alphas_cumprod[step],
    )


def drop_attributes(levels: Tensor, options: TrainingOptions, generator: torch.Generator) -> Tensor:
    """Set scores, (N, 5), to "not given" at random: all of a sample (for guidance), and single ones."""
    everything = torch.rand(len(levels), 1, generator=generator) < options.drop_all
    single = torch.rand(levels.shape, generator=generator) < options.drop_one
    return torch.where(everything | single, 0, levels)


def loss_of(prediction: Tensor, inputs: NetworkInputs, options: TrainingOptions) -> Tensor:
    """Weighted mean squared error, a number; what lies off the crop does not count."""
    error = (prediction - inputs.target) ** 2 * inputs.known
    inside, outside = inputs.mask * inputs.known, (1 - inputs.mask) * inputs.known
    if options.weighting == "box":
        # Each box counts the same: a box of 6 mm has a fortieth of the pixels of one of 30 mm.
        mean_inside = (error * inside).sum((1, 2, 3)) / inside.sum((1, 2, 3)).clamp(min=1)
        mean_outside = (error * outside).sum((1, 2, 3)) / outside.sum((1, 2, 3)).clamp(min=1)
        each = mean_inside + options.outside * mean_outside
    else:
        heavier = 4.0 if options.weighting == "box5" else 0.0
        each = (error * (1 + heavier * inputs.mask)).mean((1, 2, 3))
    return (each * snr_weight(inputs.alpha_bar, options)).mean()


def snr_weight(alpha_bar: Tensor, options: TrainingOptions) -> Tensor:
    """Min-SNR weights, (N,) (Hang et al. 2023, section 3.4), for the prediction type."""
    if not options.min_snr:
        return torch.ones_like(alpha_bar)
    snr = alpha_bar / (1 - alpha_bar)
    clipped = snr.clamp(max=options.min_snr)
    divisor = {"v_prediction": snr + 1, "epsilon": snr, "sample": torch.ones_like(snr)}[options.prediction]
    return clipped / divisor


def make_training_scheduler(options: TrainingOptions) -> DDPMScheduler:
    """Return the noise schedule of 1000 steps."""
    settings: Any = {"beta_schedule": options.schedule, "prediction_type": options.prediction}
    return DDPMScheduler(**settings, clip_sample=False)


class Trainer:
    """A run: network, optimizer and EMA, and the step they are at."""

    def __init__(self, options: TrainingOptions, crops: NoduleCrops, run: Path) -> None:
        torch.manual_seed(options.seed)
        self.options, self.crops, self.run = options, crops, run
        self.accelerator = Accelerator(mixed_precision="bf16", cpu=not _has_accelerator())
        self.grid, self.codec, self.config = WindowGrid(), IdentityCodec(), NetworkConfig()
        self.scheduler = make_training_scheduler(options)
        network = ConditionedUNet(self.config, self.codec, self.grid.size)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        averaging: dict[str, Any] = {"use_ema_warmup": True, "power": 0.75, "foreach": True}
        self.ema = EMAModel(network.parameters(), decay=options.ema_decay, **averaging)
        optimizer = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=0.01, fused=True)
        self.network, self.optimizer = self.accelerator.prepare(network, optimizer)
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
        inputs = self._to_device(make_inputs(samples, self.codec, self.scheduler, step, noise, levels))
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

    def _to_device(self, inputs: NetworkInputs) -> NetworkInputs:
        device = self.accelerator.device
        return NetworkInputs(**{f.name: getattr(inputs, f.name).to(device) for f in fields(inputs)})

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

    def resume(self) -> None:
        """Go on from the state in the run's folder, if there is one."""
        if not (self.run / "state.pt").exists():
            return
        state = torch.load(self.run / "state.pt", map_location=self.accelerator.device, weights_only=True)
        self.accelerator.unwrap_model(self.network).load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.load_state_dict(state["ema"])
        self.step = state["step"]

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


def predict(network: Any, inputs: NetworkInputs) -> Tensor:
    """Run the network in bf16 where it pays and return the prediction as fp32."""
    with torch.autocast(inputs.noisy.device.type, torch.bfloat16):
        predicted = network(inputs.noisy, inputs.step, inputs.context, inputs.levels, inputs.features)
    return predicted.float()


class ema_weights:
    """Within this block, the network has the averaged weights."""

    def __init__(self, ema: EMAModel, network: torch.nn.Module) -> None:
        self._ema, self._network = ema, network

    def __enter__(self) -> None:
        self._ema.store(self._network.parameters())
        self._ema.copy_to(self._network.parameters())

    def __exit__(self, *_: object) -> None:
        self._ema.restore(self._network.parameters())


@torch.no_grad()
def validation_errors(
    network: Any, crops: NoduleCrops, codec: IdentityCodec, scheduler: DDPMScheduler, grid: WindowGrid, count: int = 192
) -> dict[str, float]:
    """Mean squared error of v inside the box on held-out patients, with the attributes and without them.

    Units, noise and time steps are fixed; errors of other prediction types are converted to those of v, so that all
    can be compared. v = (x_t * alpha - x0) / sigma, so the error of v is that of x0 over sigma squared.
    """
    units = np.random.default_rng(0).choice(len(crops), size=count, p=sampling_weights(crops))
    generator = torch.Generator().manual_seed(0)
    sums = {"with": 0.0, "without": 0.0}
    device = next(network.parameters()).device
    for part in np.array_split(units, math.ceil(count / 16)):
        samples = fixed_batch(crops, part, grid, seed=int(part[0]))
        noise = torch.randn(samples.hu.shape, generator=generator)
        step = torch.randint(20, 980, (len(part),), generator=generator)
        for name, levels in (("with", samples.levels), ("without", torch.zeros_like(samples.levels))):
            inputs = make_inputs(samples, codec, scheduler, step, noise, levels)
            inputs = NetworkInputs(**{f.name: getattr(inputs, f.name).to(device) for f in fields(inputs)})
            alpha_bar = inputs.alpha_bar[:, None, None, None]
            estimate = estimate_x0(
                predict(network, inputs), inputs.noisy, alpha_bar, scheduler.config["prediction_type"]
            )
            error = (estimate - codec.encode(samples.hu).to(device)) ** 2 / (1 - alpha_bar)
            inside = inputs.mask * inputs.known
            sums[name] += ((error * inside).sum((1, 2, 3)) / inside.sum((1, 2, 3)).clamp(min=1)).sum().item()
    return {name: value / count for name, value in sums.items()}


def train(options: TrainingOptions, data: Path, run: Path, save_every: int, validate_every: int) -> None:
    """Train until `options.samples` have been seen, from where the run stopped."""
    run.mkdir(parents=True, exist_ok=True)
    (run / "options.json").write_text(json.dumps(asdict(options), indent=2) + "\n")
    trainer = Trainer(options, load_crops(data, held_out=False), run)
    held_out = load_crops(data, held_out=True)
    trainer.resume()
    writer = SummaryWriter(str(run / "scalars"))
    last_saved = time.monotonic()
    main = trainer.accelerator.is_main_process
    for _ in tqdm(range(trainer.step, options.steps), initial=trainer.step, total=options.steps, disable=not main):
        writer.add_scalar("loss", trainer.train_step(), trainer.step)
        done = trainer.step == options.steps
        if done or time.monotonic() - last_saved > save_every:
            trainer.save()
            last_saved = time.monotonic()
        if main and (done or trainer.step % validate_every == 0):
            _validate(trainer, held_out, writer)
    writer.close()


def _validate(trainer: Trainer, held_out: NoduleCrops, writer: SummaryWriter) -> None:
    network = trainer.accelerator.unwrap_model(trainer.network)
    with ema_weights(trainer.ema, network):
        errors = validation_errors(network, held_out, trainer.codec, trainer.scheduler, trainer.grid)
    for name, value in errors.items():
        writer.add_scalar(f"held_out_v_error/{name}_attributes", value, trainer.step)
    with (trainer.run / "held_out.jsonl").open("a") as log:
        log.write(json.dumps({"step": trainer.step, "samples": trainer.step * trainer.options.batch, **errors}) + "\n")


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="lidc_nodule_crops.parquet")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--save-every", type=int, default=180, help="seconds between saved states")
    parser.add_argument("--validate-every", type=int, default=500, help="steps between validations")
    for field in fields(TrainingOptions):
        kind = type(field.default)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    given = vars(parser.parse_args())
    own = {name: given.pop(name) for name in ("data", "run", "save_every", "validate_every")}
    train(TrainingOptions(**given), own["data"], own["run"], own["save_every"], own["validate_every"])


if __name__ == "__main__":
    main()
