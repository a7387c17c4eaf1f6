"""How often LIDC's readers gave each score, and how far they disagree: a small table that comes with the program.

`resources/reader_scores.json` is built by `training.build_reader_scores`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

READER_SCORES_FILE = Path(__file__).resolve().parent.parent / "resources" / "reader_scores.json"


@dataclass(frozen=True)
class ReaderScores:
    """What readers did with one attribute; each tuple has an entry a score, from 1 to 5.

    Attributes
    ----------
    shares : (5,)
        Share of the readings with that score.
    others : (5,) of (mean, standard deviation)
        What the other readers of the same nodule said where one said that score.
    """

    shares: tuple[float, ...]
    others: tuple[tuple[float, float], ...]


@lru_cache(maxsize=1)
def reader_scores() -> dict[str, ReaderScores]:
    """Read the table: by the attribute's name."""
    table = json.loads(READER_SCORES_FILE.read_text("utf-8"))
    return {
        name: ReaderScores(tuple(its["shares"]), tuple((mean, deviation) for mean, deviation in its["others"]))
        for name, its in table.items()
    }
