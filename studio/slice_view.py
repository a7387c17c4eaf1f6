"""The slice: shows it, scrolls it, and lets the box be drawn, moved and resized on it."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import (
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from engine.ct import WindowLevel
from studio import commands, overlays, slice_painter, slice_scene
from studio.box_drag import Grip, grip_at
from studio.box_gesture import BoxGesture
from studio.placing import Placing
from studio.reasons import hint
from studio.ruler import Ruler
from studio.session import Session
from studio.slice_image import grey_image
from studio.theme import colour
from studio.viewport import Viewport

#: A press that moves less than this, in widget pixels, is a click.
_CLICK = 4.0
_ZOOM_STEP = 1.2
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


class SliceView(QWidget):
    """One slice of the session's volume.

    Left-drag draws, moves or resizes the box; right-drag changes the window; middle-drag pans; the wheel scrolls
    slices, with Ctrl it zooms. Shift and an arrow key move the box by a pixel, with Ctrl too they resize it; that
    takes effect when Shift is released.
    """

    def __init__(self, session: Session, placing: Placing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._gesture = BoxGesture(session, placing)
        self._viewport: Viewport | None = None
        self._is_fitted = True
        self._is_smooth = True
        self._pressed = self._last = QPointF()
        self._cursor_at: QPointF | None = None
        self._turned = 0
        self._image: QImage | None = None
        self._tint: QImage | None = None
        self.ruler = Ruler()
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("CT slice")
        self.setMinimumSize(320, 320)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        for signal in (
            session.window_changed,
            session.job_changed,
            session.candidate_changed,
            session.accepted_changed,
            session.original_shown_changed,
        ):
            signal.connect(self._forget_image)
        session.shown_changed.connect(self._forget_image)
        session.lungs_changed.connect(self._forget_image)
        session.preview_changed.connect(self._show_preview)
        session.box_changed.connect(self.update)
        session.volume_changed.connect(self._show_volume)
        session.slice_index_changed.connect(self._drop_gesture)

    # --- what is shown -------------------------------------------------------------------------------

    @property
    def viewport_now(self) -> Viewport | None:
        """How the slice lies in the view; None if nothing is open."""
        return self._viewport

    def fit(self) -> None:
        """Show the whole slice."""
        volume = self._session.volume
        self._is_fitted = True
        if volume:
            size, shape = (self.width(), self.height()), volume.slice_at(0).shape
            self._viewport = Viewport.fitted(size, shape, volume.pixel_spacing)
        else:
            self._viewport = None
        self.update()

    def _show_volume(self) -> None:
        self.fit()
        self._drop_gesture()

    def zoom(self, factor: float, around: QPointF | None = None) -> None:
        """Zoom around a point of the widget; around its middle if that is left out."""
        if self._viewport:
            self._is_fitted = False
            self._viewport = self._viewport.zoomed(factor, around or QRectF(self.rect()).center())
            self.update()

    def show_pixels(self) -> None:
        """Show one column of the slice on one pixel of the screen."""
        if self._viewport:
            wanted = 1 / (self._viewport.spacing[1] * self.devicePixelRatioF())
            self.zoom(wanted / self._viewport.zoom)

    def set_smooth(self, smooth: bool) -> None:
        """Choose between smooth enlargement and plain pixels."""
        self._is_smooth = smooth
        self.update()

    def set_ruler(self, is_on: bool) -> None:
        """Let a left-drag measure, or draw boxes again; without a ruler nothing that was measured remains."""
        self.ruler.is_on = is_on
        self.ruler.clear()
        self.update()

    def cancel_gesture(self) -> bool:
        """End a drag of the box or of the ruler without effect; return whether there was one."""
        was_dragging = self._gesture.box is not None or self.ruler.is_dragged
        self._drop_gesture()
        return was_dragging

    def _forget_image(self) -> None:
        self._image = self._tint = None
        self.update()

    def _show_preview(self) -> None:
        """Repaint the box alone, unless the whole slice forms: painting takes time from the sampler."""
        self._image = None
        job = self._session.job
        if job and self._viewport and not self._session.is_slice_forming:
            self.update(self._viewport.box_rect(job.request.box).adjusted(-8, -44, 150, 12).toAlignedRect())
        else:
            self.update()

    def _drop_gesture(self) -> None:
        self._gesture.drop()
        self.ruler.clear()
        self._forget_image()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the slice, the boxes and the words."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("view"))
        volume, viewport = self._session.volume, self._viewport
        if viewport is None or volume is None:
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._is_smooth)
        painter.drawImage(viewport.image_rect, self._image_now())
        lungs = self._session.lungs_here if self._session.shown.lungs else None
        if lungs is not None:
            self._tint = self._tint or overlays.tint(lungs)
            painter.drawImage(viewport.image_rect, self._tint)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._session.original_shown:
            slice_scene.paint_nodules(painter, viewport, self._session, self._gesture)
        overlays.paint_ruler(painter, viewport, self.ruler)
        slice_scene.paint_words(painter, viewport, self._session, volume, self._cursor_at)
        advice = hint(self._session)
        if advice and self._gesture.box is None and not self.ruler.is_on:
            slice_painter.paint_hint(painter, QRectF(self.rect()), advice)

    def _image_now(self) -> QImage:
        if self._image is None:
            nodule = self._gesture.moved_nodule
            before = nodule.result.before if nodule else None
            hu = before.hu if before else self._session.shown_hu
            self._image = grey_image(hu, self._session.window, self._session.shown.inverted)
        return self._image

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the slice fitted, or its centre where it is."""
        if self._is_fitted:
            self.fit()
        elif self._viewport:
            self._viewport = replace(self._viewport, size=(self.width(), self.height()))

    # --- the mouse -----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a drag."""
        self._last = event.position()
        if event.button() is _LEFT and self._viewport:
            self._pressed = event.position()
            at = self._viewport.to_image(event.position())
            if self.ruler.is_on:
                self.ruler.press(at)
                return
            self._gesture.press(self._grip_at(event.position()), at, self._viewport.shape)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with a drag; show what is under the cursor."""
        movement = event.position() - self._last
        self._last = self._cursor_at = event.position()
        if event.buttons() & _LEFT and self.ruler.is_dragged and self._viewport:
            self.ruler.drag_to(self._viewport.to_image(event.position()))
        elif event.buttons() & _LEFT and self._gesture.is_by_mouse:
            self._drag_box(event.position())
        elif event.buttons() & _RIGHT:
            self._drag_window(movement)
        elif event.buttons() & _MIDDLE and self._viewport:
            self._is_fitted = False
            self._viewport = self._viewport.panned(movement)
        elif not event.buttons():
            grip = Grip.NOTHING if self.ruler.is_on else self._grip_at(event.position())
            self.setCursor(_CURSORS[grip])
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a drag; a click selects the accepted nodule under it."""
        if self.ruler.is_dragged:
            self.ruler.release()
            self.update()
            return
        if event.button() is _LEFT and self._gesture.is_by_mouse:
            was_drag = self._gesture.finish()
            self._forget_image()
            if not was_drag and self._grip_at(event.position()) is Grip.NOTHING:
                self._select_at(event.position())

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the cursor any more."""
        self._cursor_at = None
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll slices; with Ctrl, zoom."""
        turned = event.angleDelta().y()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(_ZOOM_STEP ** (turned / _NOTCH), event.position())
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
        for nodule in reversed(self._session.accepted_here):
            if self._viewport and self._viewport.box_rect(nodule.place.box).contains(point):
                commands.select(self._session, nodule)
                return

    def _drag_window(self, movement: QPointF) -> None:
        window = self._session.window
        step = max(1.0, window.width / 400)
        width = max(1.0, window.width + movement.x() * step)
        self._session.window = WindowLevel(round(width), round(window.level + movement.y() * step))

    # --- the keyboard --------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Scroll slices; with Shift, move the box; with Ctrl and Shift, resize it."""
        key, modifiers = event.key(), event.modifiers()
        if key in _ARROWS and modifiers & Qt.KeyboardModifier.ShiftModifier:
            self._gesture.nudge(*_ARROWS[key], resize=bool(modifiers & Qt.KeyboardModifier.ControlModifier))
            self._forget_image()
        elif key in _SCROLLS:
            self._session.go_to_slice(self._session.slice_index + _SCROLLS[key])
        else:
            event.ignore()

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
