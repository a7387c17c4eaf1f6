"""A study of ten trials, its key, and the answers of two readers: small enough to work all figures out by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from engine.study import Answer, AnswerBook, Study
from engine.study_key import KeyImage, key_bytes
from tests.made_up_study import BOX, UID, made_up_study


def image(truth: str, scores: tuple[int, ...] | None = None) -> KeyImage:
    box = None if truth == "no_nodule" else BOX
    return KeyImage(truth, box, scores, None, f"/results/{truth}", None)


SYNTHETIC, REAL, EMPTY = image("synthetic", (1, 2, 3, 4, 5)), image("real"), image("no_nodule")
#: Trials 1 to 4, 5 and 6, 7 and 8, 9 and 10.
COUNTS = {"real_or_synthetic": 4, "forced_choice": 2, "rate_attributes": 2, "find_nodule": 2}
TRUTH = [
    *((SYNTHETIC,), (SYNTHETIC,), (REAL,), (REAL,)),
    *((SYNTHETIC, REAL), (REAL, SYNTHETIC)),
    *((SYNTHETIC,), (image("synthetic", (5, 4, 3, 2, 1)),)),
    *((SYNTHETIC,), (EMPTY,)),
]
#: Value and confidence, by the number of the trial.
ANNA = {
    **{1: (6, None), 2: (3, None), 3: (2, None), 4: (4, None)},
    **{5: ("left", None), 6: ("left", None)},
    **{7: ((1, 2, 3, 4, 5), None), 8: ((3, 4, 3, 2, 1), None)},
    **{9: ((12.0, 15.5), 6), 10: (None, 4)},
}
BEN = {
    **{1: (5, None), 2: (5, None), 3: (1, None), 4: (1, None)},
    **{5: ("left", None), 6: ("right", None)},
    **{7: ((2, 2, 3, 4, 5), None), 8: ((5, 4, 3, 2, 1), None)},
    **{9: ((1.0, 1.0), 2), 10: ((5.0, 5.0), 3)},
}


def sealed_study(folder: Path, truth: Sequence[tuple[KeyImage, ...]] = TRUTH) -> tuple[Study, Path]:
    """Write study and key; return both."""
    content = key_bytes(UID, "ab" * 32, truth)
    key = folder / "KEY.json"
    folder.mkdir(parents=True, exist_ok=True)
    key.write_bytes(content)
    study = made_up_study(folder / "study", ("anna", "ben", "carl"), COUNTS, hashlib.sha256(content).hexdigest())
    return study, key


def answer(study: Study, reader: str, values: dict[int, tuple], seconds: float = 4.0) -> None:
    """Record answers; each trial takes a second more than the one before."""
    with AnswerBook(study, reader) as book:
        for later, (number, (value, confidence)) in enumerate(values.items()):
            trial = study.trial(number)
            book.record(Answer(number, trial.kind, value, confidence, seconds + later, "2031-05-09T14:03:59+00:00"))
