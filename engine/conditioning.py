"""What the U-Net is told: box mask, context channels, and tokens of box and attributes.

The paper concatenates flattened mask and embedded attributes into one vector (section 2.2, "Conditioning and
cross-attention layers"): `PaperTokens`. In ours, `ConditionTokens`, each attribute, and the box, is a token of its own:
cross-attention can tell them apart. The same tokens, flattened, are added to the time embedding.
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


def context_channels(windows: Tensor, mask: Tensor, outlines: Tensor | None = None) -> Tensor:
    """Return what is known beside the noise: the box mask, the window with the box blanked out, the nodule's shape.

    Parameters
    ----------
    windows : (N, 1, size, size) in model range
    mask : (N, 1, size, size) in [0, 1]
    outlines : (N, 1, size, size) in [0, 1], optional
        1 inside the nodule's outline, 0 all over where the shape is left to the network.

    Returns
    -------
    (N, 3, size, size)
    """
    shape = torch.zeros_like(mask) if outlines is None else outlines
    return torch.cat((mask, torch.where(mask > 0, 0.0, windows), shape), dim=1)


def slice_context(boxes: Tensor, size: int, factor: int) -> Tensor:
    """Return what is known of a slice that is made whole: the box mask, resized to its latents by area.

    Parameters
    ----------
    boxes : (N, 4)
        (left, top, right, bottom) in pixels of the slice.
    size : side of the slice in pixels
    factor : pixels of the slice a latent, along each side

    Returns
    -------
    (N, 1, size / factor, size / factor) float32 in [0, 1]
    """
    return box_mask(boxes / factor, size // factor)


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
        scores = _rows_of_tables(self.attributes, levels)
        return torch.cat((scores, self.box(features)[:, None]), dim=1)


class PaperTokens(nn.Module):
    """The one token of the paper: the flattened mask and the embedded attributes, concatenated (section 2.2).

    Configuration 1 has neither; its token is a zero, which adds nothing, so that the U-Net's blocks are the same in all
    three. A score that is not given has a row of its own in its table, beside those of 1 to 5.

    Parameters
    ----------
    configuration : 1, 2 (the mask) or 3 (mask and attributes)
    mask_size : side of the mask, in latents
    """

    #: The paper's D, the width of its fully connected layers, and its D'.
    TABLE_WIDTH, HIDDEN_WIDTH, ATTRIBUTES_WIDTH = 10, 128, 10

    def __init__(self, configuration: int, mask_size: int) -> None:
        super().__init__()
        self.configuration = configuration
        self.width = {1: 1, 2: mask_size**2, 3: mask_size**2 + self.ATTRIBUTES_WIDTH}[configuration]
        if configuration == 3:
            attributes = len(ATTRIBUTE_NAMES)
            self.attributes = nn.Embedding(attributes * SCORE_LEVELS, self.TABLE_WIDTH)
            self.merge = nn.Sequential(
                nn.Linear(attributes * self.TABLE_WIDTH, self.HIDDEN_WIDTH),
                nn.ReLU(),
                nn.Linear(self.HIDDEN_WIDTH, self.HIDDEN_WIDTH),
                nn.ReLU(),
                nn.Linear(self.HIDDEN_WIDTH, self.ATTRIBUTES_WIDTH),
            )

    def forward(self, mask: Tensor, levels: Tensor) -> Tensor:
        """Return the token.

        Parameters
        ----------
        mask : (N, 1, mask_size, mask_size)
        levels : (N, 5) int64
            Scores 1 to 5, or 0 for "not given", in the order of Table 1.

        Returns
        -------
        (N, 1, width)
        """
        if self.configuration == 1:
            return torch.zeros_like(mask[:, :, 0, :1])
        flat = mask.flatten(1)
        if self.configuration == 3:
            embedded = _rows_of_tables(self.attributes, levels)
            flat = torch.cat((flat, self.merge(embedded.flatten(1))), dim=1)
        return flat[:, None]


def _rows_of_tables(tables: nn.Embedding, levels: Tensor) -> Tensor:
    """(N, 5) levels -> (N, 5, width): each attribute's row of its own table; the tables lie one below the other."""
    first_rows = torch.arange(len(ATTRIBUTE_NAMES), device=levels.device) * SCORE_LEVELS
    return functional.embedding(levels + first_rows, tables.weight)
