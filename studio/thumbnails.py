"""Small pictures of results: made once, kept as a file beside the result, loaded in a thread of their own."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage

from engine import journal
from engine.ct import LUNG
from engine.errors import InputError
from engine.events import GenerationResult
from engine.nodule import BoundingBox
from studio.slice_image import grey_image

#: Side in pixels: twice that on the screen, for those of 200 %.
SIDE = 160
FILE_NAME = "thumbnail.png"
#: A thumbnail shows the box and this share of its side on each side.
_AROUND = 0.35
#: As many as a long scroll may pass; a picture takes 25 KB.
_KEPT, _WANTED = 600, 60

logger = logging.getLogger(__name__)


class Thumbnails(QObject):
    """Pictures of entries, by the names of their folders; what is asked for last is loaded first.

    What is wanted and what is loaded next is decided in the thread of this object, one picture after the other.

    Attributes
    ----------
    arrived : Signal(str)
        The thumbnail of the entry of that name can be had now.
    """

    arrived = Signal(str)
    _loaded = Signal(object, QImage, bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._images: OrderedDict[str, QImage] = OrderedDict()
        # What has scrolled out of sight long ago falls out of the queue and is asked for again when it is back.
        self._wanted: OrderedDict[str, Path] = OrderedDict()
        # Not those that were moved, to the trash or out of it, while they were read: they are tried again.
        self._unreadable: set[Path] = set()
        self._loading: str | None = None
        self._thread = ThreadPoolExecutor(1, "thumbnails")
        self._loaded.connect(self._keep, Qt.ConnectionType.QueuedConnection)

    def of(self, path: Path) -> QImage | None:
        """Return the thumbnail of an entry; None if it is still to come: `arrived` tells. It may never come."""
        image = self._images.get(path.name)
        if image is not None:
            self._images.move_to_end(path.name)
        elif path.name != self._loading and path not in self._unreadable:
            self._wanted[path.name] = path
            self._wanted.move_to_end(path.name)
            if len(self._wanted) > _WANTED:
                self._wanted.popitem(last=False)
            self._load_next()
        return image

    def stop(self) -> None:
        """Load nothing more, and wait until that is so."""
        self._wanted.clear()
        self._thread.shutdown(cancel_futures=True)

    def _load_next(self) -> None:
        if self._loading is None and self._wanted:
            self._loading, path = self._wanted.popitem()
            self._thread.submit(self._load, path)

    def _load(self, path: Path) -> None:
        """Load one picture. In the thread."""
        # Asked here, around the reading: in the Qt thread, later, what was away may be back.
        image, was_there = QImage(), path.exists()
        try:
            image = thumbnail(path)
        finally:
            self._loaded.emit(path, image, was_there and path.exists())

    def _keep(self, path: Path, image: QImage, was_there: bool) -> None:
        self._loading = None
        self._load_next()
        if not image.isNull():
            self._images[path.name] = image
            if len(self._images) > _KEPT:
                self._images.popitem(last=False)
            self.arrived.emit(path.name)
        elif was_there:
            self._unreadable.add(path)


def thumbnail(path: Path) -> QImage:
    """Return the thumbnail of an entry, `SIDE` x `SIDE`; a null image if the result cannot be read."""
    image = QImage(str(path / FILE_NAME))
    if not image.isNull():
        return image
    try:
        image = _drawn(journal.read(path))
        _save(image, path / FILE_NAME)
    except (InputError, OSError) as error:
        logger.warning("No thumbnail for %s: %s", path, error)
    return image


def around(box: BoundingBox) -> tuple[slice, slice]:
    """Return the index, into (rows, columns) of its slice, of a box with what small pictures show around it."""
    reach = round(_AROUND * box.side)
    rows, columns = (slice(max(0, edge.start - reach), edge.stop + reach) for edge in box.slices)
    return rows, columns


def _drawn(result: GenerationResult) -> QImage:
    row_mm, column_mm = result.slice.pixel_spacing
    image = grey_image(result.slice.hu[around(result.request.box)], LUNG)
    # Square in mm, as the slice is shown; the edge of the slice may cut it off.
    width, height = image.width() * column_mm, image.height() * row_mm
    scale = SIDE / max(width, height)
    smooth = Qt.TransformationMode.SmoothTransformation
    keep = Qt.AspectRatioMode.IgnoreAspectRatio
    return image.scaled(max(1, round(width * scale)), max(1, round(height * scale)), keep, smooth)


def _save(image: QImage, path: Path) -> None:
    """Write a PNG file, whole or not at all."""
    partial = path.with_name(f".{path.name}")
    if image.save(str(partial), "PNG"):  # pyright: ignore[reportCallIssue, reportArgumentType]
        os.replace(partial, path)
