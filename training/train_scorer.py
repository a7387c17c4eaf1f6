"""Train the scorer: the five LIDC scores of a nodule in a slice, and how sure they are.

    python -m training.train_scorer --data PREPARED --run runs/scorer

Patients are held out by the same hash as for the generators. The others are in as many parts as the scorer has members,
and each member learns without one part. What it reads there serves to calibrate: the mean of its probabilities is
stretched to the readers' scale, and their standard deviation to its errors. The scorer is all members together.

Everything that a run is lies in its folder: options, state, TensorBoard scalars, and `scorer/`, the scorer as the
studio loads it, with its card. Starting it again with the same folder measures the nodules again and takes it up.
`python -m training.evaluate scorer --data PREPARED` measures a scorer again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.scorer import NoduleScorer, ScorerConfig, expected_scores, raw_scores, save_scorer
from training.command import NOT_DONE, command
from training.going_on import check_data
from training.prepared_files import read_description
from training.run_options import Pace, add_run_arguments, take_options
from training.scorer_figures import Figures, scorer_figures, within_one
from training.scorer_loss import (
    ScorerOptions,
    drawing_probabilities,
    make_targets,
    scorer_inputs,
    scorer_loss,
)
from training.scorer_report import write_scorer_card
from training.scorer_samples import ScorerSamples, fold_of, load_samples
from training.training_run import TrainingRun

DEFAULT_PACE = Pace(validate_on=0, validate_every=300)
#: The network runs on so many slices at once where nothing is learned.
_MANY = 256
#: What the mean is stretched about, and by which it is tried to be: never drawn together, or the ends of the scale, of
#: which there are few, could not be read at all.
_MIDDLES, _STRETCHES = np.linspace(-0.5, 0.5, 11), np.linspace(1.0, 1.8, 9)


class ScorerTrainer:
    """A run, and the samples that it draws from."""

    def __init__(self, options: ScorerOptions, samples: ScorerSamples, run: Path) -> None:
        self.options, self.samples = options, samples
        self.config = replace(_normalising(samples), training={"options": asdict(options)})
        self.folds = np.array([fold_of(patient, self.config.members) for patient in samples.patients.tolist()])
        torch.manual_seed(options.seed)
        # bf16 costs more in conversions than it saves in so small a network.
        self.run = TrainingRun(NoduleScorer(self.config), options, run, Accelerator(cpu=True))
        self.probabilities = drawing_probabilities(samples, options.balance)
        self.targets = make_targets(samples, self.probabilities, options.balance)

    def train_step(self) -> float:
        """Draw a batch, take a step, and return the loss; what is drawn depends on seed and step alone."""
        drawn = np.random.default_rng([self.options.seed, self.run.step])
        chosen = drawn.choice(len(self.samples), self.options.batch, p=self.probabilities)
        inputs = scorer_inputs(self.samples, chosen, self.config, drawn)
        torch.manual_seed(int(drawn.integers(2**62)))  # of dropout
        return self.run.take_step(
            lambda network: scorer_loss(
                network.train()(*inputs), self.targets, chosen, self.folds[chosen], self.options
            )
        )

    def validate(self) -> None:
        """Calibrate, and log how far the averaged weights have come, on patients whom the member has not seen."""
        with self.run.averaged_weights():
            logits = self._of_left_out()
        scores, deviations = read(logits, calibrated(self.config, logits, self.samples))
        figures = scorer_figures(self.samples, scores, deviations)["attributes"]
        self.run.write_held_out({"left_out": figures})
        for name, its in figures.items():
            self.run.log(f"left_out_within_one/{name}", its["nodule"]["within_one"])
            self.run.log(f"left_out_spearman/{name}", its["nodule"]["spearman"])

    def finish(self, held_out: ScorerSamples) -> Figures:
        """Calibrate, measure on held-out patients, write the scorer and its card; return the figures."""
        with self.run.averaged_weights():
            network = self.run.network
            config = calibrated(self.config, self._of_left_out(), self.samples)
            figures = scorer_figures(held_out, *read(predict(network, held_out, config).mean(dim=1), config))
            seen = {"samples_seen": self.run.samples_seen, "patients": len(set(self.samples.patients.tolist()))}
            config = replace(config, training={**config.training, **seen, "slices": len(self.samples)})
            save_scorer(self.run.folder / "scorer", config, network.state_dict())
        write_scorer_card(self.run.folder / "scorer" / "README.md", config, figures)
        return figures

    def _of_left_out(self) -> Tensor:
        """Logits of all samples, (N, 5, 5), each of the member that learned nothing of its patient."""
        logits = torch.zeros(len(self.samples), 5, 5)
        for fold, member in enumerate(self.run.network.members):
            rows = np.flatnonzero(self.folds == fold)
            if rows.size:
                logits[torch.from_numpy(rows)] = predict(member, self.samples.chosen(rows), self.config)
        return logits


def _normalising(samples: ScorerSamples) -> ScorerConfig:
    mean, deviation = np.nanmean(samples.features, axis=0), np.nanstd(samples.features, axis=0)
    return ScorerConfig(
        feature_mean=tuple(mean.astype(float).tolist()),
        feature_deviation=tuple(np.maximum(deviation, 1e-6).astype(float).tolist()),
    )


@torch.inference_mode()
def predict(network: nn.Module, samples: ScorerSamples, config: ScorerConfig) -> Tensor:
    """Return the logits of all samples: (N, members, 5, 5) of a scorer's network, (N, 5, 5) of a member."""
    network.eval()
    batches = np.array_split(np.arange(len(samples)), max(1, len(samples) // _MANY))
    return torch.cat([network(*scorer_inputs(samples, chosen, config, None)) for chosen in batches])


def read(logits: Tensor, config: ScorerConfig) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scores and their standard deviations, both (N, 5)."""
    scores, deviations = expected_scores(logits, config)
    return scores.double().numpy(), deviations.double().numpy()


def calibrated(config: ScorerConfig, logits: Tensor, samples: ScorerSamples) -> ScorerConfig:
    """Return the settings with which scores obey the readers' scale, and deviations the errors.

    Parameters
    ----------
    logits : (N, 5, 5), of samples that were not learned from
    """
    raw, _ = raw_scores(logits)
    means = samples.means.astype(np.float64)
    stretch = tuple(_best_stretch(column, means[:, index]) for index, column in enumerate(raw.double().numpy().T))
    stretched = replace(config, stretch=stretch, deviation_factor=(1.0,) * 5)
    scores, deviations = read(logits, stretched)
    factors = [
        float(np.sqrt(np.nanmean(((scores - means)[:, index] / deviations[:, index]) ** 2)))
        if np.isfinite(means[:, index]).any()
        else 1.0
        for index in range(means.shape[1])
    ]
    return replace(stretched, deviation_factor=tuple(factors))


def _best_stretch(raw: NDArray[np.float64], means: NDArray[np.float64]) -> tuple[float, float]:
    """Return a and b of a + b * raw that bring most scores within 1 of the readers' mean, levels counting the same.

    The share jumps with single nodules, so the mean over the neighbours on the grid decides.
    """
    known = np.isfinite(means)
    if not known.any():
        return 0.0, 1.0
    reached = np.array(
        [
            [within_one(_stretched(raw[known], middle, by), means[known]) or 0.0 for by in _STRETCHES]
            for middle in _MIDDLES
        ]
    )
    padded = np.pad(reached, 1, mode="edge")
    smooth = sum(padded[i : i + reached.shape[0], j : j + reached.shape[1]] for i in range(3) for j in range(3))
    row, column = np.unravel_index(int(np.argmax(smooth)), reached.shape)
    middle, by = float(_MIDDLES[row]), float(_STRETCHES[column])
    return 3 + middle - 3 * by, by


def _stretched(raw: NDArray[np.float64], middle: float, by: float) -> NDArray[np.float64]:
    return np.clip(3 + middle + by * (raw - 3), 1, 5)


def train(options: ScorerOptions, data: Path, run: Path, pace: Pace = DEFAULT_PACE) -> Figures | None:
    """Train until `options.samples` have been seen, from where the run stopped; return the figures at the end.

    Parameters
    ----------
    data : folder of prepared data
    run : the run's folder

    Raises
    ------
    InputError
        If data or run are not usable.
    """
    made_by = read_description(data)["made_by"]
    # Before nodules are measured, which takes minutes.
    check_data(run, made_by)
    trainer = ScorerTrainer(options, load_samples(data, held_out=False), run)
    held_out = load_samples(data, held_out=True)
    trainer.run.resume(None, made_by=made_by)
    last = min(options.steps, pace.stop_at or options.steps)
    for _ in trainer.run.steps_until(last):
        trainer.train_step()
        if trainer.run.save_is_due(pace.save_every):
            trainer.run.save_state()
        if trainer.run.step % pace.validate_every == 0:
            trainer.validate()
    trainer.run.save_state()
    figures = trainer.finish(held_out) if trainer.run.step == options.steps else None
    trainer.run.close()
    return figures


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of prepared data")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    add_run_arguments(parser, DEFAULT_PACE, ScorerOptions())
    given = vars(parser.parse_args(arguments))
    figures = train(take_options(given, ScorerOptions()), pace=take_options(given, DEFAULT_PACE), **given)
    return 0 if figures else NOT_DONE


if __name__ == "__main__":
    sys.exit(main())
