"""The conditioned U-Net: diffusers' UNet2DConditionModel and the tokens that it attends to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

from engine.codec import IdentityCodec
from engine.conditioning import TOKENS, ConditionTokens


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
    """

    blocks: tuple[int, ...] = (64, 128, 192)
    layers: int = 1
    first_attention_level: int = 1
    heads: int = 4
    token_width: int = 64
    norm_groups: int = 16


class ConditionedUNet(nn.Module):
    """Noisy window, box and attributes in; prediction (of v, noise or window: the scheduler knows) out."""

    def __init__(self, config: NetworkConfig, codec: IdentityCodec, window_size: int) -> None:
        super().__init__()
        self.codec = codec
        self.tokens = ConditionTokens(config.token_width)
        self.unet: Any = _make_unet(config, codec, window_size)

    def forward(self, noisy: Tensor, step: Tensor, context: Tensor, levels: Tensor, features: Tensor) -> Tensor:
        """Predict.

        Parameters
        ----------
        noisy : (N, 1, size, size)
            x_t, in model range.
        step : (N,)
            t, of the training schedule.
        context : (N, 2, size, size)
            From `context_channels`.
        levels : (N, 5) int64, features : (N, BOX_FEATURES)
            See `ConditionTokens`.

        Returns
        -------
        (N, 1, size, size)
        """
        tokens = self.tokens(levels, features)
        grid = self.codec.to_grid(torch.cat((noisy, context), dim=1))
        predicted = self.unet(grid, step, tokens, class_labels=tokens.flatten(1)).sample
        return self.codec.from_grid(predicted)


def _make_unet(config: NetworkConfig, codec: IdentityCodec, window_size: int) -> UNet2DConditionModel:
    attended = [level >= config.first_attention_level for level in range(len(config.blocks))]
    pixels = codec.patch**2
    unet = UNet2DConditionModel(
        sample_size=window_size // codec.patch,
        in_channels=3 * pixels,
        out_channels=pixels,
        block_out_channels=config.blocks,
        layers_per_block=config.layers,
        down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attended),
        up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attended)),
        cross_attention_dim=config.token_width,
        # diffusers takes the number of heads under this name (its issue 2011).
        attention_head_dim=config.heads,
        norm_num_groups=config.norm_groups,
        class_embed_type="projection",
        projection_class_embeddings_input_dim=TOKENS * config.token_width,
    )
    # Plain matrix products: on CPUs the backward pass of fused attention takes longer than all the rest.
    unet.set_attn_processor(AttnProcessor())
    return unet
