"""Latents of prepared slices: encoded once by the frozen VQ-VAE, kept on disk, memory-mapped.

A cache is a folder named by a hash of the VQ-VAE and the images, so that another of either makes another cache::

    LATENTS/<key>/variant-0/00000.npy    fp16 (slices, channels, 64, 64), 512 slices a file
    LATENTS/<key>/variant-1/...          the same slices, cropped a little and enlarged again

Files are put in place whole, so that a stopped encoding goes on where it was, and processes share the work.

The statistics of a VQ-VAE that comes without them are kept beside, in ``LATENTS/<key>.json``.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from engine.vq_codec import LatentStatistics, VQCodec
from engine.window import sample
from training.prepared import SLICE_SIZE, PreparedSlices, hu_from_stored, stored_from_hu
from training.vqvae_statistics import measure_statistics

_SLICES_A_FILE, _SLICES_A_BATCH = 512, 16
#: Side of the smallest crop of a variant, as a share of the slice's.
_SMALLEST_CROP = 0.875
#: Changes when latents are made in another way.
_VERSION = 2


class Encoder(Protocol):
    """What the cache needs of `engine.vq_codec.VQCodec`."""

    def encode(self, hu: Tensor) -> Tensor:
        """(N, 1, H, W) HU -> (N, C, h, w)."""
        ...

    def settings(self) -> dict[str, Any]:
        """Return what is not in the weights."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the weights."""
        ...


@dataclass(frozen=True, eq=False)
class Latents:
    """Latents of all variants of all slices; `shards[variant][file]` is fp16 (slices, channels, h, w) on disk."""

    shards: list[list[NDArray[np.float16]]]

    @property
    def channels(self) -> int:
        """Channels of the latents."""
        return self.shards[0][0].shape[1]

    @property
    def largest(self) -> float:
        """Largest absolute value in the slices themselves, variant 0."""
        return max(float(np.abs(shard).max()) for shard in self.shards[0])

    def take(self, slices: NDArray[np.int64], variants: NDArray[np.int64]) -> Tensor:
        """Return the latents of (N,) slices, each in one of its variants: (N, channels, h, w) float32."""
        files, places = np.divmod(slices, _SLICES_A_FILE)
        rows = [self.shards[v][f][p] for v, f, p in zip(variants, files, places, strict=True)]
        return torch.from_numpy(np.stack(rows)).float()


def crops_of_variant(count: int, variant: int) -> NDArray[np.float32]:
    """Return what each of `count` slices shows in a variant: row, column and side of a square, (count, 3), in pixels.

    Variant 0 is the whole slice. The others are shifted and enlarged by up to an eighth; nothing is made up at the
    edges, and nothing is mirrored: the heart is on the left. What is shown of a slice depends on its number and on how
    many there are: all that are encoded, in their order.
    """
    generator = np.random.default_rng(variant)
    side = SLICE_SIZE * (generator.uniform(_SMALLEST_CROP, 1, count) if variant else np.ones(count))
    corners = generator.uniform(0, 1, (2, count)) * (SLICE_SIZE - side)
    return np.stack([*corners, side], axis=1).astype(np.float32)


def images_in_crops(images: NDArray[np.uint16], crops: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return what is encoded of slices, (N, 256, 256), in crops, (N, 3): (N, 256, 256), as stored."""
    shown = np.empty_like(images)
    for start in range(0, len(images), _SLICES_A_BATCH):
        part = slice(start, start + _SLICES_A_BATCH)
        shown[part] = stored_from_hu(_shown(images[part], crops[part], torch.device("cpu"))[:, 0].numpy())
    return shown


def cache_latents(
    slices: PreparedSlices, codec: Encoder, folder: Path, variants: int, accelerator: Accelerator
) -> Latents:
    """Encode what is not in the cache yet, and open the cache.

    Parameters
    ----------
    codec : on the accelerator's device
    folder : of all caches; this one becomes a folder in it
    variants : how many of each slice, 1 for the slice itself alone
    """
    cache = folder / _key(slices, codec)
    files = math.ceil(len(slices) / _SLICES_A_FILE)
    paths = [cache / f"variant-{variant}" / f"{file:05d}.npy" for variant in range(variants) for file in range(files)]
    rank, processes = accelerator.process_index, accelerator.num_processes
    # Its share first; then, where processes do not share a disk, whatever this one still lacks.
    for own in (paths[rank::processes], paths):
        missing = [path for path in own if not path.exists()]
        if missing:
            _encode_files(missing, slices, codec, accelerator)
        accelerator.wait_for_everyone()
    arrays = [np.load(path, mmap_mode="r") for path in paths]
    return Latents([arrays[first : first + files] for first in range(0, len(arrays), files)])


def cache_statistics(
    slices: PreparedSlices, codec: VQCodec, folder: Path, accelerator: Accelerator
) -> LatentStatistics:
    """Measure the latents of a VQ-VAE without statistics, once for all processes and for all runs with this folder.

    On GPUs, sums differ a little each time, and with other statistics all latents would be encoded again.

    Parameters
    ----------
    codec : on the accelerator's device
    folder : of all caches
    """
    sent: list[Any] = [None]
    # Sent, for processes need not share a disk.
    if accelerator.is_main_process:
        path = folder / f"{_key(slices, codec)}.json"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            part.write_text(json.dumps(asdict(measure_statistics(codec, slices)), indent=2) + "\n")
            part.replace(path)
        sent = [json.loads(path.read_text())]
    broadcast_object_list(sent)
    kept: dict[str, Any] = sent[0]
    components = tuple(tuple(row) for row in kept["components"])
    return LatentStatistics(tuple(kept["mean"]), components, tuple(kept["preview_weights"]), kept["preview_bias"])


def _key(slices: PreparedSlices, codec: Encoder) -> str:
    digest = hashlib.sha256(json.dumps([_VERSION, _SLICES_A_FILE, codec.settings()], sort_keys=True).encode())
    for name, tensor in sorted(codec.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.float().cpu().contiguous().numpy())
    digest.update(np.ascontiguousarray(slices.images).data)
    return digest.hexdigest()[:16]


def _encode_files(paths: list[Path], slices: PreparedSlices, codec: Encoder, accelerator: Accelerator) -> None:
    hidden = not accelerator.is_main_process
    for path in tqdm(paths, desc="latents", unit="file", disable=hidden):
        variant, first = int(path.parent.name.split("-")[1]), int(path.stem) * _SLICES_A_FILE
        rows = slice(first, first + _SLICES_A_FILE)
        crops = crops_of_variant(len(slices), variant)[rows]
        images = slices.images[rows]
        parts: list[NDArray[np.float16]] = []
        for start in tqdm(range(0, len(images), _SLICES_A_BATCH), leave=False, unit="batch", disable=hidden):
            batch = slice(start, start + _SLICES_A_BATCH)
            parts.append(_encode(images[batch], crops[batch], codec, accelerator))
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{accelerator.process_index}.{os.getpid()}.part")
        with part.open("wb") as stream:
            np.save(stream, np.concatenate(parts))
        part.replace(path)


@torch.inference_mode()
def _encode(
    stored: NDArray[np.uint16], crops: NDArray[np.float32], codec: Encoder, accelerator: Accelerator
) -> NDArray[np.float16]:
    hu = _shown(stored, crops, accelerator.device)
    # In bf16, 2.3 times as quick on a CPU, three components are off by 0.5, 1.5 and 4 % of their spread, the one of the
    # least variance most; slices decoded from them are as near to the real ones: 18.7 HU.
    with accelerator.autocast():
        return codec.encode(hu).half().cpu().numpy()


def _shown(stored: NDArray[np.uint16], crops: NDArray[np.float32], device: torch.device) -> Tensor:
    """What slices, (N, 256, 256) as stored, show in crops, (N, 3), enlarged again: (N, 1, 256, 256) HU."""
    hu = torch.from_numpy(hu_from_stored(stored))[:, None]
    if (crops[:, 2] < SLICE_SIZE).any():
        # On the CPU: the GPUs of Macs do not sample up to the border.
        hu = sample(hu, _to_slice(torch.from_numpy(crops)), SLICE_SIZE, "bicubic")
    return hu.to(device)


def _to_slice(crops: Tensor) -> Tensor:
    """Coordinates of a variant relative to its centre -> coordinates in the slice, (N, 2, 3); see `sample`."""
    row, column, side = crops.unbind(1)
    scale, none = side / SLICE_SIZE, torch.zeros_like(side)
    x = torch.stack((scale, none, column + side / 2), dim=1)
    y = torch.stack((none, scale, row + side / 2), dim=1)
    return torch.stack((x, y), dim=1)
