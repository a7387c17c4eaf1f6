"""Give a generator a guide: an earlier state of its own training, from which guidance leads away.

    python -m training.add_guide --checkpoint runs/slice/checkpoint --guide EARLIER --out resources/checkpoints/slice

What both get wrong, the one with less training gets more wrong; leading away from it strengthens what training has
brought (Karras et al. 2024, "Guiding a diffusion model with a bad version of itself"). It costs what guidance by
attributes costs, and does both in one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]

from engine.checkpoint import CODEC_WEIGHTS, WEIGHTS, CheckpointConfig, config_of, read_manifest, save_checkpoint
from engine.errors import InputError
from engine.network import NetworkConfig
from training.command import command


def add_guide(checkpoint: Path, guide: Path, out: Path) -> None:
    """Write a checkpoint that is guided by another.

    Parameters
    ----------
    checkpoint, guide : folders of checkpoints of the same network and codec
    out : folder to write, its name becomes the checkpoint's; it may be that of `checkpoint`

    Raises
    ------
    InputError
        If one is no checkpoint, the guide is not of the same network or has seen more samples, or the network cannot
        do without attributes.
    """
    manifest, guides = read_manifest(checkpoint), read_manifest(guide)
    config, earlier = config_of(manifest), config_of(guides)
    same = [manifest.get("vqvae_sha256") == guides.get("vqvae_sha256")]
    same += [getattr(config, name) == getattr(earlier, name) for name in ("kind", "network", "codec", "scheduler")]
    if not all(same):
        raise InputError(
            f"The guide {guide} is not an earlier state of {checkpoint}: network, codec or schedule differ; "
            "give one of the same training."
        )
    seen, own = (one.training.get("samples_seen", 0) for one in (earlier, config))
    if seen > own:
        raise InputError(
            f"The guide {guide} has seen {seen:,} samples and is not an earlier state of {checkpoint}, which has seen "
            f"{own:,}; give an earlier one of the same training."
        )
    sampling = _guided_sampling(checkpoint, config)
    told = {"samples_seen": earlier.training.get("samples_seen"), "sha256": guides["sha256"]}
    config = replace(config, name=out.name, training={**config.training, "guide": told}, sampling=sampling)
    codec = load_file(checkpoint / CODEC_WEIGHTS) if "vqvae_sha256" in manifest else None
    save_checkpoint(out, config, load_file(checkpoint / WEIGHTS), codec, load_file(guide / WEIGHTS))


def _guided_sampling(checkpoint: Path, config: CheckpointConfig) -> dict[str, Any]:
    """Return the settings of `SamplingLimits` with which the guide, which is given no attributes, is called."""
    if not NetworkConfig(**config.network).sees_attributes:
        return {**config.sampling, "guidance_highest_t": None}
    if config.sampling.get("guidance_highest_t") == -1:
        raise InputError(
            f"The network of {checkpoint} was never trained without attributes, and a guide is given none; "
            "give one that was trained with --drop-all above 0."
        )
    return config.sampling


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True, help="the one to be guided")
    parser.add_argument("--guide", type=Path, required=True, help="an earlier one of the same training")
    parser.add_argument("--out", type=Path, required=True, help="folder of the guided one; its name becomes its own")
    given = parser.parse_args(arguments)
    add_guide(**vars(given))


if __name__ == "__main__":
    sys.exit(main())
