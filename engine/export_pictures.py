"""A finished slice as PNG: in grey for people, in 16 bits for programs, and what has changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTSlice, CTVolume, HUArray, WindowLevel
from engine.events import GenerationResult
from engine.synthetic_data import CHANGE, MASK, is_synthetic, mark_of_slice, synthetic_mark

#: HU = value - 32768 in 16-bit pictures, as in NIH's DeepLesion: every whole HU that a CT image can hold has a value.
OFFSET_16_BIT = 32768
#: HU by which a pixel must change to be black or white in the difference map.
FULL_CHANGE = 1000.0
_SAME = 128
#: Of text in a PNG file; the PNG specification has it for a "warning of nature of content".
_KEYWORD = "Warning"
_Picture = NDArray[np.uint8] | NDArray[np.uint16]


def write_pictures(
    volume: CTVolume, slice_index: int, result: GenerationResult, folder: Path, window: WindowLevel
) -> None:
    """Write the PNG files of `engine.exports`; a slice that was made whole has none from before.

    Each carries the mark of `engine.synthetic_data`, but for those of a slice that has no synthetic nodule yet.
    """
    after = mark_of_slice(volume)
    pictures: dict[str, tuple[_Picture, str]] = {
        "after.png": (to_grey(result.slice.hu, window), after),
        "after-16bit.png": (to_16_bit(result.slice.hu), after),
        "mask.png": (result.measurement.mask.astype(np.uint8) * 255, synthetic_mark(MASK)),
    }
    if result.before is not None:
        before = after if _was_synthetic(volume, slice_index, result.before) else ""
        pictures["before.png"] = to_grey(result.before.hu, window), before
        pictures["before-16bit.png"] = to_16_bit(result.before.hu), before
        pictures["difference.png"] = difference_map(result.before, result.slice), synthetic_mark(CHANGE)
    for name, (pixels, mark) in pictures.items():
        _write(pixels, mark, folder / name)


def to_grey(hu: HUArray, window: WindowLevel) -> NDArray[np.uint8]:
    """Return HU as 8-bit grey values of the same shape: the window's bounds are 0 and 255."""
    black, white = window.bounds
    grey = (hu.astype(np.float64) - black) * (255 / (white - black))
    return np.rint(np.clip(grey, 0, 255)).astype(np.uint8)


def to_16_bit(hu: HUArray) -> NDArray[np.uint16]:
    """Return HU + 32768, rounded to whole HU: exact for every slice of whole HU."""
    return np.clip(np.rint(hu.astype(np.float64)) + OFFSET_16_BIT, 0, 65535).astype(np.uint16)


def difference_map(before: CTSlice, after: CTSlice) -> NDArray[np.uint8]:
    """Return where HU rose (brighter than 128) and fell (darker), white and black from 1000 HU on.

    A pixel is 128 where nothing changed, and nowhere else: the smallest change is a grey level.
    """
    change = after.hu.astype(np.float64) - before.hu.astype(np.float64)
    levels = np.ceil(np.clip(np.abs(change) / FULL_CHANGE, 0, 1) * 127)
    return (_SAME + np.sign(change) * levels).astype(np.uint8)


def _was_synthetic(volume: CTVolume, slice_index: int, before: CTSlice) -> bool:
    """Had the slice before this nodule another one already: when it was opened, or put in since?"""
    return is_synthetic(volume, slice_index) or not np.array_equal(before.hu, volume.slice_at(slice_index).hu)


def _write(pixels: _Picture, mark: str, path: Path) -> None:
    """Write a picture with its mark; an empty one is none."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    told = PngInfo()
    if mark:
        told.add_text(_KEYWORD, mark)
    if pixels.dtype == np.uint16:
        told.add_text("Description", f"HU = value - {OFFSET_16_BIT}")
        # Noise hardly gets smaller at higher levels, which take three times as long.
        Image.fromarray(pixels).save(path, pnginfo=told, compress_level=1)
    else:
        Image.fromarray(pixels).save(path, pnginfo=told)
