"""The rows of a batch: one nodule each, with everything decided. Kept as JSON, a row a line, in ``rows.jsonl``.

A row names neither file nor patient: what it is made of is found through the line of the plan, which is read again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from engine.json_files import object_of, parse_json
from engine.nodule import NoduleAttributes


@dataclass(frozen=True)
class BatchRow:
    """One nodule of a batch.

    Attributes
    ----------
    number : int
        From 1, in the order of the plan.
    line : int
        Of the plan, from 1.
    problem : str
        One sentence on why there can be no such nodule; all else is then None. Empty if it can be made.
    slice_index : int
    box : (row, column, side) in pixels
    scores : five from 1 to 5, None where not given, in the order of Table 1
    seed : int
    input_sha256 : str
        Of the slice, `CTSlice.sha256`.
    patient : str
        A pseudonym, the same as that in exported DICOM objects.
    split : str
        "train", "val" or "test".
    lung_share : float
        Share of the box in the lungs.
    from_lungs_mm : (row, column) or None
        Of the box's centre from the middle of the lungs of the slice; None without lungs.
    """

    number: int
    line: int
    problem: str = ""
    slice_index: int | None = None
    box: tuple[int, int, int] | None = None
    scores: tuple[int | None, ...] | None = None
    seed: int | None = None
    input_sha256: str | None = None
    patient: str | None = None
    split: str | None = None
    lung_share: float | None = None
    from_lungs_mm: tuple[float, float] | None = None

    @property
    def attributes(self) -> NoduleAttributes:
        """The scores by name."""
        return NoduleAttributes.from_scores(self.scores or ())


def rows_text(rows: Iterable[BatchRow]) -> str:
    """Return rows as text, one line each."""
    return "".join(json.dumps(asdict(row)) + "\n" for row in rows)


def read_rows(text: str) -> list[BatchRow]:
    """Return what `rows_text` wrote.

    Raises
    ------
    ValueError, TypeError, KeyError
        If it is something else.
    """
    return [_row(object_of(parse_json(line))) for line in text.splitlines()]


def _row(stored: dict[str, Any]) -> BatchRow:
    lists = ("box", "scores", "from_lungs_mm")
    values: Any = {name: tuple(value) if name in lists and value else value for name, value in stored.items()}
    return BatchRow(**values)
