"""A checkpoint folder: load, save, verify. Safetensors and JSON only, so that opening one runs no code.

checkpoint.json        what it is (`CheckpointConfig`), the hashes of its weights, and a hash of itself
model.safetensors      EMA weights of the network, fp16
guide.safetensors      those of the same network after less training, fp16, where guidance leads away from it
vqvae.safetensors      weights of the codec, fp16, where it has any
README.md              the card, for people
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import InputError
from engine.json_files import parse_json
from engine.whole_files import partial_name, write_whole

if TYPE_CHECKING:
    from engine.codec import Codec
    from engine.device import Device
    from engine.network import ConditionedUNet
    from engine.window import WindowGrid

FORMAT_VERSION = 1
MANIFEST = "checkpoint.json"
WEIGHTS = "model.safetensors"
GUIDE_WEIGHTS = "guide.safetensors"
CODEC_WEIGHTS = "vqvae.safetensors"
#: Under which name a manifest holds the hash of each.
_HASHED = {"weights_sha256": WEIGHTS, "vqvae_sha256": CODEC_WEIGHTS, "guide_sha256": GUIDE_WEIGHTS}
#: Checkpoints that come with the studio: the nodule generator, and the slice generator.
CHECKPOINTS = Path(__file__).resolve().parent.parent / "resources" / "checkpoints"
DEFAULT_CHECKPOINT = CHECKPOINTS / "nodule"
DEFAULT_SLICE_CHECKPOINT = CHECKPOINTS / "slice"
#: What a checkpoint's `kind` is called for people.
KINDS = {"nodule": "nodules in slices", "slice": "whole slices"}

#: Fields of `CheckpointConfig` that are not in a manifest where they are empty.
_MAY_BE_LEFT_OUT = ("sampling", "few_steps")

Manifest = dict[str, Any]


@dataclass(frozen=True)
class CheckpointConfig:
    """Everything about a generator but its weights.

    Attributes
    ----------
    name : str
    kind : str
        "nodule": makes a nodule inside a box of a slice that is already there. "slice": makes a slice whole.
    grid : settings of `engine.window.WindowGrid`
    codec : settings of the codec, its ``kind`` beside them
        Without a kind, or of kind "identity": of `engine.codec.IdentityCodec`; "vqvae": of `engine.vq_codec.VQCodec`.
    network : settings of `engine.network.NetworkConfig`
    scheduler : settings of diffusers' ``DDPMScheduler`` with which the network was trained
    training : what it was trained on, how long and with which settings; for people, and for repeating it
    sampling : settings of `engine.sampling.SamplingLimits`; may be left out
    few_steps : settings of `engine.sampling.FewSteps`, for nodules that follow a slider; may be left out
    """

    name: str
    kind: str = "nodule"
    grid: dict[str, Any] = field(default_factory=dict[str, Any])
    codec: dict[str, Any] = field(default_factory=dict[str, Any])
    network: dict[str, Any] = field(default_factory=dict[str, Any])
    scheduler: dict[str, Any] = field(default_factory=dict[str, Any])
    training: dict[str, Any] = field(default_factory=dict[str, Any])
    sampling: dict[str, Any] = field(default_factory=dict[str, Any])
    few_steps: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint, loaded: ready to run on a device. `sha256` names it.

    Of the grid of a slice generator, only the size counts: its window is the whole slice. `guide` is the network after
    less training, for guidance; see `engine.denoiser`.
    """

    config: CheckpointConfig
    sha256: str
    network: ConditionedUNet
    grid: WindowGrid
    codec: Codec
    device: Device
    guide: ConditionedUNet | None = None


def digest_of_manifest(manifest: Manifest) -> str:
    """Return the hash of a manifest, but for the hash that it holds itself."""
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def save_checkpoint(
    folder: Path,
    config: CheckpointConfig,
    weights: Mapping[str, Any],
    codec_weights: Mapping[str, Any] | None = None,
    guide_weights: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint; what was in its place is replaced once all of it is written.

    Parameters
    ----------
    weights : state dict of the network
        Floating-point tensors are stored as fp16.
    codec_weights : state dict of the codec, if it has one
        Stored likewise.
    guide_weights : state dict of the network after less training, if guidance is to lead away from it
        Stored likewise.

    Raises
    ------
    ValueError
        If weights of a codec are given for one that has none, or are missing.
    """
    if (config.codec.get("kind") == "vqvae") != (codec_weights is not None):
        raise ValueError(f"codec_weights do not go with a codec of the kind {config.codec.get('kind', 'identity')!r}")
    folder.mkdir(parents=True, exist_ok=True)
    described = json.loads(json.dumps(asdict(config)))
    for name in _MAY_BE_LEFT_OUT:
        if not described[name]:
            del described[name]
    manifest: Manifest = {"format_version": FORMAT_VERSION, **described}
    written: list[str] = []
    for (entry, name), state in zip(_HASHED.items(), (weights, codec_weights, guide_weights), strict=True):
        if state is not None:
            manifest[entry] = save_halves(state, folder / partial_name(name))
            written.append(name)
    manifest["sha256"] = digest_of_manifest(manifest)
    for name in written:
        (folder / partial_name(name)).replace(folder / name)
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def save_halves(weights: Mapping[str, Any], path: Path) -> str:
    """Write a state dict, floating-point tensors as fp16; return the hash of the file."""
    from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType]

    halves = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in weights.items()
    }
    save_file(halves, path)
    return digest_of_file(path)


def digest_of_file(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """Return the verified manifest of a checkpoint folder.

    Its ``sha256`` names the checkpoint: it covers the settings and, through ``weights_sha256``, the weights.

    Raises
    ------
    InputError
        If the folder is no checkpoint, a file is missing, or one is not what the hashes say.
    """
    manifest = _parse_manifest(folder)
    if manifest.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"The checkpoint {folder} has format {manifest.get('format_version')!r} and this program reads "
            f"format {FORMAT_VERSION}; use a checkpoint made for this version."
        )
    if digest_of_manifest(manifest) != manifest.get("sha256"):
        raise InputError(f"{MANIFEST} in the checkpoint {folder} was altered; get a fresh copy of the folder.")
    for entry, name in _HASHED.items():
        if entry in manifest or name == WEIGHTS:
            _verify_file(folder, name, manifest.get(entry))
    if not _is_described(manifest):
        raise _not_fitting(folder)
    return manifest


def _is_described(manifest: Manifest) -> bool:
    """Tell whether a manifest has what is read of it before the network is loaded: hashes can be made anew."""
    texts = (manifest.get("name"), manifest.get("kind"))
    settings = [manifest.get(name) for name in ("grid", "codec", "network", "scheduler", "training")]
    settings += [manifest.get(name, {}) for name in _MAY_BE_LEFT_OUT]
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(part, dict) for part in settings):
        return False
    numbers = (manifest["grid"].get("size"), manifest["scheduler"].get("num_train_timesteps"))
    return all(type(number) is int and number > 0 for number in numbers)


def _not_fitting(folder: Path) -> InputError:
    return InputError(
        f"{MANIFEST} in the checkpoint {folder} lacks settings, or has some that do not fit its weights; get a fresh "
        "copy of the folder."
    )


def _verify_file(folder: Path, name: str, sha256: str | None) -> None:
    try:
        found = digest_of_file(folder / name)
    except FileNotFoundError as error:
        raise InputError(f"{name} is missing in the checkpoint {folder}; get a fresh copy of the folder.") from error
    except OSError as error:
        raise InputError(
            f"{name} in the checkpoint {folder} cannot be read ({error.strerror}); allow it, or get a fresh copy."
        ) from error
    if found != sha256:
        raise InputError(f"{name} in the checkpoint {folder} was altered; get a fresh copy of the folder.")


def _parse_manifest(folder: Path) -> Manifest:
    try:
        manifest: Any = parse_json((folder / MANIFEST).read_bytes())
    except OSError:
        raise InputError(
            f"There is no {MANIFEST} in {folder}; choose the folder of a checkpoint, for example "
            "resources/checkpoints/nodule."
        ) from None
    except ValueError:
        raise InputError(f"{MANIFEST} in {folder} is not JSON; get a fresh copy of the folder.") from None
    if not isinstance(manifest, dict):
        raise InputError(f"{MANIFEST} in {folder} describes no checkpoint; get a fresh copy of the folder.")
    described: Manifest = manifest  # pyright: ignore[reportUnknownVariableType]
    return described


def config_of(manifest: Manifest) -> CheckpointConfig:
    """Return the configuration that a verified manifest holds."""
    names = CheckpointConfig.__dataclass_fields__
    return CheckpointConfig(
        **{name: manifest[name] for name in names if name not in _MAY_BE_LEFT_OUT or name in manifest}
    )


def check_kind(config: CheckpointConfig, kind: str) -> None:
    """Refuse a checkpoint that makes something else than `kind`, one of `KINDS`.

    Raises
    ------
    InputError
        If it does.
    """
    if config.kind != kind:
        raise InputError(
            f"The checkpoint {config.name!r} makes {KINDS.get(config.kind, config.kind)}, not {KINDS[kind]}; "
            f"choose a checkpoint of the kind {kind!r}."
        )


def check_there(slice_folder: Path) -> None:
    """Refuse the folder of a slice generator that is not there: unlike the nodule generator, it may be missing.

    Raises
    ------
    InputError
        If there is no checkpoint.
    """
    if not os.path.isfile(slice_folder / MANIFEST):
        raise InputError(
            f"There is no slice generator in {slice_folder}; put its checkpoint there, or train one with "
            "python -m training.train_slice and name its folder."
        )


def load_checkpoint(folder: Path, device: Device | None = None) -> Checkpoint:
    """Verify a checkpoint folder and load it to a device: the best one there is, if none is given.

    Raises
    ------
    InputError
        If the folder is no checkpoint, or is damaged or altered.
    """
    # Only here is torch needed; reading a manifest, as `nodule-engine info` does, is quick without it.
    from engine.device import choose_device
    from engine.window import WindowGrid

    manifest = read_manifest(folder)
    config = config_of(manifest)
    chosen = device or choose_device()
    with _fitting(folder):
        grid, codec = WindowGrid(**config.grid), _load_codec(folder, config, chosen)
        network = _load_network(folder / WEIGHTS, config, codec, chosen)
        guide = _load_network(folder / GUIDE_WEIGHTS, config, codec, chosen) if "guide_sha256" in manifest else None
    return Checkpoint(config, manifest["sha256"], network, grid, codec, chosen, guide)


@contextmanager
def _fitting(folder: Path) -> Generator[None]:
    """Turn what torch raises of settings and weights that do not go together into one sentence."""
    from safetensors import SafetensorError

    try:
        yield
    except InputError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, SafetensorError) as error:
        raise _not_fitting(folder) from error
    except RuntimeError as error:
        # Others are of the device, such as a memory that is full.
        if "loading state_dict" not in str(error):
            raise
        raise _not_fitting(folder) from error


def _load_network(weights: Path, config: CheckpointConfig, codec: Codec, device: Device) -> ConditionedUNet:
    import torch
    from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]

    from engine.network import ConditionedUNet, NetworkConfig

    settings: dict[str, Any] = {**config.network, "blocks": tuple(config.network["blocks"])}
    network: Any = ConditionedUNet(NetworkConfig(**settings), codec, config.grid["size"])
    network.load_state_dict(load_file(weights))
    network.to(device=device.device, dtype=device.dtype, memory_format=torch.channels_last)
    return network.eval().requires_grad_(False)


def _load_codec(folder: Path, config: CheckpointConfig, device: Device) -> Codec:
    """Return the codec of a verified checkpoint; one with weights computes in float32, since HU need its precision.

    Raises
    ------
    InputError
        If this version does not know it.
    """
    settings = dict(config.codec)
    kind = settings.pop("kind", "identity")
    if kind == "identity":
        from engine.codec import IdentityCodec

        return IdentityCodec(**settings)
    if kind == "vqvae":
        from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]

        from engine.vq_codec import VQCodec

        codec = VQCodec.from_settings(settings)
        codec.load_state_dict(load_file(folder / CODEC_WEIGHTS))
        return codec.to(device.device).eval().requires_grad_(False)
    raise InputError(f"The checkpoint {folder} has a codec of the kind {kind!r}; use one made for this version.")
