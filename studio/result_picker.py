"""Which results of the history go into a study: a list to check, and buttons that check many at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from engine.history import Entry
from studio.dialog_parts import list_button, row
from studio.history_card import scores_text, size_text, time_text

_PATH = Qt.ItemDataRole.UserRole
_CHECKED, _UNCHECKED = Qt.CheckState.Checked, Qt.CheckState.Unchecked


class ResultPicker(QWidget):
    """A check mark at every starred result at first; at all, where none is starred.

    Attributes
    ----------
    changed : Signal()
    """

    changed = Signal()

    def __init__(self, entries: Sequence[Entry], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        kept = [entry for entry in entries if not entry.is_deleted]
        starred = {entry.path for entry in kept if entry.is_starred}
        self.list = QListWidget()
        self.list.setAccessibleName("Results for the study")
        for entry in kept:
            self.list.addItem(_item(entry, entry.path in starred or not starred))
        self._none_is_starred = "" if starred else ", none is starred"
        self.count = QLabel()
        self.count.setProperty("role", "muted")
        self.starred = list_button("Starred", lambda: self._check(lambda path: path in starred))
        self.all = list_button("All", lambda: self._check(lambda path: True))
        self.none = list_button("None", lambda: self._check(lambda path: False))
        self.starred.setEnabled(bool(starred))
        self.starred.setToolTip("" if starred else "No result is starred; S stars one in the history.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.list)
        layout.addLayout(row(self.count, None, self.starred, self.all, self.none))
        self.list.itemChanged.connect(self._tell)
        self._show_count()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The entries that are checked."""
        return tuple(item.data(_PATH) for item in self._items() if item.checkState() == _CHECKED)

    def _items(self) -> list[QListWidgetItem]:
        return [self.list.item(number) for number in range(self.list.count())]

    def _check(self, wanted: Callable[[Path], bool]) -> None:
        self.list.blockSignals(True)
        for item in self._items():
            item.setCheckState(_CHECKED if wanted(item.data(_PATH)) else _UNCHECKED)
        self.list.blockSignals(False)
        self._tell()

    def _tell(self) -> None:
        self._show_count()
        self.changed.emit()

    def _show_count(self) -> None:
        count = self.list.count()
        checked = f"{len(self.paths)} of {count}{self._none_is_starred}"
        self.count.setText(checked if count else "The history has no results yet.")


def _item(entry: Entry, is_checked: bool) -> QListWidgetItem:
    star = "\N{BLACK STAR} " if entry.is_starred else ""
    item = QListWidgetItem(
        f"{star}{size_text(entry)}   {scores_text(entry)}   seed {entry.options.seed}   {time_text(entry.recorded)}"
    )
    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
    item.setCheckState(_CHECKED if is_checked else _UNCHECKED)
    item.setData(_PATH, entry.path)
    return item
