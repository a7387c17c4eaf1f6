"""Suggested places and scores, how usual scores are, and the warning of a box outside the lungs."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.ct import CTVolume
from engine.events import SliceRequest
from engine.lungs import lung_mask, share_in_lung
from engine.nodule import BoundingBox, NoduleAttributes
from engine.prior import extent_in_box, plausibility_sentence
from studio import commands
from studio.session import LungsOnSlice
from tests.phantom import phantom_volume
from tests.studio.driving import LEFT, drag, draw_box

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
KEY = Qt.Key
#: Where the lung of the made-up chest is, and where its spine is: (row, column).
LUNG, SPINE = (262, 150), (358, 246)


@pytest.fixture(scope="module")
def chest():
    return phantom_volume(1)


@pytest.fixture
def chest_window(make_window, chest):
    """A window in which the made-up chest is open, and the keys go to the slice."""
    window = make_window()
    window.session.show_volume(chest)
    window.view.setFocus()
    return window


def suggested_box(window, qtbot, by=lambda window: QTest.keyClick(window.view, KEY.Key_P)):
    before = window.session.box
    by(window)
    qtbot.waitUntil(lambda: window.session.box not in (None, before))
    return window.session.box.box


@pytest.mark.parametrize(
    "by",
    [
        lambda window: QTest.keyClick(window.view, KEY.Key_P),
        lambda window: window.commands["Suggest a place"].trigger(),
        lambda window: QTest.mouseClick(window.panel.box.suggest_place, LEFT),
    ],
    ids=["key", "menu", "button"],
)
def test_a_suggested_place_lies_in_the_lungs(chest_window, chest, qtbot, by):
    box = suggested_box(chest_window, qtbot, by)
    assert share_in_lung(lung_mask(chest.slice_at(0)), box) >= 0.8
    assert 4 <= chest_window.session.box_side_mm <= 60


def test_each_press_suggests_another_place_and_each_can_be_undone(chest_window, qtbot):
    window = chest_window
    window.session.box = None
    boxes = [suggested_box(window, qtbot) for _ in range(3)]
    assert len(set(boxes)) == 3
    QTest.keyClick(window.view, KEY.Key_Z, CTRL)
    assert window.session.box_here == boxes[1]
    QTest.keyClick(window.view, KEY.Key_Z, CTRL | SHIFT)
    assert window.session.box_here == boxes[2]


def test_a_place_is_not_put_on_another_slice_than_it_was_drawn_for(make_window, chest, qtbot):
    window = make_window()
    hu = np.concatenate([chest.slice_at(0).hu[None]] * 2)
    window.session.show_volume(CTVolume(hu, chest.pixel_spacing, ((0.0, 0.0, 0.0), (0.0, 0.0, 2.5))))
    window.suggesting.suggest_place()
    window.session.go_to_slice(0)
    qtbot.waitUntil(lambda: not window.session.doing)
    assert window.session.box is None


def test_a_slice_without_lungs_is_told(window, qtbot):
    QTest.keyClick(window.view, KEY.Key_P)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert "no lung in this slice" in window.notice_bar.text.text()
    assert window.session.box is None


def test_without_a_ct_the_button_says_why_and_so_does_the_key(make_window):
    window = make_window()
    assert not window.panel.box.suggest_place.isEnabled()
    assert window.panel.box.suggest_place.toolTip() == "Open a chest CT first."
    assert window.panel.box.place.text() == "Open a chest CT first."
    window.commands["Suggest a place"].trigger()
    assert window.notice_bar.text.text() == "Open a chest CT first."


def test_suggested_scores_can_be_undone_and_the_seed_stays(window, qtbot):
    session = window.session
    session.attributes = before = NoduleAttributes(1, 1, 5, 5, 1)  # No reader gave these.
    QTest.keyClick(window.view, KEY.Key_P, SHIFT)
    qtbot.waitUntil(lambda: session.attributes != before)
    suggested = session.attributes
    assert None not in suggested.scores
    session.options = replace(session.options, seed=77)
    QTest.keyClick(window.view, KEY.Key_Z, CTRL)
    assert session.attributes == before
    assert window.panel.rows["texture"].slider.value() == 1
    assert session.options.seed == 77
    QTest.keyClick(window.view, KEY.Key_Z, CTRL | SHIFT)
    assert session.attributes == suggested


def test_how_usual_the_scores_are_follows_scores_and_size(window, qtbot):
    session, label = window.session, window.panel.plausibility

    def is_shown(side):
        return label.text() == plausibility_sentence(session.attributes, side and extent_in_box(side))

    qtbot.waitUntil(lambda: is_shown(None))
    assert label.text().startswith("A usual combination")
    for score in (1, 2, 3):  # Faster than they are looked up: the last one counts.
        session.attributes = NoduleAttributes(score, 1, 5, 5, 1)
    qtbot.waitUntil(lambda: is_shown(None))
    assert label.text().startswith("A rare combination")
    draw_box(window)
    qtbot.waitUntil(lambda: is_shown(14.0))
    assert "of this size" in label.text()


def test_the_box_of_a_generated_slice_is_as_large_as_its_nodule(window, qtbot):
    session, label = window.session, window.panel.plausibility
    session.attributes = NoduleAttributes(4, 4, 3, 4, 5)
    draw_box(window)
    with_room, tight = (plausibility_sentence(session.attributes, extent) for extent in (extent_in_box(14.0), 14.0))
    assert with_room != tight
    qtbot.waitUntil(lambda: label.text() == with_room)
    session.generated = SliceRequest(session.box_here, session.attributes, session.options, 0.7)
    qtbot.waitUntil(lambda: label.text() == tight)


def test_a_box_outside_the_lungs_is_warned_of_and_not_refused(chest_window, chest, qtbot):
    window, place = chest_window, chest_window.panel.box.place
    assert place.text() == "None drawn"
    commands.set_box(window.session, BoundingBox(*SPINE, 20, chest.slice_at(0).shape))
    assert place.text() == "14.0 mm"
    qtbot.waitUntil(lambda: window.session.share_in_lungs is not None)
    assert place.text() == "14.0 mm, outside the lungs"
    assert place.property("role") == "warning"
    assert window.panel.placing.generate.isEnabled()
    assert window.session.notice is None


def test_the_warning_stays_while_the_box_is_dragged_and_goes_at_once_when_it_is_in(chest_window, chest, qtbot):
    window, place = chest_window, chest_window.panel.box.place
    commands.set_box(window.session, BoundingBox(*SPINE, 20, chest.slice_at(0).shape))
    qtbot.waitUntil(lambda: window.session.share_in_lungs is not None)
    texts = []
    window.session.box_changed.connect(lambda: texts.append(place.text()))
    drag(window.view, (SPINE[0] + 10, SPINE[1] + 10), (LUNG[0] + 10, LUNG[1] + 10))
    assert window.session.share_in_lungs == 1.0
    assert texts == ["14.0 mm, 100 % in the lungs"]
    assert place.property("role") == "muted"


def test_lungs_that_are_found_after_their_series_was_closed_are_not_kept(make_window, chest, qtbot):
    window = make_window()
    window.session.show_volume(chest)
    commands.set_box(window.session, BoundingBox(*LUNG, 20, chest.slice_at(0).shape))
    window.session.close_volume()
    qtbot.waitUntil(lambda: window.lungs._task is None)
    assert window.session.lungs is None


def test_a_box_half_in_the_lungs_and_one_on_another_slice(window):
    mask = np.zeros((96, 120), np.bool_)
    mask[:, :50] = True
    session = window.session
    session.lungs = LungsOnSlice(session.volume, session.slice_index, mask)
    draw_box(window)
    assert window.panel.box.place.text() == "14.0 mm, only 50 % in the lungs"
    window.session.go_to_slice(0)
    assert window.panel.box.place.text() == "On slice 3"


def test_a_box_that_was_drawn_meanwhile_stays(chest_window, qtbot):
    chest_window.suggesting.suggest_place()
    own = draw_box(chest_window, 250, 140, 40)
    qtbot.waitUntil(lambda: not chest_window.session.doing)
    assert chest_window.session.box_here == own
