"""A training run: network, optimizer, averaged weights and step, saved in a folder and taken up again.

Shared by the scripts that train a generator; each has its own samples, loss and loop.
"""

from __future__ import annotations

import json
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import KwargsHandler, gather_object
from diffusers.training_utils import EMAModel
from PIL import Image
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from engine.checkpoint import CheckpointConfig, load_checkpoint, save_checkpoint
from engine.device import Device, bf16_pays, has_gpu
from engine.errors import InputError
from engine.whole_files import write_whole
from training.going_on import DATA_FILE, check_start, with_more_context
from training.run_options import RunOptions, learning_rate_at

#: Options that a run may change when it is taken up again.
_MAY_CHANGE = {"samples", "learning_rate"}
#: Is there if an NVIDIA GPU is, whatever torch was built for.
_NVIDIA_GPU = Path("/dev/nvidia0")


def make_accelerator(*handlers: KwargsHandler) -> Accelerator:
    """Return what runs the network: on GPUs if there are any, in bf16 where it pays, on all processes of a launch.

    Standard error is told of an NVIDIA GPU that torch was not built for: an installation made where there was none.
    """
    precision = "bf16" if bf16_pays() else "no"
    accelerator = Accelerator(mixed_precision=precision, cpu=not has_gpu(), kwargs_handlers=list(handlers))
    if accelerator.is_main_process and torch.version.cuda is None and _NVIDIA_GPU.exists():
        print(
            "Warning: there is an NVIDIA GPU, and this torch is built without CUDA; install one with CUDA instead.",
            file=sys.stderr,
        )
    return accelerator


class TrainingRun:
    """What a run is at a step; `folder` holds its options (from `resume` on), state, scalars and checkpoint.

    Raises
    ------
    InputError
        If there is no step to take, or a batch cannot be shared evenly among the processes.
    """

    def __init__(self, network: torch.nn.Module, options: RunOptions, folder: Path, accelerator: Accelerator) -> None:
        if options.batch < 1 or options.steps < 1:
            raise InputError("There is no step to take; give --batch 1 or more, and --samples at least as many.")
        if options.batch % accelerator.num_processes:
            raise InputError(
                f"A batch of {options.batch} cannot be shared by {accelerator.num_processes} processes; "
                "give --batch a multiple of them."
            )
        self.options, self.folder, self.accelerator = options, folder, accelerator
        model: Any = network
        if bf16_pays():
            # In fp32 on a CPU, a step takes a tenth longer with it.
            model = model.to(memory_format=torch.channels_last)
        averaging: dict[str, Any] = {"use_ema_warmup": True, "power": 0.75, "foreach": True}
        self.ema = EMAModel(model.parameters(), decay=options.ema_decay, **averaging)
        optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=0.01, fused=True)
        self._wrapped, self._optimizer = accelerator.prepare(model, optimizer)
        self.ema.to(accelerator.device)  # where the model is now
        self.step = 0
        #: Where the optimizer's moments begin: without a warm-up, the first steps spoil what a run starts from.
        self._first_step = 0
        self._last_saved = time.monotonic()
        self._scalars: SummaryWriter | None = None
        if accelerator.is_main_process:
            folder.mkdir(parents=True, exist_ok=True)
            print(self._place(), file=sys.stderr)

    def _place(self) -> str:
        precision = self.accelerator.mixed_precision.replace("no", "fp32")
        return f"Training on {self.device.description}, in {precision}; processes: {self.accelerator.num_processes}."

    @property
    def network(self) -> Any:
        """The network itself, without what spreads it over processes."""
        return self.accelerator.unwrap_model(self._wrapped)

    @property
    def device(self) -> Device:
        """Where the network runs, in training's own precision."""
        return Device(self.accelerator.device, torch.float32, str(self.accelerator.device))

    @property
    def samples_seen(self) -> int:
        """Samples seen so far, over all processes."""
        return self.step * self.options.batch

    @property
    def samples_a_process(self) -> int:
        """Samples that each process draws a step."""
        return self.options.batch // self.accelerator.num_processes

    def take_step(self, loss_of_network: Callable[[Any], Tensor]) -> float:
        """Take one optimizer step and return the loss.

        Parameters
        ----------
        loss_of_network : network -> loss, a number
            Of the samples that this process has drawn for this step.

        Raises
        ------
        FloatingPointError
            If the loss or its gradient is not finite; weights and the state saved last are still good.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate_at(self.step, self.options, self._first_step)
        loss = loss_of_network(self._wrapped)
        value = loss.item()
        if not math.isfinite(value):
            raise _diverged(f"the loss is {value}", self.step)
        self.accelerator.backward(loss)
        # The same on all processes, which stop together.
        norm: Any = self.accelerator.clip_grad_norm_(self._wrapped.parameters(), 1.0)
        if not math.isfinite(float(norm)):
            raise _diverged(f"the gradient's norm is {float(norm)}", self.step)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.ema.step(self.network.parameters())
        self.step += 1
        self.log("loss", value)
        return value

    def log(self, name: str, value: float) -> None:
        """Write a scalar for TensorBoard, from `resume` on."""
        if self._scalars:
            self._scalars.add_scalar(name, value, self.step)

    def log_held_out(self, errors: dict[str, float], scalar: str = "held_out_v_error/{}") -> None:
        """Write errors on held-out patients as `write_held_out` does, and as scalars, named as given."""
        for name, value in errors.items():
            self.log(scalar.format(name), value)
        self.write_held_out(errors)

    def write_held_out(self, figures: Mapping[str, Any]) -> None:
        """Write figures on held-out patients, which may be nested, as the last line of ``held_out.jsonl``.

        Those of this step and later ones, which a run had reached that was killed, are taken out.
        """
        path, entry = self.folder / "held_out.jsonl", {"step": self.step, "samples": self.samples_seen, **figures}
        before = path.read_text().splitlines() if path.exists() else []
        kept = [line for line in before if json.loads(line)["step"] < self.step]
        write_whole(path, "".join(f"{line}\n" for line in (*kept, json.dumps(entry))))

    def save_sheet(self, sheet: Image.Image) -> None:
        """Write the contact sheet of this step."""
        sheets = self.folder / "sheets"
        sheets.mkdir(exist_ok=True)
        sheet.save(sheets / f"{self.step:07d}.png")

    def steps_until(self, last: int) -> Iterator[int]:
        """Go through the steps left, with a progress bar, until `last` or until a signal asks to stop.

        SIGINT and SIGTERM let the step under way end; if one process is asked, all stop at the same step.
        """
        hidden = not self.accelerator.is_main_process
        with _listening_for_stop() as asked, tqdm(initial=self.step, total=self.options.steps, disable=hidden) as bar:
            while self.step < last and not self._anyone(bool(asked)):
                yield self.step
                bar.update()
        if self.step < last and not hidden:
            print(f"Stopped at step {self.step} of {last}; the same command goes on from there.", file=sys.stderr)

    def _anyone(self, asked: bool) -> bool:
        if self.accelerator.num_processes == 1:
            return asked
        if asked:
            self.accelerator.set_trigger()
        return self.accelerator.check_trigger()

    def save_is_due(self, every: float) -> bool:
        """Tell whether the state was saved more than `every` seconds ago."""
        return time.monotonic() - self._last_saved > every

    def save(self, config: CheckpointConfig, codec_weights: dict[str, Any] | None = None) -> None:
        """Write state and EMA checkpoint."""
        self.save_state()
        if self.accelerator.is_main_process:
            with self.averaged_weights():
                save_checkpoint(self.folder / "checkpoint", config, self.network.state_dict(), codec_weights)

    def save_state(self) -> None:
        """Write the state; a run killed while writing keeps the state before."""
        self._last_saved = time.monotonic()
        if not self.accelerator.is_main_process:
            return
        state = {
            "step": self.step,
            "first_step": self._first_step,
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "ema": self.ema.state_dict(),
        }
        torch.save(state, self.folder / "state.new")
        (self.folder / "state.new").replace(self.folder / "state.pt")

    def resume(
        self,
        start_from: Path | None,
        config: CheckpointConfig | None = None,
        made_by: Mapping[str, Any] | None = None,
    ) -> None:
        """Go on from the state in the run's folder; without one, from a checkpoint if one is given.

        Then the options are written to ``options.json``, and scalars of steps that the run comes to again are dropped.

        Parameters
        ----------
        config : of the run's own checkpoints; what it starts from must have the same codec and noise schedule
        made_by : the record of the prepared data, written for `training.going_on.check_data`

        Raises
        ------
        InputError
            If state or checkpoint are of another network, codec or noise schedule, the run was made with other options
            that count, the checkpoint has seen all samples, or processes do not see the same state.
        """
        if (self.folder / "state.pt").exists():
            self._load_state()
            self._check_options()
        elif start_from:
            self._start_from(start_from, config)
        self._check_steps()
        self.accelerator.wait_for_everyone()  # all have read the options before one writes them
        if self.accelerator.is_main_process:
            write_whole(self.folder / "options.json", json.dumps(asdict(self.options), indent=2) + "\n")
            if made_by is not None:
                write_whole(self.folder / DATA_FILE, json.dumps(made_by, indent=2) + "\n")
            self._scalars = SummaryWriter(str(self.folder / "scalars"), purge_step=self.step + 1)

    def _check_steps(self) -> None:
        """Compare with the other processes: one that does not see the state would spoil the gradients of all."""
        steps = sorted(set(gather_object([self.step])))
        if len(steps) > 1:
            raise InputError(
                f"Processes would go on from different steps, {' and '.join(map(str, steps))}; "
                "give --run a folder that all machines see, with the state in it."
            )

    def _check_options(self) -> None:
        """Compare with the options that the run was made with; those that it did not have yet do not count."""
        path = self.folder / "options.json"
        before: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        now: dict[str, Any] = json.loads(json.dumps(asdict(self.options)))
        changed = [name for name in now if name in before and before[name] != now[name] and name not in _MAY_CHANGE]
        if changed:
            differences = ", ".join(f"{name} {before[name]}, not {now[name]}" for name in changed)
            raise InputError(
                f"The run in {self.folder} was made with {differences}; give the same, or give --run another folder."
            )

    def _load_state(self) -> None:
        # By its type: the current GPU is this process's own, and torch.load knows no cpu:0, as it is with several.
        place = self.accelerator.device.type
        state = torch.load(self.folder / "state.pt", map_location=place, weights_only=True)
        try:
            self.network.load_state_dict(state["network"])
        except RuntimeError:
            raise InputError(
                f"The run in {self.folder} was made with another network; give --run another folder."
            ) from None
        self._optimizer.load_state_dict(state["optimizer"])
        self.ema.load_state_dict(state["ema"])
        self.step, self._first_step = state["step"], state.get("first_step", 0)

    def _start_from(self, folder: Path, config: CheckpointConfig | None) -> None:
        """Take weights and the count of samples from a checkpoint; moments and averages start anew."""
        loaded = load_checkpoint(folder, self.device)
        if config:
            check_start(folder, loaded.config, config)
        try:
            self.network.load_state_dict(with_more_context(loaded.network.state_dict(), self.network.state_dict()))
        except RuntimeError:
            raise InputError(
                f"The checkpoint {folder} has another network than this run; start from one that has the same."
            ) from None
        self.ema.shadow_params = [parameter.clone().detach() for parameter in self.network.parameters()]
        seen = loaded.config.training["samples_seen"]
        self.step = self._first_step = seen // self.options.batch
        if self.step >= self.options.steps:
            raise InputError(
                f"The checkpoint {folder} has seen {seen:,} samples already, and --samples is "
                f"{self.options.samples:,}; give more."
            )

    def close(self) -> None:
        """Let go of the log's file, and of the other processes."""
        if self._scalars:
            self._scalars.close()
        self.accelerator.end_training()

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Within this block, the network has the averaged weights."""
        self.ema.store(self.network.parameters())
        self.ema.copy_to(self.network.parameters())
        try:
            yield
        finally:
            self.ema.restore(self.network.parameters())


def _diverged(what: str, step: int) -> FloatingPointError:
    return FloatingPointError(f"{what} at step {step}; start again with a lower learning rate")


@contextmanager
def _listening_for_stop() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM."""
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
