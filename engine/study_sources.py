"""What a reader study can be made of: nodules that were made, real ones, and slices without one."""

from __future__ import annotations

import csv
import io
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from engine import journal
from engine.ct import CTSlice, CTVolume
from engine.errors import InputError
from engine.nodule import ATTRIBUTE_NAMES, BoundingBox, NoduleAttributes
from engine.study_key import Truth
from engine.synthetic_data import is_synthetic

#: Slices without a nodule are taken from a series this far apart, where this share of the slice is lung; and what is
#: not further apart may show the same nodule.
_APART_MM, _LEAST_LUNG = 10.0, 0.05
_COLUMNS = ("path", "slice", "row", "column", "side")

#: Series (file or folder) and slice, from 0.
Place = tuple[Path, int]
Progress = Callable[[int, int], object]


@dataclass(frozen=True, eq=False)
class Source:
    """An image that a trial can show.

    Attributes
    ----------
    image : CTSlice
        Whole, as it was read.
    truth : "synthetic", "real" or "no_nodule"
    box : BoundingBox or None
        Of the nodule.
    scores : five of Table 1, or None
    diameter_mm : float or None
    path : Path
    slice_index : int or None
    scene : str
        Hash of the slice before all nodules that were put into it: images of one scene look alike but for their boxes.
    is_alone : bool
        The slice has no other nodule that is known of: none that was put in before, and no real one. A slice that was
        synthetic already when it was opened may have one.
    goes_on : bool
        The nodule was placed in another slice: it serves to tell what is in this one, and for no trial.
    place : Place or None
        From which the slice was read, if that is known.
    near : places
        Of a real nodule: its own, and all of the same series that are so near that they may show it.
    line : str
        Of the table that names it, and of which one; empty where none does.
    """

    image: CTSlice
    truth: Truth
    box: BoundingBox | None
    scores: tuple[int | None, ...] | None
    diameter_mm: float | None
    path: Path
    slice_index: int | None
    scene: str
    is_alone: bool = True
    goes_on: bool = False
    place: Place | None = None
    near: frozenset[Place] = frozenset()
    line: str = ""

    @cached_property
    def sha256(self) -> str:
        """Hash of the image."""
        return self.image.sha256()

    @property
    def nodule_box(self) -> BoundingBox:
        """The box, of a source that has a nodule."""
        if self.box is None:
            raise ValueError("there is no nodule")
        return self.box


@dataclass(frozen=True)
class Sources:
    """All that was read, by what is true of it."""

    synthetic: tuple[Source, ...]
    real: tuple[Source, ...]
    no_nodule: tuple[Source, ...]


def read_sources(
    synthetic: Sequence[Path], real: Sequence[Path], progress: Progress = lambda done, of: None
) -> Sources:
    """Read what a study is to be made of.

    Parameters
    ----------
    synthetic : paths
        Journal entries, export folders, and folders that hold such. Slices before the nodule serve as slices without
        one, unless another of these results put a nodule into them, or they were synthetic already. Of a nodule that
        goes on in other slices, only the slice counts in which it was placed: the others would show it again.
    real : paths
        A CSV (of commas, semicolons or tabs) names nodules, each on one slice: path (from the CSV's folder on), slice
        (from 0), row, column, side, and, where there are any, the five scores by name; without row, column and side it
        names a slice without a nodule. Any other path is a CT of which no slice has a nodule, but for those that say
        that they are synthetic: these are left out. So are slices within 10 mm of a nodule that a CSV names.
    progress : called with (paths read, paths in all)

    Raises
    ------
    InputError
        If one of them cannot be read, or a CSV names a nodule on several slices.
    """
    results = [place for path in synthetic for place in _results_in(path)]
    total = len(results) + len(real)
    made: list[Source] = []
    for done, place in enumerate(results):
        progress(done, total)
        made += _journal_sources(place) if journal.is_whole(place) else _export_sources(place)
    for done, path in enumerate(real, start=len(results)):
        progress(done, total)
        made += _table_sources(path) if path.suffix.lower() == ".csv" else _plain_sources(path)
    progress(total, total)
    return _sorted(made)


def _sorted(made: Sequence[Source]) -> Sources:
    before = {source.sha256: source.scene for source in made if source.truth == "synthetic"}
    real = tuple(source for source in made if source.truth == "real")
    _check_named_once(real)
    near = {place for source in real for place in source.near}
    with_nodule = {*before, *(source.scene for source in made if source.place in near)}
    plain = {source.scene: source for source in made if source.truth == "no_nodule" and source.scene not in with_nodule}
    return Sources(
        tuple(
            _rooted(source, before, with_nodule)
            for source in made
            if source.truth == "synthetic" and not source.goes_on
        ),
        real,
        tuple(plain.values()),
    )


def _check_named_once(real: Sequence[Source]) -> None:
    """Refuse a nodule on several slices: these are no independent cases, and who has seen one knows the other."""
    for one, other in itertools.combinations(real, 2):
        if other.place in one.near and other.place != one.place and _share_pixels(one.nodule_box, other.nodule_box):
            raise InputError(
                f"The boxes in {one.line} and in {other.line} overlap on slices within {_APART_MM:g} mm of each other, "
                "as those of one nodule do; keep one slice a nodule."
            )


def _share_pixels(one: BoundingBox, other: BoundingBox) -> bool:
    return all(abs(a - b) < (one.side + other.side) / 2 for a, b in zip(one.centre, other.centre, strict=True))


def _rooted(source: Source, before: Mapping[str, str], with_nodule: Set[str]) -> Source:
    """Return a source whose scene is the slice before the first nodule; `before` has the slice before each by its hash.

    The scene of a slice made whole is itself, and it is no other nodule than its own.
    """
    scene = source.scene
    while before.get(scene, scene) != scene:
        scene = before[scene]
    is_alone = source.is_alone and (source.scene not in with_nodule or source.scene == source.sha256)
    return replace(source, scene=scene, is_alone=is_alone)


def _results_in(path: Path) -> list[Path]:
    if journal.is_whole(path) or os.path.isfile(path / "request.json"):
        return [path]
    try:
        found = [*journal.entries(path), *sorted(file.parent for file in path.rglob("request.json"))]
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the name, or copy it elsewhere.") from error
    if not found:
        raise InputError(f"{path} holds no result; name a journal entry, or a folder that nodules were exported to.")
    return found


def _journal_sources(entry: Path) -> Iterator[Source]:
    result = journal.read(entry)
    before, request = result.before, result.request
    last = before.sha256() if before else result.slice.sha256()
    # Before earlier nodules, whose results may not be among those given.
    first = (request.source.sha256 if request.source else "") or last
    measured, goes_on = result.measurement.diameter_mm, request.extension is not None
    was_synthetic = request.source is not None and request.source.is_synthetic
    scores, is_alone = request.attributes.scores, first == last and not was_synthetic
    place = (request.source.path.resolve(), request.source.slice_index) if request.source else None
    yield Source(result.slice, "synthetic", request.box, scores, measured, entry, None, first, is_alone, goes_on, place)
    if before and is_alone and not goes_on:
        yield _plain(before, entry, None, place)


def _export_sources(folder: Path) -> Iterator[Source]:
    from engine.exported_result import exported_before, exported_slice
    from engine.replay import saved_request

    saved = saved_request(folder)
    after = exported_slice(saved, folder)
    if after is None:
        raise InputError(f"{folder} has no slice with the HU that request.json names; export the result again.")
    measured = float(saved.record["measurement"]["diameter_mm"])
    last = saved.input_sha256 or saved.output_sha256
    first = saved.sha256_as_read or last
    scores, goes_on = saved.attributes.scores, saved.extension is not None
    is_alone = first == last and not saved.is_input_synthetic
    opened: dict[str, Any] = saved.record["input"] or {}
    place = (Path(opened["path"]).resolve(), saved.slice_index) if opened.get("path") else None
    yield Source(after, "synthetic", saved.box, scores, measured, folder, None, first, is_alone, goes_on, place)
    before = exported_before(saved, folder)
    if before and is_alone and not goes_on:
        yield _plain(before, folder, None, place)


def _plain(image: CTSlice, path: Path, index: int | None, place: Place | None) -> Source:
    return Source(image, "no_nodule", None, None, None, path, index, image.sha256(), place=place)


def _plain_sources(path: Path) -> Iterator[Source]:
    from engine.ct_files import read_volume
    from engine.lungs import lung_mask

    volume = read_volume(path)
    step = max(1, round(_APART_MM / volume.slice_spacing)) if len(volume) > 1 else 1
    for index in range(0, len(volume), step):
        image = _slice_of(volume, index)
        if not is_synthetic(volume, index) and lung_mask(image).mean() >= _LEAST_LUNG:
            yield _plain(image, path, index, (path.resolve(), index))


def _table_sources(path: Path) -> Iterator[Source]:
    try:
        text = path.read_text("utf-8-sig")
        # Where the comma stands in numbers, spreadsheets take another separator.
        table = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=text.partition("\n")[0].count))
        table.fieldnames = names = [name.strip().lower() for name in table.fieldnames or ()]
        rows = [(table.line_num, row) for row in table]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} cannot be read; name a CSV file with the columns {', '.join(_COLUMNS)}.") from error
    known = (*_COLUMNS, *ATTRIBUTE_NAMES)
    # Spreadsheets may leave columns without a name at the end.
    if unknown := [name for name in names if name and name not in known]:
        raise InputError(
            f"{path} has the column {unknown[0]!r}, which is not known; take it out, or call it by one of the names "
            f"{', '.join(known)}."
        )
    volumes: dict[Path, CTVolume] = {}
    for number, row in rows:
        try:
            source = _row_source(row, path.parent, volumes)
        except InputError as error:
            raise InputError(f"Line {number} of {path}: {error}") from error
        except (KeyError, ValueError, TypeError) as error:
            columns = ", ".join(_COLUMNS)
            raise InputError(f"Line {number} of {path} is not understood; give {columns} as whole numbers.") from error
        yield replace(source, line=f"line {number} of {path}")


def _row_source(row: dict[str, str], folder: Path, volumes: dict[Path, CTVolume]) -> Source:
    """Return what a row names; `volumes` has the one that was read last."""
    from engine.ct_files import read_volume

    place, index = folder / row["path"], int(row["slice"])
    box, scores = _box_of(row), _scores_of(row)
    if place not in volumes:
        volumes.clear()  # One at a time: series are large.
        volumes[place] = read_volume(place)
    image, series, along = _slice_of(volumes[place], index), place.resolve(), volumes[place].slice_places
    if box is None:
        return _plain(image, place, index, (series, index))
    located = BoundingBox(*box, slice_shape=image.shape)
    near = frozenset((series, int(at)) for at in np.flatnonzero(np.abs(along - along[index]) <= _APART_MM))
    return Source(image, "real", located, scores, None, place, index, image.sha256(), place=(series, index), near=near)


def _slice_of(volume: CTVolume, index: int) -> CTSlice:
    """Return a slice that does not keep its whole series in memory, as a view of it would."""
    image = volume.slice_at(index)
    return image.with_hu(image.hu.copy())


def _box_of(row: dict[str, str]) -> tuple[int, int, int] | None:
    if not any(row.get(name) for name in ("row", "column", "side")):
        return None
    return int(row["row"]), int(row["column"]), int(row["side"])


def _scores_of(row: dict[str, str]) -> tuple[int | None, ...] | None:
    scores = [int(row[name]) if row.get(name) else None for name in ATTRIBUTE_NAMES]
    return NoduleAttributes.from_scores(scores).scores if any(scores) else None
