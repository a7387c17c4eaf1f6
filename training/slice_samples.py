"""Many generated slices: in batches, each kept as a file, so that a stopped evaluation goes on where it was.

A slice's file is named by all that it depends on: the checkpoint, how it was sampled and in which type of number, its
condition, and a number for how it is done here and in the engine. Asking for more slices, or for the same ones again,
generates only those that are not there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from engine.checkpoint import Checkpoint, config_of, load_checkpoint, read_manifest
from engine.codec import seeded_generator
from engine.denoiser import make_slice_denoiser
from engine.device import choose_device
from engine.events import SamplingOptions
from engine.network import NetworkConfig
from engine.nodule import BoundingBox
from engine.sampling import SamplingLimits, denoise, make_scheduler
from engine.slice_generation import edges_of
from training.prepared import hu_from_stored, stored_from_hu
from training.slice_conditions import SliceCondition

#: Changes when slices are made in another way, here or in the engine's sampling.
_VERSION = 1


def generate_slices(
    folder: Path,
    conditions: Sequence[SliceCondition],
    options: SamplingOptions,
    cache: Path,
    label: str,
    batch: int = 16,
) -> NDArray[np.uint16]:
    """Generate a slice for each condition, or read it where it has been generated before.

    Parameters
    ----------
    folder : of the checkpoint
        Loaded only if a slice is missing.
    options : of all; the seed is the condition's
    cache : folder in which slices are kept, as 16-bit PNG
    label : of the progress bar
    batch : slices that run through the network together

    Returns
    -------
    (N, 256, 256) as prepared data store HU
    """
    way = f"{options.solver}-{options.steps}-{options.guidance:g}-{way_of_computing()}"
    place = cache / read_manifest(folder)["sha256"][:16] / way
    paths = [place / f"{condition.digest()}.png" for condition in conditions]

    def make(checkpoint: Checkpoint, indices: list[int]) -> Tensor:
        return sample_slices(checkpoint, [conditions[index] for index in indices], options)

    return _kept_slices(paths, folder, make, label, batch)


def reconstruct_slices(
    folder: Path, images: NDArray[np.uint16], cache: Path, label: str, batch: int = 16
) -> NDArray[np.uint16]:
    """Send slices, (N, 256, 256) as stored, through the VQ-VAE of a checkpoint and back; kept as generated ones are."""
    place = cache / f"through-{read_manifest(folder).get('vqvae_sha256', 'identity')[:16]}-{way_of_computing()}"
    paths = [place / f"{hashlib.sha256(image.tobytes()).hexdigest()[:24]}.png" for image in images]

    def make(checkpoint: Checkpoint, indices: list[int]) -> Tensor:
        hu = torch.from_numpy(hu_from_stored(images[indices]))[:, None].to(checkpoint.device.device)
        with torch.inference_mode():
            return checkpoint.codec.decode(checkpoint.codec.encode(hu)).float().cpu()

    return _kept_slices(paths, folder, make, label, batch)


def way_of_computing() -> str:
    """Name the type of number that `load_checkpoint` chooses, and `_VERSION`."""
    return f"{str(choose_device().dtype).removeprefix('torch.')}-v{_VERSION}"


def unet_passes(folder: Path, options: SamplingOptions) -> int:
    """Return how often a U-Net runs for a slice of a checkpoint: twice in a step that is guided (`engine.denoiser`)."""
    manifest = read_manifest(folder)
    config = config_of(manifest)
    steps = make_scheduler(config.scheduler, options.solver, options.steps).timesteps
    if options.guidance == 1 or not ("guide_sha256" in manifest or NetworkConfig(**config.network).sees_attributes):
        return len(steps)
    limits = SamplingLimits(**config.sampling)
    return len(steps) + sum(limits.allow_guidance(int(step)) for step in steps)


def _kept_slices(
    paths: Sequence[Path],
    folder: Path,
    make: Callable[[Checkpoint, list[int]], Tensor],
    label: str,
    batch: int,
) -> NDArray[np.uint16]:
    """Read slices from their files, once those that are missing have been made by the checkpoint of a folder."""
    missing = [index for index, path in enumerate(paths) if not path.is_file()]
    checkpoint = load_checkpoint(folder) if missing else None
    with tqdm(total=len(paths), initial=len(paths) - len(missing), desc=label, unit="slice") as progress:
        for start in range(0, len(missing), batch):
            assert checkpoint is not None
            part = missing[start : start + batch]
            for index, image in zip(part, stored_from_hu(make(checkpoint, part)[:, 0].numpy()), strict=True):
                _write(image, paths[index])
            progress.update(len(part))
    return np.stack([_read(path) for path in paths])


def _write(image: NDArray[np.uint16], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    Image.fromarray(image).save(part, "PNG", compress_level=1)
    part.replace(path)


def _read(path: Path) -> NDArray[np.uint16]:
    with Image.open(path) as image:
        return np.asarray(image, np.uint16)


@torch.inference_mode()
def sample_slices(checkpoint: Checkpoint, conditions: Sequence[SliceCondition], options: SamplingOptions) -> Tensor:
    """Do for a batch what `engine.slice_generation.generate_slice` does for one; return (N, 1, 256, 256) HU.

    Noise comes from each condition's own seed, so that a slice does not depend on its batch, up to rounding.
    """
    codec, device = checkpoint.codec, checkpoint.device.device
    size = checkpoint.grid.size
    shape = (1, codec.channels, size // codec.factor, size // codec.factor)
    # "ddpm" draws on from where the noise that it starts from ended.
    generators = [seeded_generator(condition.seed) for condition in conditions]
    noise = torch.cat([torch.randn(shape, generator=generator) for generator in generators])
    denoiser = make_slice_denoiser(
        checkpoint,
        torch.tensor(
            [edges_of(BoundingBox(*condition.box, (size, size))) for condition in conditions], dtype=torch.float32
        ),
        torch.tensor([condition.spacing_mm for condition in conditions]),
        torch.tensor([condition.scores for condition in conditions]),
        options.guidance,
    )
    scheduler = make_scheduler(checkpoint.config.scheduler, options.solver, options.steps)
    estimate = noise
    for step in denoise(denoiser, scheduler, noise.to(device), generators):
        estimate = step.estimate
    return codec.decode(estimate).float().cpu()
