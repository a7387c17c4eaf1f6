"""What the engine is doing, at the left of the status line; what takes its time has a bar that moves."""

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
    """The state of the engine in words, and a bar while it is busy without telling how far it is."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.text = QLabel()
        self.text.setAccessibleName("State of the engine")
        # A range of 0 to 0 shows that it works without saying how far it is.
        self.busy = QProgressBar(textVisible=False, minimum=0, maximum=0)
        self.busy.setFixedWidth(96)
        self.busy.setAccessibleName("The engine is busy")
        self.busy.hide()
        self._patience = QTimer(self, singleShot=True, interval=_PATIENCE_MS)
        self._patience.timeout.connect(self.busy.show)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.text)
        layout.addWidget(self.busy)
        session.engine_changed.connect(self.show_engine)
        self.show_engine()

    def show_engine(self) -> None:
        """Show what the engine does, and on which device."""
        self.text.setText(engine_text(self._session))
        self.text.setToolTip(self._session.engine.detail)
        if self._session.engine.state not in _BUSY:
            self._patience.stop()
            self.busy.hide()
        elif not self.busy.isVisible() and not self._patience.isActive():
            self._patience.start()
