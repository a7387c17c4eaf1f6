"""The whole path with the real engine, on a tiny checkpoint of random weights: only the nodule is not one."""

from functools import partial

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine import journal
from engine.job_runner import default_runner
from tests.checkpoints import save_tiny_checkpoint
from tests.studio.driving import LEFT, draw_box

KEY = Qt.Key


@pytest.fixture
def real(make_window, volume, tmp_path):
    """A window with the real engine; results are recorded in `tmp_path / "journal"`."""
    checkpoint = save_tiny_checkpoint(tmp_path / "checkpoint")
    window = make_window(
        open_runner=partial(default_runner, checkpoint), record=partial(journal.record, folder=tmp_path / "journal")
    )
    window.session.show_volume(volume)
    return window


def test_a_nodule_is_placed_accepted_recorded_and_exported(real, tmp_path, qtbot):
    session, before = real.session, real.session.volume.hu[2]
    box = draw_box(real)
    steps = []
    session.preview_changed.connect(lambda: session.preview and steps.append(session.preview.step))
    QTest.keyClick(real.view, KEY.Key_G)
    qtbot.waitUntil(lambda: session.candidate is not None)
    assert steps == sorted(steps)
    assert steps[-1] <= session.options.steps
    after = session.candidate.result.slice.hu
    outside = np.ones(before.shape, bool)
    outside[box.slices] = False
    assert (after[outside] == before[outside]).all()
    assert (after[box.slices] != before[box.slices]).any()
    assert len(journal.entries(tmp_path / "journal")) == 1
    QTest.keyClick(real.view, KEY.Key_A)
    QTest.keyClick(real.view, KEY.Key_E, Qt.KeyboardModifier.ControlModifier)
    from studio.export_dialog import ExportDialog

    dialog = real.findChild(ExportDialog)
    dialog.folder.setText(str(tmp_path / "out"))
    QTest.mouseClick(dialog.export, LEFT)
    qtbot.waitUntil(lambda: bool(session.exported))
    assert (tmp_path / "out" / "slice-003" / "slice.dcm").is_file()


def test_the_same_seed_gives_the_same_nodule(real, qtbot):
    session = real.session
    draw_box(real)
    found = []
    for _ in range(2):
        QTest.keyClick(real.view, KEY.Key_G)
        qtbot.waitUntil(lambda: session.candidate is not None and session.job is None)
        found.append(session.candidate.result.slice.hu)
        QTest.keyClick(real.view, KEY.Key_D)
    assert (found[0] == found[1]).all()
