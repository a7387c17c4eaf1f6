"""What tests of the last session and of projects share: windows in which was worked, and what is left of them."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.ct import WindowLevel
from studio.autosave import read_session
from studio.shown import Comparison, Shown
from tests.studio.driving import draw_box, generate

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
KEY = Qt.Key


@pytest.fixture
def ct(tmp_path, write_ct_series):
    """A folder of five DICOM slices of noise."""
    hu = np.random.default_rng(0).integers(-900, -700, (5, 96, 120)).astype(np.int16)
    return write_ct_series(tmp_path / "ct", hu)[0].parent


@pytest.fixture
def worked(make_window, ct, qtbot):
    """A window with an accepted nodule, one that waits, a window of its own and the fourth slice shown."""
    window = make_window()
    window.open_path(ct)
    qtbot.waitUntil(lambda: window.session.volume is not None)
    draw_box(window)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    draw_box(window, 60, 80, 16)
    QTest.keyClick(window.view, KEY.Key_N)
    generate(window, qtbot)
    window.panel.rows["margin"].slider.setValue(2)
    window.session.window = WindowLevel(400, 40)
    window.session.shown = Shown(outlines=True, inverted=True, comparison=Comparison.SIDE_BY_SIDE)
    window.session.go_to_slice(3)
    return window


@pytest.fixture
def made(make_window, qtbot, with_generator):
    """A window with a slice that was made, a nodule that is accepted in it and one that waits."""
    window = make_window()
    QTest.keyClick(window, KEY.Key_G, CTRL)
    qtbot.waitUntil(lambda: window.session.made_whole is not None)
    window.view.setFocus()
    draw_box(window, 20, 20, 12)
    generate(window, qtbot)
    QTest.keyClick(window.view, KEY.Key_A)
    draw_box(window, 200, 20, 12)
    generate(window, qtbot)
    return window


def saved(window, tmp_path, qtbot):
    """Wait until what is shown is in the file; return it."""
    qtbot.waitUntil(lambda: not window.autosave._timer.isActive())
    window.autosave._writer.submit(lambda: None).result()
    return read_session(tmp_path / "session.json")


def assert_same(session, other):
    assert session.volume.source == other.volume.source
    assert (session.slice_index, session.window, session.box) == (other.slice_index, other.window, other.box)
    assert (session.attributes, session.options) == (other.attributes, other.options)
    assert session.shown == other.shown
    assert (session.candidate is None) == (other.candidate is None)
    nodules = ((*each.accepted, *filter(None, [each.candidate])) for each in (session, other))
    for one, another in zip(*nodules, strict=True):
        assert one.slice_index == another.slice_index
        np.testing.assert_array_equal(one.result.slice.hu, another.result.slice.hu)
    assert len(session.not_exported) == len(other.not_exported)
