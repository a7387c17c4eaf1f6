"""Build a reader study of results and real slices: balanced, randomised with a seed, its key apart and sealed.

- real_or_synthetic: half synthetic, half real nodules, alike in place and size as far as the sources allow.
- forced_choice: pairs of a synthetic and a real nodule that are alike in place and size, as often left as right.
- rate_attributes: synthetic nodules, and as many real ones where their scores are known: what readers make of those
  is what can be expected of them at all. The box is shown.
- find_nodule: half slices with a synthetic nodule, half without one.

With `crop_mm`, real_or_synthetic and forced_choice show a square around each nodule; without, real_or_synthetic shows
the box on the whole slice. No scene stands twice in trials of one kind, nor one place with two nodules in those that
ask what is synthetic: what has changed would tell. Nor does the size of a whole slice: images of sizes that only one
sort has are left out. find_nodule, whose nodules are all synthetic, takes scenes that real_or_synthetic and
forced_choice do not show, as far as there are any; it is said how many there were not.

The assignment is drawn from the seed and all images given, so that the same plan makes the same study and nobody can
draw it again who has the study alone.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.ct import LUNG, CTSlice, WindowLevel
from engine.errors import InputError
from engine.export_folder import check_folder
from engine.study_choosing import Item, choose, searched_and_asked
from engine.study_images import Box, cropped_image, hu_step, whole_image
from engine.study_key import KeyImage, key_bytes
from engine.study_sources import Progress, Source, Sources, read_sources
from engine.study_trials import (
    Study,
    TrialImages,
    TrialKind,
    check_new,
    check_outside,
    check_readers,
    write_study,
)
from engine.whole_files import write_whole

_CROPPED: tuple[TrialKind, ...] = ("real_or_synthetic", "forced_choice")

#: An image as it is shown, and where the nodule's box is on it.
Shown = tuple[CTSlice, Box | None]


@dataclass(frozen=True)
class StudyPlan:
    """What a study is made of.

    Attributes
    ----------
    title : str
    readers : tuple of str
        Codes: letters, digits, - and _.
    counts : by kind
        Trials of each kind.
    seed : int
    synthetic, real : paths, see `engine.study_sources.read_sources`
    crop_mm : float or None
        Side of the square shown in real_or_synthetic and forced_choice; None for whole slices.
    window : WindowLevel
        With which images are shown at first.
    """

    title: str
    readers: tuple[str, ...]
    counts: Mapping[TrialKind, int]
    seed: int
    synthetic: tuple[Path, ...]
    real: tuple[Path, ...] = ()
    crop_mm: float | None = None
    window: WindowLevel = LUNG


def build_study(
    plan: StudyPlan,
    folder: Path,
    key: Path,
    progress: Progress = lambda done, of: None,
    warn: Callable[[str], object] = lambda sentence: None,
) -> Study:
    """Build a study and write its key; return the study.

    Parameters
    ----------
    folder : Path
        Made if it is not there; must be empty.
    key : Path
        Of a file that is not there yet, outside of `folder`.
    progress : called with (sources read, sources in all)
    warn : called with a sentence on what the study is worth less for

    Raises
    ------
    InputError
        If something cannot be read or written, or the sources are not enough: it says how many are missing.
    """
    check_readers(plan.readers)
    check_new(folder)
    check_folder(folder)
    _check_key_path(key, folder)
    sources = read_sources(plan.synthetic, plan.real, progress)
    digest = _digest(plan, sources)
    draw = np.random.default_rng(list(_derived(digest, "assignment")))
    items = choose(plan.counts, sources, plan.crop_mm, draw)
    prepared = _prepared(items, plan.crop_mm)
    trials = [_trial(item.kind, shown, plan.crop_mm) for item, shown in zip(items, prepared, strict=True)]
    known = [_known(item, shown) for item, shown in zip(items, prepared, strict=True)]
    uid = str(uuid.UUID(bytes=_derived(digest, "uid")[:16], version=4))
    content = key_bytes(uid, _derived(digest, "secret").hex(), known)
    seed = int.from_bytes(_derived(digest, "order")[:4], "big")
    sealed = hashlib.sha256(content).hexdigest()
    _write_key(key, content)
    try:
        study = write_study(folder, plan.title, plan.readers, trials, plan.window, uid, seed, sealed)
    except BaseException:
        key.unlink(missing_ok=True)
        raise
    if again := searched_and_asked(items):
        warn(
            f"{_slices(again)} shown in find_nodule and in trials that ask what is synthetic, and readers may know "
            f"{'it' if again == 1 else 'them'} again; add results on other slices, or ask for fewer trials."
        )
    return study


def _slices(count: int) -> str:
    return "1 slice is" if count == 1 else f"{count} slices are"


def _check_key_path(key: Path, folder: Path) -> None:
    check_outside(folder, key, "key")
    if os.path.lexists(key):
        raise InputError(f"{key} is there already, perhaps the key of another study; choose a new file.")
    check_folder(key.parent)


def _digest(plan: StudyPlan, sources: Sources) -> bytes:
    """Hash what the study is made of: the seed, what is asked for, and all images, most of which it never shows."""
    asked = (plan.seed, plan.title, plan.readers, sorted(plan.counts.items()), plan.crop_mm)
    digest = hashlib.sha256(repr(asked).encode())
    for source in (*sources.synthetic, *sources.real, *sources.no_nodule):
        digest.update(f"{source.truth} {source.sha256} {source.box} {source.scores}".encode())
    return digest.digest()


def _derived(digest: bytes, purpose: str) -> bytes:
    """Return bytes for one purpose that tell nothing of those for another."""
    return hashlib.sha256(purpose.encode() + digest).digest()


def _prepared(items: Sequence[Item], crop_mm: float | None) -> list[list[Shown]]:
    """Return what each trial shows; all images pass through the same steps."""
    sources = [source for item in items for source in item.sources]
    step = hu_step(sources)
    rows, columns = (max(source.image.shape[axis] for source in sources) for axis in (0, 1))
    finest = min(min(source.image.pixel_spacing) for source in sources)

    def show(kind: TrialKind, source: Source) -> Shown:
        if crop_mm is None or kind not in _CROPPED:
            return whole_image(source, (rows, columns), step)
        return cropped_image(source, crop_mm, finest, step)

    return [[show(item.kind, source) for source in item.sources] for item in items]


def _trial(kind: TrialKind, shown: Sequence[Shown], crop_mm: float | None) -> TrialImages:
    box_shown = kind == "rate_attributes" or (kind == "real_or_synthetic" and crop_mm is None)
    return TrialImages(kind, tuple(image for image, _ in shown), shown[0][1] if box_shown else None)


def _known(item: Item, shown: Sequence[Shown]) -> tuple[KeyImage, ...]:
    return tuple(
        KeyImage(source.truth, box, source.scores, source.diameter_mm, str(source.path.absolute()), source.slice_index)
        for source, (_, box) in zip(item.sources, shown, strict=True)
    )


def _write_key(path: Path, content: bytes) -> None:
    """Write the key, whole or not at all."""
    try:
        write_whole(path, content)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"The key {path} cannot be written ({reason}); choose another place.") from error
