"""What tests of live pictures have in common: what the engine was asked for, sliders by mouse, waiting for the rest."""

from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest

from engine.events import EngineState, GenerationRequest, SketchRequest
from tests.scripted_engine import ScriptedRunner
from tests.studio.driving import LEFT, draw_box

#: A pixel in the box that `settle_in_box` draws.
INSIDE = (40, 50)


class RememberingRunner(ScriptedRunner):
    """Knows what it was asked for, by job id."""

    def __init__(self, **script):
        super().__init__(**script)
        self.asked = {}

    def __call__(self, request, job_id):
        self.asked[job_id] = request
        return super().__call__(request, job_id)

    @property
    def finished_sketches(self):
        return [job for job in self.finished if isinstance(self.asked[job], SketchRequest)]


def slide(window, attribute, *scores, let_go=True):
    """Press the slider of an attribute and drag it over scores."""
    slider = window.panel.rows[attribute].slider
    first, *others = (QPoint(round(slider.stop_x(score)), slider.height() // 2) for score in scores)
    QTest.mousePress(slider, LEFT, pos=first)
    for pos in others:
        QTest.mouseMove(slider, pos)
    if let_go:
        QTest.mouseRelease(slider, LEFT)


def sketched(window, qtbot, texture):
    """Wait until the nodule of that score is sketched in the box, and nothing else is on its way."""
    session = window.session

    def is_there():
        if session.sketch is None or session.engine.state is not EngineState.IDLE:
            return False
        request = session.sketch.made.request
        return (request.attributes.texture, request.box) == (texture, session.box_here)

    qtbot.waitUntil(is_there)
    return session.sketch


def settled(window, qtbot):
    """Wait until a full nodule waits in the box and nothing is on its way any more; return it."""
    session = window.session
    qtbot.waitUntil(lambda: session.candidate is not None and session.job is None and session.sketch is None)
    qtbot.waitUntil(lambda: session.engine.state is EngineState.IDLE)
    return session.candidate


def settle_in_box(window, qtbot):
    """Draw a box; in live mode the full nodule follows without a key."""
    draw_box(window)
    return settled(window, qtbot)


def made_in_full(window, qtbot):
    """Wait for longer than keys need to rest; return how many full nodules were begun since the window opened."""
    qtbot.wait(700)
    assert window.session.job is None
    return len([job for job in window.runner.started if isinstance(window.runner.asked[job], GenerationRequest)])
