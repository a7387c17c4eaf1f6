"""Paints what a session has on the slice that is shown: boxes and outlines of nodules, and the words around."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter

from engine.ct import CTVolume
from studio import overlays, slice_painter, slice_texts
from studio.box_gesture import BoxGesture
from studio.session import PlacedNodule, Session
from studio.slice_image import grey_image
from studio.viewport import Viewport


def paint_nodules(painter: QPainter, viewport: Viewport, session: Session, gesture: BoxGesture) -> None:
    """Paint boxes and outlines, those that are switched on; a box that is being dragged in any case."""
    if session.shown.outlines:
        for nodule in session.nodules_here:
            overlays.paint_outline(painter, viewport, nodule.result.measurement.mask)
    if session.shown.boxes or gesture.box or session.job:
        _paint_boxes(painter, viewport, session, gesture)


def _paint_boxes(painter: QPainter, viewport: Viewport, session: Session, gesture: BoxGesture) -> None:
    for nodule in session.accepted_here:
        if nodule.place != session.box:
            slice_painter.paint_accepted(painter, viewport.box_rect(nodule.place.box))
    box = gesture.box or session.box_here
    if box is None:
        return
    rect = viewport.box_rect(box)
    if gesture.moved_nodule:
        _paint_ghost(painter, rect, session, gesture.moved_nodule)
    text = slice_texts.box_text(box, viewport.spacing, session.shown_hu)
    slice_painter.paint_box(painter, rect, text, _progress(session, gesture))


def _paint_ghost(painter: QPainter, rect: QRectF, session: Session, nodule: PlacedNodule) -> None:
    """Paint the nodule that is being moved, half transparent: what forms there will differ."""
    patch = nodule.result.slice.hu[nodule.place.box.slices]
    painter.setOpacity(0.6)
    painter.drawImage(rect, grey_image(patch, session.window, session.shown.inverted))
    painter.setOpacity(1.0)


def _progress(session: Session, gesture: BoxGesture) -> float | None:
    preview = session.preview
    if session.job is None or gesture.box:
        return None
    return preview.step / preview.steps if preview else 0.0


def paint_words(
    painter: QPainter, viewport: Viewport, session: Session, volume: CTVolume, cursor_at: QPointF | None
) -> None:
    """Paint the corners, the letters of orientation and the scale bar."""
    area = QRectF(0, 0, *viewport.size)
    point = viewport.to_image(cursor_at) if cursor_at else None
    texts = {
        "top left": slice_texts.slice_text(volume, session.slice_index),
        "top right": slice_texts.window_text(session),
        "bottom left": slice_texts.cursor_text(session, point),
    }
    slice_painter.paint_corners(painter, area, texts)
    slice_painter.paint_letters(painter, area, slice_texts.orientation_letters(volume))
    slice_painter.paint_scale_bar(painter, area, viewport.zoom)
