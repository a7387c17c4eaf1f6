"""Scores read back from a finished nodule, and how far they lie from those that were asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.nodule import ATTRIBUTE_NAMES, NoduleAttributes


@dataclass(frozen=True)
class ScoreReading:
    """One attribute as it was read from an image.

    Attributes
    ----------
    score : float
        From 1 to 5: an estimate of the mean of LIDC's readers.
    deviation : float
        Standard deviation of its error, in scores.
    """

    score: float
    deviation: float


#: By the attribute's name, all five.
ReadBack = Mapping[str, ScoreReading]


def differences(attributes: NoduleAttributes, readings: ReadBack) -> dict[str, float]:
    """Return read minus requested, in scores, of each attribute that was asked for."""
    asked = zip(ATTRIBUTE_NAMES, attributes.scores, strict=True)
    return {name: readings[name].score - score for name, score in asked if score is not None}


def distance_from_request(attributes: NoduleAttributes, readings: ReadBack | None) -> float | None:
    """Return how far off a nodule is: the mean absolute difference in scores, 0 where it obeys in all.

    None where nothing could be read, or nothing was asked for.
    """
    if readings is None:
        return None
    off = [abs(difference) for difference in differences(attributes, readings).values()]
    return sum(off) / len(off) if off else None
