"""The slice generator's codec: diffusers' `VQModel` between HU and latents on a grid four times coarser.

A folder holds the model as diffusers' ``save_pretrained`` writes it (``config.json``,
``diffusion_pytorch_model.safetensors``) and ``codec.json``: the HU range, the patch, the principal components of the
latents, and the linear map of previews. Any other `VQModel` works as well, as in the paper (section 2.2); without
``codec.json``, the HU range is the paper's and the statistics of its latents have yet to be measured
(`VQCodec.statistics` is None).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.vq_model import VQModel
from torch import Tensor, nn

from engine.codec import IdentityCodec
from engine.errors import InputError

CODEC_FILE = "codec.json"
#: The paper clips HU to [-1000, 2500] (section 2.1). Patches of one latent: neighbouring latents say different things,
#: and a U-Net that is given four at once needs far more channels to pass their noise on.
_USUAL_PIXELS = IdentityCodec(-1000.0, 2500.0, 1)
#: diffusers' loading functions are only partly typed, and torch's linear algebra is not.
_DIFFUSERS: Any = VQModel
_LINALG: Any = torch.linalg
#: Positions whose distances to all codes are computed at once: 1024 x 16,384 codes in fp32 are 64 MB. `VQModel.decode`
#: takes all at once, which for a batch of 16 slices would be 4 GB.
_POSITIONS_AT_ONCE = 1024
#: On a CPU, a tree finds the codes of a slice among 16,384 in 10 ms, where distances to all of them take 350 ms. With
#: many channels it would be no quicker than they are.
_MOST_TREE_CHANNELS = 8


@dataclass(frozen=True)
class LatentStatistics:
    """Measured on training slices.

    Channels of latents say much the same: all of them tell how bright a place is. Left so, noise of the same strength
    in each would drown fine structure long before it touched the brightness. Diffusion therefore runs on their
    principal components, each of variance 1, the first of which is the brightness.

    Attributes
    ----------
    mean : one number a channel of the model, of the unquantised latents
    components : a row a component, of one number a channel
        Normalised latents are components @ (latents - mean).
    preview_weights, preview_bias : one number a component, and one
        Normalised latents -> the slice in [-1, 1], as a weighted sum.
    """

    mean: tuple[float, ...]
    components: tuple[tuple[float, ...], ...]
    preview_weights: tuple[float, ...]
    preview_bias: float


class VQCodec(nn.Module):
    """HU to normalised latents and back; see `engine.codec.Codec`.

    HU are clipped and scaled to [-1, 1], the range of latent diffusion's pretrained models. A model of
    three image channels is given grey three times, and its channels are averaged. Latents are those before
    quantisation, as `VQModel.encode` returns them; `decode` quantises.

    Attributes
    ----------
    vqvae : VQModel
    factor : int
        Normalised latents are (N, channels, H / factor, W / factor).
    pixels : IdentityCodec
        Between HU and images. Its `patch` is that of the latents: the U-Net runs on a grid so many times coarser.
    statistics : LatentStatistics or None
        None: not measured; latents are then left as they are, and previews are the mean of their channels.
    """

    def __init__(
        self, vqvae: VQModel, statistics: LatentStatistics | None = None, pixels: IdentityCodec = _USUAL_PIXELS
    ) -> None:
        super().__init__()
        model: Any = vqvae
        config = model.config
        self.vqvae: Any = model.to(memory_format=torch.channels_last)  # 1.7 times as quick on a CPU
        self._latent_channels: int = config.vq_embed_dim or config.latent_channels
        self.factor: int = 2 ** (len(config.block_out_channels) - 1)
        self.statistics = statistics
        self.pixels = pixels
        self._image_channels: int = config.in_channels
        self._spatial_norm: bool = config.norm_type == "spatial"

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> VQCodec:
        """Return a codec as `settings` described it, its weights random; keys of others (``kind``) are ignored.

        Raises
        ------
        InputError
            If they are those of a version that normalised latents in another way.
        """
        try:
            measured = settings["statistics"]
            statistics = _read_statistics(measured) if measured else None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                "The checkpoint's VQ-VAE is described as another version did it; use a checkpoint made for this one."
            ) from error
        return cls(_make_model(settings["model"]), statistics, _read_pixels(settings))

    @property
    def channels(self) -> int:
        """Of the normalised latents: as many as there are components, or the model's own where none are measured."""
        return len(self.statistics.components) if self.statistics else self._latent_channels

    @property
    def hu_min(self) -> float:
        """HU below are clipped."""
        return self.pixels.hu_min

    @property
    def hu_max(self) -> float:
        """HU above are clipped."""
        return self.pixels.hu_max

    @property
    def patch(self) -> int:
        """Side of the square of latents that becomes one position of the U-Net's grid."""
        return self.pixels.patch

    def settings(self) -> dict[str, Any]:
        """Return everything but the weights, as JSON types."""
        model = {name: value for name, value in dict(self.vqvae.config).items() if not name.startswith("_")}
        settings = {
            **self.pixels.settings(),
            "statistics": asdict(self.statistics) if self.statistics else None,
            "model": model,
        }
        return json.loads(json.dumps(settings))

    def encode(self, hu: Tensor) -> Tensor:
        """(N, 1, H, W) HU -> (N, channels, H / factor, W / factor) normalised latents, float32."""
        images = self.to_images(hu).to(self._dtype).expand(-1, self._image_channels, -1, -1)
        latents: Tensor = self.vqvae.encode(images).latents.float()
        if self.statistics is None:
            return latents
        return _mixed(_components(self.statistics, latents), latents - _channels(self.statistics.mean, latents))

    def decode(self, values: Tensor) -> Tensor:
        """(N, channels, H / factor, W / factor) normalised latents -> (N, 1, H, W) HU, float32."""
        return self.decode_codes(self.code_indices(values))

    def decode_codes(self, indices: Tensor) -> Tensor:
        """(N, h, w) int64, from `code_indices` -> (N, 1, H, W) HU, float32: the other half of `decode`."""
        return self._decode_codes(self.codes_of(indices))

    def decode_unquantised(self, values: Tensor) -> Tensor:
        """Decode as `decode` does, without the code book: what quantisation costs is the difference."""
        return self._decode_codes(self._unnormalised(values))

    def code_indices(self, values: Tensor) -> Tensor:
        """(N, channels, h, w) normalised latents -> (N, h, w), int64: the code that stands for each position."""
        return self.nearest_codes(self._unnormalised(values))

    def preview(self, values: Tensor) -> Tensor:
        """(N, channels, h, w) normalised latents -> (N, 1, h, w) HU: a weighted sum of the channels."""
        if self.statistics is None:
            return self.to_hu(values.float().mean(1, keepdim=True).clamp(-1, 1))
        weights = _channels(self.statistics.preview_weights, values)
        images = (values.float() * weights).sum(1, keepdim=True) + self.statistics.preview_bias
        return self.to_hu(images.clamp(-1, 1))

    def to_grid(self, values: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C * patch^2, h / patch, w / patch)."""
        return self.pixels.to_grid(values)

    def from_grid(self, values: Tensor) -> Tensor:
        """(N, C * patch^2, h / patch, w / patch) -> (N, C, h, w)."""
        return self.pixels.from_grid(values)

    def to_images(self, hu: Tensor) -> Tensor:
        """HU of any shape -> [-1, 1], the range of the model's images."""
        return self.pixels.encode(hu)

    def to_hu(self, images: Tensor) -> Tensor:
        """Images of any shape and range -> HU, not clipped."""
        return self.pixels.to_hu(images)

    def nearest_codes(self, latents: Tensor) -> Tensor:
        """Latents as the model has them, (N, channels, h, w) float32 -> (N, h, w) int64."""
        positions = latents.permute(0, 2, 3, 1).flatten(0, 2)
        codes: Tensor = self.vqvae.quantize.embedding.weight.float()
        return _nearest(positions, codes).reshape(len(latents), *latents.shape[2:])

    def codes_of(self, indices: Tensor) -> Tensor:
        """(N, h, w) int64 -> latents as the model has them, (N, channels, h, w)."""
        return self.vqvae.quantize.embedding(indices).permute(0, 3, 1, 2)

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.vqvae.parameters()).dtype

    def _unnormalised(self, values: Tensor) -> Tensor:
        if self.statistics is None:
            return values.float()
        inverse = _LINALG.pinv(_components(self.statistics, values))
        return _mixed(inverse, values.float()) + _channels(self.statistics.mean, values)

    def _decode_codes(self, codes: Tensor) -> Tensor:
        codes = codes.to(self._dtype)
        images = self.vqvae.decoder(self.vqvae.post_quant_conv(codes), codes if self._spatial_norm else None)
        return self.to_hu(images.float().mean(1, keepdim=True).clamp(-1, 1))


def _channels(numbers: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float32, device=like.device)[None, :, None, None]


def _components(statistics: LatentStatistics, like: Tensor) -> Tensor:
    return torch.tensor(statistics.components, dtype=torch.float32, device=like.device)


def _mixed(matrix: Tensor, values: Tensor) -> Tensor:
    """(K, C) and (N, C, h, w) -> (N, K, h, w): each place multiplied by the matrix, in fp32."""
    with torch.autocast(values.device.type, enabled=False):
        return torch.einsum("kc,nchw->nkhw", matrix, values)


def _nearest(positions: Tensor, codes: Tensor) -> Tensor:
    """(positions, channels), (codes, channels) -> (positions,) int64."""
    if positions.device.type == "cpu" and codes.shape[1] <= _MOST_TREE_CHANNELS:
        # Imported here and as Any: it is not needed on other devices, and has no types.
        tree: Any = import_module("scipy.spatial").KDTree(codes.detach().numpy())
        return torch.as_tensor(tree.query(positions.detach().numpy())[1])
    parts: tuple[Tensor, ...] = torch.split(positions, _POSITIONS_AT_ONCE)
    return torch.cat([torch.cdist(part, codes).argmin(1) for part in parts])


def _make_model(config: dict[str, Any]) -> VQModel:
    return _DIFFUSERS.from_config(config)


def _read_statistics(stored: dict[str, Any]) -> LatentStatistics:
    lists = {name: tuple(map(float, stored[name])) for name in ("mean", "preview_weights")}
    components = tuple(tuple(map(float, row)) for row in stored["components"])
    return LatentStatistics(**lists, components=components, preview_bias=float(stored["preview_bias"]))


def _read_pixels(stored: dict[str, Any]) -> IdentityCodec:
    """Return range and patch; the usual ones where they are not stored."""
    names = [field.name for field in fields(IdentityCodec)]
    return replace(_USUAL_PIXELS, **{name: stored[name] for name in names if name in stored})


def save_vq_codec(codec: VQCodec, folder: Path) -> None:
    """Write a codec's folder: diffusers' files and, if its latents are measured, ``codec.json``."""
    codec.vqvae.save_pretrained(folder)
    if codec.statistics is None:
        return
    stored = {**codec.pixels.settings(), **asdict(codec.statistics)}
    (folder / CODEC_FILE).write_text(json.dumps(stored, indent=2) + "\n")


def load_vq_codec(folder_or_hub_id: Path | str, device: torch.device | str = "cpu") -> VQCodec:
    """Load a VQ-VAE, in fp32, frozen: from a folder, or by its name from Hugging Face's hub.

    The model may lie in a subfolder ``vqvae``, as in latent diffusion's pipelines (``CompVis/ldm-celebahq-256``).

    Raises
    ------
    InputError
        If there is no such model, it is not a `VQModel`, or it does not fit into the slice generator.
    """
    model: Any = _load_model(str(folder_or_hub_id))
    codec = VQCodec(model, *_load_settings(Path(folder_or_hub_id)))
    config = model.config
    if codec.factor != 4 or config.in_channels not in (1, 3) or config.out_channels != config.in_channels:
        raise InputError(
            f"The VQ-VAE {folder_or_hub_id} has {config.in_channels} image channels in, {config.out_channels} out, and "
            f"latents {codec.factor} times smaller; give one with 1 or 3 image channels, the same out as in, and "
            "latents 4 times smaller."
        )
    return codec.to(device).eval().requires_grad_(False)


def _load_model(name: str) -> VQModel:
    """Look in the place itself, then in its subfolder ``vqvae``."""
    for subfolder in (None, "vqvae"):
        try:
            config: Any = _DIFFUSERS.load_config(name, subfolder=subfolder)
        except OSError:
            continue
        if config.get("_class_name") != "VQModel":
            continue
        try:
            model: Any = _DIFFUSERS.from_pretrained(name, subfolder=subfolder, low_cpu_mem_usage=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(f"The weights of the VQ-VAE {name} cannot be read ({error}); get a fresh copy.") from error
        return model.float()
    raise InputError(
        f"There is no VQ-VAE {name}; give a folder with a VQModel of diffusers, for example RUN/vqvae of "
        "training.train_vqvae, or the name of one on Hugging Face's hub."
    )


def _load_settings(folder: Path) -> tuple[LatentStatistics | None, IdentityCodec]:
    for path in (folder / CODEC_FILE, folder / "vqvae" / CODEC_FILE):
        if not path.is_file():
            continue
        try:
            stored = json.loads(path.read_text())
            return _read_statistics(stored), _read_pixels(stored)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} does not describe a codec; get a fresh copy of its folder.") from error
    return None, _USUAL_PIXELS
