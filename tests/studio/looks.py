"""Whether a widget looks as it did: pictures a quarter as wide and high, compared in blocks.

Letters look different from one font rasteriser to the next, but not by much on average over a block, and there are
few blocks of letters at the edge of the tolerance. What is lost, moved or of another colour changes whole blocks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

#: Pixels of a widget, along a side, in one pixel of its picture; and pixels of a picture in one block.
SHRINK, BLOCK = 4, 4
#: Two blocks, of 16 x 16 pixels of the widget, are as far apart as their mean red, green or blue, from 0 to 255,
#: whichever is farthest. Distance -> share of the blocks that may be farther apart: the first finds another tint of a
#: whole panel, the second a button that is lost or moved. Letters without smooth edges, as far from smooth ones as a
#: rasteriser gets, reach 0.023 and 0.001.
TOLERANCES = {4.0: 0.04, 10.0: 0.0035}

Picture = NDArray[np.uint8]


def picture_of(widget: QWidget) -> Picture:
    """Return a widget as it looks now, (height / 4, width / 4, 3), at any scaling of the screen."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    step = round(SHRINK * image.devicePixelRatio())
    lines = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    pixels = lines[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)
    return _means(pixels, step).round().astype(np.uint8)


def is_alike(one: Picture, other: Picture) -> bool:
    """Return whether two pictures are of one size, and alike within the tolerances."""
    if one.shape != other.shape:
        return False
    apart = np.abs(_means(one, BLOCK) - _means(other, BLOCK)).max(axis=-1)
    return all(float((apart > distance).mean()) <= share for distance, share in TOLERANCES.items())


def read_picture(path: Path) -> Picture:
    """Read what `write_picture` has written."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def write_picture(path: Path, picture: Picture) -> None:
    """Write a PNG file."""
    Image.fromarray(picture).save(path, optimize=True)


def _means(pixels: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    """Return the means of squares; what is left over at the right and at the bottom is not looked at."""
    rows, columns = pixels.shape[0] // side, pixels.shape[1] // side
    squares = pixels[: rows * side, : columns * side].reshape(rows, side, columns, side, 3)
    return squares.mean(axis=(1, 3))
