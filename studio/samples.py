"""The generated slices that come with the program, for a start without a CT."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QMenu, QWidget

from studio.menu_actions import LISTS_FILES

_FOLDER = Path(__file__).parents[1] / "resources" / "samples"


def sample_slices() -> list[Path]:
    """Return the DICOM files of the samples, by their names."""
    return sorted(_FOLDER.glob("*/slice.dcm"))


class SampleMenu(QMenu):
    """One entry a sample; hidden where there are none."""

    chosen = Signal(Path)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Open a sample", parent)
        self.setProperty(LISTS_FILES, True)
        paths = sample_slices()
        for number, path in enumerate(paths, start=1):
            action = self.addAction(f"Sample {number}")
            action.triggered.connect(lambda _=False, path=path: self.chosen.emit(path))
        self.menuAction().setVisible(bool(paths))
