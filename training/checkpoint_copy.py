"""A copy of a checkpoint that stays as it is, whatever a run that goes on puts in the place of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from engine.checkpoint import CODEC_WEIGHTS, GUIDE_WEIGHTS, MANIFEST, WEIGHTS, read_manifest
from engine.errors import InputError


def copy_checkpoint(folder: Path, copies: Path) -> Path:
    """Copy a checkpoint into a folder of `copies` that its hash names, unless it is there, and return that folder.

    Raises
    ------
    InputError
        If the folder is no checkpoint, or is replaced while it is copied.
    """
    sha256 = read_manifest(folder)["sha256"]
    copy = copies / sha256[:16]
    if copy.is_dir():
        return copy
    part = copy.with_name(f"{copy.name}.{os.getpid()}.part")
    part.mkdir(parents=True, exist_ok=True)
    for name in (MANIFEST, WEIGHTS, GUIDE_WEIGHTS, CODEC_WEIGHTS):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, part / name)
    try:
        is_whole = read_manifest(part)["sha256"] == sha256
    except InputError:
        is_whole = False
    if not is_whole:
        shutil.rmtree(part)
        raise InputError(f"The checkpoint {folder} was replaced while it was copied; start again.")
    part.replace(copy)
    return copy
