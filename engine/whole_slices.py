"""A slice that was made whole, as a volume of its own: for the studio to show it, and for exports."""

from __future__ import annotations

from pathlib import Path

from engine.ct import CTVolume
from engine.events import GenerationResult


def volume_of(result: GenerationResult) -> CTVolume:
    """Return a volume of the one finished slice, its centre at the origin of patient coordinates.

    It has no headers: there is no patient, and no scan.
    """
    rows, columns = result.slice.shape
    row_mm, column_mm = result.slice.pixel_spacing
    return CTVolume(
        result.slice.hu[None],
        result.slice.pixel_spacing,
        positions=((-(columns - 1) / 2 * column_mm, -(rows - 1) / 2 * row_mm, 0.0),),
        source=Path(f"generated-{result.slice.sha256()[:12]}"),
        description=f"Generated slice, seed {result.request.options.seed}",
    )
