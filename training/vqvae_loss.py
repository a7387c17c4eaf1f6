"""Options of the VQ-VAE's training, the autoencoder as it is trained, and its loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.autoencoders.vq_model import VQModel
from torch import Tensor, nn

from engine.vq_codec import VQCodec

#: HU above this are bone and metal, where errors matter a fifth as much: nobody looks for nodules there.
SOFT_HU, BONE_WEIGHT = 400.0, 0.2
#: Errors are counted in so many HU: of the order of 1 for an edge of a vessel, below it for noise.
_ERROR_HU = 100.0


@dataclass(frozen=True)
class VQVAEOptions:
    """Everything that influences the weights; saved with the run.

    Attributes
    ----------
    samples : how many crops are seen in all; the rate falls to zero over the last fifth of them
    batch : crops a step, over all processes
    crop : pixels a side of a crop, a multiple of 64
    learning_rate : of AdamW, after a warm-up of 300 steps
    unquantised : share of the run after which the code book is made, and the encoder stays as it is
    codes : size of the code book
    latent_channels : channels of the latents, and length of a code
    widths : channels of each level, finest first
    latent_noise : deviation of the noise added to latents before there is a code book, in deviations of theirs
    nodule_share : share of the samples made up of crops around nodules
    absolute : weight of the mean absolute error beside the mean squared one
    ema_decay : of the averaged weights
    seed : of everything drawn
    """

    samples: int = 48_000
    batch: int = 8
    crop: int = 128
    learning_rate: float = 1e-3
    unquantised: float = 0.7
    codes: int = 16_384
    latent_channels: int = 3
    widths: tuple[int, ...] = (32, 64, 128)
    latent_noise: float = 0.05
    nodule_share: float = 0.25
    absolute: float = 0.5
    ema_decay: float = 0.999
    seed: int = 0

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.samples // self.batch

    @property
    def quantised_from(self) -> int:
        """The step before which the code book is made."""
        return round(self.steps * self.unquantised)


def make_vqvae(options: VQVAEOptions) -> VQModel:
    """Return a model with random weights.

    It has no attention, which is for what spans a whole slice, and four groups a normalisation: with channels last,
    the CPU takes three times as long for the backward pass of sixteen.
    """
    levels = len(options.widths)
    return VQModel(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=options.widths,
        layers_per_block=1,
        latent_channels=options.latent_channels,
        num_vq_embeddings=options.codes,
        norm_num_groups=4,
        mid_block_add_attention=False,
    )


class Autoencoder(nn.Module):
    """The VQ-VAE in training: from images to what is made of them, without or with its code book.

    Without it, noise is added to the latents. It stands for the error of the code book to come, and makes the decoder
    smooth: what a diffusion model draws is never quite what the encoder would have made.
    """

    def __init__(self, codec: VQCodec) -> None:
        super().__init__()
        self.codec = codec
        codec.vqvae.quantize.requires_grad_(False)  # it comes from k-means

    def forward(self, images: Tensor, noise: Tensor | None) -> Tensor:
        """Reconstruct.

        Parameters
        ----------
        images : (N, 1, H, W)
            From `VQCodec.to_images`.
        noise : (N, channels, H / factor, W / factor) or None
            In deviations of the latents; None to quantise, with the encoder left as it is.

        Returns
        -------
        (N, 1, H, W)
        """
        model: Any = self.codec.vqvae
        with torch.set_grad_enabled(noise is not None and torch.is_grad_enabled()):
            latents: Tensor = model.encode(images).latents
        if noise is None:
            latents = self.codec.codes_of(self.codec.nearest_codes(latents.float()))
        else:
            latents = latents + noise * latents.detach().float().std((0, 2, 3), keepdim=True)
        return model.decoder(model.post_quant_conv(latents))


def reconstruction_loss(codec: VQCodec, images: Tensor, target: Tensor, known: Tensor, absolute: float) -> Tensor:
    """Squared and absolute error, a number; what is not known does not count, and bone counts less.

    Parameters
    ----------
    images, target : (N, 1, H, W)
        In the range of `VQCodec.to_images`.
    known : bool (N, 1, H, W)
    absolute : weight of the absolute error
    """
    error = (_compressed(codec.to_hu(images)) - _compressed(codec.to_hu(target))) / _ERROR_HU
    each = error**2 + absolute * error.abs()
    return (each * known).sum() / known.sum()


def _compressed(hu: Tensor) -> Tensor:
    """Return HU with the range of bone made narrower; other than clipping, this leaves every error a slope."""
    return torch.where(hu > SOFT_HU, SOFT_HU + BONE_WEIGHT * (hu - SOFT_HU), hu)
