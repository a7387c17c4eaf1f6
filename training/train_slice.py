"""Train the slice generator: one of the paper's three configurations, or ours.

    python -m training.train_slice --configuration studio --data PREPARED --vqvae FOLDER --run runs/slice

Configurations (paper, section 3): 1, the box mask is an input channel of the U-Net; 2, the flattened mask is also in
the cross-attention layers; 3, so are the embedded attributes. ``studio`` uses what is known to be better: see
`training.slice_loss.CONFIGURATIONS`, and the options below, each of which replaces one of the configuration's.

The VQ-VAE is frozen, and slices are encoded once (`training.slice_latents`). Everything else that a run is lies in its
folder: options, state, TensorBoard scalars, contact sheets, and `checkpoint/`, the newest EMA weights as the studio
loads them. Starting it again with the same folder takes it up at the step where it was saved; with more --samples, it
goes on from where it ended. Under ``accelerate launch`` it runs on several processes, GPUs or machines.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.checkpoint import Checkpoint, CheckpointConfig
from engine.network import ConditionedUNet, NetworkConfig
from engine.sampling import SamplingLimits
from engine.vq_codec import load_vq_codec
from engine.window import WindowGrid
from training.command import NOT_DONE, command
from training.going_on import check_resumed
from training.nodule_loss import NetworkInputs, loss_of, predict, settings_of
from training.prepared import SLICE_SIZE, PreparedSlices, read_description, read_slices
from training.run_options import Pace, add_run_arguments, take_options
from training.slice_latents import cache_latents, cache_statistics
from training.slice_loss import (
    CONFIGURATIONS,
    SliceOptions,
    draw_inputs,
    make_slice_scheduler,
    slice_validation_errors,
)
from training.slice_readings import list_readings
from training.slice_sheet import make_slice_sheet
from training.training_loop import train_on
from training.training_run import TrainingRun, make_accelerator

#: The network of the checkpoint that comes with the studio, but for its conditioning: on latents of 64 x 64, with
#: attention at 16 x 16 and 8 x 8. It is narrow on the finest grids, where the time goes: with 64 and 96 channels there,
#: a sample takes 1.7 times as long on a CPU, and samples are what these networks lack.
STUDIO_NETWORK = NetworkConfig(blocks=(32, 64, 128, 192), first_attention_level=2, norm_groups=8)

DEFAULT_PACE = Pace(validate_on=192)


class SliceTrainer:
    """A run, taken up where it stopped; what it draws from, and what it is judged on."""

    def __init__(
        self,
        options: SliceOptions,
        data: Path,
        vqvae: str,
        run: Path,
        latents: Path,
        network: NetworkConfig,
        start_from: Path | None = None,
    ) -> None:
        self.options, self.name = options, run.name
        self.made_by = read_description(data)["made_by"]
        accelerator = make_accelerator()
        self.codec = load_vq_codec(vqvae, accelerator.device)
        slices = None
        if self.codec.statistics is None:
            slices = self._read(data, held_out=False)
            self.codec.statistics = cache_statistics(slices, self.codec, latents, accelerator)
        check_resumed(run, self._codec_settings(), self.made_by)
        self.config = replace(network, conditioning=options.conditioning, context_channels=1)
        torch.manual_seed(options.seed)
        model = ConditionedUNet(self.config, self.codec, SLICE_SIZE)
        self.run = TrainingRun(model, options, run, accelerator)
        self.scheduler = make_slice_scheduler(options)
        # Guidance needs a network that has learned to do without attributes.
        self.limits = SamplingLimits(None if options.drop_all else -1)
        # Before slices are read and encoded, which takes minutes: what cannot be gone on from is refused at once.
        self.run.resume(start_from, self.checkpoint_config())
        slices, held_out = slices or self._read(data, held_out=False), self._read(data, held_out=True)
        self.latents = cache_latents(slices, self.codec, latents, options.variants, accelerator)
        self.readings = list_readings(slices, options.variants, options.rare_scores)
        self.limits = replace(self.limits, largest_x0=self.latents.largest)
        self.held_out = cache_latents(held_out, self.codec, latents, 1, accelerator), list_readings(held_out)

    def _read(self, data: Path, held_out: bool) -> PreparedSlices:
        return read_slices(data, held_out, with_nodules=True, trusted=self.options.trusted)

    def _codec_settings(self) -> dict[str, Any]:
        return {"kind": "vqvae", **self.codec.settings()}

    def draw(self) -> NetworkInputs:
        """Draw what this process learns from in this step; it depends on seed, step and process alone."""
        run, options = self.run, self.options
        drawn = np.random.default_rng([options.seed, run.step, run.accelerator.process_index])
        return draw_inputs(self.latents, self.readings, self.scheduler, options, run.samples_a_process, drawn)

    def train_step(self) -> float:
        """Draw a batch, take a step, and return the loss."""
        inputs = self.draw().to(self.run.accelerator.device)
        return self.run.take_step(lambda network: loss_of(predict(network, inputs), inputs, self.options))

    def save(self) -> None:
        """Write the state, and the checkpoint with its VQ-VAE."""
        self.run.save(self.checkpoint_config(), self.codec.state_dict())

    def validate(self, count: int) -> None:
        """Measure errors on held-out patients and draw a contact sheet, with averaged weights."""
        with self.run.averaged_weights():
            errors = slice_validation_errors(self.run.network, *self.held_out, self.scheduler, count)
            sheet = make_slice_sheet(self.as_checkpoint(), *self.held_out, columns=min(6, count))
        self.run.log_held_out(errors)
        self.run.save_sheet(sheet)

    def as_checkpoint(self) -> Checkpoint:
        """Return the network as the engine sees it, in training's own precision."""
        grid = WindowGrid(size=SLICE_SIZE)
        return Checkpoint(self.checkpoint_config(), "", self.run.network, grid, self.codec, self.run.device)

    def checkpoint_config(self) -> CheckpointConfig:
        """Describe the checkpoint as it is now."""
        return CheckpointConfig(
            name=self.name,
            kind="slice",
            grid={"size": SLICE_SIZE},
            codec=self._codec_settings(),
            network=asdict(self.config),
            scheduler=settings_of(self.scheduler),
            training={
                "samples_seen": self.run.samples_seen,
                "data": self.made_by,
                "options": asdict(self.options),
            },
            sampling=asdict(self.limits),
        )


def train_slice(
    options: SliceOptions,
    data: Path,
    vqvae: str,
    run: Path,
    latents: Path | None = None,
    start_from: Path | None = None,
    pace: Pace = DEFAULT_PACE,
    network: NetworkConfig = STUDIO_NETWORK,
) -> bool:
    """Train until `options.samples` have been seen, from where the run stopped; return whether they have been.

    Parameters
    ----------
    data : prepared data, see `training.prepared`
    vqvae : folder of a VQ-VAE, or its name on Hugging Face's hub
    run : the run's folder; its name becomes the checkpoint's
    latents : folder of cached latents; by default "latents" beside the run, for all runs there
    start_from : checkpoint to go on from where the run has no state of its own
    network : shape of the network; the conditioning is that of `options`

    Raises
    ------
    InputError
        If data, VQ-VAE or run are not usable.
    """
    return train_on(
        SliceTrainer(options, data, vqvae, run, latents or run.parent / "latents", network, start_from), pace
    )


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--configuration",
        choices=CONFIGURATIONS,
        required=True,
        help="1, 2, 3 (the paper's) or studio; it has its own defaults of the options below",
    )
    parser.add_argument("--data", type=Path, required=True, help="prepared data")
    parser.add_argument("--vqvae", required=True, help="folder of a VQ-VAE, or its name on Hugging Face's hub")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run; its name becomes the checkpoint's")
    parser.add_argument("--latents", type=Path, help="folder of cached latents, by default beside the run")
    parser.add_argument("--start-from", type=Path, help="checkpoint to go on from, if the run has no state of its own")
    add_run_arguments(parser, DEFAULT_PACE, *CONFIGURATIONS.values())
    given = vars(parser.parse_args(arguments))
    configuration = CONFIGURATIONS[given.pop("configuration")]
    is_done = train_slice(take_options(given, configuration), pace=take_options(given, DEFAULT_PACE), **given)
    return 0 if is_done else NOT_DONE


if __name__ == "__main__":
    sys.exit(main())
