"""Says once, and never again, that nodules are made without a GPU: what that means, and that nothing is wrong."""

from __future__ import annotations

from PySide6.QtCore import QObject, QSettings

from engine.events import EngineState
from studio.session import Session

_SAID_KEY = "said that there is no GPU"
NO_GPU = "Nodules are made on this computer's processor: a few seconds each. A GPU would only be quicker."


class DeviceNote(QObject):
    """Waits for the engine to be ready, and for the user to have nothing more important to read."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        session.engine_changed.connect(self.say_once)
        session.opening_changed.connect(self.say_once)  # Whatever is said before a CT is open is gone once it is.

    def say_once(self) -> None:
        """Say it, if the engine is ready on a CPU and it was never said."""
        session, engine = self._session, self._session.engine
        is_on_cpu = engine.state is EngineState.IDLE and engine.detail.startswith("CPU")
        if is_on_cpu and not session.opening and session.notice is None and QSettings().value(_SAID_KEY) is None:
            QSettings().setValue(_SAID_KEY, "yes")
            session.say(NO_GPU)
