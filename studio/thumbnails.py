"""Small pictures of results: made once, kept as a file beside the result, loaded in a thread of their own."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage

from engine import journal
from engine.ct import LUNG
from engine.errors import InputError
from engine.events import GenerationResult
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

    Attributes
    ----------
    arrived : Signal(str)
        The thumbnail of the entry of that name can be had now.
    """

    arrived = Signal(str)
    _loaded = Signal(str, QImage)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._images: OrderedDict[str, QImage] = OrderedDict()
        # What has scrolled out of sight long ago falls out of the queue and is asked for again when it is back.
        self._wanted: deque[Path] = deque(maxlen=_WANTED)
        self._thread = ThreadPoolExecutor(1, "thumbnails")
        self._loaded.connect(self._keep, Qt.ConnectionType.QueuedConnection)

    def of(self, path: Path) -> QImage | None:
        """Return the thumbnail of an entry; None if it is still to come: `arrived` tells."""
        image = self._images.get(path.name)
        if image is not None:
            self._images.move_to_end(path.name)
        elif path not in self._wanted:
            self._wanted.append(path)
            self._thread.submit(self._load_next)
        return image

    def stop(self) -> None:
        """Load nothing more, and wait until that is so."""
        self._thread.shutdown(cancel_futures=True)

    def _load_next(self) -> None:
        try:
            path = self._wanted.pop()
        except IndexError:
            return
        self._loaded.emit(path.name, thumbnail(path))

    def _keep(self, name: str, image: QImage) -> None:
        self._images[name] = image
        while len(self._images) > _KEPT:
            self._images.popitem(last=False)
        self.arrived.emit(name)


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


def _drawn(result: GenerationResult) -> QImage:
    box = result.request.box
    reach = round(_AROUND * box.side)
    rows, columns = (slice(max(0, edge.start - reach), edge.stop + reach) for edge in box.slices)
    row_mm, column_mm = result.slice.pixel_spacing
    image = grey_image(result.slice.hu[rows, columns], LUNG)
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
