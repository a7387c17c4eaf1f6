"""Files of prepared data: what ``prepared.json`` says, and shards written whole or not at all (`training.prepared`)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from engine.errors import InputError
from training.prepared_rows import CROP_SIZE, HU_MAX, HU_MIN, SLICE_SIZE

FORMAT_VERSION = 1
_ROWS_A_GROUP = 64


def write_description(prepared: Path, maker: str = "", **options: Any) -> None:
    """Write ``prepared.json``, or add to it, what `maker` puts into the folder, and with what options.

    ``made_by`` holds a list for each maker, with one entry for all calls with the same options.

    Raises
    ------
    InputError
        If the folder is of another version of the format.
    """
    made_by = read_description(prepared)["made_by"] if (prepared / "prepared.json").exists() else {}
    if maker and options not in made_by.setdefault(maker, []):
        made_by[maker].append(options)
    description = {
        "format_version": FORMAT_VERSION,
        "hu_range": [HU_MIN, HU_MAX],
        "slice_size": SLICE_SIZE,
        "crop_size": CROP_SIZE,
        "made_by": made_by,
    }
    prepared.mkdir(parents=True, exist_ok=True)
    part = prepared / f"prepared.json.{os.getpid()}.part"
    part.write_text(json.dumps(description, indent=2) + "\n")
    _put_in_place(part, prepared / "prepared.json")


def read_description(prepared: Path) -> dict[str, Any]:
    """Return what ``prepared.json`` says.

    Raises
    ------
    InputError
        If the folder is not of prepared data, or of another version of the format.
    """
    try:
        description = json.loads((prepared / "prepared.json").read_text())
        version = description["format_version"]
        made_by = description.get("made_by", {})
        # Folders have been written that hold the last call of each maker alone.
        description["made_by"] = {maker: [its] if isinstance(its, dict) else its for maker, its in made_by.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f'"{prepared}" has no prepared.json; make prepared data with training.prepare_lidc or import_public.'
        ) from error
    if version != FORMAT_VERSION:
        raise InputError(f'"{prepared}" has format {version}, this program reads {FORMAT_VERSION}; prepare it again.')
    return description


def refuse_makers(prepared: Path, *makers: str) -> None:
    """Refuse a folder into which one of `makers` has put the nodules that the caller is about to.

    They would be in it twice, at two spacings, and numbered otherwise: readers of different nodules would be mixed.

    Raises
    ------
    InputError
        If it is such a folder, or of another version of the format.
    """
    made_by = read_description(prepared)["made_by"] if (prepared / "prepared.json").exists() else {}
    if others := [maker for maker in makers if maker in made_by]:
        raise InputError(
            f'"{prepared}" was made by {" and ".join(others)}, and the same nodules would be in it twice; '
            "give --out another folder."
        )


def write_shard(path: Path, schema: pa.Schema, rows: Iterator[dict[str, Any]]) -> int:
    """Write a Parquet file, whole or not at all, in place of one that is there; return how many rows it has."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    count = 0
    try:
        with parquet.ParquetWriter(part, schema, compression="zstd") as writer:
            while group := list(islice(rows, _ROWS_A_GROUP)):
                writer.write_table(pa.Table.from_pylist(group, schema))
                count += len(group)
        _put_in_place(part, path)
    finally:
        part.unlink(missing_ok=True)
    return count


def count_rows(shard: Path) -> int:
    """Return how many rows a shard has.

    Raises
    ------
    InputError
        If it is damaged.
    """
    try:
        return parquet.read_metadata(shard).num_rows
    except (OSError, pa.ArrowException) as error:
        raise _damaged(shard) from error


def read_batches(shard: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a shard in groups.

    Raises
    ------
    InputError
        If it is damaged.
    """
    try:
        yield from parquet.ParquetFile(shard).iter_batches(_ROWS_A_GROUP)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(shard) from error


def read_column(shard: Path, name: str) -> list[Any]:
    """Return one column of a shard.

    Raises
    ------
    InputError
        If it is damaged.
    """
    try:
        return parquet.read_table(shard, columns=[name])[name].to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise _damaged(shard) from error


def _damaged(shard: Path) -> InputError:
    return InputError(f'"{shard}" is damaged; delete it and make it again with the command that made it.')


def _put_in_place(part: Path, path: Path) -> None:
    # On disk before the rename is, or a power cut would leave an empty file under the final name.
    with part.open("r+b") as stream:
        os.fsync(stream.fileno())
    part.replace(path)
