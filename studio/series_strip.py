"""The slices of the open series as small pictures beside the slice; it goes where one is clicked or walked to."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QSettings, Qt, QTimer
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QListView, QMainWindow, QWidget

from studio.series_card import CARD, SeriesCard, slice_words
from studio.series_pictures import SeriesPictures
from studio.session import Session

_SHOWN_KEY = "series shown"
#: While the window is being changed, the small pictures wait this many milliseconds for it to stay.
_WINDOW_STAYS = 120


class SeriesModel(QAbstractListModel):
    """The slices of a session's volume, in words; the pictures come from elsewhere."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        session.volume_changed.connect(self._reset)

    def _reset(self) -> None:
        self.beginResetModel()
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        """Return the number of slices."""
        return len(self._session.volume) if self._session.volume else 0

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what is on a slice, in words."""
        words = (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole)
        return slice_words(self._session, index.row()) if role in words else None


class SeriesStrip(QListView):
    """Shows the series from top to bottom, unless it has one slice or the strip is not wanted."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.pictures = SeriesPictures(session, self)
        self.is_wanted = str(QSettings().value(_SHOWN_KEY, "true")) == "true"
        self.setObjectName("series")
        self.setAccessibleName("Slices of the series")
        self.setModel(SeriesModel(session))
        self.setItemDelegate(SeriesCard(session, self.pictures, self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedWidth(CARD.width())
        self.verticalScrollBar().setSingleStep(CARD.height())
        self._window_stays = QTimer(self, interval=_WINDOW_STAYS, singleShot=True)
        self._window_stays.timeout.connect(self.viewport().update)
        for signal in (session.window_changed, session.shown_changed):
            signal.connect(self._window_stays.start)
        for signal in (session.box_changed, session.candidate_changed, session.accepted_changed):
            signal.connect(self.viewport().update)
        self.pictures.arrived.connect(self._show_arrived)
        session.volume_changed.connect(self.show_session)
        session.slice_index_changed.connect(self._show_slice)
        self.selectionModel().currentChanged.connect(self._go)
        self.show_session()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave Space to the window: it shows the original in the slice."""
        if event.key() == Qt.Key.Key_Space:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def stop(self) -> None:
        """Make no more pictures."""
        self.pictures.stop()

    def set_wanted(self, is_wanted: bool) -> None:
        """Show the strip, or not; remembered for the next start."""
        QSettings().setValue(_SHOWN_KEY, "true" if is_wanted else "false")
        self.is_wanted = is_wanted
        self.show_session()

    def show_session(self) -> None:
        """Show the series, if it has more than one slice."""
        volume = self._session.volume
        self.setVisible(self.is_wanted and volume is not None and len(volume) > 1)
        self._show_slice()

    def _show_slice(self) -> None:
        """Mark the slice that is shown, without going there again."""
        index = self.model().index(self._session.slice_index, 0)
        if index.isValid() and index.row() != self.currentIndex().row():
            self.setCurrentIndex(index)
            self.scrollTo(index)

    def _show_arrived(self, index: int) -> None:
        self.update(self.model().index(index, 0))

    def _go(self, current: QModelIndex) -> None:
        if current.isValid():
            self._session.go_to_slice(current.row())


def series_actions(window: QMainWindow, session: Session, strip: SeriesStrip) -> list[QAction]:
    """Return the actions that show the strip and that go from one slice with nodules to the next."""
    shown = QAction("Slices as small pictures", window, checkable=True, shortcut=QKeySequence("T"))
    shown.setChecked(strip.is_wanted)
    shown.toggled.connect(strip.set_wanted)
    actions = [shown]
    for text, key, by in (("Next slice with a nodule", ".", 1), ("Previous slice with a nodule", ",", -1)):
        action = QAction(text, window, shortcut=QKeySequence(key))
        action.triggered.connect(lambda _=False, by=by: go_to_nodule(session, by))
        actions.append(action)
    return actions


def go_to_nodule(session: Session, by: int) -> None:
    """Go to the nearest slice with a nodule onwards, or with -1 back; or say that there is none."""
    nodules = (*session.accepted, *([session.candidate] if session.candidate else []))
    ahead = [nodule.slice_index for nodule in nodules if (nodule.slice_index - session.slice_index) * by > 0]
    if ahead:
        session.go_to_slice(min(ahead) if by > 0 else max(ahead))
    else:
        session.say("No further slice has a nodule." if nodules else "No slice has a nodule yet.")
