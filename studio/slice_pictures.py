"""The pictures of the slice that is shown: as it was, as it is, and what the nodules have changed."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from PySide6.QtGui import QColor, QImage

from engine.ct import HUArray, WindowLevel
from studio.box_gesture import BoxGesture
from studio.layers import slice_without
from studio.panes import Picture
from studio.session import Session
from studio.slice_image import grey_image

#: From the largest fall to the largest rise: blue and orange are told apart by all who see colours at all, and the
#: greater the difference, the lighter. No difference is as dark as the view.
_STOPS = ((-1.0, "#bfe3f7"), (-0.5, "#3f86b0"), (0.0, "#14161a"), (0.5, "#a8702f"), (1.0, "#f6dcae"))
#: How bright the slice shines through where nothing has changed, 0 to 1.
_UNCHANGED = 0.32
_HALF = 128


class SlicePictures:
    """Makes the pictures of a session when they are painted, and keeps them until they are forgotten."""

    def __init__(self, session: Session, gesture: BoxGesture) -> None:
        self._session = session
        self._gesture = gesture
        self._made: dict[Picture, QImage] = {}

    def forget(self) -> None:
        """Something has changed: make them again."""
        self._made.clear()

    def hu(self, picture: Picture) -> HUArray | None:
        """Return the HU that a picture shows, (rows, columns); None if nothing is open."""
        session, moved = self._session, self._gesture.moved_nodule
        if session.volume and picture is Picture.BEFORE:
            return session.volume.slice_at(session.slice_index).hu
        if moved is None or session.sketch_here or session.original_shown:
            return session.shown_hu
        before = slice_without(session, moved) if moved is session.selected else moved.result.before
        return before.hu if before else session.shown_hu

    def image(self, picture: Picture) -> QImage:
        """Return a picture in the window of the session; a null image if nothing is open."""
        if picture not in self._made:
            self._made[picture] = self._make(picture)
        return self._made[picture]

    def _make(self, picture: Picture) -> QImage:
        session, hu = self._session, self.hu(picture)
        if hu is None:
            return QImage()
        if picture is Picture.DIFFERENCE:
            return difference_image(self.hu(Picture.BEFORE), hu, session.window, session.shown.inverted)
        return grey_image(hu, session.window, session.shown.inverted)


def difference_reach(window: WindowLevel) -> float:
    """Return the difference in HU at which colours end: half the window, so that a narrow one shows small ones."""
    return window.width / 2


def difference_colours(count: int = 256) -> list[QColor]:
    """Return the colours of differences, evenly from the largest fall to the largest rise."""
    at = [stop for stop, _ in _STOPS]
    inks = [QColor(text) for _, text in _STOPS]
    channels = ([ink.red() for ink in inks], [ink.green() for ink in inks], [ink.blue() for ink in inks])
    shares = np.linspace(-1, 1, count)
    rounded = np.rint([np.interp(shares, at, channel) for channel in channels]).astype(int)
    return [QColor(*map(int, ink)) for ink in rounded.T]


def difference_image(before: Any, after: Any, window: WindowLevel, inverted: bool = False) -> QImage:
    """Return after minus before, both HU of (rows, columns), in colours; what is unchanged is grey and dim.

    The lower half of the image's 256 colours are greys, the upper half those of `difference_colours`.
    """
    low, high = reversed(window.bounds) if inverted else window.bounds
    pixels = _scaled(before, low, high)
    changed = before != after
    rows, columns = (np.flatnonzero(changed.any(axis)) for axis in (1, 0))
    if rows.size:
        # A nodule is a small part of its slice, and this is made anew with every step of a drag.
        near = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        reach = difference_reach(window)
        colours = _HALF + _scaled(after[near].astype(np.float32) - before[near], -reach, reach)
        pixels[near] = np.where(changed[near], colours, pixels[near])
    height, width = pixels.shape
    image = QImage(pixels.data, width, height, width, QImage.Format.Format_Indexed8)
    image.setColorTable(_colour_table())
    # Painted faster; and it owns its pixels, while the first image only borrows those of the array.
    return image.convertToFormat(QImage.Format.Format_RGB32)


def _scaled(values: Any, low: float, high: float) -> Any:
    """Return values from low to high as uint8 from 0 to 127; what lies beyond is cut off."""
    shares = (values.astype(np.float32) - low) * ((_HALF - 1) / (high - low))
    return np.clip(np.rint(shares), 0, _HALF - 1).astype(np.uint8)


@cache
def _colour_table() -> list[int]:
    greys = (round(255 * _UNCHANGED * level / (_HALF - 1)) for level in range(_HALF))
    return [QColor(grey, grey, grey).rgb() for grey in greys] + [ink.rgb() for ink in difference_colours(_HALF)]
