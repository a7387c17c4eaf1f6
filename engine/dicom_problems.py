"""Why slices cannot be opened as axial CT: one sentence each, from their headers alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.dicom_headers import Frame
from engine.orientation import plane_of

#: Rescale Types (DICOM PS3.3, C.11.1.1.2) of values that are not Hounsfield units: optical, electron and material
#: densities, atomic numbers, percents. Others are taken for HU, since files have HOUNDSFIELD UNIT and worse there.
_NOT_HU = ("OD", "HGML", "Z_EFF", "ED", "EDW", "MGML", "PCT")


def problem_of(frames: Sequence[Frame], *, repeats: bool) -> str:
    """Return one sentence on why these slices cannot be opened, empty if they can.

    Parameters
    ----------
    frames : of one series and one grid
    repeats : bool
        Do some lie at the same position?
    """
    for check in _CHECKS:
        sentence = check(frames)
        if sentence:
            return sentence
    if repeats:
        return (
            "This series has several images at the same position and nothing in their headers tells them "
            "apart; open one of its files, or a folder that holds one image a position."
        )
    return ""


def is_localizer(frames: Sequence[Frame]) -> bool:
    """Are these scouts (topograms), on which slices are planned?"""
    return "LOCALIZER" in frames[0].text("ImageType").upper().split("\\")


def _modality(frames: Sequence[Frame]) -> str:
    modality = frames[0].text("Modality")
    return "" if modality in ("", "CT") else f"This series is {modality}, not CT; open a CT series."


def _localizer(frames: Sequence[Frame]) -> str:
    return "This series is a localizer (scout); open the axial series." if is_localizer(frames) else ""


def _picture(frames: Sequence[Frame]) -> str:
    colours = frames[0].text("PhotometricInterpretation")
    if frames[0].text("SamplesPerPixel") in ("", "1") and colours in ("", "MONOCHROME1", "MONOCHROME2"):
        return ""
    return f"This series holds colour pictures ({colours}), not Hounsfield units; open the original CT series."


def _multi_frame(frames: Sequence[Frame]) -> str:
    if (frames[0].number("NumberOfFrames") or 1) <= 1:
        return ""
    return "This multi-frame file does not say where each frame lies; convert it to single-frame CT images."


def _values(frames: Sequence[Frame]) -> str:
    kind = frames[0].text("RescaleType").upper()
    if kind not in _NOT_HU:
        return ""
    return f"The values of this series are {kind}, not Hounsfield units; open the series in HU."


def _spacing(frames: Sequence[Frame]) -> str:
    if frames[0].pixel_spacing is not None:
        return ""
    return "This series has no valid PixelSpacing, so nothing can be sized in mm; open the original CT series."


def _place(frames: Sequence[Frame]) -> str:
    missing = [
        keyword
        for keyword, value in (
            ("ImagePositionPatient", frames[0].position),
            ("ImageOrientationPatient", frames[0].directions),
        )
        if value is None
    ]
    if not missing or len(frames) == 1:
        return ""
    return (
        f"The slices of this series have no valid {' and no '.join(missing)}, so that they cannot be put in "
        "order; open one of its files by itself."
    )


def _plane(frames: Sequence[Frame]) -> str:
    directions = frames[0].directions
    plane = plane_of(*directions) if directions else "axial"
    return "" if plane == "axial" else f"This series is {plane}; open an axial series of the same scan."


_CHECKS: tuple[Callable[[Sequence[Frame]], str], ...] = (
    _modality,
    _localizer,
    _plane,
    _picture,
    _multi_frame,
    _values,
    _spacing,
    _place,
)
