"""How a slice lies on the screen: zoom, pan and the mapping both ways."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRectF

from engine.nodule import BoundingBox

#: Share of the widget that a fitted slice fills.
_FITTED = 0.98
_SMALLEST_ZOOM, _LARGEST_ZOOM = 0.2, 120.0


@dataclass(frozen=True)
class Framing:
    """What part of a slice is looked at, in a widget of whatever size: its zoom and its centre, as in `Viewport`."""

    zoom: float
    row: float
    column: float


@dataclass(frozen=True)
class Viewport:
    """Maps pixels of the slice to the widget.

    Image points are (row, column), continuous; pixel (0, 0) covers [0, 1) x [0, 1).

    Attributes
    ----------
    zoom : float
        Widget pixels per mm, so that what is round in the patient is round on the screen.
    centre : (row, column)
        Image point in the middle of the widget.
    size : (width, height) of the widget
    shape : (rows, columns) of the slice
    spacing : (row, column) in mm
    """

    zoom: float
    centre: tuple[float, float]
    size: tuple[float, float]
    shape: tuple[int, int]
    spacing: tuple[float, float]

    @classmethod
    def fitted(cls, size: tuple[float, float], shape: tuple[int, int], spacing: tuple[float, float]) -> Viewport:
        """Return the viewport that shows the whole slice."""
        across = size[0] / (shape[1] * spacing[1])
        down = size[1] / (shape[0] * spacing[0])
        zoom = max(_SMALLEST_ZOOM, min(across, down) * _FITTED)
        return cls(zoom, (shape[0] / 2, shape[1] / 2), size, shape, spacing)

    @property
    def framing(self) -> Framing:
        """What part of the slice it shows."""
        return Framing(self.zoom, *self.centre)

    def framed(self, framing: Framing) -> Viewport:
        """Return the viewport that shows that part, or what can be shown that is nearest to it."""
        zoom = max(_SMALLEST_ZOOM, min(framing.zoom, _LARGEST_ZOOM))
        return replace(self, zoom=zoom, centre=self.kept_in((framing.row, framing.column)))

    def to_widget(self, row: float, column: float) -> QPointF:
        """Return where an image point is in the widget."""
        x = self.size[0] / 2 + (column - self.centre[1]) * self.spacing[1] * self.zoom
        y = self.size[1] / 2 + (row - self.centre[0]) * self.spacing[0] * self.zoom
        return QPointF(x, y)

    def to_image(self, point: QPointF) -> tuple[float, float]:
        """Return the image point, (row, column), at a point of the widget; it may lie off the slice."""
        row = self.centre[0] + (point.y() - self.size[1] / 2) / (self.spacing[0] * self.zoom)
        column = self.centre[1] + (point.x() - self.size[0] / 2) / (self.spacing[1] * self.zoom)
        return row, column

    @property
    def image_rect(self) -> QRectF:
        """The slice in the widget."""
        return QRectF(self.to_widget(0, 0), self.to_widget(*self.shape))

    def box_rect(self, box: BoundingBox) -> QRectF:
        """Return a box in the widget."""
        corner = self.to_widget(box.row + box.side, box.column + box.side)
        return QRectF(self.to_widget(box.row, box.column), corner)

    def zoomed(self, factor: float, around: QPointF) -> Viewport:
        """Return the viewport zoomed by a factor; the image point under `around` stays there."""
        zoom = max(_SMALLEST_ZOOM, min(self.zoom * factor, _LARGEST_ZOOM))
        held = self.to_image(around)
        zoomed = replace(self, zoom=zoom)
        now = zoomed.to_image(around)
        centre = (self.centre[0] + held[0] - now[0], self.centre[1] + held[1] - now[1])
        return replace(zoomed, centre=zoomed.kept_in(centre))

    def panned(self, movement: QPointF) -> Viewport:
        """Return the viewport after the slice was dragged by so many widget pixels."""
        row = self.centre[0] - movement.y() / (self.spacing[0] * self.zoom)
        column = self.centre[1] - movement.x() / (self.spacing[1] * self.zoom)
        return replace(self, centre=self.kept_in((row, column)))

    def kept_in(self, centre: tuple[float, float]) -> tuple[float, float]:
        """Return the point of the slice nearest to `centre`, so that the slice cannot be lost from view."""
        return min(max(centre[0], 0.0), self.shape[0]), min(max(centre[1], 0.0), self.shape[1])
