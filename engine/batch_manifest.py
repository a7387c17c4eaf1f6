"""The manifest of a batch: a line a nodule, as CSV and as Parquet, put together from what lies beside each nodule."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from engine.batch_balance import extent_of
from engine.batch_folder import Batch
from engine.batch_rows import BatchRow
from engine.ct import CTVolume
from engine.errors import InputError
from engine.events import GenerationResult
from engine.export_tables import csv_text, nodule_row
from engine.json_files import object_of, parse_json
from engine.nodule import ATTRIBUTE_NAMES
from engine.whole_files import write_whole

MANIFEST_CSV, MANIFEST_PARQUET, FAILURES = "manifest.csv", "manifest.parquet", "failures.csv"
_ROW = "row.json"
#: Lines that are in memory at a time.
_CHUNK = 2000
Record = dict[str, Any]

#: Columns of the manifest and their types in Parquet; lengths in mm, points in DICOM patient coordinates (LPS).
COLUMNS: dict[str, str] = {
    "number": "int64",
    "folder": "string",
    "split": "string",
    "patient": "string",
    "plan_line": "int64",
    "input_sha256": "string",
    "slice_index": "int64",
    "box_row": "int64",
    "box_column": "int64",
    "box_side": "int64",
    "box_side_mm": "float64",
    "extent_asked_mm": "float64",
    "lung_share": "float64",
    "from_lungs_row_mm": "float64",
    "from_lungs_column_mm": "float64",
    "x_mm": "float64",
    "y_mm": "float64",
    "z_mm": "float64",
    "diameter_mm": "float64",
    "mean_hu": "float64",
    "nodule_pixels": "int64",
    **dict.fromkeys(ATTRIBUTE_NAMES, "int64"),
    "seed": "int64",
    "steps": "int64",
    "guidance": "float64",
    "solver": "string",
    "checkpoint": "string",
    "checkpoint_sha256": "string",
    "output_sha256": "string",
    "seconds": "float64",
    "device": "string",
}
#: What JSON may have for them, beside null.
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {"int64": (int,), "float64": (int, float), "string": (str,)}


def manifest_row(row: BatchRow, folder: str, volume: CTVolume, result: GenerationResult) -> Record:
    """Return the line of a finished nodule, with the names of `COLUMNS`."""
    box, spacing = result.request.box, volume.pixel_spacing
    row_mm, column_mm = row.from_lungs_mm or (None, None)
    values: Record = {
        **nodule_row(volume, row.slice_index or 0, result),
        "number": row.number,
        "folder": f"nodules/{folder}",
        "split": row.split,
        "patient": row.patient,
        "plan_line": row.line,
        "input_sha256": row.input_sha256,
        "box_side_mm": round(box.side_mm(spacing), 3),
        "extent_asked_mm": round(extent_of(box, spacing), 3),
        "lung_share": row.lung_share,
        "from_lungs_row_mm": row_mm,
        "from_lungs_column_mm": column_mm,
        "seconds": round(result.seconds, 3),
        "device": result.device,
    }
    return {name: values[name] for name in COLUMNS}


def write_row(record: Record, folder: Path) -> None:
    """Write a line of the manifest beside its nodule."""
    (folder / _ROW).write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", "utf-8")


def manifest_rows(batch: Batch) -> Iterator[Record]:
    """Yield the lines of all finished nodules, in the order of the plan.

    Raises
    ------
    InputError
        If one is missing or damaged.
    """
    for row in batch.rows:
        if batch.is_made(row):
            yield _read_row(batch.result_folder(row))


def _read_row(folder: Path) -> Record:
    try:
        record = object_of(parse_json((folder / _ROW).read_bytes()))
        _check_columns(record)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{folder / _ROW} is missing or damaged; remove the folder {folder.name}, and give the same command again."
        ) from error
    return record


def _check_columns(record: Record) -> None:
    """Raise a ValueError or TypeError if a line is none of the manifest: the tables would fail halfway."""
    if record.keys() != COLUMNS.keys():
        raise ValueError("it has other columns")
    for name, value in record.items():
        if value is not None and type(value) not in _PYTHON_TYPES[COLUMNS[name]]:
            raise TypeError(f"{name} is of another type")


def write_manifest(batch: Batch) -> None:
    """Write the manifest in both forms, replacing older ones; memory does not grow with the number of nodules."""
    # As Any, for they have no types.
    pyarrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    schema = pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in COLUMNS.items()])
    table, columns = batch.folder / f".{MANIFEST_CSV}", batch.folder / f".{MANIFEST_PARQUET}"
    with ExitStack() as files:
        text = files.enter_context(table.open("w", encoding="utf-8", newline=""))
        lines = csv.DictWriter(text, list(COLUMNS))
        lines.writeheader()
        stored = files.enter_context(parquet.ParquetWriter(columns, schema))
        for chunk in _chunks(manifest_rows(batch)):
            lines.writerows(chunk)
            stored.write_table(pyarrow.Table.from_pylist(chunk, schema))
    os.replace(table, batch.folder / MANIFEST_CSV)
    os.replace(columns, batch.folder / MANIFEST_PARQUET)


def write_failures(batch: Batch, failures: dict[int, str]) -> None:
    """Write which rows could not be made, and why; no file is left where there are none."""
    path = batch.folder / FAILURES
    if not failures:
        path.unlink(missing_ok=True)
        return
    lines = {row.number: row.line for row in batch.rows}
    write_whole(
        path,
        csv_text(
            [
                {"number": number, "plan_line": lines[number], "reason": reason.removeprefix(f"Line {lines[number]}: ")}
                for number, reason in failures.items()
            ]
        ),
    )


def _chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    left = iter(records)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk
