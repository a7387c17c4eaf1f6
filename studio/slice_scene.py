"""Paints what a session has on the slice that is shown: boxes and outlines of nodules, and the words around."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter

from engine.ct import HUArray
from studio import comparison_painter, overlays, slice_painter, slice_texts
from studio.box_gesture import BoxGesture
from studio.own_nodule import own_masks, own_nodules
from studio.panes import Picture
from studio.placed import PlacedNodule
from studio.session import Session
from studio.slice_image import grey_image
from studio.slice_pictures import SlicePictures
from studio.viewport import Viewport


def paint_nodules(
    painter: QPainter, viewport: Viewport, session: Session, gesture: BoxGesture, hu: HUArray | None
) -> None:
    """Paint boxes and outlines, those that are switched on; a box that is being dragged in any case.

    `hu`, (rows, columns), is what the box tells the mean of.
    """
    if session.shown.outlines:
        # Of the nodule that waits nothing is to be seen while another is sketched.
        later = session.accepted_here if session.sketch_here else session.nodules_here
        for mask in (*own_masks(session, later), *(nodule.result.measurement.mask for nodule in later)):
            overlays.paint_outline(painter, viewport, mask)
    if session.shown.boxes or gesture.box or session.job:
        _paint_boxes(painter, viewport, session, gesture, hu)


def _paint_boxes(
    painter: QPainter, viewport: Viewport, session: Session, gesture: BoxGesture, hu: HUArray | None
) -> None:
    for nodule in (*own_nodules(session), *session.accepted_here):
        if nodule.place != session.box:
            slice_painter.paint_accepted(painter, viewport.box_rect(nodule.place.box))
    box = gesture.box or session.box_here
    if box is None:
        return
    rect = viewport.box_rect(box)
    if gesture.moved_nodule and not session.sketch_here:
        _paint_ghost(painter, rect, session, gesture.moved_nodule)
    text = slice_texts.box_text(box, viewport.spacing, hu)
    if session.sketch_here:
        text = f"{session.sketch_here.text}\n{text}"
    elif not gesture.box:
        text = f"{slice_texts.selected_text(session)}{text}"
    view = QRectF(0, 0, *viewport.size)
    slice_painter.paint_box(painter, rect, text, view, _progress(session, gesture))


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
    painter: QPainter,
    viewport: Viewport,
    session: Session,
    pictures: SlicePictures,
    picture: Picture,
    read_at: QPointF | None,
) -> None:
    """Paint the corners, the letters of orientation, the scale bar, and the colours if there are any.

    `read_at`, a point of the pane, is what the HU are told of.
    """
    if session.volume is None:
        return
    area = QRectF(0, 0, *viewport.size)
    texts = {
        "top left": slice_texts.slice_text(session.volume, session.slice_index),
        "top right": slice_texts.window_text(session),
        "bottom left": readout(pictures, picture, viewport.to_image(read_at)) if read_at else "",
    }
    if picture is Picture.BEFORE:
        texts["top right"] = "Before"
    elif picture is Picture.AFTER:
        texts["top left"] = "After"
    letters = slice_texts.orientation_letters(session.volume)
    texts["top left"] = slice_painter.beside(painter.font(), area, texts["top left"], texts["top right"], letters[2])
    slice_painter.paint_corners(painter, area, texts)
    slice_painter.paint_letters(painter, area, letters)
    slice_painter.paint_scale_bar(painter, area, viewport.zoom)
    if picture is Picture.DIFFERENCE:
        comparison_painter.paint_colour_bar(painter, area, session.window)


def readout(pictures: SlicePictures, picture: Picture, point: tuple[float, float]) -> str:
    """Return the HU of a picture at an image point, where before and after are seen in one both of them."""
    hu = pictures.hu(picture)
    if picture in (Picture.SWIPE, Picture.DIFFERENCE):
        return slice_texts.change_text(pictures.hu(Picture.BEFORE), hu, point)
    return slice_texts.cursor_text(hu, point)
