"""The data card of a batch: what the data set holds, how it was made, and what it must not be used for."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from engine.batch_balance import QUARTERS, SIZE_EDGES_MM, quarter_of, size_class_of
from engine.batch_folder import Batch
from engine.batch_manifest import COLUMNS, FAILURES, MANIFEST_CSV, MANIFEST_PARQUET
from engine.batch_pictures import Column, write_pictures
from engine.batch_sources import SPLITS
from engine.checkpoint import read_manifest
from engine.nodule import ATTRIBUTE_NAMES
from engine.versions import PROGRAM, library_versions
from engine.whole_files import write_whole

CARD, PICTURES = "README.md", "card"
#: So many reasons are named on the card; all stand in the table of failures.
_REASONS_NAMED = 10


def write_card(batch: Batch, failures: dict[int, str], checkpoint_folder: Path) -> None:
    """Write README.md and the pictures of a batch, from its manifest.

    Parameters
    ----------
    failures : see `engine.batch.Outcome`
    checkpoint_folder : Path
        Of the generator.
    """
    # As Any, for it has no types.
    parquet: Any = import_module("pyarrow.parquet")
    numbers = [name for name, kind in COLUMNS.items() if kind != "string"]
    table = parquet.read_table(batch.folder / MANIFEST_PARQUET, columns=[*numbers, "split", "patient"])
    columns: dict[str, Column] = {
        name: np.array(table[name].to_numpy(zero_copy_only=False), np.float64) for name in numbers
    }
    folder = batch.folder / PICTURES
    folder.mkdir(exist_ok=True)
    pictures = write_pictures(columns, folder)
    sections = [
        _head(batch, len(table)),
        _split_table(table["split"].to_pylist(), table["patient"].to_pylist(), batch),
        "\n\n".join(f"![{name.removesuffix('.png')}]({PICTURES}/{name})" for name in pictures),
        _counts(columns),
        _generator(batch, checkpoint_folder),
        _files(batch),
        _failed(failures, len(batch.rows)),
        _limits(),
    ]
    write_whole(batch.folder / CARD, "\n\n".join(section for section in sections if section) + "\n")


def _head(batch: Batch, made: int) -> str:
    return (
        f"# {made} synthetic lung nodules in chest CT slices\n\n"
        "**All nodules in this data set are synthetic: a model made them. The slices around them are those of "
        "the inputs. For research only: not for diagnosis, and no image may be passed off as a patient's.**\n\n"
        f"Made by {PROGRAM} {_versions(batch)['nodule-studio']}, begun on {batch.made:%Y-%m-%d}, with the generator "
        f"`{batch.settings.checkpoint}`, checkpoint sha256 `{batch.settings.checkpoint_sha256}`."
    )


def _versions(batch: Batch) -> dict[str, str]:
    """Return the versions that a batch was begun with, beside each the one that it was ended with, if another."""
    now = library_versions()
    return {
        name: version if now.get(name, version) == version else f"{version} (at the end {now[name]})"
        for name, version in batch.versions.items()
    }


def _split_table(splits: list[str], patients: list[str], batch: Batch) -> str:
    nodules = Counter(splits)
    people = {name: {who for who, where in zip(patients, splits, strict=True) if where == name} for name in SPLITS}
    shares = " / ".join(str(share) for share in batch.settings.split)
    lines = [f"| {name} | {nodules[name]} | {len(people[name])} |" for name in SPLITS]
    return "\n".join(
        [
            "## Parts",
            "",
            f"Split by source patient ({shares} % expected), by a hash of the Patient ID: nobody who has one is in two "
            "parts. Without it, a study counts as a patient; without any DICOM identity, a file.",
            "",
            "| part | nodules | source patients |",
            "|---|---|---|",
            *lines,
        ]
    )


def _counts(columns: dict[str, Column]) -> str:
    classes = Counter(size_class_of(float(extent)) for extent in columns["extent_asked_mm"])
    where = np.stack((columns["from_lungs_row_mm"], columns["from_lungs_column_mm"]), axis=1)
    quarters = Counter(quarter_of((float(row), float(column))) for row, column in where if np.isfinite(row))
    sizes = [f"{low:g}-{high:g} mm: {classes[index]}" for index, (low, high) in enumerate(pairwise(SIZE_EDGES_MM))]
    quarter_counts = [f"{name}: {quarters[index]}" for index, name in enumerate(QUARTERS)]
    lines = [
        "## Counts",
        "",
        f"- size asked for: {', '.join(sizes)}",
        f"- quarter of the lungs in the slice: {', '.join(quarter_counts)}",
        *(f"- {name}: {_levels(columns[name])}" for name in ATTRIBUTE_NAMES),
        f"- no nodule found by the measurement: {int((columns['diameter_mm'] == 0).sum())}",
    ]
    return "\n".join(lines)


def _levels(scores: Column) -> str:
    counts = [f"{level}: {int((scores == level).sum())}" for level in range(1, 6)]
    missing = int(np.isnan(scores).sum())
    return ", ".join([*counts, f"not given: {missing}"] if missing else counts)


def _generator(batch: Batch, checkpoint_folder: Path) -> str:
    settings, training = batch.settings, read_manifest(checkpoint_folder)["training"]
    balanced = ", ".join(settings.balance) or "nothing: as in LIDC-IDRI"
    versions = ", ".join(f"{name} {version}" for name, version in _versions(batch).items())
    return "\n".join(
        [
            "## How it was made",
            "",
            f"- generator: `{settings.checkpoint}`, trained on {training.get('data', 'data that it does not name')}",
            f"- sampling: {settings.solver}, {settings.steps} steps, guidance {settings.guidance:g}",
            f"- plan: sha256 `{batch.plan_sha256}`, seed {settings.seed}",
            f"- balanced: {balanced}",
            "- places, sizes and scores that the plan left open: drawn from what LIDC-IDRI's readers marked",
            f"- versions: {versions}",
        ]
    )


def _files(batch: Batch) -> str:
    return "\n".join(
        [
            "## Files",
            "",
            f"- `{MANIFEST_CSV}`, `{MANIFEST_PARQUET}`: a line a nodule, the same in both; lengths in mm",
            f"- `nodules/000001/` and so on: {', '.join(batch.settings.formats)}, `request.json`, and "
            "`deidentification.json`, which says what became of the source's identity",
            f"- `{FAILURES}`: rows of the plan that could not be made, if there are any",
            "- `batch.json`, `rows.jsonl`: what the batch was begun with",
            "",
            "`nodule-engine replay nodules/000001 --input FILE` makes a nodule again, from the slice that it was put "
            "into, and says whether it is the same. Outside the box, the HU are those of that slice, bit for bit.",
        ]
    )


def _failed(failures: dict[int, str], rows: int) -> str:
    if not failures:
        return f"## Failures\n\nNone: all {rows} rows were made."
    lines = [f"- {count} x {reason}" for reason, count in Counter(failures.values()).most_common(_REASONS_NAMED)]
    return "\n".join([f"## Failures\n\n{len(failures)} of {rows} rows were not made.\n", *lines])


def _limits() -> str:
    return (
        "## Limits\n\n"
        "Scores are what the generator was asked for, not what a reader gave; diameter and mean HU were measured by a "
        "program. Each nodule lies in one slice: its neighbours in the scan do not show it. The slices may hold real "
        "findings beside the synthetic one, which nothing here marks. Source patients are named by pseudonyms."
    )
