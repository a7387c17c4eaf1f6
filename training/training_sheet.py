"""The contact sheet of a training run: held-out nodules, and what the network makes in their place."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engine.checkpoint import Checkpoint
from engine.conditioning import box_mask
from engine.ct import LUNG
from engine.events import SamplingOptions
from engine.export_pictures import to_grey
from training.nodule_crops import NoduleCrops, sampling_weights
from training.nodule_samples import fixed_batch
from training.window_sampling import generate_windows

#: Scores of the rows below the first three, in the order of Table 1.
_SWEPT = ((4, 4, 1, 1, 1), (4, 4, 1, 1, 5), (1, 4, 1, 1, 5), (4, 1, 1, 1, 5), (4, 4, 5, 1, 5), (4, 4, 1, 5, 5))


def make_contact_sheet(checkpoint: Checkpoint, held_out: NoduleCrops, columns: int = 12) -> Image.Image:
    """Draw held-out cases side by side, in the lung window at twice their size.

    Rows: real; box; generated with the same scores; then one noise with texture 1, texture 5, sphericity 1, margin 1,
    lobulation 5 and spiculation 5, the others being those of a smooth, round, solid nodule.
    """
    count = min(columns, len(held_out))
    units = np.random.default_rng(1).choice(len(held_out), count, replace=False, p=sampling_weights(held_out))
    samples = fixed_batch(held_out, units, checkpoint.grid, seed=1)
    in_box = box_mask(samples.boxes, checkpoint.grid.size) > 0
    windows = samples.hu, samples.boxes, samples.spacing_mm
    options = SamplingOptions()
    generated = [generate_windows(checkpoint, *windows, samples.levels, range(count), options)]
    for scores in _SWEPT:
        levels = torch.tensor([scores] * count)
        generated.append(generate_windows(checkpoint, *windows, levels, [0] * count, options))
    filled = [torch.where(in_box, hu, samples.hu) for hu in (torch.tensor(LUNG.level), *generated)]
    rows = [samples.hu, *filled]
    return _in_lung_window(torch.stack([row[:, 0] for row in rows]))


def _in_lung_window(hu: Tensor) -> Image.Image:
    """Lay out (rows, columns, size, size) HU."""
    grey = to_grey(hu.numpy(), LUNG)
    rows, columns, size, _ = grey.shape
    sheet = Image.fromarray(grey.transpose(0, 2, 1, 3).reshape(rows * size, columns * size))
    return sheet.resize((sheet.width * 2, sheet.height * 2), Image.Resampling.BICUBIC)
