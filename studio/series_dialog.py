"""Lists the series of a folder; the user picks one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from engine.ct_files import SeriesInfo

_UID = Qt.ItemDataRole.UserRole
_COLUMNS = ("Series", "Slices", "Spacing", "Orientation", "")


class SeriesDialog(QDialog):
    """Lists series; those that cannot be opened are grey and say why."""

    def __init__(self, found: Sequence[SeriesInfo], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Choose a series")
        self.resize(860, 360)
        self.series = QTreeWidget()
        self.series.setAccessibleName("Series")
        self.series.setHeaderLabels(_COLUMNS)
        self.series.setRootIsDecorated(False)
        self.series.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        # Those that can be opened come first.
        for info in sorted(found, key=lambda info: bool(info.problem)):
            self.series.addTopLevelItem(_item(info))
        self.open_button = QPushButton("Open", default=True)
        self.open_button.setProperty("role", "primary")
        self.cancel_button = QPushButton("Cancel", autoDefault=False)
        self._lay_out()
        self.open_button.clicked.connect(self.accept)
        self.cancel_button.clicked.connect(self.reject)
        self.series.itemDoubleClicked.connect(self._open_item)
        self.series.setCurrentIndex(self.series.model().index(0, 0))

    def _lay_out(self) -> None:
        header = self.series.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(12)
        layout.addWidget(QLabel("There are several series. Choose the one to open."))
        layout.addWidget(self.series, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.open_button)
        layout.addLayout(buttons)

    @property
    def chosen_uid(self) -> str | None:
        """UID of the series that is selected."""
        item = self.series.currentItem()
        return item.data(0, _UID) if item else None

    def _open_item(self, item: QTreeWidgetItem) -> None:
        if item.flags() & Qt.ItemFlag.ItemIsEnabled:
            self.accept()


def _item(info: SeriesInfo) -> QTreeWidgetItem:
    texts = [
        info.description or "(no description)",
        str(info.slices),
        _spacing_text(info),
        info.plane,
        info.problem,
    ]
    item = QTreeWidgetItem(texts)
    item.setData(0, _UID, info.series_uid)
    for column in range(len(texts)):
        item.setToolTip(column, info.problem)
    if info.problem:
        item.setFlags(Qt.ItemFlag.NoItemFlags)
    return item


def _spacing_text(info: SeriesInfo) -> str:
    rows, columns = info.pixel_spacing
    if not rows:
        return "not given"
    between = f" × {info.slice_spacing:.2f}" if info.slice_spacing else ""
    return f"{rows:.2f} × {columns:.2f}{between} mm"
