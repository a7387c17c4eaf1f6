"""What the U-Net is told: box mask, context channels, and tokens of box and attributes.

The paper concatenates flattened mask and embedded attributes into one vector (section 2.2, "Conditioning and
cross-attention layers"). Here each attribute, and the box, is a token of its own: cross-attention can tell them
apart, and a score can be "not given" on its own. The same tokens, flattened, are added to the time embedding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.nodule import ATTRIBUTE_NAMES

#: Rows of each attribute's table: "not given", then the scores 1 to 5.
SCORE_LEVELS = 6
#: Numbers that describe a box: see `box_features`.
BOX_FEATURES = 4
TOKENS = len(ATTRIBUTE_NAMES) + 1


def box_mask(boxes: Tensor, size: int) -> Tensor:
    """Return how much of each pixel a box covers.

    Parameters
    ----------
    boxes : (N, 4)
        (left, top, right, bottom) in window pixels, continuous.

    Returns
    -------
    (N, 1, size, size) float32 in [0, 1]
    """
    start = torch.arange(size, device=boxes.device, dtype=torch.float32)

    def cover(low: Tensor, high: Tensor) -> Tensor:
        first, last = low[:, None].maximum(start), high[:, None].minimum(start + 1)
        return (last - first).clamp(0, 1)

    columns, rows = cover(boxes[:, 0], boxes[:, 2]), cover(boxes[:, 1], boxes[:, 3])
    return (rows[:, :, None] * columns[:, None, :])[:, None]


def context_channels(windows: Tensor, mask: Tensor) -> Tensor:
    """Return what is known beside the noise: the box mask, and the window with the box blanked out.

    Parameters
    ----------
    windows : (N, 1, size, size) in model range
    mask : (N, 1, size, size) in [0, 1]

    Returns
    -------
    (N, 2, size, size)
    """
    return torch.cat((mask, torch.where(mask > 0, 0.0, windows)), dim=1)


def box_features(boxes: Tensor, spacing_mm: Tensor, size: int) -> Tensor:
    """Describe boxes by numbers of the order of 1: side and spacing (mm, logarithms), centre off the window's centre.

    Parameters
    ----------
    boxes : (N, 4)
        (left, top, right, bottom) in window pixels.
    spacing_mm : (N,)
        Of a window pixel.

    Returns
    -------
    (N, BOX_FEATURES)
    """
    left, top, right, bottom = boxes.unbind(1)
    side_mm = ((right - left) * (bottom - top)).sqrt() * spacing_mm
    offset_x, offset_y = (left + right - size) / size, (top + bottom - size) / size
    return torch.stack((torch.log2(side_mm / 16), torch.log2(spacing_mm / 0.7), offset_x, offset_y), dim=1)


def score_levels(scores: Sequence[int | None]) -> Tensor:
    """Return five scores, None meaning "not given", as (1, 5) rows of the attributes' tables."""
    return torch.tensor([[score or 0 for score in scores]])


class ConditionTokens(nn.Module):
    """A token for each attribute and one for the box."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.width = width
        self.attributes = nn.Embedding(len(ATTRIBUTE_NAMES) * SCORE_LEVELS, width)
        self.box = nn.Sequential(nn.Linear(BOX_FEATURES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, levels: Tensor, features: Tensor) -> Tensor:
        """Embed scores and boxes.

        Parameters
        ----------
        levels : (N, 5) int64
            Scores 1 to 5, or 0 for "not given", in the order of Table 1.
        features : (N, BOX_FEATURES)
            From `box_features`.

        Returns
        -------
        (N, TOKENS, width)
        """
        first_rows = torch.arange(len(ATTRIBUTE_NAMES), device=levels.device) * SCORE_LEVELS
        scores = functional.embedding(levels + first_rows, self.attributes.weight)
        return torch.cat((scores, self.box(features)[:, None]), dim=1)
