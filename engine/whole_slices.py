"""A slice that was made whole, as a volume of its own: for the studio to show it, and for exports."""

from __future__ import annotations

from pathlib import Path

from engine.ct import CTVolume
from engine.events import GenerationResult

#: Begins the name of a volume that was made whole: it is in no file.
_MADE = "generated-"


def is_made_name(source: Path) -> bool:
    """Is a source the name of a slice that was made whole, and no path?"""
    return source.name.startswith(_MADE) and not source.is_absolute()


def made_name(sha256: str) -> Path:
    """Return the name of a slice that was made whole, which has that hash."""
    return Path(f"{_MADE}{sha256[:12]}")


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
        source=made_name(result.slice.sha256()),
        description=f"Generated slice, seed {result.request.options.seed}",
        is_made_whole=True,
    )
