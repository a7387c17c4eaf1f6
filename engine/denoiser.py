"""The network as a function of x_t and t: conditions attached, guidance applied."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.checkpoint import Checkpoint
from engine.conditioning import box_features, box_mask, context_channels
from engine.sampling import Denoiser


def make_denoiser(
    checkpoint: Checkpoint, windows: Tensor, boxes: Tensor, spacing_mm: Tensor, levels: Tensor, guidance: float
) -> Denoiser:
    """Return the denoiser for windows whose boxes are to be filled.

    prediction = without + guidance * (with - without) (Ho and Salimans 2022), where "without" leaves the attributes
    away and keeps the box; both run as one batch.

    Parameters
    ----------
    windows : (N, 1, size, size) HU
    boxes : (N, 4)
        (left, top, right, bottom) in window pixels.
    spacing_mm : (N,)
        Of a window pixel.
    levels : (N, 5) int64
        Scores 1 to 5, or 0 for "not given".
    """
    device, dtype = checkpoint.device.device, checkpoint.device.dtype
    size, count = windows.shape[-1], len(windows)
    context = context_channels(checkpoint.codec.encode(windows), box_mask(boxes, size)).to(device, dtype)
    features = box_features(boxes, spacing_mm, size).to(device, dtype)
    times = 1 if guidance == 1 else 2
    given = levels if times == 1 else torch.cat((levels, torch.zeros_like(levels)))
    conditions = (context.repeat(times, 1, 1, 1), given.to(device), features.repeat(times, 1))

    def denoise_windows(noisy: Tensor, step: Tensor) -> Tensor:
        batch = noisy.to(dtype).repeat(times, 1, 1, 1)
        predicted: Tensor = checkpoint.network(batch, step.to(device).expand(len(batch)), *conditions).float()
        if times == 1:
            return predicted
        with_attributes, without = predicted[:count], predicted[count:]
        return without + guidance * (with_attributes - without)

    return denoise_windows
