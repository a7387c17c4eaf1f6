"""What a reader answers in one trial, and whether it is an answer to that trial at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from engine.errors import InputError
from engine.nodule import ATTRIBUTE_NAMES
from engine.study_trials import Trial, TrialKind

#: What a forced choice is between: which of the two images is the synthetic one.
SIDES = ("left", "right")
#: Ratings of real or synthetic, and confidences, go from 1 to this.
MOST_CONFIDENCE = 6
MOST_SCORE = 5

Value = int | str | tuple[int, ...] | tuple[float, float] | None


@dataclass(frozen=True)
class Answer:
    """What a reader answered in one trial.

    Attributes
    ----------
    trial : int
        Its number.
    kind : TrialKind
    value
        real_or_synthetic: from 1, surely real, to 6, surely synthetic.
        forced_choice: which one is synthetic, "left" or "right".
        rate_attributes: five scores from 1 to 5, in the order of Table 1.
        find_nodule: (row, column) in pixels, pixel (0, 0) covering [0, 1) x [0, 1), or None for no nodule.
    confidence : int or None
        find_nodule: from 1, guessed, to 6, sure (of the nodule, or of there being none). None in all others.
    seconds : float
        From shown to confirmed, pauses left out.
    answered_at : str
        ISO 8601, UTC.
    """

    trial: int
    kind: TrialKind
    value: Value
    confidence: int | None
    seconds: float
    answered_at: str


def check_answer(trial: Trial, answer: Answer) -> None:
    """Refuse an answer that is none to this trial.

    Raises
    ------
    InputError
        If its kind is another, or its value, confidence, seconds or date are out of range.
    """
    if (answer.trial, answer.kind) != (trial.number, trial.kind):
        raise InputError(
            f"The answer is to trial {answer.trial} ({answer.kind}), not to trial {trial.number} ({trial.kind}); "
            "answer the trial that is shown."
        )
    if not _value_fits(trial, answer.value):
        raise InputError(f"{answer.value!r} is no answer to trial {trial.number}; {_WANTED[trial.kind]}.")
    wants_confidence = trial.kind == "find_nodule"
    if wants_confidence and not _is_score(answer.confidence, MOST_CONFIDENCE):
        raise InputError(f"The confidence is {answer.confidence!r}; give a whole number from 1 to {MOST_CONFIDENCE}.")
    if not wants_confidence and answer.confidence is not None:
        raise InputError(f"Trial {trial.number} asks for no confidence; leave it out.")
    _check_time(answer)


_WANTED: dict[TrialKind, str] = {
    "real_or_synthetic": f"give a whole number from 1 (surely real) to {MOST_CONFIDENCE} (surely synthetic)",
    "forced_choice": "give left or right",
    "rate_attributes": f"give {len(ATTRIBUTE_NAMES)} scores from 1 to {MOST_SCORE}",
    "find_nodule": "give a point (row, column) on the image, or none",
}


def _value_fits(trial: Trial, value: Value) -> bool:
    match trial.kind:
        case "real_or_synthetic":
            return _is_score(value, MOST_CONFIDENCE)
        case "forced_choice":
            return value in SIDES
        case "rate_attributes":
            scores = value if isinstance(value, tuple) else ()
            return len(scores) == len(ATTRIBUTE_NAMES) and all(_is_score(score, MOST_SCORE) for score in scores)
        case "find_nodule":
            return value is None or _is_on(value, trial.shape)


def _is_score(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _is_on(value: Value, shape: tuple[int, int]) -> bool:
    if not isinstance(value, tuple) or len(value) != len(shape):
        return False
    positions = cast("tuple[object, ...]", value)
    numbers = all(isinstance(position, int | float) for position in positions)
    return numbers and all(0 <= position <= length for position, length in zip(value, shape, strict=True))


def _check_time(answer: Answer) -> None:
    seconds = cast("object", answer.seconds)
    if not isinstance(seconds, int | float) or not (math.isfinite(seconds) and seconds >= 0):
        raise InputError(f"The answer took {answer.seconds!r} seconds; give a number of 0 or more.")
    try:
        aware = datetime.fromisoformat(answer.answered_at).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise InputError(f"The answer is dated {answer.answered_at!r}; give date, time and time zone (ISO 8601).")
