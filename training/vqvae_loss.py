"""Options of the VQ-VAE's training, the autoencoder as it is trained, and its loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.autoencoders.vq_model import VQModel
from torch import Tensor, nn

from engine.errors import InputError
from engine.vq_codec import VQCodec, load_vq_codec
from training.prepared import SLICE_SIZE

#: HU above this are bone and metal, where errors matter a fifth as much: nobody looks for nodules there.
SOFT_HU, BONE_WEIGHT = 400.0, 0.2
#: Errors are counted in so many HU: of the order of 1 for an edge of a vessel, below it for noise.
_ERROR_HU = 100.0
#: The code book is made from the latents of so many crops, 1,024 of each of 128 x 128.
CROPS_FOR_CODES = 256


@dataclass(frozen=True)
class VQVAEOptions:
    """Everything that influences the weights; saved with the run.

    Attributes
    ----------
    samples : how many crops are seen in all; the rate falls to zero over the last fifth of them
    batch : crops a step, over all processes
    crop : pixels a side of a crop, a multiple of 64, at most those of a slice
    learning_rate : of AdamW, after a warm-up of 300 steps
    unquantised : share of the run, below 1, after which the code book is made, and the encoder stays as it is
    codes : size of the code book
    latent_channels : channels of the latents, and length of a code
    widths : channels of each level, finest first
    latent_noise : deviation of the noise added to latents before there is a code book, in deviations of theirs
    nodule_share : share of the samples made up of crops around nodules
    absolute : weight of the mean absolute error beside the mean squared one
    ema_decay : of the averaged weights, at the most: after n steps it is 1 - n^-0.75 (0.998 at 4,000, 0.999 at 10,000)
    seed : of everything drawn
    start_from : VQ-VAE whose encoder and decoder are the first ones, a folder or a name on Hugging Face's hub; of the
        same widths and latent channels

    Raises
    ------
    InputError
        If crop or unquantised are not such, or the code book would have more codes than there are latents to make it.
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
    start_from: str = ""

    def __post_init__(self) -> None:
        if not (self.crop > 0 and self.crop % 64 == 0 and self.crop <= SLICE_SIZE):
            raise InputError(f"--crop is {self.crop}; give a multiple of 64 that is at most {SLICE_SIZE}.")
        if not 0 <= self.unquantised < 1:
            raise InputError(f"--unquantised is {self.unquantised:g}; give a share from 0 to below 1.")
        latents = CROPS_FOR_CODES * (self.crop >> len(self.widths) - 1) ** 2
        if self.codes > latents:
            raise InputError(f"--codes is {self.codes}; give at most {latents}, for so many latents they are made of.")

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.samples // self.batch

    @property
    def quantised_from(self) -> int:
        """The step before which the code book is made, one of the run's."""
        return min(round(self.steps * self.unquantised), self.steps - 1)


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


def take_weights(model: VQModel, name: str) -> None:
    """Take encoder and decoder of another model, see `VQVAEOptions.start_from`; the code book is made anew anyway.

    Raises
    ------
    InputError
        If there is no such model, or it has another shape.
    """
    theirs: Any = load_vq_codec(name).vqvae
    weights = {key: tensor for key, tensor in theirs.state_dict().items() if not key.startswith("quantize.")}
    try:
        keys = model.load_state_dict(weights, strict=False)
        fits = not keys.unexpected_keys and all(key.startswith("quantize.") for key in keys.missing_keys)
    except RuntimeError:
        fits = False
    if not fits:
        raise InputError(
            f"The VQ-VAE {name} has another shape than this run; give the --widths and --latent-channels that it has."
        )


class Autoencoder(nn.Module):
    """The VQ-VAE in training: from images to what is made of them, without or with its code book.

    Without it, noise is added to the latents. It stands for the error of the code book to come, and makes the decoder
    smooth: what a diffusion model draws is never quite what the encoder would have made.

    Attributes
    ----------
    codec : VQCodec
    has_codes : int64, a number that is saved with the weights
        1 once there is a code book, 0 before.
    """

    has_codes: Tensor

    def __init__(self, codec: VQCodec) -> None:
        super().__init__()
        self.codec = codec
        self.register_buffer("has_codes", torch.tensor(0))
        self.register_load_state_dict_pre_hook(_add_has_codes)
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


def _add_has_codes(_module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Tell of a state that does not say so whether there is a code book, for older ones do not.

    diffusers draws random codes within 1 / codes; those of k-means are of the latents' own size.
    """
    codes: Tensor | None = state.get(f"{prefix}codec.vqvae.quantize.embedding.weight")
    if codes is not None:
        state.setdefault(f"{prefix}has_codes", (codes.abs().max() > 1 / len(codes)).long())


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
