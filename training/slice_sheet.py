"""The contact sheet of a slice generator's training: held-out slices, and what is made with their boxes and scores."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from engine.checkpoint import Checkpoint
from engine.ct import LUNG
from engine.events import SLICE_SAMPLING
from engine.export_pictures import to_grey
from training.prepared import SLICE_SIZE
from training.slice_conditions import SliceCondition
from training.slice_latents import Latents
from training.slice_loss import SliceBatch, take_batch
from training.slice_readings import SliceReadings
from training.slice_samples import sample_slices

_RED = (230, 40, 40)
#: Side, in pixels of the slice, of what is shown enlarged around the box.
_CLOSE_UP = 64


@torch.inference_mode()
def make_slice_sheet(
    checkpoint: Checkpoint, latents: Latents, readings: SliceReadings, columns: int = 6
) -> Image.Image:
    """Draw held-out slices side by side, in the lung window, boxes in red.

    Rows: real, through the VQ-VAE and back; generated from noise with the same box and scores; and the surroundings of
    the box in both, four times as large. The cases and the noise are the same in every sheet of a run.
    """
    chosen = readings.drawn_at(np.random.default_rng(1).random(columns))
    batch = take_batch(latents, readings, chosen)
    real = checkpoint.codec.decode(batch.latents.to(checkpoint.device.device)).cpu()
    made = sample_slices(checkpoint, _conditions(batch), SLICE_SAMPLING)
    rows = [[(hu[0], box) for hu, box in zip(image, batch.boxes, strict=True)] for image in (real, made)]
    tiles = [[_whole(*case) for case in row] for row in rows] + [[_close_up(*case) for case in row] for row in rows]
    return Image.fromarray(np.concatenate([np.concatenate([np.asarray(tile) for tile in row], 1) for row in tiles]))


def _conditions(batch: SliceBatch) -> list[SliceCondition]:
    """Boxes and scores of a batch of whole slices; case k starts from the noise of seed k."""
    cases = zip(batch.boxes.int().tolist(), batch.levels.tolist(), batch.spacing_mm.tolist(), strict=True)
    return [
        SliceCondition((top, left, right - left), tuple(levels), spacing, seed)
        for seed, ((left, top, right, _), levels, spacing) in enumerate(cases)
    ]


def _grey(hu: Tensor) -> Image.Image:
    return Image.fromarray(to_grey(hu.numpy(), LUNG)).convert("RGB")


def _whole(hu: Tensor, box: Tensor) -> Image.Image:
    tile = _grey(hu)
    left, top, right, bottom = box.tolist()
    ImageDraw.Draw(tile).rectangle((left - 1, top - 1, right, bottom), outline=_RED)
    return tile


def _close_up(hu: Tensor, box: Tensor) -> Image.Image:
    left, top, right, bottom = box.tolist()
    x, y = (left + right - _CLOSE_UP) / 2, (top + bottom - _CLOSE_UP) / 2
    shown = (x, y, x + _CLOSE_UP, y + _CLOSE_UP)
    return _grey(hu).transform((SLICE_SIZE, SLICE_SIZE), Image.Transform.EXTENT, shown, Image.Resampling.BICUBIC)
