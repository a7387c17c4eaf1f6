"""Train the slice generator's VQ-VAE: 256 x 256 HU to latents of 64 x 64 and back.

    python -m training.train_vqvae --data PREPARED --run runs/vqvae --samples 48000

First encoder and decoder learn without a code book, with noise on the latents in its place. Then the code book is made
by k-means from what the averaged encoder says of training slices, so that none of its codes is idle; encoder and code
book stay as they are, and the decoder learns to read the codes.

Everything that a run is lies in its folder: options, state, TensorBoard scalars, figures on held-out patients, contact
sheets (real, reconstructed, difference), and, once there is a code book, `vqvae/`, the newest averaged weights, which
`engine.vq_codec` and diffusers load, with their card and ``training.json``, what they were made with. Starting it again
with the same folder takes it up at the step where it was saved. Under ``accelerate launch`` it runs on several
processes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from accelerate.utils import DistributedDataParallelKwargs, broadcast

from engine.vq_codec import VQCodec, save_vq_codec
from engine.whole_files import write_whole
from training.code_book import fit_codes
from training.command import NOT_DONE, command
from training.going_on import check_data
from training.prepared import read_description, read_slices
from training.run_options import Pace, add_run_arguments, take_options
from training.training_loop import train_on
from training.training_run import TrainingRun, make_accelerator
from training.vqvae_card import write_card
from training.vqvae_loss import (
    CROPS_FOR_CODES,
    Autoencoder,
    VQVAEOptions,
    make_vqvae,
    reconstruction_loss,
    take_weights,
)
from training.vqvae_reconstruction import WAYS, Figures, evaluate_vqvae
from training.vqvae_samples import VQVAEData, draw_crops, read_nodules_if_any, read_vqvae_data
from training.vqvae_sheet import make_vqvae_sheet
from training.vqvae_statistics import measure_statistics

#: Slices in a validation, see `evaluate_vqvae`; at the end of the run, all of them.
DEFAULT_PACE = Pace(validate_on=16)


class VQVAETrainer:
    """A run, taken up where it stopped; what it draws from, and what it is judged on."""

    def __init__(self, options: VQVAEOptions, data: Path, folder: Path) -> None:
        self.options = options
        self.made_by = read_description(data)["made_by"]
        check_data(folder, self.made_by)
        torch.manual_seed(options.seed)
        vqvae = make_vqvae(options)
        if options.start_from and not (folder / "state.pt").exists():
            take_weights(vqvae, options.start_from)
        model = Autoencoder(VQCodec(vqvae))
        # The encoder is without gradient once there is a code book, and the code book always.
        accelerator = make_accelerator(DistributedDataParallelKwargs(find_unused_parameters=True))
        self.run = TrainingRun(model, options, folder, accelerator)
        # Before data are read, which takes minutes: what cannot be gone on from is refused at once.
        self.run.resume(None, made_by=self.made_by)
        self.data: VQVAEData = read_vqvae_data(data)
        self.held_out = read_slices(data, held_out=True)
        self.held_out_nodules = read_nodules_if_any(data, held_out=True)

    @property
    def codec(self) -> VQCodec:
        """The codec in training."""
        return self.run.network.codec

    @property
    def has_codes(self) -> bool:
        """Whether there is a code book; until then, the codes are random numbers."""
        return bool(self.run.network.has_codes)

    def train_step(self) -> float:
        """Draw a batch, take a step, and return the loss. What is drawn depends on seed and step alone."""
        run, options = self.run, self.options
        if run.step >= options.quantised_from and not self.has_codes:
            self.make_code_book()
        drawn = np.random.default_rng([options.seed, run.step, run.accelerator.process_index])
        hu, known = (tensor.to(run.accelerator.device) for tensor in self._draw(run.samples_a_process, drawn))
        images = self.codec.to_images(hu)
        noise = None if self.has_codes else self._noise(images, drawn)
        return run.take_step(
            lambda network: reconstruction_loss(self.codec, network(images, noise), images, known, options.absolute)
        )

    def _draw(self, count: int, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        return draw_crops(self.data, self.options, count, generator)

    def _noise(self, images: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
        grid = images.shape[-1] // self.codec.factor
        shape = (len(images), self.codec.channels, grid, grid)
        drawn = generator.standard_normal(shape, np.float32) * self.options.latent_noise
        return torch.from_numpy(drawn).to(images.device)

    @torch.no_grad()
    def make_code_book(self) -> None:
        """Take the averaged weights, and make the code book from training crops: that of the main process, for all."""
        run = self.run
        run.ema.copy_to(run.network.parameters())
        generator = np.random.default_rng([self.options.seed, run.step])
        parts = [self._draw(8, generator)[0] for _ in range(CROPS_FOR_CODES // 8)]
        latents = [self.codec.encode(hu.to(run.accelerator.device)).movedim(1, -1).flatten(0, 2) for hu in parts]
        codes = fit_codes(torch.cat(latents).cpu().numpy(), self.options.codes, generator)
        weight = self.codec.vqvae.quantize.embedding.weight
        weight.copy_(torch.from_numpy(codes))
        # GPUs that round differently would each come to codes of their own.
        broadcast(weight)
        run.network.has_codes.fill_(1)
        run.ema.shadow_params = [parameter.clone().detach() for parameter in run.network.parameters()]

    def save(self) -> None:
        """Write the state; the VQ-VAE itself is written when it is validated, for its card has figures."""
        self.run.save_state()

    def validate(self, count: int) -> None:
        """Measure on held-out patients (see `evaluate_vqvae`), draw a sheet, and export, all with averaged weights.

        At the end of the run all slices are measured. Before there is a code book, only what is made without one is
        measured and drawn, and nothing is exported.
        """
        is_end = self.run.step == self.options.steps
        folder = self.run.folder / "vqvae"
        ways = WAYS if self.has_codes else ("unquantised",)
        with self.run.averaged_weights():
            codec = VQCodec(self.codec.vqvae, measure_statistics(self.codec, self.data.slices), self.codec.pixels)
            figures = evaluate_vqvae(codec, self.held_out, self.held_out_nodules, None if is_end else count, ways)
            sheet = make_vqvae_sheet(codec, self.held_out, ways[0])
            if self.has_codes:
                save_vq_codec(codec, folder)
        if self.has_codes:
            self._write_training(folder / "training.json")
            write_card(folder / "README.md", self.options, self.run.samples_seen, self.data, figures)
        self.run.save_sheet(sheet)
        self._log(figures, ways)

    def _write_training(self, path: Path) -> None:
        """Write what the weights were made with, as manifests of generators have it: to make them again."""
        options = asdict(self.options)
        training = {"samples_seen": self.run.samples_seen, "data": self.made_by, "options": options}
        write_whole(path, json.dumps(training, indent=2) + "\n")

    def _log(self, figures: Figures, ways: Sequence[str]) -> None:
        for way in ways:
            for name in ("lung_mae_hu", "psnr_db"):
                self.run.log(f"held_out_{way}/{name}", figures[way][name])
        if "code_book" in figures:
            self.run.log("held_out_code_book/perplexity", figures["code_book"]["perplexity"])
        self.run.write_held_out(figures)


def train_vqvae(options: VQVAEOptions, data: Path, run: Path, pace: Pace = DEFAULT_PACE) -> bool:
    """Train until `options.samples` have been seen, from where the run stopped; return whether they have been.

    Parameters
    ----------
    data : prepared data, see `training.prepared`
    run : the run's folder

    Raises
    ------
    InputError
        If data or run are not usable.
    """
    return train_on(VQVAETrainer(options, data, run), pace)


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="prepared data")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    add_run_arguments(parser, DEFAULT_PACE, VQVAEOptions())
    given = vars(parser.parse_args(arguments))
    is_done = train_vqvae(take_options(given, VQVAEOptions()), pace=take_options(given, DEFAULT_PACE), **given)
    return 0 if is_done else NOT_DONE


if __name__ == "__main__":
    sys.exit(main())
