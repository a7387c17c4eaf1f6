"""A result that was exported opens again: slice, box, scores, seed and nodule."""

import json
import shutil
import threading
import time

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from engine import exports
from engine.ct import LUNG
from engine.ct_files import read_volume
from engine.events import Extension, GenerationRequest, SamplingOptions, SliceSource
from engine.exports import ExportOptions, export_files
from engine.nodule import BoundingBox, NoduleAttributes
from studio import commands, reopening
from studio.result_search import InputNotFound
from tests.engine.placed_nodules import make_whole_slice
from tests.scripted_engine import scripted_result
from tests.studio.driving import draw_box, generate
from tests.studio.made_slices import press_and_wait
from tests.studio.test_opening import drop

SERIES = np.random.default_rng(3).integers(-900, -700, (5, 96, 120)).astype(np.int16)


@pytest.fixture
def series(write_ct_series, tmp_path):
    """A folder with a CT of five slices."""
    write_ct_series(tmp_path / "series", SERIES, pixel_spacing=(0.7, 0.7))
    return tmp_path / "series"


@pytest.fixture
def exported(make_window, series, tmp_path, qtbot):
    """Export a nodule in the second slice; return an empty window, and the folder."""

    def place(formats=("NIfTI",), keep_history=False, extension=None):
        volume = read_volume(series)
        before = volume.slice_at(1)
        source = SliceSource(series, volume.headers[0].SeriesInstanceUID, 1, volume.description)
        box, options = BoundingBox(30, 40, 20, before.shape), SamplingOptions(seed=41, steps=2)
        request = GenerationRequest(before, box, NoduleAttributes(5, 4, 3, 2, 1), options, source, extension)
        result = scripted_result(request)
        export_files(volume, 1, result, tmp_path / "out", formats, ExportOptions(LUNG, keep_identity=True))
        window = make_window()
        if keep_history:
            window.history.record(result)
            qtbot.waitUntil(lambda: len(window.history.entries) == 1)
        return window, tmp_path / "out"

    return place


def shown(window, qtbot):
    qtbot.waitUntil(lambda: window.session.candidate is not None)
    return window.session.candidate


def check_restored(window, candidate):
    session, box = window.session, candidate.result.request.box
    assert (box.row, box.column, box.side) == (30, 40, 20)
    assert session.slice_index == candidate.slice_index == 1
    assert session.box_here == box
    assert (session.options.seed, session.options.steps) == (41, 2)
    assert session.attributes.scores == (5, 4, 3, 2, 1)
    assert candidate.result.slice.hu[box.slices] == pytest.approx(-100 + 41)
    outside = ~box.mask()
    assert (candidate.result.slice.hu[outside] == SERIES[1][outside]).all()


def test_a_request_is_dropped_and_shown_from_the_exported_slice(exported, qtbot):
    window, folder = exported()
    drop(window, folder / "request.json")
    check_restored(window, shown(window, qtbot))
    assert len(window.history.entries) == 1
    # Again it is the one in the history.
    window.session.close_volume()
    drop(window, folder)
    check_restored(window, shown(window, qtbot))
    assert len(window.history.entries) == 1


def test_an_older_export_of_a_synthetic_slice_still_says_so(exported, write_ct_series, series, qtbot):
    write_ct_series(series, SERIES, pixel_spacing=(0.7, 0.7), SyntheticData="YES")
    window, folder = exported()
    record = json.loads((folder / "request.json").read_text())
    del record["input"]["synthetic"]
    (folder / "request.json").write_text(json.dumps(record))
    drop(window, folder)
    assert shown(window, qtbot).result.request.source.is_synthetic


def test_it_opens_with_the_file_menu(exported, qtbot, monkeypatch):
    window, folder = exported()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, **__: (str(folder / "request.json"), ""))
    window.activateWindow()
    QTest.keyClick(window, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    check_restored(window, shown(window, qtbot))


def test_a_result_of_the_history_is_shown_without_the_exported_files(exported, qtbot):
    window, folder = exported(formats=(), keep_history=True)
    drop(window, folder / "request.json")
    check_restored(window, shown(window, qtbot))
    assert len(window.history.entries) == 1


def test_without_both_it_is_made_again_and_compared(exported, qtbot):
    window, folder = exported(formats=())
    drop(window, folder)
    check_restored(window, shown(window, qtbot))
    assert window.session.notice.text == "Made again as it was exported: the HU are the same, bit for bit."


def test_a_part_of_a_nodule_is_made_again_as_that_part(exported, qtbot):
    window, folder = exported(formats=(), extension=Extension("0" * 64, -2.5))
    drop(window, folder)
    assert shown(window, qtbot).result.request.extension == Extension("0" * 64, -2.5)


def test_another_generator_makes_another_nodule_and_that_is_said(exported, qtbot):
    window, folder = exported(formats=())
    record = json.loads((folder / "request.json").read_text())
    record["output"]["sha256"] = "0" * 64
    (folder / "request.json").write_text(json.dumps(record))
    drop(window, folder)
    shown(window, qtbot)
    assert window.session.notice.text.startswith("Made again, but not bit for bit")


def test_with_other_scores_it_is_not_compared(exported, qtbot, monkeypatch):
    window, folder = exported(formats=())
    make_now = window.placing.make

    def make_other(extension=None):
        window.session.attributes = NoduleAttributes(1, 1, 1, 1, 1)
        make_now(extension)

    monkeypatch.setattr(window.placing, "make", make_other)
    drop(window, folder)
    assert shown(window, qtbot).result.request.attributes.scores == (1, 1, 1, 1, 1)
    assert window.session.notice is None


def test_a_ct_that_was_moved_is_asked_for_and_the_result_follows(exported, series, tmp_path, qtbot):
    window, folder = exported()
    series.rename(tmp_path / "moved")
    drop(window, folder)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert window.session.notice.text == (
        "The CT of this result is not found on this computer: open it (series, slice 2), and the result follows."
    )
    drop(window, tmp_path / "moved")
    check_restored(window, shown(window, qtbot))


@pytest.fixture
def second(series, tmp_path):
    """Export, as pictures, a nodule in the second slice, which had another one by then; return what was exported."""
    volume = read_volume(series)
    hu = np.array(volume.slice_at(1).hu)
    hu[70:80, 20:30] = 40
    before = volume.slice_at(1).with_hu(hu)
    box, options = BoundingBox(30, 40, 20, before.shape), SamplingOptions(seed=41, steps=2)
    result = scripted_result(GenerationRequest(before, box, NoduleAttributes(5, 4, 3, 2, 1), options))
    export_files(volume, 1, result, tmp_path / "out", ["PNG"], ExportOptions(LUNG, keep_identity=True))
    return result


def test_a_nodule_beside_an_earlier_one_goes_into_the_history(second, make_window, tmp_path, qtbot):
    """The slice before it is that of the picture: the CT has none of both nodules."""
    window = make_window()
    drop(window, tmp_path / "out")
    qtbot.waitUntil(lambda: len(window.history.entries) == 1)
    found = window.history.read(window.history.entries[0].path)
    assert found.slice.sha256() == second.slice.sha256()
    assert found.before.sha256() == second.before.sha256()
    beside = "This nodule was made beside another one, which is not in slice 2 now"
    qtbot.waitUntil(lambda: beside in window.notice_bar.text.text())


def test_without_that_picture_the_export_of_the_earlier_one_is_asked_for(second, make_window, series, tmp_path, qtbot):
    (tmp_path / "out" / "before-16bit.png").unlink()
    window = make_window()
    drop(window, tmp_path / "out")
    qtbot.waitUntil(lambda: window.session.notice is not None)
    sentence = "This nodule was put into a slice that had another one already"
    earlier = "open slice.dcm of that one's export"
    assert window.session.notice.text == f"{sentence}: {earlier}, and the result follows."
    drop(window, series)
    there = f"{sentence}; {earlier}, and then the result again."
    qtbot.waitUntil(lambda: window.session.notice is not None and window.session.notice.text == there)


def test_a_slice_that_is_made_meanwhile_is_not_the_ct_that_is_asked_for(exported, series, tmp_path, qtbot):
    window, folder = exported()
    series.rename(tmp_path / "moved")
    drop(window, folder)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    press_and_wait(window, qtbot)
    drop(window, tmp_path / "moved")
    check_restored(window, shown(window, qtbot))


def test_another_ct_than_the_one_asked_for_is_told(exported, series, tmp_path, write_ct_series, chest, qtbot):
    window, folder = exported()
    shutil.rmtree(series)
    write_ct_series(tmp_path / "other", chest)
    drop(window, folder)
    qtbot.waitUntil(lambda: window.session.notice is not None)
    drop(window, tmp_path / "other")
    qtbot.waitUntil(
        lambda: window.session.notice is not None and "No slice" in window.session.notice.text, timeout=20000
    )
    assert len(window.session.volume) == len(chest)


def test_in_a_slice_with_accepted_nodules_only_the_settings_are_taken(exported, series, qtbot):
    window, folder = exported(formats=())
    window.open_path(series)
    qtbot.waitUntil(lambda: window.session.volume is not None)
    window.session.go_to_slice(1)
    window.view.setFocus()
    draw_box(window, row=5, column=5)
    generate(window, qtbot)
    commands.accept(window.session)
    drop(window, folder)
    qtbot.waitUntil(lambda: window.session.options.seed == 41)
    assert "undo the nodules" in window.session.notice.text
    assert window.session.candidate is None


def test_an_entry_of_a_journal_opens_too(exported, tmp_path, qtbot):
    window, _ = exported(formats=(), keep_history=True)
    entry = window.history.entries[0].path
    (tmp_path / "elsewhere").mkdir()
    entry = entry.rename(tmp_path / "elsewhere" / entry.name)
    drop(window, entry)
    check_restored(window, shown(window, qtbot))


def test_a_slice_that_was_made_whole_opens_from_its_files(make_window, tmp_path, qtbot):
    volume, result = make_whole_slice()
    exports.export_files(volume, 0, result, tmp_path / "out", ["NRRD"])
    window = make_window()
    drop(window, tmp_path / "out")
    qtbot.waitUntil(lambda: window.session.volume is not None)
    assert (window.session.volume.hu[0] == result.slice.hu).all()
    assert window.session.box_here == result.request.box
    assert window.session.options == result.request.options


@pytest.mark.parametrize("content", ["no JSON", "[]", "{}", '{"format_version": 1}'])
def test_what_is_no_request_is_told_in_one_sentence(make_window, tmp_path, qtbot, content):
    (tmp_path / "request.json").write_text(content)
    window = make_window()
    drop(window, tmp_path / "request.json")
    qtbot.waitUntil(lambda: window.session.notice is not None)
    assert "request.json" in window.session.notice.text
    assert window.session.volume is None


def test_a_second_result_is_opened_at_once_while_the_first_is_still_looked_for(exported, qtbot, monkeypatch):
    window, folder = exported()
    begun, go_on, find = threading.Event(), threading.Event(), reopening.find_result

    def look_long(*args):
        begun.set()
        assert go_on.wait(30)
        raise InputNotFound("The first one.")

    monkeypatch.setattr(reopening, "find_result", look_long)
    drop(window, folder)
    assert begun.wait(10)
    monkeypatch.setattr(reopening, "find_result", find)
    before = time.monotonic()
    drop(window, folder / "request.json")
    assert time.monotonic() - before < 5
    check_restored(window, shown(window, qtbot))
    go_on.set()
    qtbot.waitUntil(lambda: not window.session.doing)
    assert window.session.notice is None
    assert len(window.history.entries) == 1


def test_the_window_waits_at_its_end_for_every_search(exported, monkeypatch):
    window, folder = exported()
    go_on = threading.Event()
    monkeypatch.setattr(reopening, "find_result", lambda *args: go_on.wait(30))
    for _ in range(2):
        drop(window, folder)
    threading.Timer(0.2, go_on.set).start()
    window.close()
    assert "studio task" not in {thread.name for thread in threading.enumerate()}
