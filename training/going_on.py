"""What a run must have in common with the checkpoint that it goes on from: latents, noise schedule, data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.checkpoint import MANIFEST, CheckpointConfig
from engine.errors import InputError

#: In a run's folder: what ``prepared.json`` said of the data that it was made with.
DATA_FILE = "data.json"
#: On GPUs, sums that statistics of latents are made of differ a little each time.
_TOLERANCE = 1e-3


def check_start(folder: Path, start: CheckpointConfig, run: CheckpointConfig) -> None:
    """Refuse to start from a checkpoint whose weights mean something else than this run's would, whatever their shapes.

    Raises
    ------
    InputError
        If codec, noise schedule or prediction type are others.
    """
    if not _is_alike(start.codec, run.codec):
        raise InputError(
            f"The checkpoint {folder} was trained with another codec (VQ-VAE, or range of HU) than this run's; "
            "give the same, or start from another checkpoint."
        )
    before, now = start.scheduler, run.scheduler
    changed = [name for name in now if before.get(name) != now[name]]
    if changed:
        differences = ", ".join(f"{name} {before.get(name)}, not {now[name]}" for name in changed)
        raise InputError(
            f"The checkpoint {folder} was trained with {differences}; give the same, or start from another checkpoint."
        )


def with_more_context(weights: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights for a network that is told more: what it did not know has no influence at first."""
    name = "unet.conv_in.weight"
    have, want = weights.get(name), wanted.get(name)
    if have is None or want is None or have.shape[1] >= want.shape[1]:
        return weights
    more = have.new_zeros(have.shape[0], want.shape[1] - have.shape[1], *have.shape[2:])
    return {**weights, name: torch.cat((have, more), dim=1)}


def check_resumed(run: Path, codec: Mapping[str, Any], made_by: Mapping[str, Any]) -> None:
    """Refuse to take up a run whose latents or data were others.

    Parameters
    ----------
    run : the run's folder
    codec : settings of the VQ-VAE, with statistics of its latents
    made_by : the record of the prepared data; data that were changed and left no record are not noticed

    Raises
    ------
    InputError
        If they were.
    """
    before = _written(run, f"checkpoint/{MANIFEST}")
    try:
        has_same_latents, has_same_data = _is_alike(before["codec"], codec), before["training"]["data"] == made_by
    except (KeyError, TypeError):
        return
    if not has_same_latents:
        raise InputError(
            f"The run in {run} was made with another VQ-VAE or other data; give the same, or give --run another folder."
        )
    if not has_same_data:
        raise InputError(
            f"The run in {run} was made with other data, as prepared.json records them; give the same, or go on in "
            "another folder with --start-from."
        )


def check_data(run: Path, made_by: Mapping[str, Any]) -> None:
    """Refuse to take up a run whose data were others, for one that writes no checkpoints until it is done.

    Parameters
    ----------
    run : the run's folder; `TrainingRun.resume` records its data there
    made_by : the record of the prepared data; data that were changed and left no record are not noticed

    Raises
    ------
    InputError
        If they were.
    """
    before = _written(run, DATA_FILE)
    if before is not None and before != made_by:
        raise InputError(
            f"The run in {run} was made with other data, as prepared.json records them; give the same, or give --run "
            "another folder."
        )


def _written(run: Path, name: str) -> Any:
    """Return what a run that can be taken up has written of itself; None if that is not there, or no JSON.

    The run may have been killed as it wrote it, or before, or be older than such records.
    """
    if not (run / "state.pt").exists():
        return None
    try:
        return json.loads((run / name).read_text())
    except (OSError, ValueError):
        return None


def _is_alike(first: Any, second: Any) -> bool:
    """Compare settings; a name that one side lacks came with another version of a library, and does not count."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return all(_is_alike(first[name], second[name]) for name in first.keys() & second.keys())
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(map(_is_alike, first, second))
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return first == second
