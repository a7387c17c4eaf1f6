"""Measure slice generators on prepared data: the paper's Table 2 and figures 2 and 3, and more (`training.evaluate`).

Only slices that are generated whole are compared here. What a nodule generator paints into a slice that is already
there is another thing, measured by ``python -m training.evaluate nodule``, and the two never share a number.

The report folder keeps every generated slice under ``samples/`` and the features under ``features/``: an evaluation
that was stopped goes on where it was, and one more checkpoint, or a larger count, costs only what is new. Checkpoints
are copied to ``checkpoints/`` first, since a run that goes on replaces its own: to take up an evaluation of such a one,
give the copy.

No row depends on what else is evaluated: where `comparison_digest` is the same, rows of reports of one machine can be
set side by side. The pictures show real slices of the data given: keep the folder where those may lie.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from engine.checkpoint import check_kind, config_of, read_manifest
from engine.device import choose_device
from engine.errors import InputError
from engine.events import SamplingOptions
from training.checkpoint_copy import copy_checkpoint
from training.frechet import efficientnet_lite0
from training.inception_features import find_inception_weights, inception_network
from training.prepared import SLICE_SIZE, PreparedSlices, read_description, read_slices
from training.run_options import add_options, add_out
from training.slice_comparisons import (
    CONDITIONS,
    SliceEvaluation,
    SliceEvaluationOptions,
    compare_all_distances,
    compare_neighbours,
    compare_with_ddpm,
    comparison_digest,
    file_name,
    measure_time,
)
from training.slice_conditions import draw_conditions, with_all_scores
from training.slice_figures import draw_scores, draw_slices
from training.slice_report import write_slice_markdown
from training.slice_samples import unet_passes
from training.slice_sets import SliceSet, generated_set, real_set

Figures = dict[str, Any]

#: `NetworkConfig.conditioning` -> the name in the report; the first three as in the paper's Table 2.
CONFIGURATIONS = {
    "paper-1": "(1) input nodule mask",
    "paper-2": "(2) + CA mask",
    "paper-3": "(3) + CA mask and attributes",
    "tokens": "studio",
}


def evaluate_slice(
    folders: Sequence[Path],
    data: Path,
    out: Path,
    options: SliceEvaluationOptions,
    inception: Path | None = None,
    against_ddpm: bool = False,
) -> Figures:
    """Measure slice generators, write the report folder, and return the figures of `report.json`.

    Parameters
    ----------
    folders : of the checkpoints; Table 2 takes configurations 1, 2, 3 and studio
    data : a folder of prepared data, `training.prepared`
    inception : weights of Inception; without them its numbers are left out, unless they lie on this machine
    against_ddpm : compare with 1000 steps of DDPM too, which takes hours on a CPU

    Raises
    ------
    InputError
        If a folder is no checkpoint of a slice generator, or is replaced while it is copied, the data or the weights
        are not there, or an option is wrong.
    """
    started = time.monotonic()
    weights = find_inception_weights(inception)
    networks = (efficientnet_lite0(), *([inception_network(weights)] if weights else []))
    made_by = read_description(data)["made_by"]
    for folder in folders:
        _check(folder)
    generators = _label([copy_checkpoint(folder, out / "checkpoints") for folder in folders])
    described = {label: _describe(folder, options.sampling) for label, folder in generators.items()}
    # Conditions are drawn from all readings that slices are compared with: without the scores that are not to be
    # trusted, those of whole scans would be left out.
    training, held_out = (read_slices(data, held_out=side, trusted=False) for side in (False, True))
    side, prior = CONDITIONS[options.conditions]
    asked = held_out if side == "held-out" else training
    asked, readings = with_all_scores(asked) if prior == "data" else (asked, None)
    out.mkdir(parents=True, exist_ok=True)
    work = SliceEvaluation(options, out, networks, draw_conditions(asked, options.count, options.seed, prior))
    made = {
        label: generated_set(work.generate(folder, label, options.sampling, options.count), work.conditions)
        for label, folder in generators.items()
    }
    real = {
        "training": real_set(training, options.count, options.seed),
        "held-out": real_set(held_out, options.count, options.seed),
    }
    figures: Figures = {
        "generators": described,
        "options": asdict(options),
        "device": choose_device().description,
        "networks": {network.name: network.weights for network in networks},
        "made_by": made_by,
        "data": {"training": _count(training), "held-out": _count(held_out)},
        "readings": readings,
        "comparison": comparison_digest(work, real),
        "distances": compare_all_distances(work, real, made, generators),
        "neighbours": compare_neighbours(
            work, made, training, held_out, {label: one["variants"] for label, one in described.items()}
        ),
        "time": {label: measure_time(work, folder) for label, folder in generators.items()},
        "paper_way": {},
    }
    if against_ddpm:
        for label, folder in generators.items():
            figures["paper_way"][label] = compare_with_ddpm(work, label, folder, made[label], real["training"])
    _draw(out, real["training"], made)
    figures["minutes"] = (time.monotonic() - started) / 60
    (out / "report.json").write_text(json.dumps(figures, indent=2, allow_nan=False) + "\n")
    (out / "report.md").write_text(write_slice_markdown(figures))
    return figures


def _check(folder: Path) -> None:
    """Refuse a checkpoint that does not make slices like those of prepared data."""
    config = config_of(read_manifest(folder))
    check_kind(config, "slice")
    if config.grid["size"] != SLICE_SIZE:
        raise InputError(
            f"The checkpoint {config.name!r} makes slices of {config.grid['size']} pixels a side and prepared data "
            f"have {SLICE_SIZE}; evaluate one of that size."
        )


def _label(folders: Sequence[Path]) -> dict[str, Path]:
    """Name each checkpoint by its configuration and, where two have the same one, by its name and hash too."""
    manifests = {folder: read_manifest(folder) for folder in folders}
    names = {
        folder: CONFIGURATIONS[config_of(manifest).network.get("conditioning", "tokens")]
        for folder, manifest in manifests.items()
    }
    often = Counter(names.values())
    return {
        name if often[name] == 1 else f"{name}, {manifests[folder]['name']} {manifests[folder]['sha256'][:6]}": folder
        for folder, name in names.items()
    }


def _describe(folder: Path, sampling: SamplingOptions) -> Figures:
    manifest = read_manifest(folder)
    training = manifest["training"]
    return {
        "name": manifest["name"],
        "sha256": manifest["sha256"],
        "vqvae_sha256": manifest.get("vqvae_sha256"),
        "samples_seen": training.get("samples_seen"),
        "data": training.get("data"),
        "variants": training.get("options", {}).get("variants", 1),
        "is_guided": unet_passes(folder, sampling) > sampling.steps,
    }


def _count(slices: PreparedSlices) -> Figures:
    with_nodules = sum(bool(readings) for readings in slices.nodules)
    return {
        "slices": len(slices),
        "with_nodules": with_nodules,
        "patients": len(np.unique(slices.patients)),
        "sources": dict(sorted(Counter(slices.sources.tolist()).items())),
    }


def _draw(out: Path, real: SliceSet, made: Mapping[str, SliceSet]) -> None:
    draw_slices({"real": real, **made}).save(out / "slices.png")
    for label, one in made.items():
        draw_scores(real, one, label).save(out / f"scores_{file_name(label)}.png")


def add_slice_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``slice`` to its parser."""
    parser.add_argument("--checkpoint", type=Path, required=True, nargs="+", help="folders of the checkpoints")
    parser.add_argument("--data", type=Path, required=True, help="folder of prepared data")
    add_out(parser, "runs/evaluation-slice")
    parser.add_argument("--inception", type=Path, help="weights of Inception, pt_inception-2015-12-05-6726825d.pth")
    parser.add_argument("--against-ddpm", action="store_true", help="compare with 1000 steps of DDPM too (hours)")
    add_options(parser, SliceEvaluationOptions())


def run_slice(given: Mapping[str, Any]) -> str:
    """Evaluate slice generators as the command line says, and return the report as Markdown."""
    options = SliceEvaluationOptions(**{field.name: given[field.name] for field in fields(SliceEvaluationOptions)})
    figures = evaluate_slice(
        given["checkpoint"], given["data"], given["out"], options, given["inception"], given["against_ddpm"]
    )
    return write_slice_markdown(figures)
