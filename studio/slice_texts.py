"""The words on a slice: where it is in the patient, the window, what is under the cursor."""

from __future__ import annotations

from engine.ct import CTVolume, HUArray, Vector, WindowLevel
from engine.nodule import SCORE_NAMES, BoundingBox
from engine.synthetic_data import is_synthetic
from studio.placed import PlacedNodule
from studio.session import Session
from studio.shown import Comparison

MINUS = "\N{MINUS SIGN}"


def signed(number: float, digits: int = 0) -> str:
    """Return a number with a real minus sign, and without one for zero."""
    text = f"{number:.{digits}f}"
    return f"{MINUS}{text[1:]}" if text.startswith("-") and float(text) != 0 else text.lstrip("-")


def slice_text(volume: CTVolume, index: int) -> str:
    """Return which slice this is; slices are counted from 1, as viewers do."""
    z = volume.positions[index][2]
    return f"{volume.description}\nSlice {index + 1} of {len(volume)}\nz {signed(z, 1)} mm".strip()


def series_text(volume: CTVolume) -> str:
    """Return what the series is made of."""
    rows, columns = volume.slice_at(0).shape
    pixels = " × ".join(f"{spacing:.2f}" for spacing in volume.pixel_spacing)
    slices = "1 slice" if len(volume) == 1 else f"{len(volume)} slices, {volume.slice_spacing:.2f} mm apart"
    return f"{slices}, {rows} × {columns} pixels of {pixels} mm"


def window_text(session: Session) -> str:
    """Return the window, with the name of its preset, and what the slice is if it is not as read."""
    window = session.window
    names = (name for name, preset in session.presets.items() if preset == window)
    lines = [*names, width_level(window)]
    if session.original_shown:
        lines.append("Original")
    elif session.shown.comparison is Comparison.DIFFERENCE:
        has_changed = session.nodules_here or session.job or session.sketch_here
        lines.append("After − before" if has_changed else "Nothing has changed on this slice")
    elif session.generated or (session.volume and session.volume.is_made_whole):
        lines.append("Synthetic slice")
    elif (
        session.sketch_here
        or session.accepted_here
        or (session.candidate and session.candidate.slice_index == session.slice_index)
        or (session.volume and is_synthetic(session.volume, session.slice_index))
    ):
        lines.append("Contains synthetic nodule")
    return "\n".join(lines)


def width_level(window: WindowLevel) -> str:
    """Return a window in words."""
    return f"W {signed(window.width)}  L {signed(window.level)}"


def cursor_text(hu: HUArray | None, point: tuple[float, float]) -> str:
    """Return the HU at an image point, (row, column), and its pixel; empty if it is not on the slice."""
    row, column = int(point[0] // 1), int(point[1] // 1)
    if hu is None or not (0 <= row < hu.shape[0] and 0 <= column < hu.shape[1]):
        return ""
    return f"row {row}  column {column}\n{signed(float(hu[row, column]))} HU"


def change_text(before: HUArray | None, after: HUArray | None, point: tuple[float, float]) -> str:
    """Return the HU at an image point before and after, and what they differ by; only once if they do not."""
    was, now = cursor_text(before, point), cursor_text(after, point)
    if before is None or after is None or was == now:
        return now
    row, column = int(point[0] // 1), int(point[1] // 1)
    values = float(before[row, column]), float(after[row, column])
    difference = signed(values[1] - values[0])
    sign = "+" if values[1] > values[0] else ""
    return f"{was.removesuffix(' HU')} → {signed(values[1])} HU\n{sign}{difference} HU"


def side_text(box: BoundingBox, spacing: tuple[float, float]) -> str:
    """Return the side of a box in mm; both sides where pixels are far from square."""
    height, width = box.side * spacing[0], box.side * spacing[1]
    if abs(height - width) < 0.05:
        return f"{width:.1f} mm"
    return f"{width:.1f} × {height:.1f} mm"


def box_text(box: BoundingBox, spacing: tuple[float, float], hu: HUArray | None) -> str:
    """Return the side of a box, and the mean and standard deviation of the HU in it."""
    side = side_text(box, spacing)
    if hu is None or hu.shape != box.slice_shape:
        return side
    inside = hu[box.slices]
    return f"{side}\nmean {signed(float(inside.mean()))}, SD {float(inside.std()):.0f} HU"


def selected_text(session: Session) -> str:
    """Return which of the accepted nodules of the slice is selected, as a line; empty if none is, or the only one."""
    here, selected = session.accepted_here, session.selected
    return f"Nodule {here.index(selected) + 1} of {len(here)}\n" if selected in here and len(here) > 1 else ""


def orientation_letters(volume: CTVolume) -> tuple[str, str, str, str]:
    """Return the letters of the patient's sides at the left, right, top and bottom of the slice."""
    right, bottom = _letter(volume.column_direction), _letter(volume.row_direction)
    opposite = {"R": "L", "L": "R", "A": "P", "P": "A", "H": "F", "F": "H"}
    return opposite[right], right, opposite[bottom], bottom


def _letter(direction: Vector) -> str:
    """Return the letter of the side of the patient (LPS) that a direction points to most."""
    axis = max(range(3), key=lambda i: abs(direction[i]))
    return ("LPH" if direction[axis] > 0 else "RAF")[axis]


def nodule_text(nodule: PlacedNodule) -> str:
    """Return what tells one nodule from another: its slice, its size and its scores in words."""
    measured, attributes = nodule.result.measurement, nodule.result.request.attributes
    names = (
        SCORE_NAMES[name][score - 1].lower()
        for name, score in zip(SCORE_NAMES, attributes.scores, strict=True)
        if score and name in ("sphericity", "texture")
    )
    size = f"{measured.diameter_mm:.1f} mm" if measured.mask.any() else "not measurable"
    of_slice = " (the slice as it was made)" if nodule.result.before is None else ""
    return f"Slice {nodule.slice_index + 1}:  {size}, {', '.join(names)}{of_slice}"
