"""The session: fields that announce changes, and what is derived from them."""

import numpy as np
import pytest

from engine.ct import BONE
from studio.session import LungsOnSlice, Session


@pytest.fixture
def session(qapp, volume):
    session = Session()
    session.show_volume(volume)
    return session


def test_each_field_has_a_signal_that_tells_of_a_change(session, qtbot):
    with qtbot.waitSignal(session.window_changed):
        session.window = BONE
    with qtbot.assertNotEmitted(session.window_changed):
        session.window = BONE


def test_fields_of_two_sessions_are_apart(session):
    other = Session()
    other.slice_index = 4
    assert session.slice_index == 2
    assert other.volume is None


def test_no_signal_shows_an_index_that_the_volume_lacks(session, volume):
    """Widgets look at the session at every signal."""
    seen = []
    for signal in (session.volume_changed, session.slice_index_changed, session.candidate_changed):
        signal.connect(lambda: seen.append(session.shown_hu))
    session.go_to_slice(4)
    from dataclasses import replace

    small = replace(volume, hu=volume.hu[:2], positions=volume.positions[:2])
    session.show_volume(small)
    assert session.slice_index == 1
    assert seen[-1].shape == (96, 120)


@pytest.mark.parametrize(("index", "shown"), [(-5, 0), (3, 3), (99, 4)])
def test_slices_beyond_the_ends_are_the_last_ones(session, index, shown):
    session.go_to_slice(index)
    assert session.slice_index == shown


def test_an_empty_session_shows_nothing(qapp):
    session = Session()
    session.go_to_slice(3)
    assert session.slice_index == 0
    assert session.shown_hu is None
    assert session.slice_with_accepted(0) is None
    assert session.nodule_in_box is None


def test_nothing_keeps_a_series_that_was_closed(session, volume):
    session.lungs = LungsOnSlice(volume, 2, np.zeros((96, 120), np.bool_))
    session.close_volume()
    assert session.lungs is None
