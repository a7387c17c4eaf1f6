"""The switch of the live picture, in the panel and in the menu; and why it does not follow now."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QMainWindow, QWidget

from engine.events import EngineState
from studio.elided_label import ElidedLabel
from studio.live import Live
from studio.session import Session

_KEY = "Q"
_WHAT = f"While a slider moves or the box is dragged, a quick nodule follows; let go, and the full one is made ({_KEY})"


class LiveControls(QWidget):
    """Switches live pictures on and off; says how long they take, or why there are none."""

    def __init__(self, session: Session, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.switch = QCheckBox("Live")
        self.switch.setToolTip(_WHAT)
        self.switch.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.switch.setAccessibleName("Live: a quick nodule follows the sliders and the box")
        self.switch.toggled.connect(live.switch)
        self.state = ElidedLabel()
        self.state.setProperty("role", "muted")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.switch)
        layout.addWidget(self.state, 1)
        for signal in (session.live_changed, session.sketch_changed, session.engine_changed, session.queue_changed):
            signal.connect(self.show_session)
        self.show_session()

    def show_session(self) -> None:
        """Show whether it is on, without announcing that as chosen."""
        self.switch.blockSignals(True)
        self.switch.setChecked(self._session.live.is_on)
        self.switch.blockSignals(False)
        self.state.setText(live_text(self._session))


def live_text(session: Session) -> str:
    """Return what there is to say of live pictures now, in a few words."""
    live, sketch = session.live, session.sketch
    if not live.is_on:
        return live.why_off or "off: sliders wait for Generate"
    if session.engine.state in (EngineState.LOADING, EngineState.FAILED, EngineState.STOPPED):
        return "once the model is loaded"
    if not session.queue.is_empty:
        return "once the queue is made"
    return f"{sketch.made.steps} steps in {sketch.made.seconds:.2f} s" if sketch else "follows the sliders and the box"


def live_action(window: QMainWindow, session: Session, live: Live) -> QAction:
    """Return the action of the menu that switches it."""
    action = QAction("Live", window, checkable=True, shortcut=QKeySequence(_KEY), toolTip=_WHAT)
    action.triggered.connect(live.switch)

    def show() -> None:
        action.setChecked(session.live.is_on)

    session.live_changed.connect(show)
    show()
    return action
