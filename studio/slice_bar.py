"""The scroll bar beside the slice, with marks where nodules are."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QScrollBar, QWidget

from studio.session import Session
from studio.theme import colour


class SliceBar(QScrollBar):
    """Shows which slice is shown; marks the slices of the box and of accepted nodules."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Vertical, parent)
        self._session = session
        self.setAccessibleName("Slice")
        self.setPageStep(1)
        self.valueChanged.connect(session.go_to_slice)
        session.volume_changed.connect(self.show_session)
        session.slice_index_changed.connect(self.show_session)
        for signal in (session.box_changed, session.accepted_changed, session.candidate_changed):
            signal.connect(self.update)
        self.show_session()

    def show_session(self) -> None:
        """Show the slice, without going to it again."""
        volume = self._session.volume
        self.blockSignals(True)
        self.setRange(0, len(volume) - 1 if volume else 0)
        self.setValue(self._session.slice_index)
        self.blockSignals(False)
        self.setToolTip(f"Slice {self._session.slice_index + 1}" if volume else "")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the bar, and the marks on it."""
        super().paintEvent(event)
        session = self._session
        if session.volume is None:
            return
        painter = QPainter(self)
        marks = [(nodule.slice_index, "text") for nodule in session.accepted]
        if session.box:
            marks.append((session.box.slice_index, "accent"))
        for index, name in marks:
            y = (index + 0.5) / len(session.volume) * self.height()
            painter.fillRect(QRectF(2, y - 1, self.width() - 4, 2), colour(name))
