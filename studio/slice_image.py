"""HU to grey."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtGui import QImage

from engine.ct import WindowLevel


def grey_image(hu: Any, window: WindowLevel, inverted: bool = False) -> QImage:
    """Return HU, (rows, columns), as an 8-bit grey image in a window; inverted, air is white."""
    low, high = reversed(window.bounds) if inverted else window.bounds
    grey = (hu.astype(np.float32) - low) * (255 / (high - low))
    pixels = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    rows, columns = pixels.shape
    # The copy owns its pixels; the image itself would only borrow those of the array.
    return QImage(pixels.data, columns, rows, columns, QImage.Format.Format_Grayscale8).copy()
