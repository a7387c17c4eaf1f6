"""What goes on, at the left of the status line; what takes its time has a bar that moves."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QWidget

from engine.events import EngineState
from studio.reasons import engine_text
from studio.session import Session

#: What is over before this needs no bar.
_PATIENCE_MS = 700
_BUSY = (EngineState.LOADING, EngineState.CANCELLING)


class EngineStatus(QWidget):
    """The state of the engine in words; a bar while it or the background is busy, and with what."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.text = QLabel()
        self.text.setAccessibleName("State of the engine")
        # A range of 0 to 0 shows that it works without saying how far it is.
        self.busy = QProgressBar(textVisible=False, minimum=0, maximum=0)
        self.busy.setFixedWidth(96)
        self.busy.setAccessibleName("Busy")
        self.doing = QLabel()
        self.doing.setAccessibleName("What goes on in the background")
        self._patience = QTimer(self, singleShot=True, interval=_PATIENCE_MS)
        self._patience.timeout.connect(lambda: self._show_bar(True))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.text)
        layout.addWidget(self.busy)
        layout.addWidget(self.doing)
        self._show_bar(False)
        session.engine_changed.connect(self.show_engine)
        session.doing_changed.connect(self._show_doing)
        self.show_engine()

    def show_engine(self) -> None:
        """Show what the engine does, and on which device."""
        self.text.setText(engine_text(self._session))
        self.text.setToolTip(self._session.engine.detail)
        self._show_doing()

    def _show_doing(self) -> None:
        doing = self._session.doing
        self.doing.setText(doing[-1] if doing else "")
        if self._session.engine.state not in _BUSY and not doing:
            self._patience.stop()
            self._show_bar(False)
        elif self.busy.isHidden() and not self._patience.isActive():
            self._patience.start()

    def _show_bar(self, is_shown: bool) -> None:
        self.busy.setVisible(is_shown)
        self.doing.setVisible(is_shown)
