"""What was measured of a nodule, in words, attribute by attribute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.measurement import NoduleMeasurement
from studio.slice_texts import signed


@dataclass(frozen=True)
class Measured:
    """One measured value: "mean", "−120", "HU". `name` is empty where the value speaks for itself."""

    name: str
    value: str
    unit: str = ""

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(part for part in (self.name, self.value, self.unit) if part)

    @property
    def short(self) -> str:
        """The value alone, where a legend says what it is: "1.3" of "read as 1.3 ± 0.6"."""
        return self.value.partition(" ")[0] if self.name else self.text


def measured_for(attribute: str, measurement: NoduleMeasurement) -> tuple[Measured, ...]:
    """Return what tells most about one attribute, the most telling first: at least one value.

    The score as it was read back, where there is a scorer; the plain measure of that attribute, where there is one for
    this nodule; the diameter.
    """
    if not measurement.mask.any():
        return (Measured("", "No nodule"),)
    found: list[Measured] = []
    if measurement.scores is not None:
        reading = measurement.scores[attribute]
        found.append(Measured("read as", f"{reading.score:.1f} ± {reading.deviation:.1f}"))
    found += _plain_for(attribute, measurement)
    return (*found, Measured("", f"{measurement.diameter_mm:.1f}", "mm"))


def _plain_for(attribute: str, measurement: NoduleMeasurement) -> list[Measured]:
    """Circularity stands for the shape where an older version measured no more: it is less the more ragged it is."""
    plain = measurement.plain
    if attribute == "texture":
        return [Measured("mean", signed(measurement.mean_hu), "HU")]
    if attribute == "margin":
        sharpness = plain.edge_sharpness if plain else None
        return [] if sharpness is None else [Measured("edge", f"{sharpness:.2f}", "/mm")]
    if plain is None:
        return []
    if attribute == "sphericity" and plain.axis_ratio is not None:
        return [Measured("axes", f"{plain.axis_ratio:.2f}")]
    if attribute == "lobulation" and plain.lobes is not None:
        return [Measured("lobes", f"{100 * plain.lobes:.0f}", "%")]
    if attribute == "spiculation" and plain.raggedness is not None:
        return [Measured("ragged", f"{100 * plain.raggedness:.0f}", "%")]
    return [] if plain.circularity is None else [Measured("circularity", f"{plain.circularity:.2f}")]


def legend(attributes: tuple[str, ...], measurements: Iterable[NoduleMeasurement]) -> str:
    """Return what the first short values are: "Measured: mean HU · edge /mm"; empty if nothing is measured yet."""
    measured = next((measurement for measurement in measurements if measurement.mask.any()), None)
    if measured is None:
        return ""
    if measured.scores is not None:
        return f"Read back: {' · '.join(attributes)}"
    values = (measured_for(name, measured)[0] for name in attributes)
    return "Measured: " + " · ".join(f"{value.name or 'diameter'} {value.unit}".strip() for value in values)
