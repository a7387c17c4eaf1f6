"""Small pictures of the slices of the open series: made in a thread of their own, what is asked for last first."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal

from engine.ct import CTSlice
from studio.session import Session

#: Sides in pixels are at least this, and less than twice it, where the slice has as many.
LEAST_SIDE = 88
#: As many as a long scroll may pass; one takes up to 60 KB.
_KEPT, _WANTED = 1000, 40

Small = NDArray[np.float32]


class SeriesPictures(QObject):
    """HU of the slices of a session, with the nodules that were accepted on them, made smaller.

    They are kept as HU, so that they can be shown in any window. What is wanted, and what is made next, is decided in
    the thread of this object.

    Attributes
    ----------
    arrived : Signal(int)
        The picture of the slice of that index can be had now.
    """

    arrived = Signal(int)
    _made = Signal(int, object, object)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._small: OrderedDict[int, Small] = OrderedDict()
        self._wanted: OrderedDict[int, None] = OrderedDict()
        # What each was made of: the series alone, or a nodule that was accepted in it.
        self._last_on: dict[int, object] = {}
        self._making: int | None = None
        self._thread = ThreadPoolExecutor(1, "slice pictures")
        self._made.connect(self._keep, Qt.ConnectionType.QueuedConnection)
        session.volume_changed.connect(self._forget_all)
        session.accepted_changed.connect(self._forget_changed)

    def of(self, index: int) -> Small | None:
        """Return the HU of a slice, (rows, columns), made smaller; None if they are still to come: `arrived` tells."""
        small = self._small.get(index)
        if small is not None:
            self._small.move_to_end(index)
        elif index != self._making:
            self._wanted[index] = None
            self._wanted.move_to_end(index)
            if len(self._wanted) > _WANTED:
                self._wanted.popitem(last=False)
            self._make_next()
        return small

    def stop(self) -> None:
        """Make nothing more, and wait until that is so."""
        self._wanted.clear()
        self._thread.shutdown(cancel_futures=True)

    def _forget_all(self) -> None:
        self._small.clear()
        self._wanted.clear()
        self._last_on.clear()

    def _forget_changed(self) -> None:
        """Forget the pictures of slices on which other nodules are accepted now."""
        last_on = {nodule.slice_index: nodule for nodule in self._session.accepted}
        for index in last_on.keys() | self._last_on.keys():
            if last_on.get(index) is not self._last_on.get(index):
                self._small.pop(index, None)
                self.arrived.emit(index)
        self._last_on = dict(last_on)

    def _make_next(self) -> None:
        while self._making is None and self._wanted:
            index, _ = self._wanted.popitem()
            wanted = self._session.slice_with_accepted(index)
            if wanted is not None:
                self._making = index
                self._thread.submit(self._make, index, wanted, self._source_of(index))

    def _source_of(self, index: int) -> object:
        return self._session.volume, self._last_on.get(index)

    def _make(self, index: int, ct: CTSlice, source: object) -> None:
        """Make one. In the thread."""
        self._made.emit(index, smaller(ct.hu), source)

    def _keep(self, index: int, small: Small, source: object) -> None:
        self._making = None
        if source == self._source_of(index):  # Else another series is open, or another nodule is on the slice.
            self._small[index] = small
            if len(self._small) > _KEPT:
                self._small.popitem(last=False)
            self.arrived.emit(index)
        self._make_next()


def smaller(hu: Any) -> Small:
    """Return HU, (rows, columns), as means of squares of pixels; what is left at the ends is cut off."""
    rows, columns = hu.shape
    side = max(1, min(rows, columns) // LEAST_SIDE)
    cut = hu[: rows // side * side, : columns // side * side]
    return cut.reshape(rows // side, side, columns // side, side).mean((1, 3), dtype=np.float32)
