"""Train the nodule generator.

    python -m training.train_nodule --data PREPARED --run runs/nodule --samples 200000

Everything that a run is lies in its folder: options, state (network, optimizer, EMA, step), TensorBoard scalars,
contact sheets, and `checkpoint/`, the newest EMA weights as the studio loads them. Starting it again with the same
folder takes it up at the step where it was saved. Under ``accelerate launch`` it runs on several processes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from engine.checkpoint import Checkpoint, CheckpointConfig
from engine.codec import IdentityCodec
from engine.network import ConditionedUNet, NetworkConfig
from engine.window import WindowGrid
from training.agreed_scores import with_agreed_scores
from training.command import NOT_DONE, command
from training.going_on import check_resumed
from training.nodule_crops import NoduleCrops, load_crops, sampling_weights
from training.nodule_loss import (
    NetworkInputs,
    TrainingOptions,
    drop_attributes,
    loss_of,
    make_inputs,
    make_training_scheduler,
    predict,
    settings_of,
    validation_errors,
)
from training.nodule_samples import draw_batch
from training.prepared_files import read_description
from training.run_options import Pace, add_run_arguments, take_options
from training.training_loop import train_on
from training.training_run import TrainingRun, make_accelerator
from training.training_sheet import make_contact_sheet

#: The network of the checkpoint that comes with the studio.
STUDIO_NETWORK = NetworkConfig(context_channels=3)
DEFAULT_PACE = Pace(validate_on=192)


@dataclass(frozen=True)
class NoduleOptions(TrainingOptions):
    """Everything that influences the weights of a nodule generator; saved with the run.

    Attributes
    ----------
    agreed : ask for scores that say what is seen (`training.agreed_scores`), not for those of a reader drawn at random
    outlines : how often the network is told the nodule's shape, as it is measured where scores are agreed ones and as
        its reader drew it else; untold, it finds one by itself
    """

    agreed: bool = False
    outlines: float = 0.4


class NoduleTrainer:
    """A run, taken up where it stopped; the crops that it draws from, and those that it is judged on."""

    def __init__(
        self, options: NoduleOptions, data: Path, run: Path, network: NetworkConfig, start_from: Path | None = None
    ) -> None:
        self.options, self.config = options, network
        self.grid, self.codec = WindowGrid(), IdentityCodec()
        self.made_by = read_description(data)["made_by"] if data.is_dir() else {"crops": data.name}
        check_resumed(run, asdict(self.codec), self.made_by)
        self.scheduler = make_training_scheduler(options)
        torch.manual_seed(options.seed)
        model = ConditionedUNet(self.config, self.codec, self.grid.size)
        self.run = TrainingRun(model, options, run, make_accelerator())
        # Before crops are read, and scored anew, which takes minutes: what cannot be gone on from is refused at once.
        self.run.resume(start_from, self.checkpoint_config())
        self.crops, self.held_out = (self._read(data, held_out) for held_out in (False, True))
        self.weights = sampling_weights(self.crops)

    def _read(self, data: Path, held_out: bool) -> NoduleCrops:
        crops = load_crops(data, held_out)
        return with_agreed_scores(crops) if self.options.agreed else crops

    def draw(self) -> NetworkInputs:
        """Draw what this process learns from in this step; it depends on seed, step and process alone."""
        options, count = self.options, self.run.samples_a_process
        drawn = np.random.default_rng([options.seed, self.run.step, self.run.accelerator.process_index])
        samples = draw_batch(self.crops, self.weights, self.grid, count, drawn)
        generator = torch.Generator().manual_seed(int(drawn.integers(2**62)))
        noise = torch.randn(samples.hu.shape, generator=generator)
        step = torch.randint(0, 1000, (count,), generator=generator)
        levels = drop_attributes(samples.levels, options, generator)
        told = torch.rand(count, 1, 1, 1, generator=generator) < options.outlines
        outlines = (samples.nodule & told).float()
        return make_inputs(samples, self.codec, self.scheduler, step, noise, levels, outlines)

    def train_step(self) -> float:
        """Draw a batch, take a step, and return the loss."""
        inputs = self.draw().to(self.run.accelerator.device)
        return self.run.take_step(lambda network: loss_of(predict(network, inputs), inputs, self.options))

    def save(self) -> None:
        """Write the state, and the checkpoint."""
        self.run.save(self.checkpoint_config())

    def validate(self, count: int) -> None:
        """Measure errors on held-out patients and draw a contact sheet, with averaged weights."""
        with self.run.averaged_weights():
            errors = validation_errors(self.run.network, self.held_out, self.codec, self.scheduler, self.grid, count)
            sheet = make_contact_sheet(self.as_checkpoint(), self.held_out, columns=min(12, count))
        self.run.log_held_out(errors, "held_out_v_error/{}_attributes")
        self.run.save_sheet(sheet)

    def as_checkpoint(self) -> Checkpoint:
        """Return the network as the engine sees it, in training's own precision."""
        return Checkpoint(self.checkpoint_config(), "", self.run.network, self.grid, self.codec, self.run.device)

    def checkpoint_config(self) -> CheckpointConfig:
        """Describe the checkpoint as it is now."""
        return CheckpointConfig(
            name="nodule",
            grid=asdict(self.grid),
            codec=asdict(self.codec),
            network=asdict(self.config),
            scheduler=settings_of(self.scheduler),
            training={
                "samples_seen": self.run.samples_seen,
                "data": self.made_by,
                "options": asdict(self.options),
            },
        )


def train(
    options: NoduleOptions,
    data: Path,
    run: Path,
    pace: Pace = DEFAULT_PACE,
    start_from: Path | None = None,
    network: NetworkConfig = STUDIO_NETWORK,
) -> bool:
    """Train until `options.samples` have been seen, from where the run stopped; return whether they have been.

    Parameters
    ----------
    data : prepared data, or a file of crops, see `training.nodule_crops.load_crops`
    run : the run's folder
    start_from : checkpoint to go on from where the run has no state of its own
    network : shape of the network

    Raises
    ------
    InputError
        If data, checkpoint or run are not usable.
    """
    return train_on(NoduleTrainer(options, data, run, network, start_from), pace)


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="prepared data, or crops (training.import_public)")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--start-from", type=Path, help="checkpoint to go on from, if the run has no state of its own")
    add_run_arguments(parser, DEFAULT_PACE, NoduleOptions())
    given = vars(parser.parse_args(arguments))
    is_done = train(take_options(given, NoduleOptions()), pace=take_options(given, DEFAULT_PACE), **given)
    return 0 if is_done else NOT_DONE


if __name__ == "__main__":
    sys.exit(main())
