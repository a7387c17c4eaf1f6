"""Which real images go into a study: files that name nodules, and CT without any."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QLabel, QListWidget, QVBoxLayout, QWidget

from studio.dialog_parts import list_button, row, wrapped

_FILES = "Nodules and CT (*.csv *.dcm *.dicom *.ima *.zip *.nii *.nii.gz *.nrrd *.nhdr *.mha *.mhd);;All files (*)"
_WHAT = (
    "A CSV names real nodules, one slice each: path, slice, row, column, side and, if known, the scores. "
    "Any other CT has none."
)


class RealPicker(QWidget):
    """A list of files and folders.

    Attributes
    ----------
    changed : Signal()
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list = QListWidget()
        self.list.setAccessibleName("Real images for the study")
        self.list.setFixedHeight(72)
        self.add_file = list_button("Add file…", self._ask_file)
        self.add_folder = list_button("Add folder…", self._ask_folder)
        self.remove = list_button("Remove", self._remove)
        self.state = QLabel()
        self.state.setProperty("role", "muted")
        self.changed.connect(self._show_state)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(wrapped("muted", _WHAT))
        layout.addWidget(self.list)
        layout.addLayout(row(self.state, None, self.add_file, self.add_folder, self.remove))
        self._show_state()

    @property
    def paths(self) -> tuple[Path, ...]:
        """What is listed."""
        return tuple(Path(self.list.item(number).text()) for number in range(self.list.count()))

    def add(self, path: Path) -> None:
        """List a file or folder, once."""
        if path not in self.paths:
            self.list.addItem(str(path))
            self.changed.emit()

    def _ask_file(self) -> None:
        for name in QFileDialog.getOpenFileNames(self, "Real nodules or CT", filter=_FILES)[0]:
            self.add(Path(name))

    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "A CT without nodules")
        if name:
            self.add(Path(name))

    def _show_state(self) -> None:
        self.remove.setEnabled(bool(self.paths))
        self.state.setText("" if self.paths else "Nothing is listed yet.")
        self.remove.setToolTip(self.state.text())

    def _remove(self) -> None:
        number = self.list.currentRow() if self.list.currentRow() >= 0 else self.list.count() - 1
        if number >= 0:
            self.list.takeItem(number)
            self.changed.emit()
