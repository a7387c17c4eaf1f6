"""The area that shows a slice: where it lies, and how it is painted, in one pane or in two that move as one."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QMarginsF, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from studio import comparison_painter, overlays, slice_painter, slice_scene
from studio.box_gesture import BoxGesture
from studio.crosshair import Crosshair
from studio.panes import Pane, Picture, panes_of
from studio.placing import Placing
from studio.ruler import Point, Ruler
from studio.session import Session
from studio.shown import Comparison
from studio.slice_pictures import SlicePictures
from studio.slice_texts import side_text, slice_text
from studio.theme import image_colour
from studio.viewport import Viewport

#: Width and height in widget pixels: with a ladder or a grid, the window has to fit on a screen of 960 x 540.
_LEAST = (200, 100)
#: Widget pixels of the slice that are to be seen around a box.
_AROUND_BOX = 48.0
#: Widget pixels around a box in which its handles, its progress and its words are painted, wherever there is room.
_BOX_WORDS = QMarginsF(200, 80, 200, 80)


class SliceCanvas(QWidget):
    """Shows one slice of the session's volume. Points of image and viewport are those of a pane, from its corner.

    Attributes
    ----------
    crosshair_changed : Signal(bool)
        The crosshair is shown from now on, or hidden.
    """

    crosshair_changed = Signal(bool)

    def __init__(self, session: Session, placing: Placing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._gesture = BoxGesture(session, placing)
        self._pictures = SlicePictures(session, self._gesture)
        self._viewport: Viewport | None = None
        self._is_smooth = True
        self._has_ring = False
        self._cursor_at: QPointF | None = None
        self._cursor_pane: Pane | None = None
        self._tint: QImage | None = None
        self.ruler = Ruler()
        self.crosshair = Crosshair(self.ruler)
        self.setAccessibleName("CT slice")
        self.setMinimumSize(*_LEAST)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        for signal in (
            session.window_changed,
            session.job_changed,
            session.sketch_changed,
            session.candidate_changed,
            session.accepted_changed,
            session.original_shown_changed,
            session.lungs_changed,
        ):
            signal.connect(self._forget_image)
        session.framing_changed.connect(self._frame)
        session.shown_changed.connect(self._show_panes)
        session.preview_changed.connect(self._show_preview)
        for signal in (session.box_changed, session.made_whole_changed):
            signal.connect(self.update)
        # First of all: the pixel may not be there any more when the new slice is described.
        session.volume_changed.connect(self._drop_crosshair)
        for signal in (session.slice_index_changed, session.volume_changed, session.box_changed):
            signal.connect(self._describe)

    def _describe(self) -> None:
        """Tell screen readers what the crosshair reads, which slice is shown, and where its box is."""
        volume, index, box = self._session.volume, self._session.slice_index, self._session.box_here
        words = slice_text(volume, index).splitlines() if volume and index < len(volume) else ["Nothing is open"]
        if volume and box:
            words.append(f"box of {side_text(box, volume.pixel_spacing)} at row {box.row}, column {box.column}")
        self.setAccessibleDescription(", ".join([*self._readout(), *words]))

    def _readout(self) -> list[str]:
        """Return the pixel under the crosshair, its HU, and the length of the ruler; nothing while it is not shown."""
        at, viewport = self.crosshair.at, self._viewport
        if at is None or viewport is None or not self.crosshair.is_on:
            return []
        # Side by side, each pane tells its own HU; words have one place for both, as a swipe has.
        picture = self.panes[0].picture if len(self.panes) == 1 else Picture.SWIPE
        words = slice_scene.readout(self._pictures, picture, at).replace("  ", "\n").splitlines()
        length = f"ruler {self.ruler.length_mm(viewport.spacing):.1f} mm"
        return [*words, length] if self.ruler.end else words

    # --- where the slice lies ------------------------------------------------------------------------

    @property
    def viewport_now(self) -> Viewport | None:
        """How the slice lies in a pane; None if nothing is open."""
        return self._viewport

    @property
    def panes(self) -> tuple[Pane, ...]:
        """The parts that show the slice. While the original is wanted, one pane shows nothing else."""
        comparison = self._session.shown.comparison
        if self._session.original_shown and comparison is not Comparison.SIDE_BY_SIDE:
            comparison = Comparison.NONE
        return panes_of(comparison, self.width(), self.height())

    @property
    def _pane_size(self) -> tuple[float, float]:
        area = self.panes[0].area
        return area.width(), area.height()

    @property
    def scale_bar_area(self) -> QRectF:
        """Where the last scale bar is, in widget pixels; empty if nothing is open."""
        if self._viewport is None:
            return QRectF()
        return slice_painter.scale_bar_area(self.font(), self.panes[-1].area, self._viewport.zoom)

    def fit(self) -> None:
        """Show the whole slice."""
        self._session.framing = None

    def zoom(self, factor: float, around: QPointF | None = None) -> None:
        """Zoom around a point of a pane; around its middle if that is left out."""
        if self._viewport:
            width, height = self._pane_size
            self._look(self._viewport.zoomed(factor, around or QPointF(width / 2, height / 2)))

    def show_pixels(self) -> None:
        """Show one column of the slice on one pixel of the screen."""
        if self._viewport:
            wanted = 1 / (self._viewport.spacing[1] * self.devicePixelRatioF())
            self.zoom(wanted / self._viewport.zoom)

    def show_box(self) -> None:
        """Bring the box to the middle, unless it is in sight with something around it."""
        viewport, box = self._viewport, self._session.box_here
        around = QMarginsF(_AROUND_BOX, _AROUND_BOX, _AROUND_BOX, _AROUND_BOX)
        if viewport and box and not QRectF(0, 0, *self._pane_size).contains(viewport.box_rect(box) + around):
            self._look(replace(viewport, centre=box.centre))

    def _show_crosshair(self) -> None:
        """Show and tell where the crosshair is now; bring it to the middle if it is out of sight."""
        at = self.crosshair.at
        if at and self._viewport and not self._is_in_sight(at):
            self._look(replace(self._viewport, centre=at))
        self._describe()
        self.update()

    def _is_in_sight(self, at: Point) -> bool:
        return self._viewport is not None and QRectF(0, 0, *self._pane_size).contains(self._viewport.to_widget(*at))

    def _look(self, viewport: Viewport) -> None:
        """Show the slice as the user wants it: no longer fitted."""
        self._session.framing = viewport.framing

    def _frame(self) -> None:
        """Show what part of the slice the session says: all of it, fitted, or with that zoom around that centre."""
        volume, framing = self._session.volume, self._session.framing
        if volume:
            fitted = Viewport.fitted(self._pane_size, volume.slice_at(0).shape, volume.pixel_spacing)
            self._viewport = fitted.framed(framing) if framing else fitted
        else:
            self._viewport = None
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the slice fitted, or its centre where it is."""
        self._frame()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Have a ring if the keyboard has led here; after a click it would only be in the way."""
        self._has_ring = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Have no ring."""
        self._has_ring = False
        super().focusOutEvent(event)

    # --- what is shown -------------------------------------------------------------------------------

    def set_smooth(self, smooth: bool) -> None:
        """Choose between smooth enlargement and plain pixels."""
        self._is_smooth = smooth
        self.update()

    def set_ruler(self, is_on: bool) -> None:
        """Let a left-drag measure, or draw boxes again; without a ruler nothing that was measured remains."""
        self.ruler.is_on = is_on
        self.ruler.clear()
        self._describe()
        self.update()

    def set_crosshair(self, is_on: bool) -> None:
        """Show a crosshair that the arrow keys move, or hide it; without a slice there is none.

        It begins where it was last, else in the middle of the box, else of the view: in sight in any case.
        """
        viewport, box = self._viewport, self._session.box_here
        self.crosshair.is_on = is_on and viewport is not None
        if viewport and self.crosshair.is_on:
            starts = (self.crosshair.at, box.centre if box else None)
            in_sight = (at for at in starts if at and self._is_in_sight(at))
            self.crosshair.put(next(in_sight, viewport.centre), viewport.shape)
            self.setFocus()  # Or the arrow keys would go elsewhere.
        else:
            self.ruler.release()
        self.crosshair_changed.emit(self.crosshair.is_on)
        self._describe()
        self.update()

    def _drop_crosshair(self) -> None:
        self.crosshair.pixel = None
        self.set_crosshair(False)

    @property
    def _read_at(self) -> QPointF | None:
        """Where HU are read, in a pane: at the crosshair while that is shown, else under the mouse."""
        at, viewport = self.crosshair.at, self._viewport
        return viewport.to_widget(*at) if at and viewport and self.crosshair.is_on else self._cursor_at

    def _forget_image(self) -> None:
        self._pictures.forget()
        self._tint = None
        if self.crosshair.is_on:  # It may read something else now.
            self._describe()
        self.update()

    def _show_panes(self) -> None:
        """Show what is switched on, in as many panes as that takes."""
        if self._viewport and self._viewport.size != self._pane_size:
            self._cursor_at = self._cursor_pane = None
            self._frame()
        self._forget_image()

    def _show_preview(self) -> None:
        """Repaint the box alone, unless the whole slice forms: painting takes time from the sampler."""
        self._pictures.forget()
        job = self._session.job
        if job is None or self._viewport is None or self._session.is_slice_forming:
            self.update()
            return
        around = self._viewport.box_rect(job.request.box).marginsAdded(_BOX_WORDS)
        for pane in self.panes:
            self.update(around.translated(pane.area.topLeft()).intersected(pane.area).toAlignedRect())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the slice, the boxes and the words."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), image_colour("view"))
        viewport = self._viewport
        if viewport is None:
            return
        for pane in self.panes:
            painter.save()
            painter.setClipRect(pane.area)
            painter.translate(pane.area.topLeft())
            self._paint_pane(painter, viewport, pane)
            painter.restore()
        if len(self.panes) > 1:
            comparison_painter.paint_border(painter, self.panes)
        if self._has_ring:
            slice_painter.paint_focus(painter, QRectF(self.rect()))

    def _paint_pane(self, painter: QPainter, viewport: Viewport, pane: Pane) -> None:
        session = self._session
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self._is_smooth)
        if pane.picture is Picture.SWIPE:
            comparison_painter.paint_swipe(painter, viewport, self._pictures, session.shown.divider)
        else:
            painter.drawImage(viewport.image_rect, self._pictures.image(pane.picture))
        lungs = session.lungs_here if session.shown.lungs else None
        if lungs is not None:
            self._tint = self._tint or overlays.tint(lungs)
            painter.drawImage(viewport.image_rect, self._tint)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not session.original_shown:
            slice_scene.paint_nodules(painter, viewport, session, self._gesture, self._pictures.hu(pane.picture))
        overlays.paint_ruler(painter, viewport, self.ruler)
        if pane.picture is Picture.SWIPE:
            comparison_painter.paint_divider(painter, viewport, session.shown.divider)
        if self.crosshair.is_on and self.crosshair.at:
            overlays.paint_crosshair(painter, viewport, self.crosshair.at)
        elif self._cursor_at and self._cursor_pane in self.panes and self._cursor_pane != pane:
            comparison_painter.paint_cross(painter, self._cursor_at)
        slice_scene.paint_words(painter, viewport, session, self._pictures, pane.picture, self._read_at)
