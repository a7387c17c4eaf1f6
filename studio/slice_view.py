"""The mouse and the keys on the slice: scrolling it, drawing, moving and resizing the box, measuring, swiping."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from engine.ct import WindowLevel
from studio import commands, comparison_painter
from studio.box_drag import Grip, grip_at
from studio.buttons import is_return, takes_return
from studio.own_nodule import own_nodules
from studio.panes import pane_at
from studio.placing import Placing
from studio.session import Session
from studio.shown import Comparison
from studio.slice_canvas import SliceCanvas

#: A press that moves less than this, in widget pixels, is a click.
_CLICK = 4.0
_ZOOM_STEP = 1.2
#: An arrow key moves the slice by this share of the pane, the divider of a swipe by that.
_PAN_STEP, _SWIPE_STEP = 0.1, 0.02
#: Shift and an arrow key move the crosshair by so many pixels.
_STRIDE = 10
#: One notch of a mouse wheel, in the unit of Qt.
_NOTCH = 120
_CURSORS = {
    Grip.NOTHING: Qt.CursorShape.CrossCursor,
    Grip.INSIDE: Qt.CursorShape.SizeAllCursor,
    Grip.TOP_LEFT: Qt.CursorShape.SizeFDiagCursor,
    Grip.BOTTOM_RIGHT: Qt.CursorShape.SizeFDiagCursor,
    Grip.TOP_RIGHT: Qt.CursorShape.SizeBDiagCursor,
    Grip.BOTTOM_LEFT: Qt.CursorShape.SizeBDiagCursor,
}
#: Rows down, columns right.
_ARROWS: dict[int, tuple[int, int]] = {
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
}
_MODIFIERS = (Qt.Key.Key_Shift, Qt.Key.Key_Control, Qt.Key.Key_Alt, Qt.Key.Key_AltGr, Qt.Key.Key_Meta)
#: Slices onwards; Home and End go past all there are.
_SCROLLS: dict[int, int] = {
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_PageUp: -10,
    Qt.Key.Key_PageDown: 10,
    Qt.Key.Key_Home: -(10**6),
    Qt.Key.Key_End: 10**6,
}
_LEFT, _MIDDLE, _RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton


class SliceView(SliceCanvas):
    """One slice of the session's volume.

    Left-drag draws, moves or resizes the box; right-drag changes the window; middle-drag pans; the wheel scrolls
    slices, with Ctrl it zooms. Shift and an arrow key move the box by a pixel, with Ctrl too they resize it; that
    takes effect when Shift is released, or another key pressed. Ctrl and an arrow key pan. A swipe is dragged at its
    divider, or moved by the left and right arrow keys. While the crosshair is shown, the arrow keys move that, by a
    pixel, with Shift by ten; Return sets the ends of the ruler there if that is on; Alt and an arrow key still scroll.
    """

    def __init__(self, session: Session, placing: Placing, parent: QWidget | None = None) -> None:
        super().__init__(session, placing, parent)
        self._pressed = self._last = QPointF()
        #: Where a right-drag began, and the window by then: parts of a pixel would be lost from one event to the next.
        self._window_drag = QPointF(), session.window
        self._turned = 0
        self._is_swiping = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        session.volume_changed.connect(self._show_volume)
        session.slice_index_changed.connect(self._drop_gesture)

    def _show_volume(self) -> None:
        self._frame()
        self._drop_gesture()

    def cancel_gesture(self) -> bool:
        """End a drag of the box without effect, and take the ruler away; if there is neither, hide the crosshair.

        Return whether there was any of the three.
        """
        had_any = self._gesture.box is not None or self.ruler.start is not None
        self._drop_gesture()
        if had_any or not self.crosshair.is_on:
            return had_any
        self.set_crosshair(False)
        return True

    def _drop_gesture(self) -> None:
        self._gesture.drop()
        self.ruler.clear()
        self._forget_image()

    # --- the mouse -----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a drag."""
        point = self._in_pane(event)
        self._last = point
        if event.button() is _RIGHT:
            self._window_drag = point, self._session.window
        if event.button() is not _LEFT or self._viewport is None:
            return
        self._pressed = point
        grip, at = self._grip_at(point), self._viewport.to_image(point)
        if self._takes_divider(point, grip):
            self._is_swiping = True
        elif self.ruler.is_on:
            self.ruler.press(at)
        else:
            self._gesture.press(grip, at, self._viewport.shape)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with a drag; show what is under the cursor."""
        point = self._in_pane(event)
        movement = point - self._last
        self._last = self._cursor_at = point
        if event.buttons() & _LEFT:
            self._drag_left(point)
        elif event.buttons() & _RIGHT:
            self._drag_window(point)
        elif event.buttons() & _MIDDLE and self._viewport:
            self._look(self._viewport.panned(movement))
        elif not event.buttons():
            self._show_cursor(point)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a drag; a click selects the nodule under it."""
        point = self._in_pane(event)
        if event.button() is not _LEFT:  # A ruler whose one end the crosshair has set outlives panning.
            return
        if self._is_swiping:
            self._is_swiping = False
        elif self.ruler.is_dragged:
            self.ruler.release()
            self.update()
        elif self._gesture.is_by_mouse:
            was_drag = self._gesture.finish()
            self._forget_image()
            if not was_drag and self._grip_at(point) is Grip.NOTHING:
                self._select_at(point)

    def _in_pane(self, event: QMouseEvent) -> QPointF:
        """Return where the mouse is in its pane: that under it, or in which the drag has begun."""
        is_drag = event.type() is not QEvent.Type.MouseButtonPress and event.buttons()
        is_end = event.type() is QEvent.Type.MouseButtonRelease
        if self._cursor_pane is None or self._cursor_pane not in self.panes or not (is_drag or is_end):
            self._cursor_pane = pane_at(self.panes, event.position())
        return event.position() - self._cursor_pane.area.topLeft()

    def _drag_left(self, point: QPointF) -> None:
        if self._is_swiping:
            self._put_divider(point.x() / max(1.0, self._pane_size[0]))
        elif self.ruler.is_dragged and self._viewport:
            self.ruler.drag_to(self._viewport.to_image(point))
        elif self._gesture.is_by_mouse:
            self._drag_box(point)

    def _show_cursor(self, point: QPointF) -> None:
        """Show by the form of the cursor what a press would do."""
        grip = self._grip_at(point)
        if self._takes_divider(point, grip):
            self.setCursor(Qt.CursorShape.SplitHCursor)
        else:
            self.setCursor(_CURSORS[Grip.NOTHING if self.ruler.is_on else grip])

    def _takes_divider(self, point: QPointF, grip: Grip) -> bool:
        """Return whether a press would take hold of the divider: a box on it goes first, but for the knob."""
        shown, viewport = self._session.shown, self._viewport
        if viewport is None or shown.comparison is not Comparison.SWIPE:
            return False
        if grip is Grip.NOTHING:
            return comparison_painter.is_on_divider(viewport, shown.divider, point)
        return comparison_painter.is_on_knob(viewport, shown.divider, point)

    def _put_divider(self, share: float) -> None:
        self._session.shown = replace(self._session.shown, divider=min(max(share, 0.0), 1.0))

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the cursor any more."""
        self._cursor_at = self._cursor_pane = None
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll slices; with Ctrl, zoom."""
        turned = event.angleDelta().y()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            pane = pane_at(self.panes, event.position())
            self.zoom(_ZOOM_STEP ** (turned / _NOTCH), event.position() - pane.area.topLeft())
        else:
            # Touch pads turn in small parts of a notch; each whole notch is a slice.
            self._turned += turned
            notches = int(self._turned / _NOTCH)
            self._turned -= notches * _NOTCH
            self._session.go_to_slice(self._session.slice_index - notches)
        event.accept()

    def _grip_at(self, point: QPointF) -> Grip:
        box, viewport = self._session.box_here, self._viewport
        return grip_at(point, viewport.box_rect(box)) if box and viewport else Grip.NOTHING

    def _drag_box(self, point: QPointF) -> None:
        moved = point - self._pressed
        is_click_so_far = self._gesture.box is None and max(abs(moved.x()), abs(moved.y())) < _CLICK
        if self._viewport and not is_click_so_far:
            self._gesture.drag_to(*self._viewport.to_image(point))
            self._forget_image()

    def _select_at(self, point: QPointF) -> None:
        for nodule in reversed((*own_nodules(self._session), *self._session.accepted_here)):
            if self._viewport and self._viewport.box_rect(nodule.place.box).contains(point):
                commands.select(self._session, nodule)
                return

    def _drag_window(self, point: QPointF) -> None:
        start, window = self._window_drag
        movement = point - start
        step = max(1.0, window.width / 400)
        width = max(1.0, window.width + movement.x() * step)
        self._session.window = WindowLevel(round(width), round(window.level + movement.y() * step))

    # --- the keyboard --------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Put the box where the keys have moved it before another key, Shift still held, does something with it.

        Return sets an end of the ruler before the action of the menu takes it.
        """
        is_first = event.type() is QEvent.Type.ShortcutOverride
        if is_first and isinstance(event, QKeyEvent) and event.key() not in (*_ARROWS, *_MODIFIERS):
            self._finish_nudging()
        is_for_ruler = self.crosshair.is_on and self.ruler.is_on and takes_return(event)
        return is_for_ruler or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Scroll slices; with Shift, move the box; with Ctrl and Shift, resize it; with Ctrl, pan. Or `_steer`."""
        key, modifiers = event.key(), event.modifiers()
        if self._steer(event):
            self._show_crosshair()
        elif key in _ARROWS and modifiers & Qt.KeyboardModifier.ShiftModifier:
            self._gesture.nudge(*_ARROWS[key], resize=bool(modifiers & Qt.KeyboardModifier.ControlModifier))
            self._forget_image()
        elif key in _ARROWS and modifiers & Qt.KeyboardModifier.ControlModifier:
            self._pan(*_ARROWS[key])
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and self._session.shown.comparison is Comparison.SWIPE:
            self._put_divider(self._session.shown.divider + _SWIPE_STEP * _ARROWS[key][1])
        elif key in _SCROLLS:
            self._session.go_to_slice(self._session.slice_index + _SCROLLS[key])
        else:
            event.ignore()

    def _steer(self, event: QKeyEvent) -> bool:
        """Move the crosshair while it is shown, or set an end of the ruler; return whether the key is for that."""
        key, modifiers = event.key(), event.modifiers()
        if self._viewport is None or not self.crosshair.is_on:
            return False
        if key in _ARROWS and not modifiers & ~Qt.KeyboardModifier.ShiftModifier & ~Qt.KeyboardModifier.KeypadModifier:
            step = _STRIDE if modifiers & Qt.KeyboardModifier.ShiftModifier else 1
            down, right = _ARROWS[key]
            self.crosshair.move(step * down, step * right, self._viewport.shape)
            return True
        is_for_ruler = self.ruler.is_on and is_return(event)
        if is_for_ruler and not event.isAutoRepeat():  # A key that is held would set both ends at once.
            self.crosshair.set_ruler_end()
        return is_for_ruler

    def _pan(self, down: int, right: int) -> None:
        """Show more of what lies below, or to the right."""
        if self._viewport:
            step = _PAN_STEP * min(self._pane_size)
            self._look(self._viewport.panned(QPointF(-right, -down) * step))

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Put the box where the keys have moved it once Shift is released."""
        if event.key() == Qt.Key.Key_Shift:
            self._finish_nudging()
        event.ignore()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """End what the keys have begun: the release of Shift will not come here."""
        self._finish_nudging()
        super().focusOutEvent(event)

    def _finish_nudging(self) -> None:
        if not self._gesture.is_by_mouse:
            self._gesture.finish()
            self._forget_image()
