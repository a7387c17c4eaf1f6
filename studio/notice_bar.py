"""One line above the slice: a notice, or what is being read. Calm, never in the way."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QAccessible, QAccessibleEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QWidget

from studio.buttons import ReturnButton
from studio.session import Session
from studio.theme import icon


class NoticeBar(QFrame):
    """Shows the session's notice until it is closed."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setObjectName("notice")
        self._icon = QLabel()
        self.text = QLabel(wordWrap=True)
        self.offer = ReturnButton()
        self.offer.clicked.connect(self._take_offer)
        self.close_button = ReturnButton(icon("close"), "")
        self.close_button.setProperty("role", "quiet")
        self.close_button.setAccessibleName("Close the message")
        self.close_button.setToolTip("Close")
        self.close_button.setFixedWidth(32)
        self.close_button.clicked.connect(self._close)
        for button in (self.offer, self.close_button):  # A click must not take the keys from the slice.
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 6, 8, 6)
        layout.setSpacing(12)
        layout.addWidget(self._icon)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.offer)
        layout.addWidget(self.close_button)
        session.notice_changed.connect(self.show_notice)
        self.show_notice()

    def show_notice(self) -> None:
        """Show the notice, or nothing."""
        notice = self._session.notice
        self.setVisible(notice is not None)
        if notice is None:
            return
        severity = notice.severity.value
        self.text.setText(notice.text)
        self.offer.setText(notice.offer)
        self.offer.setVisible(notice.do is not None)
        self.setAccessibleName(f"{severity}: {notice.text}")
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))
        self._show_icon()
        self.setProperty("severity", severity)
        # The style sheet looks at properties when a widget is polished, not when they change.
        self.style().unpolish(self)
        self.style().polish(self)

    def changeEvent(self, event: QEvent) -> None:
        """Show the icon in the colours of another theme."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            self._show_icon()

    def _show_icon(self) -> None:
        notice = self._session.notice
        if notice:
            self._icon.setPixmap(icon(notice.severity.value).pixmap(QSize(20, 20), self.devicePixelRatioF()))

    def _take_offer(self) -> None:
        notice = self._session.notice
        self._session.notice = None
        if notice and notice.do:
            notice.do()

    def _close(self) -> None:
        self._session.notice = None


class OpeningBar(QFrame):
    """Shows what is being read and how far it is."""

    def __init__(self, session: Session, cancel: Callable[[], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setObjectName("notice")
        self.text = QLabel()
        self.progress = QProgressBar(textVisible=False)
        self.progress.setAccessibleName("Progress of reading")
        self.cancel_button = ReturnButton("Cancel")
        self.cancel_button.clicked.connect(lambda: cancel())
        self.cancel_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 6, 8, 6)
        layout.setSpacing(16)
        layout.addWidget(self.text)
        layout.addWidget(self.progress, 1)
        layout.addWidget(self.cancel_button)
        session.opening_changed.connect(self.show_opening)
        self.show_opening()

    def show_opening(self) -> None:
        """Show what is being read, or nothing."""
        opening = self._session.opening
        self.setVisible(opening is not None)
        if opening is None:
            return
        self.text.setText(f"Reading {opening.name}")
        # A range of 0 to 0 shows that it works without saying how far it is.
        self.progress.setRange(0, 0 if opening.fraction is None else 100)
        self.progress.setValue(round(100 * (opening.fraction or 0)))
