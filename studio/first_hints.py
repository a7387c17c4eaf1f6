"""Three hints for the first nodule, each beside what it speaks of, until it was followed or closed: never again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSettings, QSize
from PySide6.QtWidgets import QAbstractButton, QWidget

from studio.hint_bubble import HintBubble
from studio.reasons import why_not_generate
from studio.session import Session
from studio.slice_canvas import SliceCanvas

_SEEN_KEY = "hints seen"
#: Pixels between a bubble and the scale bar, and between the first bubble and the bottom of the view.
_GAP, _ABOVE_BOTTOM = 4, 48


@dataclass(frozen=True)
class Hint:
    """One hint.

    Attributes
    ----------
    is_due : (session) -> bool
        Whether it helps now.
    is_done : (session) -> bool
        Whether it has been followed, as far as the session tells: not who has asked for the nodule that forms.
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
        lambda session: False,  # See `FirstHints.note_generate`: a box that is drawn has a nodule made, too.
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
    view : SliceCanvas
        The first hint lies on it, at the bottom. None covers its scale bar, if there is room elsewhere.
    generate, accept : QAbstractButton
        The second and the third hint lie to the left of these.
    parent : QWidget
        What the hints may cover.
    """

    def __init__(
        self, session: Session, view: SliceCanvas, generate: QAbstractButton, accept: QAbstractButton, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._area = parent
        self._view = view
        self._beside = {"draw": view, "generate": generate, "accept": accept}
        self._hint: Hint | None = None
        self.bubble = HintBubble(parent)
        self.bubble.closed.connect(self._close)
        for widget in {widget for anchor in (view, generate, accept) for widget in _up_to(anchor, parent)}:
            widget.installEventFilter(self)
        generate.clicked.connect(self.note_generate)
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

    def note_generate(self) -> None:
        """The user has asked for a nodule: if one forms now, that hint has been followed."""
        if self._session.job:
            _remember("generate")

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
        widget, bubble = self._beside[self._hint.name], self.bubble
        anchor = QRect(widget.mapTo(self._area, QPoint(0, 0)), widget.size())
        if self._hint.name == "draw":
            x, y = anchor.center().x() - bubble.width() // 2, anchor.bottom() - _ABOVE_BOTTOM - bubble.height()
            at = _moved_in(QRect(QPoint(x, y), bubble.size()), self._area.size())
            bubble.point_right(None)
        else:
            at = _place_beside(anchor, bubble.size(), self._scale_bar(), self._area.size())
            least, most = bubble.tip_range
            bubble.point_right(min(max(anchor.center().y() - at.y(), least), most))
        bubble.move(at)
        bubble.raise_()

    def _scale_bar(self) -> QRect:
        """Return where the scale bar is in what the hints may cover."""
        return self._view.scale_bar_area.toAlignedRect().translated(self._view.mapTo(self._area, QPoint(0, 0)))

    def _close(self) -> None:
        if self._hint:
            _remember(self._hint.name)
        self.show_hint()


def _up_to(widget: QWidget, top: QWidget) -> list[QWidget]:
    """Return a widget and what it lies in, up to `top`: where it is on that changes with any of them."""
    found, parent = [widget], widget.parentWidget()
    while parent and found[-1] is not top:
        found.append(parent)
        parent = parent.parentWidget()
    return found


def _moved_in(bubble: QRect, room: QSize) -> QPoint:
    """Return where a bubble is if it has to be within the room."""
    most = room - bubble.size()
    return QPoint(max(0, min(bubble.x(), most.width())), max(0, min(bubble.y(), most.height())))


def _place_beside(anchor: QRect, size: QSize, scale_bar: QRect, room: QSize) -> QPoint:
    """Return where a bubble of that size is to the left of its anchor, and clear of the scale bar if that can be.

    It gives way upwards or downwards as long as it still lies beside the anchor, else to the left.
    """
    wanted = QRect(QPoint(anchor.left() - size.width() - 2, anchor.center().y() - size.height() // 2), size)
    at = _moved_in(wanted, room)
    higher, lower = scale_bar.top() - _GAP - size.height(), scale_bar.bottom() + 1 + _GAP
    beside = [QPoint(at.x(), y) for y in (higher, lower) if y < anchor.center().y() < y + size.height()]
    for place in (at, *beside, QPoint(scale_bar.left() - _GAP - size.width(), at.y())):
        bubble = QRect(place, size)
        if QRect(QPoint(0, 0), room).contains(bubble) and not bubble.intersects(scale_bar):
            return place
    return at


def _seen() -> list[str]:
    stored: Any = QSettings().value(_SEEN_KEY)
    # A list of one comes back as a plain string, and an empty one as None.
    return [stored] if isinstance(stored, str) else stored or []


def _remember(name: str) -> None:
    if name in _seen():
        return
    QSettings().setValue(_SEEN_KEY, [*_seen(), name])
