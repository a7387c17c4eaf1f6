"""Measure a checkpoint on held-out patients.

    python -m training.evaluate nodule --checkpoint resources/checkpoints/nodule \\
        --data PREPARED --out runs/evaluation

prints and writes `report.md`, `report.json` and a contact sheet for each attribute. The sheets show real crops of
the data given: keep the report folder where those may lie.

    python -m training.evaluate slice --checkpoint runs/slice-1/checkpoint runs/slice-2/checkpoint \\
        --data PREPARED --out runs/evaluation-slice

does the same for slice generators, side by side: see `training.evaluate_slice`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from engine.checkpoint import Checkpoint, check_kind, config_of, load_checkpoint, read_manifest
from engine.ct import CTSlice
from engine.device import choose_device
from engine.events import GenerationRequest, SamplingOptions
from engine.nodule import ATTRIBUTE_NAMES
from training.attribute_sweeps import Sweep, readers_against_proxies, sweep_attribute
from training.checkpoint_copy import copy_checkpoint
from training.command import command
from training.contact_sheet import draw_contact_sheet
from training.evaluate_scorer import add_scorer_arguments, run_scorer
from training.evaluate_slice import add_slice_arguments, run_slice
from training.evaluate_vqvae import add_vqvae_arguments, run_vqvae
from training.evaluation_report import write_markdown
from training.held_out_cases import HeldOutCase, choose_cases
from training.nodule_crops import load_crops
from training.paste_checks import check_boxes, check_noise, check_time
from training.placing import place_many
from training.realism import compare_with_real
from training.run_options import add_options, add_out, check_counts
from training.v_errors import compare_v_errors

_SHEET_ROWS = 12


@dataclass(frozen=True)
class EvaluationOptions:
    """How much is measured, and how nodules are generated; saved with the report. Each is an option of the command.

    Attributes
    ----------
    count : boxes in which texture is swept; 0 leaves it out
    other_count : boxes in which each of the other attributes is swept; 0 leaves them out
    real_count : crops generated with their own scores and compared with real ones; at least as many as boxes swept
    error_count : samples for the error of v
    noise_count : boxes for the noise at each spacing
    time_count : places that are timed
    batch : windows that run through the network together
    seed : of the choice of cases
    steps : of denoising
    guidance : its strength; 1 switches it off
    solver : dpm++2m, ddim or ddpm

    Raises
    ------
    InputError
        If nothing can be measured of so few.
    """

    count: int = 64
    other_count: int = 24
    real_count: int = 384
    error_count: int = 512
    noise_count: int = 12
    time_count: int = 6
    batch: int = 16
    seed: int = 0
    steps: int = SamplingOptions.steps
    guidance: float = SamplingOptions.guidance
    solver: str = SamplingOptions.solver

    def __post_init__(self) -> None:
        check_counts(self, real_count=4, error_count=1, time_count=1, batch=1)

    @property
    def sampling(self) -> SamplingOptions:
        """The options of each request, but for the seed."""
        return SamplingOptions(steps=self.steps, guidance=self.guidance, solver=self.solver)


def evaluate_nodule(
    checkpoint_folder: Path, baseline_folder: Path | None, data: Path, out: Path, options: EvaluationOptions
) -> dict[str, Any]:
    """Measure a nodule generator, write the report folder, and return the figures of `report.json`.

    Raises
    ------
    InputError
        If a folder is no checkpoint of a nodule generator, the data are not there, or the baseline cannot be compared.
    """
    started = time.monotonic()
    for folder in filter(None, (checkpoint_folder, baseline_folder)):
        check_kind(config_of(read_manifest(folder)), "nodule")
    crops = load_crops(data, held_out=True)
    # A run that goes on may put another one in its place meanwhile.
    checkpoint_folder = copy_checkpoint(checkpoint_folder, out / "checkpoints")
    checkpoint = load_checkpoint(checkpoint_folder)
    # Differences between networks are smaller than what bf16 weights would add to them.
    exact = _load_float32(checkpoint_folder)
    baseline = _load_float32(baseline_folder) if baseline_folder else None
    everything = choose_cases(crops, len(crops), checkpoint.grid, options.seed)
    cases = everything[: max(options.real_count, options.count, options.other_count)]
    figures: dict[str, Any] = {
        "checkpoint": _describe(checkpoint),
        "baseline": _describe(baseline) if baseline else None,
        "options": asdict(options),
        "cases": {"cases": len(cases), "patients": len({case.patient for case in cases})},
        "v_error": compare_v_errors(exact, baseline, crops, options.error_count, options.seed),
        "time": check_time(checkpoint, cases[: options.time_count], options.sampling),
        "noise": check_noise(checkpoint, everything, options.sampling, options.noise_count, options.batch),
    }
    placed = _place_with_own_scores(checkpoint, cases, options)
    figures["boxes"] = check_boxes(cases, placed)
    figures["realism"] = compare_with_real(cases, placed, seed=options.seed)
    figures["readers_against_proxies"] = readers_against_proxies(cases)
    figures["sweeps"] = {}
    for sweep in _sweeps(checkpoint, cases, options):
        figures["sweeps"][sweep.attribute] = sweep.figures
        rows = min(_SHEET_ROWS, len(sweep.slices))
        sheet = draw_contact_sheet(cases[:rows], placed[:rows], sweep.slices[:rows], sweep.attribute)
        sheet.save(out / f"contact_sheet_{sweep.attribute}.png")
    figures["minutes"] = (time.monotonic() - started) / 60
    (out / "report.json").write_text(json.dumps(figures, indent=2, allow_nan=False) + "\n")
    (out / "report.md").write_text(write_markdown(figures))
    return figures


def _load_float32(folder: Path) -> Checkpoint:
    return load_checkpoint(folder, replace(choose_device(), dtype=torch.float32))


def _describe(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "name": checkpoint.config.name,
        "sha256": checkpoint.sha256,
        "samples_seen": checkpoint.config.training.get("samples_seen"),
    }


def _place_with_own_scores(
    checkpoint: Checkpoint, cases: Sequence[HeldOutCase], options: EvaluationOptions
) -> list[CTSlice]:
    requests = [
        GenerationRequest(case.slice, case.box, case.attributes, replace(options.sampling, seed=case.seed))
        for case in cases
    ]
    return place_many(checkpoint, requests, "same scores", options.batch)


def _sweeps(checkpoint: Checkpoint, cases: Sequence[HeldOutCase], options: EvaluationOptions) -> Iterator[Sweep]:
    for attribute in reversed(ATTRIBUTE_NAMES):  # texture first: it is the one with a direct measure
        count = options.count if attribute == "texture" else options.other_count
        if count:
            yield sweep_attribute(checkpoint, cases[:count], attribute, options.sampling, options.batch)


def _add_nodule_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--baseline", type=Path, help="folder of a checkpoint trained without attributes")
    parser.add_argument("--data", type=Path, required=True, help="prepared data, or crops (training.import_public)")
    add_out(parser, "runs/evaluation")
    add_options(parser, EvaluationOptions())


def _run_nodule(given: Mapping[str, Any]) -> str:
    options = EvaluationOptions(**{field.name: given[field.name] for field in fields(EvaluationOptions)})
    figures = evaluate_nodule(given["checkpoint"], given["baseline"], given["data"], given["out"], options)
    return write_markdown(figures)


@dataclass(frozen=True)
class _Kind:
    """A kind of evaluation: what it is for, the options it takes (``--out`` among them), and how it is run."""

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Mapping[str, Any]], str]


_KINDS = {
    "nodule": _Kind("evaluate a nodule generator", _add_nodule_arguments, _run_nodule),
    "slice": _Kind("evaluate slice generators", add_slice_arguments, run_slice),
    "scorer": _Kind("evaluate a scorer on held-out nodules", add_scorer_arguments, run_scorer),
    "vqvae": _Kind("evaluate a VQ-VAE by its reconstructions", add_vqvae_arguments, run_vqvae),
}


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, evaluate, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for name, kind in _KINDS.items():
        kind.add_arguments(kinds.add_parser(name, help=kind.summary))
    given = vars(parser.parse_args(arguments))
    report = _KINDS[given["kind"]].run(given)
    print(report)
    print(f"Written to {given['out']}.")


if __name__ == "__main__":
    raise SystemExit(main())
