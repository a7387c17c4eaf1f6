"""Where pictures of the program are kept."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from PySide6.QtWidgets import QApplication, QWidget

from tests.own_window import wait

_MOMENT = 1.5


@dataclass(frozen=True)
class Album:
    """Keeps pictures as PNG files of a folder, in 128 colours: all, or those with the given names."""

    folder: Path
    wanted: Collection[str] | None = None

    def keep(self, widget: QWidget, name: str) -> None:
        """Take a picture of a widget as it is now, if it is wanted."""
        QApplication.processEvents()
        if self.wanted is None or name in self.wanted:
            path = self.folder / f"{name}.png"
            widget.grab().save(str(path))
            _shrink(path)
            print(path, flush=True)


def wait_a_moment() -> None:
    """Give what is read in the background, as the thumbnails of the history, the time to be shown."""
    end = time.monotonic() + _MOMENT
    wait(lambda: time.monotonic() > end)


def _shrink(path: Path) -> None:
    """Write a PNG again in about half as many bytes; 128 colours are enough for greys and one accent."""
    with Image.open(path) as image:
        colours = image.convert("RGB").quantize(128, kmeans=3, dither=Image.Dither.NONE)
    colours.save(path, optimize=True)
