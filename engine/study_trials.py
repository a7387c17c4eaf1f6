"""A reader study as a folder: what the readers are shown, and nothing that tells what is true.

    study.json           title, readers, window, and of each trial: kind, number of images, box that is shown,
                         shape of its images, hash of its file. `key_sha256` seals the key, which lies elsewhere.
    trials/0001.npz ...  image_0[, image_1]: int16 HU (rows, columns); pixel_spacing: (images, 2) mm, (row, column)
    answers/READER.jsonl one line an answer, see `engine.study`

All files of one kind of trial have the same size, and are numbered in an order drawn at random.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np

from engine.ct import CTSlice, WindowLevel
from engine.errors import InputError
from engine.export_folder import all_or_nothing
from engine.json_files import parse_json, text_of, window_of
from engine.nodule import BoundingBox, is_whole_number

FORMAT_VERSION = 1
STUDY_JSON, TRIALS, ANSWERS = "study.json", "trials", "answers"

TrialKind = Literal["find_nodule", "real_or_synthetic", "forced_choice", "rate_attributes"]
#: In the order in which a reader gets them: boxes, which would give nodules away, are shown last.
TRIAL_KINDS: tuple[TrialKind, ...] = get_args(TrialKind)

_READER_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Trial:
    """What a reader may know of a trial.

    Attributes
    ----------
    number : int
        From 1, the same for all readers.
    kind : TrialKind
    images : int
        2 for a forced choice (left, right), else 1.
    box : (row, column, side) in pixels, or None
        To be shown; None where none is.
    shape : (rows, columns)
        Of each image.
    sha256 : str
        Of the trial's file.
    """

    number: int
    kind: TrialKind
    images: int
    box: tuple[int, int, int] | None
    shape: tuple[int, int]
    sha256: str


@dataclass(frozen=True)
class Study:
    """A study that was opened; see `open_study`.

    Attributes
    ----------
    folder : Path
    title : str
    readers : tuple of str
        Codes: letters, digits, - and _.
    trials : tuple of Trial
        By number, from 1.
    window : WindowLevel
        With which images are shown at first.
    uid : str
        UUID. Answers and key name it.
    seed : int
        Of the order in which each reader gets the trials; tells nothing of the key.
    key_sha256 : str
        Hash of the key file.
    """

    folder: Path
    title: str
    readers: tuple[str, ...]
    trials: tuple[Trial, ...]
    window: WindowLevel
    uid: str
    seed: int
    key_sha256: str

    def trial(self, number: int) -> Trial:
        """Return a trial by its number.

        Raises
        ------
        InputError
            If there is none.
        """
        if not 1 <= number <= len(self.trials):
            raise InputError(f"There is no trial {number}; this study has trials 1 to {len(self.trials)}.")
        return self.trials[number - 1]


@dataclass(frozen=True)
class TrialImages:
    """What a new trial shows: for `write_study`."""

    kind: TrialKind
    images: tuple[CTSlice, ...]
    box: tuple[int, int, int] | None = None


def check_readers(readers: Sequence[str]) -> None:
    """Refuse codes that could not name files.

    Raises
    ------
    InputError
        If there is none, one has other characters than letters, digits, - and _, two are the same, or one is "truth",
        which in tables for iMRMC is who knows the truth.
    """
    if not readers:
        raise InputError("The study has no readers; name one or more.")
    for code in readers:
        if not _READER_CODE.fullmatch(code):
            raise InputError(f"The reader code {code!r} is not made of letters, digits, - and _ alone; choose another.")
        if code.lower() == "truth":
            raise InputError("The reader code truth means the truth itself in tables of answers; choose another.")
    # File systems of Windows and macOS do not tell r1 from R1.
    if len({code.lower() for code in readers}) < len(readers):
        raise InputError("Two readers have the same code; give each one of their own.")


def open_study(folder: Path) -> Study:
    """Open a study. Images are not looked at before they are shown.

    Raises
    ------
    InputError
        If it is none, incomplete, or of a later format.
    """
    path = folder / STUDY_JSON
    try:
        record: Any = parse_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{folder} is no reader study; open the folder that holds {STUDY_JSON}.") from error
    except ValueError as error:
        raise InputError(f"{path} is damaged; copy the study again from where it was built.") from error
    version: Any = cast("dict[str, Any]", record).get("format_version") if isinstance(record, dict) else None
    if version != FORMAT_VERSION:
        raise InputError(
            f"{path} has format {version!r} and this program reads format {FORMAT_VERSION}; open the study with the "
            "version that built it."
        )
    try:
        return _study(folder, cast("dict[str, Any]", record))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is incomplete; copy the study again from where it was built.") from error


def trial_images(study: Study, trial: Trial) -> tuple[CTSlice, ...]:
    """Read what a trial shows; for a forced choice (left, right).

    Raises
    ------
    InputError
        If the file is missing or not the one that was built.
    """
    path = trial_path(study.folder, trial.number)
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != trial.sha256:
            raise ValueError("other content")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            spacings = arrays["pixel_spacing"]
            return tuple(
                CTSlice(arrays[f"image_{index}"], (spacings[index, 0], spacings[index, 1]))
                for index in range(trial.images)
            )
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"The images of trial {trial.number} are missing or were changed; copy {path} again from where the study "
            "was built."
        ) from error


def order_for(study: Study, reader: str) -> tuple[int, ...]:
    """Return the numbers of all trials in the order of one reader, the same at every call and on every computer.

    Kinds stay together, in the order of `TRIAL_KINDS`, since a reader should not change tasks all the time.

    Raises
    ------
    InputError
        If the study has no such reader.
    """
    check_reader(study, reader)

    def place(trial: Trial) -> tuple[int, bytes]:
        drawn = hashlib.sha256(f"{study.uid} {study.seed} {reader} {trial.number}".encode()).digest()
        return TRIAL_KINDS.index(trial.kind), drawn

    return tuple(trial.number for trial in sorted(study.trials, key=place))


def check_reader(study: Study, reader: str) -> None:
    """Refuse a reader whom the study does not know.

    Raises
    ------
    InputError
        If it does not.
    """
    if reader not in study.readers:
        raise InputError(f"The study has no reader {reader!r}; choose one of {', '.join(study.readers)}.")


def trial_path(folder: Path, number: int) -> Path:
    """Return where the images of a trial are."""
    return folder / TRIALS / f"{number:04d}.npz"


def write_study(
    folder: Path,
    title: str,
    readers: Sequence[str],
    trials: Sequence[TrialImages],
    window: WindowLevel,
    uid: str,
    seed: int,
    key_sha256: str,
) -> Study:
    """Write a new study, whole or not at all; return it opened.

    Parameters
    ----------
    folder : Path
        Made if it is not there; must be empty.
    trials : in the order of their numbers
        Images are int16, and their boxes lie on them.

    Raises
    ------
    InputError
        If the readers' codes cannot be used, the folder holds something or cannot be written to.
    """
    check_readers(readers)
    check_new(folder)

    def write(into: Path) -> None:
        (into / TRIALS).mkdir()
        (into / ANSWERS).mkdir()
        record = {
            "format_version": FORMAT_VERSION,
            "title": title,
            "uid": uid,
            "seed": seed,
            "readers": list(readers),
            "window": {"width": window.width, "level": window.level},
            "key_sha256": key_sha256,
            "trials": [_write_trial(into, number, trial) for number, trial in enumerate(trials, start=1)],
        }
        (into / STUDY_JSON).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")

    all_or_nothing(write, folder)
    return open_study(folder)


def check_new(folder: Path) -> None:
    """Refuse a folder that holds something: answers might be mixed up.

    Raises
    ------
    InputError
        If it does.
    """
    # Systems put hidden files of their own into folders.
    if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise InputError(f"The folder {folder} is not empty; choose a new one for the study.")


def check_outside(folder: Path, path: Path, what: str) -> None:
    """Refuse to write `what` tells the truth to a path in a study's folder.

    Raises
    ------
    InputError
        If it would lie there.
    """
    if path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"The {what} {path} would lie in the study, where readers see it; choose a place outside.")


def _write_trial(folder: Path, number: int, trial: TrialImages) -> dict[str, Any]:
    """Write the images of a trial; return what `study.json` says of it."""
    shape = trial.images[0].shape
    if any(image.hu.dtype != np.int16 or image.shape != shape for image in trial.images):
        raise ValueError(f"the images of trial {number} are not int16 of one shape")
    if trial.box is not None:
        BoundingBox(*trial.box, slice_shape=shape)
    arrays = {f"image_{index}": image.hu for index, image in enumerate(trial.images)}
    spacings = np.array([image.pixel_spacing for image in trial.images], np.float64)
    stream = io.BytesIO()
    # Not compressed: the size of a compressed file would tell of what is in it.
    np.savez(stream, allow_pickle=False, pixel_spacing=spacings, **arrays)
    content = stream.getvalue()
    trial_path(folder, number).write_bytes(content)
    return {
        "number": number,
        "kind": trial.kind,
        "images": len(trial.images),
        "box": list(trial.box) if trial.box else None,
        "shape": list(shape),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _study(folder: Path, record: dict[str, Any]) -> Study:
    trials = tuple(_trial(written) for written in record["trials"])
    if [trial.number for trial in trials] != list(range(1, len(trials) + 1)):
        raise ValueError("trials are not numbered from 1")
    readers = tuple(str(code) for code in record["readers"])
    check_readers(readers)
    window, title, uid = window_of(record["window"]), text_of(record["title"]), text_of(record["uid"])
    return Study(folder, title, readers, trials, window, uid, record["seed"], record["key_sha256"])


def _trial(written: dict[str, Any]) -> Trial:
    rows, columns = written["shape"]
    if not all(map(is_whole_number, (written["number"], rows, columns))):
        raise TypeError("a number is none")
    box = None
    if written["box"] is not None:
        row, column, side = written["box"]
        BoundingBox(row, column, side, (rows, columns))
        box = (row, column, side)
    if written["kind"] not in TRIAL_KINDS or written["images"] != (2 if written["kind"] == "forced_choice" else 1):
        raise ValueError("no such kind of trial")
    return Trial(written["number"], written["kind"], written["images"], box, (rows, columns), written["sha256"])
