"""The conditioned U-Net: diffusers' UNet2DConditionModel and the tokens that it attends to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from engine.codec import Codec
from engine.conditioning import TOKENS, ConditionTokens, PaperTokens

#: How box and attributes reach the U-Net beside its input: ours, and the three configurations of the paper.
CONDITIONINGS = ("tokens", "paper-1", "paper-2", "paper-3")


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the network.

    Attributes
    ----------
    blocks : channels of each level, finest first
    layers : residual blocks a level
    first_attention_level : levels from this one on have self- and cross-attention
    heads : attention heads
    token_width : length of a condition token
    norm_groups : groups of the group norms
    conditioning : one of `CONDITIONINGS`
        See `ConditionTokens` and `PaperTokens`.
    context_channels : channels beside the noisy ones
        One for a slice generator (`slice_context`), three for a nodule generator (`context_channels`), or two for one
        that knows no outlines.

    Raises
    ------
    ValueError
        If there is no such conditioning.
    """

    blocks: tuple[int, ...] = (64, 128, 192)
    layers: int = 1
    first_attention_level: int = 1
    heads: int = 4
    token_width: int = 64
    norm_groups: int = 16
    conditioning: str = "tokens"
    context_channels: int = 2

    def __post_init__(self) -> None:
        if self.conditioning not in CONDITIONINGS:
            raise ValueError(f"conditioning is {self.conditioning!r}; it must be one of {', '.join(CONDITIONINGS)}")

    @property
    def sees_attributes(self) -> bool:
        """Do the attributes reach the network at all?"""
        return self.conditioning not in ("paper-1", "paper-2")


class ConditionedUNet(nn.Module):
    """Noisy values, box and attributes in; prediction (of v, noise or values: the scheduler knows) out.

    Parameters
    ----------
    size : int
        Side, in pixels, of the image that is generated: the codec's values have `size / codec.factor` a side.
    """

    def __init__(self, config: NetworkConfig, codec: Codec, size: int) -> None:
        super().__init__()
        self.config = config
        # Not the codec itself: where that is a module, it would be trained and saved with the U-Net.
        self._to_grid, self._from_grid = codec.to_grid, codec.from_grid
        values = size // codec.factor
        if config.conditioning == "tokens":
            self.tokens: Any = ConditionTokens(config.token_width)
        else:
            self.tokens = PaperTokens(int(config.conditioning[-1]), values)
        self.unet: Any = _make_unet(config, codec, values, self.tokens.width)

    def forward(self, noisy: Tensor, step: Tensor, context: Tensor, levels: Tensor, features: Tensor) -> Tensor:
        """Predict.

        Parameters
        ----------
        noisy : (N, C, h, w)
            x_t, in model range: C is the codec's `channels`.
        step : (N,)
            t, of the training schedule.
        context : (N, config.context_channels or more, h, w)
            From `context_channels` or `slice_context`; the box mask is the first channel. What is more is not used.
        levels : (N, 5) int64, features : (N, BOX_FEATURES)
            See `ConditionTokens`.

        Returns
        -------
        (N, C, h, w)
        """
        if self.config.conditioning == "tokens":
            tokens = self.tokens(levels, features)
            labels = tokens.flatten(1)
        else:
            tokens, labels = self.tokens(context[:, :1], levels), None
        grid = self._to_grid(torch.cat((noisy, context[:, : self.config.context_channels]), dim=1))
        predicted = self.unet(grid, step, tokens, class_labels=labels).sample
        return self._from_grid(predicted)


def _make_unet(config: NetworkConfig, codec: Codec, size: int, token_width: int) -> UNet2DConditionModel:
    attended = [level >= config.first_attention_level for level in range(len(config.blocks))]
    neighbours = codec.patch**2
    ours = config.conditioning == "tokens"
    unet = UNet2DConditionModel(
        sample_size=size // codec.patch,
        in_channels=(codec.channels + config.context_channels) * neighbours,
        out_channels=codec.channels * neighbours,
        block_out_channels=config.blocks,
        layers_per_block=config.layers,
        down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attended),
        up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attended)),
        cross_attention_dim=token_width,
        # diffusers takes the number of heads under this name (its issue 2011).
        attention_head_dim=config.heads,
        norm_num_groups=config.norm_groups,
        class_embed_type="projection" if ours else None,
        projection_class_embeddings_input_dim=TOKENS * token_width if ours else None,
    )
    # Plain matrix products: on CPUs the backward pass of fused attention takes longer than all the rest.
    unet.set_attn_processor(AttnProcessor())
    return unet
