"""The key of a reader study: what is true of each trial. It lies apart from the study, which knows its hash.

A JSON file. `secret` is drawn from images that are not part of the study: without it, somebody who has the study alone
could try all keys until one has the hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from engine.errors import InputError
from engine.json_files import parse_json
from engine.study_trials import Study

FORMAT_VERSION = 1

Truth = Literal["synthetic", "real", "no_nodule"]


@dataclass(frozen=True)
class KeyImage:
    """What is true of one image.

    Attributes
    ----------
    truth : "synthetic", "real" or "no_nodule"
        The first two have a nodule.
    box : (row, column, side) in pixels of the image as it is shown; None without a nodule
    scores : five from 1 to 5 or None each, in the order of Table 1; None without a nodule or if none is known
        Asked for of a synthetic nodule; the readers' scores of a real one.
    diameter_mm : float or None
        As measured when a synthetic one was made.
    source : str
        File or folder that the image was read from.
    slice_index : int or None
        In a real source, from 0.
    """

    truth: Truth
    box: tuple[int, int, int] | None
    scores: tuple[int | None, ...] | None
    diameter_mm: float | None
    source: str
    slice_index: int | None


@dataclass(frozen=True)
class Key:
    """What is true, by the number of the trial; two images for a forced choice (left, right)."""

    study_uid: str
    secret: str
    images: dict[int, tuple[KeyImage, ...]]


def key_bytes(uid: str, secret: str, images: Sequence[tuple[KeyImage, ...]]) -> bytes:
    """Return the key file of a study whose trials, from 1, show these images."""
    record = {
        "format_version": FORMAT_VERSION,
        "study": uid,
        "secret": secret,
        "trials": [
            {"number": number, "images": [asdict(image) for image in shown]}
            for number, shown in enumerate(images, start=1)
        ],
    }
    return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace") + b"\n"


def read_key(study: Study, path: Path) -> Key:
    """Read the key of a study.

    Raises
    ------
    InputError
        If it cannot be read, or its hash is not the one that the study was sealed with.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"The key {path} cannot be read; give the file that was written with the study.") from error
    if hashlib.sha256(content).hexdigest() != study.key_sha256:
        raise InputError(
            f"{path} is not the key with which the study was sealed, or it was changed since; give the file as it was "
            "written with the study."
        )
    try:
        return _key(study, parse_json(content))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no key of this study; give the file that was written with it.") from error


def _key(study: Study, record: dict[str, Any]) -> Key:
    images = {trial["number"]: tuple(_image(image) for image in trial["images"]) for trial in record["trials"]}
    shown = {trial.number: trial.images for trial in study.trials}
    if record["format_version"] != FORMAT_VERSION or record["study"] != study.uid:
        raise ValueError("of another study")
    if {number: len(known) for number, known in images.items()} != shown:
        raise ValueError("of other trials")
    return Key(study.uid, record["secret"], images)


def _image(written: dict[str, Any]) -> KeyImage:
    lists: dict[str, Any] = {name: tuple(written[name]) if written[name] else None for name in ("box", "scores")}
    return KeyImage(**{**written, **lists})
