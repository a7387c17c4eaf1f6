"""Three hints for the first nodule, each beside what it speaks of, until it was followed or closed: never again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QEvent, QObject, QPoint, QSettings
from PySide6.QtWidgets import QWidget

from studio.hint_bubble import HintBubble
from studio.reasons import why_not_generate
from studio.session import Session

_SEEN_KEY = "hints seen"


@dataclass(frozen=True)
class Hint:
    """One hint.

    Attributes
    ----------
    is_due : (session) -> bool
        Whether it helps now.
    is_done : (session) -> bool
        Whether it has been followed.
    """

    name: str
    text: str
    is_due: Callable[[Session], bool]
    is_done: Callable[[Session], bool]


HINTS = (
    Hint(
        "draw",
        "Drag a square where the nodule should be. P suggests a place.",
        lambda session: session.box is None,
        lambda session: session.box is not None,
    ),
    Hint(
        "generate",
        "Set the five scores, then generate: the nodule forms in the box.",
        lambda session: session.nodule_in_box is None and why_not_generate(session) is None,
        lambda session: session.job is not None,
    ),
    Hint(
        "accept",
        "Accept keeps it, for export. F1 shows all keys, and Ctrl+K finds every action.",
        lambda session: session.candidate is not None and session.box_here is not None,
        lambda session: session.candidate is None and bool(session.accepted),
    ),
)


class FirstHints(QObject):
    """Shows the hint that is due, one at a time.

    Parameters
    ----------
    view : QWidget
        The first hint lies on it, at the bottom.
    generate, accept : QWidget
        The second and the third hint lie to the left of these.
    parent : QWidget
        What the hints may cover.
    """

    def __init__(self, session: Session, view: QWidget, generate: QWidget, accept: QWidget, parent: QWidget) -> None:
        super().__init__(parent)
        self._session = session
        self._area = parent
        self._beside = {"draw": view, "generate": generate, "accept": accept}
        self._hint: Hint | None = None
        self.bubble = HintBubble(parent)
        self.bubble.closed.connect(self._close)
        for widget in (view, generate, accept):
            widget.installEventFilter(self)
        for signal in (
            session.volume_changed,
            session.slice_index_changed,
            session.box_changed,
            session.job_changed,
            session.engine_changed,
            session.candidate_changed,
            session.accepted_changed,
        ):
            signal.connect(self.show_hint)
        self.show_hint()

    def show_hint(self) -> None:
        """Show the hint that is due and was never followed or closed, or none."""
        session = self._session
        if self._hint and self._hint.is_done(session):
            _remember(self._hint.name)
        is_idle, seen = session.volume is not None and session.job is None, _seen()
        due = next((hint for hint in HINTS if is_idle and hint.name not in seen and hint.is_due(session)), None)
        if due is not self._hint:
            self._hint = due
            self.bubble.setVisible(due is not None)
            if due:
                self.bubble.show_text(due.text)
        self._place()

    def show_again(self) -> None:
        """Begin again with the hints, as at the first start."""
        QSettings().remove(_SEEN_KEY)
        self.show_hint()
        if self._hint is None:
            self._session.say("The hints appear again with the next nodule.")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay beside what moves or changes its size."""
        if event.type() in (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show) and self._hint:
            self._place()
        return False

    def _place(self) -> None:
        if self._hint is None:
            return
        anchor, bubble = self._beside[self._hint.name], self.bubble
        corner = anchor.mapTo(self._area, QPoint(0, 0))
        if self._hint.name == "draw":
            bubble.point_right(False)
            x, y = corner.x() + (anchor.width() - bubble.width()) // 2, corner.y() + anchor.height() - 96
        else:
            bubble.point_right(True)
            x, y = corner.x() - bubble.width() - 2, corner.y() + (anchor.height() - bubble.height()) // 2
        room = self._area.size() - bubble.size()
        bubble.move(max(0, min(x, room.width())), max(0, min(y, room.height())))
        bubble.raise_()

    def _close(self) -> None:
        if self._hint:
            _remember(self._hint.name)
        self.show_hint()


def _seen() -> list[str]:
    stored: Any = QSettings().value(_SEEN_KEY)
    # A list of one comes back as a plain string, and an empty one as None.
    return [stored] if isinstance(stored, str) else stored or []


def _remember(name: str) -> None:
    QSettings().setValue(_SEEN_KEY, [*_seen(), name])
