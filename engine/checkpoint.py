"""A checkpoint folder: load, save, verify. Safetensors and JSON only, so that opening one runs no code.

checkpoint.json        what it is (`CheckpointConfig`), the hash of its weights, and a hash of itself
model.safetensors      EMA weights of the network, fp16
README.md              the card, for people
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import InputError

if TYPE_CHECKING:
    from engine.codec import IdentityCodec
    from engine.device import Device
    from engine.network import ConditionedUNet
    from engine.window import WindowGrid

FORMAT_VERSION = 1
MANIFEST = "checkpoint.json"
WEIGHTS = "model.safetensors"
#: The nodule generator that comes with the studio.
DEFAULT_CHECKPOINT = Path(__file__).resolve().parent.parent / "resources" / "checkpoints" / "nodule"

Manifest = dict[str, Any]


@dataclass(frozen=True)
class CheckpointConfig:
    """Everything about a generator but its weights.

    Attributes
    ----------
    name : str
    kind : str
        "nodule": makes a nodule inside a box of a slice that is already there.
    grid, codec, network : settings of `engine.window.WindowGrid`, `engine.codec.IdentityCodec` and
        `engine.network.NetworkConfig`
    scheduler : settings of diffusers' ``DDPMScheduler`` with which the network was trained
    training : what it was trained on, how long and with which settings; for people, and for repeating it
    """

    name: str
    kind: str = "nodule"
    grid: dict[str, Any] = field(default_factory=dict[str, Any])
    codec: dict[str, Any] = field(default_factory=dict[str, Any])
    network: dict[str, Any] = field(default_factory=dict[str, Any])
    scheduler: dict[str, Any] = field(default_factory=dict[str, Any])
    training: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint, loaded: ready to run on a device. `sha256` names it."""

    config: CheckpointConfig
    sha256: str
    network: ConditionedUNet
    grid: WindowGrid
    codec: IdentityCodec
    device: Device


def _digest_of_manifest(manifest: Manifest) -> str:
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def save_checkpoint(folder: Path, config: CheckpointConfig, weights: dict[str, Any]) -> None:
    """Write a checkpoint.

    Parameters
    ----------
    weights : state dict of the network
        Floating-point tensors are stored as fp16.
    """
    from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType]

    folder.mkdir(parents=True, exist_ok=True)
    halves = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in weights.items()
    }
    save_file(halves, folder / WEIGHTS)
    manifest: Manifest = {"format_version": FORMAT_VERSION, **json.loads(json.dumps(asdict(config)))}
    manifest["weights_sha256"] = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    manifest["sha256"] = _digest_of_manifest(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")


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
    if _digest_of_manifest(manifest) != manifest.get("sha256"):
        raise InputError(f"{MANIFEST} in the checkpoint {folder} was altered; get a fresh copy of the folder.")
    if not (folder / WEIGHTS).is_file():
        raise InputError(f"{WEIGHTS} is missing in the checkpoint {folder}; get a fresh copy of the folder.")
    if hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest() != manifest.get("weights_sha256"):
        raise InputError(f"{WEIGHTS} in the checkpoint {folder} was altered; get a fresh copy of the folder.")
    return manifest


def _parse_manifest(folder: Path) -> Manifest:
    try:
        manifest: Any = json.loads((folder / MANIFEST).read_text())
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
    return CheckpointConfig(**{name: manifest[name] for name in names})


def load_checkpoint(folder: Path, device: Device | None = None) -> Checkpoint:
    """Verify a checkpoint folder and load it to a device: the best one there is, if none is given.

    Raises
    ------
    InputError
        If the folder is no checkpoint, or is damaged or altered.
    """
    # Only here is torch needed; reading a manifest, as `nodule-engine info` does, is quick without it.
    import torch
    from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]

    from engine.codec import IdentityCodec
    from engine.device import choose_device
    from engine.network import ConditionedUNet, NetworkConfig
    from engine.window import WindowGrid

    manifest = read_manifest(folder)
    config = config_of(manifest)
    grid, codec = WindowGrid(**config.grid), IdentityCodec(**config.codec)
    chosen = device or choose_device()
    settings: dict[str, Any] = {**config.network, "blocks": tuple(config.network["blocks"])}
    network: Any = ConditionedUNet(NetworkConfig(**settings), codec, grid.size)
    network.load_state_dict(load_file(folder / WEIGHTS))
    network.to(device=chosen.device, dtype=chosen.dtype, memory_format=torch.channels_last)
    network.eval().requires_grad_(False)
    return Checkpoint(config, manifest["sha256"], network, grid, codec, chosen)
