"""The loop of every generator's training: steps, states, validations, until the end or until somebody asks to stop."""

from __future__ import annotations

from typing import Any, Protocol

from training.run_options import Pace
from training.training_run import TrainingRun


class Trainer(Protocol):
    """What the loop needs of a network in training; `options` are those of its run."""

    run: TrainingRun
    options: Any

    def train_step(self) -> float:
        """Draw a batch, take a step, and return the loss."""
        ...

    def save(self) -> None:
        """Write what a stopped run goes on from, and what is made of it for the studio."""
        ...

    def validate(self, count: int) -> None:
        """Measure on so many held-out samples, and draw a contact sheet."""
        ...


def train_on(trainer: Trainer, pace: Pace) -> bool:
    """Train from where the run stopped; return whether all samples of its options have been seen."""
    run, steps = trainer.run, trainer.options.steps
    last = min(steps, pace.stop_at or steps)
    is_main = run.accelerator.is_main_process
    for _ in run.steps_until(last):
        trainer.train_step()
        if run.save_is_due(pace.save_every):
            trainer.save()
        if is_main and run.step < last and run.step % pace.validate_every == 0:
            trainer.validate(pace.validate_on)
    # Where no step was left, too: a run that was killed in what follows does it when it is started again.
    trainer.save()
    if is_main and run.step == last:
        trainer.validate(pace.validate_on)
    run.close()
    return run.step == steps
