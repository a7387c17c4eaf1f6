"""The images of one trial, side by side, with one zoom and one window for all of them."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from engine.ct import CTSlice, WindowLevel
from engine.nodule import BoundingBox
from studio import slice_painter
from studio.slice_image import grey_image
from studio.slice_texts import width_level
from studio.theme import image_colour
from studio.viewport import Viewport

Point = tuple[float, float]

_GAP = 12.0
_CLICK = 4.0
_NOTCH = 120
_ZOOM_STEP = 1.2
_LEFT, _MIDDLE, _RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton, Qt.MouseButton.RightButton


class TrialView(QWidget):
    """Shows images and what is marked on them; knows nothing of trials and answers.

    Right-drag changes the window, middle-drag pans, the wheel zooms.

    Attributes
    ----------
    clicked : Signal(int, float, float)
        The image, from 0, and where in it: row and column.
    mark : (row, column) or None
        A mark on the first image.
    cross : (row, column) or None
        A cross that moves, on the first image.
    chosen : int or None
        The image with a frame.
    """

    clicked = Signal(int, float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images: tuple[CTSlice, ...] = ()
        self._pictures: list[QImage] = []
        self._viewport: Viewport | None = None
        self._is_fitted = True
        self._first = self._window = WindowLevel(1500, -600)
        self._box: BoundingBox | None = None
        self._pressed = self._last = QPointF()
        self.mark: Point | None = None
        self.cross: Point | None = None
        self.chosen: int | None = None
        self.setMinimumSize(320, 320)
        self.setAccessibleName("Image")
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    # --- what is shown -------------------------------------------------------------------------------

    @property
    def window_level(self) -> WindowLevel:
        """The window that is in use."""
        return self._window

    @property
    def viewport_now(self) -> Viewport | None:
        """How the first image lies in its pane; None without images."""
        return self._viewport

    def show_images(self, images: tuple[CTSlice, ...], box: BoundingBox | None, window: WindowLevel) -> None:
        """Show other images from scratch: fitted, in the window that is given, without marks."""
        self._images, self._box, self._first = images, box, window
        self.mark = self.cross = self.chosen = None
        self.reset()

    def reset(self) -> None:
        """Fit, and use the first window."""
        self.use_window(self._first)
        self._fit()

    def use_window(self, window: WindowLevel) -> None:
        """Show the images in another window."""
        self._window = window
        self._pictures = []
        self.update()

    def change_window(self, wider: float, higher: float) -> None:
        """Change width and level by so many steps, each a 400th of the width."""
        step = max(1.0, self._window.width / 400)
        width = max(1.0, self._window.width + wider * step)
        self.use_window(WindowLevel(round(width), round(self._window.level + higher * step)))

    def zoom(self, factor: float, around: QPointF | None = None) -> None:
        """Zoom around a point of a pane; around its middle if that is left out."""
        if self._viewport:
            self._is_fitted = False
            self._viewport = self._viewport.zoomed(factor, around or self._pane(0).center() - self._pane(0).topLeft())
            self.update()

    def zoom_to_box(self) -> None:
        """Show the box, with as much around it as it is wide on each side."""
        if self._viewport and self._box:
            self._fit()
            self._is_fitted = False
            rows, columns = self._viewport.shape
            self._viewport = replace(self._viewport, centre=self._box.centre)
            self.zoom(min(rows, columns) / (3 * self._box.side))

    def pan(self, movement: QPointF) -> None:
        """Move the images by so many pixels of the screen."""
        if self._viewport:
            self._is_fitted = False
            self._viewport = self._viewport.panned(movement)
            self.update()

    def set_mark(self, mark: Point | None) -> None:
        """Mark a point of the first image; None takes the mark away."""
        self.mark = mark
        self.update()

    def move_cross(self, down: float, right: float) -> None:
        """Move the cross by so many pixels of the image, from the middle of what is seen; it stays in view."""
        if self._viewport is None:
            return
        rows, columns = self._viewport.shape
        row, column = self.cross or self.mark or self._viewport.centre
        self.cross = (min(max(row + down, 0.0), float(rows)), min(max(column + right, 0.0), float(columns)))
        self._keep_in_view(self.cross)
        self.update()

    def choose(self, image: int | None) -> None:
        """Put a frame around an image; None takes it away."""
        self.chosen = image
        self.update()

    def _keep_in_view(self, point: Point) -> None:
        assert self._viewport is not None
        at, pane = self._viewport.to_widget(*point), self._pane(0).size()
        x = max(0.0, 24 - at.x()) - max(0.0, at.x() - pane.width() + 24)
        y = max(0.0, 24 - at.y()) - max(0.0, at.y() - pane.height() + 24)
        if (x or y) and not self._is_fitted:
            self._viewport = self._viewport.panned(QPointF(x, y))

    def _fit(self) -> None:
        self._is_fitted = True
        if self._images:
            size, first = self._pane(0).size(), self._images[0]
            self._viewport = Viewport.fitted((size.width(), size.height()), first.shape, first.pixel_spacing)
        self.update()

    def _pane(self, image: int) -> QRectF:
        count = max(1, len(self._images))
        width = (self.width() - _GAP * (count - 1)) / count
        return QRectF(image * (width + _GAP), 0, width, self.height())

    def _image_at(self, point: QPointF) -> int:
        return next((i for i in range(len(self._images)) if point.x() <= self._pane(i).right() + _GAP / 2), 0)

    def _viewport_of(self, image: int) -> Viewport:
        assert self._viewport is not None
        return replace(self._viewport, spacing=self._images[image].pixel_spacing)

    # --- painting ------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint each image in its pane."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.SmoothPixmapTransform | QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), image_colour("window" if len(self._images) > 1 else "view"))
        if not self._pictures:
            self._pictures = [grey_image(image.hu, self._window) for image in self._images]
        for number, picture in enumerate(self._pictures):
            pane = self._pane(number)
            painter.save()
            painter.setClipRect(pane)
            painter.fillRect(pane, image_colour("view"))
            painter.translate(pane.topLeft())
            self._paint_image(painter, number, picture, QRectF(0, 0, pane.width(), pane.height()))
            painter.restore()

    def _paint_image(self, painter: QPainter, number: int, picture: QImage, area: QRectF) -> None:
        viewport = self._viewport_of(number)
        painter.drawImage(viewport.image_rect, picture)
        if self._box:
            _paint_box(painter, viewport.box_rect(self._box))
        if number == 0 and self.mark:
            _paint_mark(painter, viewport.to_widget(*self.mark))
        if number == 0 and self.cross:
            _paint_cross(painter, viewport.to_widget(*self.cross))
        slice_painter.paint_scale_bar(painter, area, viewport.zoom)
        if number == len(self._images) - 1:
            slice_painter.paint_corners(painter, area, {"top right": width_level(self._window)})
        if len(self._images) > 1:
            slice_painter.paint_corners(painter, area, {"top left": ("Left", "Right")[number]})
        if number == self.chosen:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(image_colour("accent"), 3))
            painter.drawRect(area.adjusted(1.5, 1.5, -1.5, -1.5))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the images fitted, or their centre where it is."""
        if self._is_fitted:
            self._fit()
        elif self._viewport:
            size = self._pane(0).size()
            self._viewport = replace(self._viewport, size=(size.width(), size.height()))

    # --- the mouse -----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a click or a drag."""
        self._pressed = self._last = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Change the window, or pan."""
        moved = event.position() - self._last
        self._last = event.position()
        if event.buttons() & _RIGHT:
            self.change_window(moved.x(), moved.y())
        elif event.buttons() & _MIDDLE:
            self.pan(moved)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Tell where a click was; not those beside the image."""
        moved = event.position() - self._pressed
        if event.button() is not _LEFT or not self._images or max(abs(moved.x()), abs(moved.y())) > _CLICK:
            return
        number = self._image_at(event.position())
        viewport = self._viewport_of(number)
        row, column = viewport.to_image(event.position() - self._pane(number).topLeft())
        if 0 <= row <= viewport.shape[0] and 0 <= column <= viewport.shape[1]:
            self.clicked.emit(number, row, column)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom around the pointer."""
        pane = self._pane(self._image_at(event.position()))
        self.zoom(_ZOOM_STEP ** (event.angleDelta().y() / _NOTCH), event.position() - pane.topLeft())
        event.accept()


def _paint_box(painter: QPainter, rect: QRectF) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for ink, width in ((QColor(0, 0, 0, 150), 3.0), (image_colour("accent"), 1.25)):
        painter.setPen(QPen(ink, width))
        painter.drawRect(rect)


def _paint_mark(painter: QPainter, at: QPointF) -> None:
    """Paint a ring that leaves what it marks free."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for ink, width in ((QColor(0, 0, 0, 150), 4.0), (image_colour("accent"), 1.75)):
        painter.setPen(QPen(ink, width))
        painter.drawEllipse(at, 14.0, 14.0)


def _paint_cross(painter: QPainter, at: QPointF) -> None:
    """Paint a cross that is open in the middle."""
    for ink, width in ((QColor(0, 0, 0, 150), 3.5), (image_colour("text"), 1.25)):
        painter.setPen(QPen(ink, width))
        for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            painter.drawLine(at + QPointF(4 * x, 4 * y), at + QPointF(18 * x, 18 * y))
