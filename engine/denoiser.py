"""The network as a function of x_t and t: conditions attached, guidance applied, x_0 kept within what was trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from engine.checkpoint import Checkpoint
from engine.conditioning import box_features, box_mask, context_channels, slice_context
from engine.network import ConditionedUNet
from engine.outline import draw_outlines
from engine.sampling import Denoiser, SamplingLimits, clip_x0


class _Conditions(NamedTuple):
    """What the network is given beside x_t and t; see `engine.network.ConditionedUNet.forward`."""

    context: Tensor
    levels: Tensor
    features: Tensor


def make_denoiser(
    checkpoint: Checkpoint,
    windows: Tensor,
    boxes: Tensor,
    spacing_mm: Tensor,
    levels: Tensor,
    guidance: float,
    seeds: Sequence[int],
) -> Denoiser:
    """Return the denoiser for windows whose boxes are to be filled.

    A network that knows outlines fills those of `engine.outline`.

    Parameters
    ----------
    windows : (N, 1, size, size) HU
    boxes : (N, 4)
        (left, top, right, bottom) in window pixels.
    spacing_mm : (N,)
        Of a window pixel.
    levels : (N, 5) int64
        Scores 1 to 5, or 0 for "not given".
    guidance : float
        See `engine.events.SamplingOptions`.
    seeds : N of them, of the outlines
    """
    size = windows.shape[-1]
    knows_outlines = checkpoint.network.config.context_channels > 2
    outlines = draw_outlines(levels, boxes, spacing_mm, seeds, size) if knows_outlines else None
    encoded, mask = checkpoint.codec.encode(windows), box_mask(boxes, size)
    conditions = _Conditions(context_channels(encoded, mask, outlines), levels, box_features(boxes, spacing_mm, size))
    return _guided(checkpoint, conditions, context_channels(encoded, mask), guidance)


def make_slice_denoiser(
    checkpoint: Checkpoint, boxes: Tensor, spacing_mm: Tensor, levels: Tensor, guidance: float
) -> Denoiser:
    """Return the denoiser for slices that are made whole.

    Parameters
    ----------
    boxes : (N, 4)
        (left, top, right, bottom) in pixels of the slices.
    spacing_mm : (N,)
        Of a pixel.
    levels, guidance : as in `make_denoiser`
    """
    size = checkpoint.grid.size
    context = slice_context(boxes, size, checkpoint.codec.factor)
    return _guided(checkpoint, _Conditions(context, levels, box_features(boxes, spacing_mm, size)), context, guidance)


def _guided(checkpoint: Checkpoint, conditions: _Conditions, unshaped: Tensor, guidance: float) -> Denoiser:
    """Return prediction = without + guidance * (with - without) as a function of x_t and t (Ho and Salimans 2022).

    "Without" leaves the attributes and the outline drawn from them away and keeps the box; both run as one batch. Where
    the checkpoint has a guide, "without" is the guide's: guidance then leads away from what less training makes, too
    (Karras et al. 2024, "Guiding a diffusion model with a bad version of itself"). Only "with" runs where guidance is
    switched off: by 1, above the highest t for which it is meant, or where the network sees no attributes and has no
    guide.

    Parameters
    ----------
    unshaped : the context without outlines
    """
    device, dtype = checkpoint.device.device, checkpoint.device.dtype
    limits = SamplingLimits(**checkpoint.config.sampling)
    context, levels, features = conditions
    given = _Conditions(context.to(device, dtype), levels.to(device), features.to(device, dtype))
    bare = _Conditions(unshaped.to(device, dtype), torch.zeros_like(given.levels), given.features)
    guide = checkpoint.guide
    is_guided = guidance != 1 and (checkpoint.network.config.sees_attributes or guide is not None)

    def predict(network: ConditionedUNet, noisy: Tensor, step: Tensor, conditions: _Conditions) -> Tensor:
        steps = step.to(device).expand(len(noisy))
        predicted: Tensor = network(noisy, steps, *conditions)
        return predicted.float()

    def denoise_batch(noisy: Tensor, step: Tensor) -> Tensor:
        batch = noisy.to(dtype)
        if not is_guided or not limits.allow_guidance(int(step)):
            return predict(checkpoint.network, batch, step, given)
        if guide is None:
            both = _Conditions(*(torch.cat(pair) for pair in zip(given, bare, strict=True)))
            predicted, without = predict(checkpoint.network, batch.repeat(2, 1, 1, 1), step, both).chunk(2)
        else:
            predicted, without = predict(checkpoint.network, batch, step, given), predict(guide, batch, step, bare)
        return without + guidance * (predicted - without)

    if limits.largest_x0 is None:
        return denoise_batch
    return clip_x0(denoise_batch, checkpoint.config.scheduler, limits.largest_x0)
