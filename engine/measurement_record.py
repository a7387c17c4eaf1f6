"""A `NoduleMeasurement` as JSON, but for its mask: as it stands in the journal and in `request.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from engine.json_files import number_of
from engine.measurement import Mask, NoduleMeasurement
from engine.nodule import ATTRIBUTE_NAMES
from engine.plain_measures import PlainMeasures
from engine.score_reading import ReadBack, ScoreReading


def measurement_record(measurement: NoduleMeasurement) -> dict[str, Any]:
    """Return what was measured, as JSON types; None for what was not."""
    scores = measurement.scores
    return {
        "diameter_mm": measurement.diameter_mm,
        "mean_hu": measurement.mean_hu,
        "plain": asdict(measurement.plain) if measurement.plain else None,
        "scores": {name: asdict(scores[name]) for name in ATTRIBUTE_NAMES} if scores else None,
    }


def measurement_of(record: Mapping[str, Any], mask: Mask) -> NoduleMeasurement:
    """Return the measurement that a record is of. The first records have neither plain measures nor scores.

    Raises
    ------
    KeyError, TypeError
        If it is no such record.
    """
    plain = record.get("plain")
    return NoduleMeasurement(
        mask,
        number_of(record["diameter_mm"]),
        number_of(record["mean_hu"]),
        PlainMeasures(**plain) if plain else None,
        scores_of(record),
    )


def scores_of(record: Mapping[str, Any]) -> ReadBack | None:
    """Return the scores that a record holds, if it does.

    Raises
    ------
    KeyError, TypeError
        If they are none.
    """
    scores = record.get("scores")
    if not scores:
        return None
    readings = {name: ScoreReading(**scores[name]) for name in ATTRIBUTE_NAMES}
    for reading in readings.values():
        number_of(reading.score)
        number_of(reading.deviation)
    return readings
