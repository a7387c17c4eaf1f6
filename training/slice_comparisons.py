"""What an evaluation of slice generators compares: distances, nearest neighbours, time, and the paper's way."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.checkpoint import config_of, read_manifest
from engine.errors import InputError
from engine.events import SLICE_SAMPLING, SamplingOptions
from training.frechet import HU_RANGE, FeatureNetwork, Features
from training.nearest_neighbours import nearest, percentiles_of, share_nearer, small_pixels
from training.paper_way import compare_distances, measure_seconds, paper_options
from training.prepared import PreparedSlices
from training.run_options import check_counts
from training.slice_conditions import SliceCondition
from training.slice_distances import distances_beside_floor, distances_to
from training.slice_figures import draw_neighbours
from training.slice_samples import generate_slices, reconstruct_slices, unet_passes, way_of_computing
from training.slice_sets import LEVELS, Images, SliceSet, TrainedOn, features_of, generated_set, joined

Figures = dict[str, Any]
#: Name of a source of conditions -> the side of the split, and one of `training.slice_conditions.PRIORS`.
CONDITIONS = {
    "training": ("training", "data"),
    "held-out": ("held-out", "data"),
    "studio": ("training", "studio"),
    "paper": ("training", "paper"),
}


@dataclass(frozen=True)
class SliceEvaluationOptions:
    """How much is measured, and how slices are generated; saved with the report. Each is an option of the command.

    Attributes
    ----------
    count : slices that each checkpoint generates, and the most real ones that they are compared with
    conditions : where boxes, scores and spacings come from, the same ones for all checkpoints;
        "training" or "held-out": from slices of those patients, as they are; "studio" or "paper": from the prior of
        the studio or of the paper (`training.slice_conditions`).
    splits : halvings of the real patients for the floor
    pairs : of slices and their nearest neighbours that are drawn
    ddpm_count : slices generated in the paper's way
    time_count : slices that are timed
    batch : slices that run through a network together
    hu_low, hu_high : HU that become black and white before features are computed
    seed : of the conditions, of the real slices that are drawn, and of the splits
    steps : of denoising a slice
    guidance : its strength, where a configuration can be guided; 1 switches it off
    solver : dpm++2m, ddim or ddpm
    """

    count: int = 2048
    conditions: str = "training"
    splits: int = 10
    pairs: int = 6
    ddpm_count: int = 64
    time_count: int = 5
    batch: int = 16
    hu_low: float = HU_RANGE[0]
    hu_high: float = HU_RANGE[1]
    seed: int = 0
    steps: int = SLICE_SAMPLING.steps
    guidance: float = SLICE_SAMPLING.guidance
    solver: str = SLICE_SAMPLING.solver

    def __post_init__(self) -> None:
        check_counts(self, count=4, splits=1, ddpm_count=4, time_count=1, batch=1)
        if self.conditions not in CONDITIONS:
            raise InputError(f"There are no conditions {self.conditions!r}; choose one of {', '.join(CONDITIONS)}.")
        if not self.hu_low < self.hu_high:
            raise InputError(f"hu_low is {self.hu_low:g}; give one below hu_high, {self.hu_high:g}.")

    @property
    def sampling(self) -> SamplingOptions:
        """The options of each slice, but for the seed."""
        return SamplingOptions(steps=self.steps, guidance=self.guidance, solver=self.solver)

    @property
    def hu_range(self) -> tuple[float, float]:
        """HU that become black and white."""
        return self.hu_low, self.hu_high


@dataclass(frozen=True)
class SliceEvaluation:
    """What all comparisons share: options, the report folder, the networks, and what every generator is asked for."""

    options: SliceEvaluationOptions
    out: Path
    networks: tuple[FeatureNetwork, ...]
    conditions: list[SliceCondition]

    def features(self, network: FeatureNetwork, images: Images, label: str) -> Features:
        """Return the features of images; `label` is that of the progress bar."""
        cache, options = self.out / "features", self.options
        return features_of(network, images, options.hu_range, cache, label, options.batch)

    def generate(self, folder: Path, label: str, sampling: SamplingOptions, count: int) -> Images:
        """Return what the checkpoint of a folder makes of the first `count` conditions."""
        cache, batch = self.out / "samples", self.options.batch
        return generate_slices(folder, self.conditions[:count], sampling, cache, label, batch)


def file_name(label: str) -> str:
    """Return a label as it stands in the names of pictures."""
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")


def comparison_digest(work: SliceEvaluation, real: Mapping[str, SliceSet]) -> str:
    """Return a hash of all that distances depend on beside checkpoint and network.

    Rows of one network in two reports that have the same hash can be set side by side.
    """
    options = work.options
    settings = (options.sampling, options.hu_range, options.splits, options.seed, way_of_computing())
    digest = hashlib.sha256(repr(settings).encode())
    for condition in work.conditions:
        digest.update(condition.digest().encode())
    for one in real.values():
        nodules = [sorted(its) for its in one.annotations]
        digest.update(repr((one.boxes.tolist(), one.patients.tolist(), nodules)).encode())
        digest.update(np.ascontiguousarray(one.images).data)
    return digest.hexdigest()


def compare_all_distances(
    work: SliceEvaluation, real: Mapping[str, SliceSet], made: Mapping[str, SliceSet], generators: Mapping[str, Path]
) -> Figures:
    """Return network -> level -> distances from training slices, from held-out ones, and beside the floor.

    Parameters
    ----------
    real : "training" and "held-out"
    made : label -> generated slices
    generators : label -> folder of the checkpoint
    """
    everyone = joined(real["training"], real["held-out"])
    through = _through_codecs(work, everyone, generators)
    figures: Figures = {}
    for network in work.networks:
        figures[network.name] = {"length": network.length}
        for level in LEVELS:
            compared, sides, paired = (_features(work, network, level, sets) for sets in (made, real, through))
            floor = distances_beside_floor(
                np.concatenate([sides["training"], sides["held-out"]]),
                everyone.patients,
                everyone.annotations,
                paired,
                compared,
                work.options.splits,
                work.options.seed,
            )
            figures[network.name][level] = {
                "training": distances_to(sides["training"], compared),
                # What a generator that has learned its patients by heart would reach.
                "held-out": distances_to(sides["held-out"], {"real, trained on": sides["training"], **compared}),
                "floor": floor,
            }
    return figures


def _features(
    work: SliceEvaluation, network: FeatureNetwork, level: str, sets: Mapping[str, SliceSet]
) -> dict[str, Features]:
    return {name: work.features(network, one.at_level(level), f"{name}, {level}") for name, one in sets.items()}


def _through_codecs(work: SliceEvaluation, real: SliceSet, generators: Mapping[str, Path]) -> dict[str, SliceSet]:
    """The real slices as each VQ-VAE shows them: what its generator could reach at best."""
    codecs = {read_manifest(folder).get("vqvae_sha256", "identity"): folder for folder in generators.values()}
    cache, batch = work.out / "samples", work.options.batch
    sets: dict[str, SliceSet] = {}
    for sha256, folder in codecs.items():
        name = f"through the VQ-VAE {sha256[:6]}"
        sets[name] = replace(real, images=reconstruct_slices(folder, real.images, cache, name, batch))
    return sets


def compare_neighbours(
    work: SliceEvaluation,
    made: Mapping[str, SliceSet],
    training: PreparedSlices,
    held_out: PreparedSlices,
    variants: Mapping[str, int],
) -> Figures:
    """Return number of variants -> "pixels" and "features" -> how near training slices are; draw the nearest pairs.

    Each generator's slices are looked for among the variants that it was trained on, with those of generators that were
    trained on as many; so no row depends on what else is evaluated.

    Parameters
    ----------
    training : all slices of training patients
    variants : label -> how many variants of each slice were trained on, see `crops_of_variant`
    """
    figures: Figures = {}
    for number in sorted(set(variants.values())):
        alike = {label: one for label, one in made.items() if variants[label] == number}
        figures[str(number)] = _neighbours_among(work, alike, TrainedOn(training, number), held_out)
    return figures


def _neighbours_among(
    work: SliceEvaluation, made: Mapping[str, SliceSet], known: TrainedOn, held_out: PreparedSlices
) -> Figures:
    """Beside generated slices stand real ones: held-out ones, and training slices among those of other patients."""
    network, training, patients = work.networks[0], known.slices, known.patients
    measures = {
        "pixels": lambda images, _: small_pixels(images, work.options.hu_range),
        "features": lambda images, name: work.features(network, images, f"{name}, global").astype(np.float32),
    }
    some = np.random.default_rng(work.options.seed).permutation(len(training))[: work.options.count]
    figures: Figures = {}
    for measure, vectors in measures.items():
        seen = np.concatenate([vectors(images, "all training slices") for images in known.parts()])
        real = {"held out": nearest(vectors(held_out.images, "all held-out slices"), seen)}
        if len(np.unique(training.patients)) > 1:
            real["training, other patients"] = nearest(seen[some], seen, training.patients[some], patients)
        figures[measure] = {"real": {name: percentiles_of(one) for name, one in real.items()}, "generated": {}}
        for label, one in made.items():
            found = nearest(vectors(one.images, label), seen)
            nearer = {name: share_nearer(found, apart) for name, apart in real.items()}
            figures[measure]["generated"][label] = {**percentiles_of(found), "nearer_than": nearer}
            unit = "HU" if measure == "pixels" else network.name
            sheet = draw_neighbours(one, known, found, work.options.pairs, unit)
            sheet.save(work.out / f"neighbours_{measure}_{file_name(label)}.png")
    return figures


def measure_time(work: SliceEvaluation, folder: Path) -> Figures:
    """Return how long single slices take."""
    seconds = measure_seconds(folder, work.conditions, work.options.sampling, work.options.time_count)
    return {
        "median_seconds": float(np.median(seconds)),
        "slowest_seconds": max(seconds),
        "slices": len(seconds),
        "unet_passes": unet_passes(folder, work.options.sampling),
    }


def compare_with_ddpm(work: SliceEvaluation, label: str, folder: Path, few: SliceSet, real: SliceSet) -> Figures:
    """Return time and distances of the paper's way beside those of few steps; see `training.paper_way`.

    Parameters
    ----------
    few : what the checkpoint has made in few steps
    real : training slices; without two of them, there are no distances
    """
    config = config_of(read_manifest(folder))
    slow = paper_options(work.options.sampling, config.scheduler["num_train_timesteps"])
    count = min(work.options.ddpm_count, len(few))
    images = work.generate(folder, f"{label}, {slow.steps} steps of DDPM", slow, count)
    sets = {
        "few": few.taken(np.arange(count)),
        "paper": generated_set(images, work.conditions[:count]),
        "training": real,
    }
    distances: Figures = {}
    for network in work.networks:
        distances[network.name] = {}
        for level in LEVELS if len(real) > 1 else ():
            found = _features(work, network, level, sets)
            distances[network.name][level] = compare_distances(found["few"], found["paper"], found["training"])
    # Timed again, one right after the other: what else the machine does changes within an hour.
    quick = measure_time(work, folder)
    (paper_seconds,) = measure_seconds(folder, work.conditions, slow, 1)
    seconds = quick["median_seconds"]
    return {
        "steps": slow.steps,
        "seconds": {"few_steps": seconds, "paper": paper_seconds, "times_faster": paper_seconds / seconds},
        "unet_passes": {"few_steps": quick["unet_passes"], "paper": unet_passes(folder, slow)},
        "distances": distances,
    }
