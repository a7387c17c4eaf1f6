"""Drags of the box, as pure functions."""

import random

import pytest
from PySide6.QtCore import QPointF, QRectF

from engine.nodule import BoundingBox
from studio.box_drag import BoxDrag, Grip, grip_at, spanned

SHAPE = (96, 120)


@pytest.mark.parametrize(
    ("free", "box"),
    [
        ((60, 55), (40, 50, 20)),
        ((45, 80), (40, 50, 30)),
        ((20, 45), (20, 30, 20)),
        ((50, 20), (40, 20, 30)),
        ((20, 60), (20, 50, 20)),
    ],
)
def test_a_square_is_spanned_to_the_side_of_the_mouse(free, box):
    drawn = spanned((40, 50), free, SHAPE)
    assert (drawn.row, drawn.column, drawn.side) == box


def test_the_corner_that_stays_stays_where_there_is_no_room():
    drawn = spanned((90, 50), (200, 60), SHAPE)
    assert (drawn.row, drawn.column, drawn.side) == (90, 50, 6)
    drawn = spanned((90, 50), (-500, -500), SHAPE)
    assert (drawn.row, drawn.column, drawn.side) == (40, 0, 50)


def test_it_snaps_to_pixels():
    drawn = spanned((40.4, 49.6), (60.3, 70.4), SHAPE)
    assert (drawn.row, drawn.column, drawn.side) == (40, 50, 20)


def test_no_drag_whatever_leaves_the_slice():
    """`BoundingBox` itself refuses to be made off the slice."""
    draw = random.Random(0)
    for _ in range(3000):
        start, end = ((draw.uniform(-50, 150), draw.uniform(-50, 170)) for _ in range(2))
        box = BoundingBox.nearest(draw.uniform(0, 96), draw.uniform(0, 120), draw.uniform(2, 96), SHAPE)
        grip = draw.choice(list(Grip))
        moved = BoxDrag(grip, start, draw.choice((None, box)), SHAPE).to(*end)
        assert moved.slice_shape == SHAPE


def test_moving_keeps_the_side():
    box = BoundingBox(30, 40, 20, SHAPE)
    moved = BoxDrag(Grip.INSIDE, (35, 45), box, SHAPE).to(500, 10)
    assert (moved.row, moved.column, moved.side) == (76, 5, 20)


@pytest.mark.parametrize(
    ("grip", "end", "box"),
    [
        (Grip.BOTTOM_RIGHT, (60, 55), (30, 40, 30)),
        (Grip.TOP_LEFT, (25, 38), (25, 35, 25)),
        (Grip.TOP_RIGHT, (20, 62), (20, 40, 30)),
        (Grip.BOTTOM_LEFT, (52, 44), (30, 38, 22)),
    ],
)
def test_resizing_leaves_the_opposite_corner(grip, end, box):
    resized = BoxDrag(grip, (0, 0), BoundingBox(30, 40, 20, SHAPE), SHAPE).to(*end)
    assert (resized.row, resized.column, resized.side) == box


def test_small_boxes_can_still_be_moved():
    rect = QRectF(100, 100, 14, 14)
    assert grip_at(QPointF(107, 107), rect) is Grip.INSIDE
    assert grip_at(QPointF(114, 114), rect) is Grip.BOTTOM_RIGHT
    assert grip_at(QPointF(99, 115), rect) is Grip.BOTTOM_LEFT
    assert grip_at(QPointF(130, 107), rect) is Grip.NOTHING
