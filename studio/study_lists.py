"""Lists of what a PACS has: studies, and the series of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QTreeWidget, QTreeWidgetItem

if TYPE_CHECKING:
    from engine.pacs_search import Series, Study

_FOUND = Qt.ItemDataRole.UserRole
#: What can be opened: CT, and what does not say what it is.
_MODALITIES = ("CT", "")


class StudyList(QTreeWidget):
    """Studies, one a row."""

    def __init__(self) -> None:
        super().__init__()
        _prepare(self, "Studies", ("Patient", "ID", "Date", "Modalities", "Description"))

    @property
    def chosen(self) -> Study | None:
        """The study that is selected."""
        item = self.currentItem()
        return item.data(0, _FOUND) if item else None

    def show_found(self, studies: Sequence[Study]) -> None:
        """Show these, and select the first: a list that gets the focus makes it the current one anyway, but unseen."""
        self.clear()
        for study in studies:
            day, modalities = study.day or "no date", ", ".join(study.modalities)
            name = study.patient_name or "(no name)"
            _add(self, (name, study.patient_id, day, modalities, study.description), study)
        first = self.topLevelItem(0)
        if first is not None:
            self.setCurrentItem(first)
        _fit_columns(self)


class SeriesList(QTreeWidget):
    """Series, one a row; those that cannot be opened are grey and say why."""

    def __init__(self) -> None:
        super().__init__()
        _prepare(self, "Series", ("No.", "Series", "Modality", "Images", ""))

    @property
    def chosen(self) -> Series | None:
        """The series that is selected."""
        item = self.currentItem()
        return item.data(0, _FOUND) if item and item.flags() & Qt.ItemFlag.ItemIsEnabled else None

    def show_found(self, found: Sequence[Series]) -> None:
        """Show these, and select the first that can be opened: those come first."""
        self.clear()
        for series in sorted(found, key=lambda series: series.modality not in _MODALITIES):
            why_not = "" if series.modality in _MODALITIES else "Not CT"
            images = "" if series.images is None else str(series.images)
            name = series.description or "(no description)"
            item = _add(self, (series.number, name, series.modality, images, why_not), series)
            if why_not:
                item.setFlags(Qt.ItemFlag.NoItemFlags)
        first = self.topLevelItem(0)
        if first is not None and first.flags() & Qt.ItemFlag.ItemIsEnabled:
            self.setCurrentItem(first)
        _fit_columns(self)


def _prepare(widget: QTreeWidget, name: str, columns: Sequence[str]) -> None:
    widget.setAccessibleName(name)
    widget.setHeaderLabels(columns)
    widget.setRootIsDecorated(False)
    widget.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    widget.header().setStretchLastSection(True)


def _add(widget: QTreeWidget, texts: Sequence[str], found: object) -> QTreeWidgetItem:
    item = QTreeWidgetItem(list(texts))
    item.setData(0, _FOUND, found)
    for column, text in enumerate(texts):
        item.setToolTip(column, text)
    widget.addTopLevelItem(item)
    return item


def _fit_columns(widget: QTreeWidget) -> None:
    """Make columns as wide as their texts; names of 200 letters would push all others out."""
    most = widget.viewport().width() // 4
    for column in range(widget.columnCount() - 1):
        widget.resizeColumnToContents(column)
        widget.setColumnWidth(column, min(widget.columnWidth(column) + 16, max(most, 80)))
