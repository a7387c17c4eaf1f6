"""The cards of the history side by side: filtered, walked through with the arrow keys, acted on with a key each."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from PySide6.QtCore import (
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QWheelEvent
from PySide6.QtWidgets import QListView, QWidget

from engine.history import Entry
from studio.history import ENTRY, History
from studio.history_card import CARD, HistoryCard, off_text, scores_text, size_text, time_text, tool_tip
from studio.looking_back import LookingBack
from studio.session import Session
from studio.thumbnails import Thumbnails


class Which(Enum):
    """Which results are listed."""

    ALL = "All results"
    STARRED = "Starred"
    THIS_SERIES = "Of this series"
    RANKED = "Best of seeds"
    DELETED = "Deleted"


class FilteredHistory(QSortFilterProxyModel):
    """The entries that are wanted, with what is said of them to people and to screen readers."""

    def __init__(self, session: Session, history: History) -> None:
        super().__init__()
        self._session = session
        self.which = Which.ALL
        self.setSourceModel(history)

    def want(self, which: Which) -> None:
        """List these."""
        # Unsorted, they are in the order of the history: the newest first. Those that come in may have no rank.
        self.sort(-1)
        self.which = which
        self.invalidate()
        if which is Which.RANKED:
            self.sort(0)

    def lessThan(
        self, source_left: QModelIndex | QPersistentModelIndex, source_right: QModelIndex | QPersistentModelIndex
    ) -> bool:
        """Return whether one entry is ranked before another."""
        ranking = self._session.ranking
        left, right = (ranking.index(index.data(ENTRY).path.name) for index in (source_left, source_right))
        return left < right

    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex | QPersistentModelIndex) -> bool:
        """Return whether an entry is wanted."""
        entry: Entry = self.sourceModel().index(source_row, 0).data(ENTRY)
        if entry.is_deleted or self.which is Which.DELETED:
            return entry.is_deleted and self.which is Which.DELETED
        if self.which is Which.STARRED:
            return entry.is_starred
        if self.which is Which.RANKED:
            return entry.path.name in self._session.ranking
        if self.which is Which.THIS_SERIES:
            return entry.source is not None and entry.source == self._session.source_of(entry.source.slice_index)
        return True

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the entry, or words about it."""
        entry: Entry | None = super().data(index, ENTRY)
        if entry is None or role == ENTRY:
            return entry
        if role == Qt.ItemDataRole.ToolTipRole:
            return tool_tip(entry)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            star = "starred, " if entry.is_starred else ""
            scores = ", ".join(filter(None, (f"scores {scores_text(entry)}", off_text(entry))))
            return f"{star}{size_text(entry)}, {scores}, {time_text(entry.recorded)}"
        return None


class HistoryList(QListView):
    """Shows a filtered history from left to right. Its keys work while it has the focus.

    Attributes
    ----------
    entry_changed : Signal()
        Another entry is chosen, or none.
    """

    entry_changed = Signal()

    def __init__(self, entries: FilteredHistory, looking: LookingBack, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = Thumbnails(self)
        self._looking = looking
        self.keys: dict[int, Callable[[Entry], None]] = {
            Qt.Key.Key_Return: looking.use,
            Qt.Key.Key_Enter: looking.use,
            Qt.Key.Key_S: looking.star,
            Qt.Key.Key_Delete: looking.delete,
        }
        self.setObjectName("history")
        self.setAccessibleName("History of results")
        self.setModel(entries)
        self.setItemDelegate(HistoryCard(self._thumbnails, self))
        self.setFlow(QListView.Flow.LeftToRight)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        bar = self.horizontalScrollBar()
        bar.setAccessibleName("Scroll the history")
        bar.rangeChanged.connect(self._show_handle)
        self.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setFixedHeight(CARD.height() + 14)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._thumbnails.arrived.connect(lambda: self.viewport().update())
        self.clicked.connect(self._show)
        self.doubleClicked.connect(self._use)

    @property
    def entry(self) -> Entry | None:
        """The entry that is chosen."""
        chosen = self.selectedIndexes()
        return chosen[0].data(ENTRY) if chosen else None

    def step(self, by: int) -> None:
        """Choose a neighbour, 1 for the next older one, and show it."""
        row = self.currentIndex().row() + by if self.entry else 0
        index = self.model().index(max(0, min(row, self.model().rowCount() - 1)), 0)
        if index.isValid():
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            self.scrollTo(index)
            self._looking.show(index.data(ENTRY))

    def _show_handle(self, least: int, most: int) -> None:
        """The bar has its room always, so that nothing moves; what cannot be scrolled has no handle."""
        self.horizontalScrollBar().setEnabled(most > least)

    def _show(self, index: QModelIndex) -> None:
        self._looking.show(index.data(ENTRY))

    def _use(self, index: QModelIndex) -> None:
        self._looking.use(index.data(ENTRY))

    def stop(self) -> None:
        """Load no more thumbnails."""
        self._thumbnails.stop()

    def event(self, event: QEvent) -> bool:
        """Take keys of the list before the window's actions of the same keys do."""
        if event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._is_ours(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Act on the chosen entry, or choose a neighbour and show it. Space shows the original in the slice."""
        if event.key() == Qt.Key.Key_Space:
            event.ignore()
        elif not self._is_ours(event):
            super().keyPressEvent(event)
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.step(1 if event.key() == Qt.Key.Key_Right else -1)
        elif self.entry and not event.isAutoRepeat():  # Del that is held would delete one after the other.
            self.keys[event.key()](self.entry)

    def _is_ours(self, event: QKeyEvent) -> bool:
        arrows = (Qt.Key.Key_Left, Qt.Key.Key_Right)
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        return plain and (event.key() in arrows or (event.key() in self.keys and self.entry is not None))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll sideways with a plain mouse wheel, too."""
        turned = event.angleDelta().y() or event.angleDelta().x()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - round(turned / 120 * CARD.width()))
        event.accept()

    def selectionChanged(self, selected: Any, deselected: Any) -> None:
        """Tell that another entry is chosen."""
        super().selectionChanged(selected, deselected)
        self.entry_changed.emit()
