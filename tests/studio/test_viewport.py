"""Zoom, pan and the mapping between slice and widget."""

import pytest
from PySide6.QtCore import QPointF

from studio.viewport import Framing, Viewport

FITTED = Viewport.fitted((800, 600), (100, 200), (1.0, 0.5))


def test_the_whole_slice_fits():
    rect = FITTED.image_rect
    assert rect.width() <= 800
    assert rect.height() <= 600
    assert (rect.center().x(), rect.center().y()) == pytest.approx((400, 300))


def test_what_is_square_in_mm_is_square_on_the_screen():
    assert FITTED.image_rect.width() == pytest.approx(FITTED.image_rect.height())


@pytest.mark.parametrize("viewport", [FITTED, FITTED.zoomed(5, QPointF(30, 40)), FITTED.panned(QPointF(-50, 70))])
def test_there_and_back(viewport):
    for point in ((0.0, 0.0), (12.5, 130.25), (100.0, 200.0)):
        assert viewport.to_image(viewport.to_widget(*point)) == pytest.approx(point)


def test_zooming_holds_the_point_under_the_mouse():
    mouse = QPointF(350, 250)
    assert FITTED.zoomed(2.5, mouse).to_image(mouse) == pytest.approx(FITTED.to_image(mouse))


def test_what_was_looked_at_is_shown_in_a_widget_of_another_size_and_at_its_nearest_if_it_cannot_be():
    viewport = FITTED.zoomed(5, QPointF(30, 40))
    larger = Viewport.fitted((1600, 900), (100, 200), (1.0, 0.5)).framed(viewport.framing)
    assert (larger.zoom, larger.centre, larger.size) == (viewport.zoom, viewport.centre, (1600, 900))
    lost = FITTED.framed(Framing(-1.0, -50.0, 1e9))
    assert lost.zoom > 0
    assert lost.centre == (0, 200)


def test_the_slice_cannot_be_lost():
    lost = FITTED.panned(QPointF(1e6, -1e6))
    assert lost.centre == (100, 0)
    assert 0 < FITTED.zoomed(1e-9, QPointF(0, 0)).zoom < FITTED.zoomed(1e9, QPointF(0, 0)).zoom < 1000
