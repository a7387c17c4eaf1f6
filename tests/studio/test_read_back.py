"""Read-back beside the sliders, and Best of N: ranked by how well the seeds obey, the best one in the slice."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QScrollArea

from engine.events import Finished
from engine.nodule import ATTRIBUTE_NAMES
from engine.plain_measures import PlainMeasures
from engine.reader_scores import reader_scores
from engine.score_reading import ScoreReading
from studio import reasons
from studio.history_list import Which
from studio.queue import SEEDS
from studio.slider_marks import is_far_off, readers_text, reading_text
from tests.scripted_engine import Gate, ScriptedRunner
from tests.studio.driving import LEFT, draw_box, generate, window_with

KEY, CONTROL, SHIFT = Qt.Key, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


class ReadingRunner(ScriptedRunner):
    """Reads texture as 1.0 with seed 0 and half a score more with each seed up to 8; the others are as asked for."""

    def __call__(self, request, job_id):
        for event in super().__call__(request, job_id):
            if isinstance(event, Finished):
                asked = zip(ATTRIBUTE_NAMES, request.attributes.scores, strict=True)
                scores = {name: ScoreReading(float(score), 0.5) for name, score in asked}
                seed = request.options.seed
                scores["texture"] = ScoreReading(min(5.0, 1.0 + 0.5 * seed) if seed < 9 else 2.0, 0.7)
                plain = PlainMeasures(121.0, 0.82, None, 0.64)
                measurement = replace(event.result.measurement, plain=plain, scores=scores)
                event = Finished(job_id, replace(event.result, measurement=measurement))
            yield event


@pytest.fixture
def reading(make_window, volume, monkeypatch):
    monkeypatch.setattr(reasons, "DEFAULT_SCORER", Path(__file__).parent)
    return window_with(make_window, volume, ReadingRunner(steps=1))


def rank(window, qtbot):
    draw_box(window)
    QTest.keyClick(window.view, KEY.Key_G, CONTROL | SHIFT)
    qtbot.waitUntil(lambda: window.strip.list.model().rowCount() == SEEDS and window.session.ranking != ())


def test_what_was_read_back_stands_beside_the_slider(reading, qtbot):
    rows = reading.panel.rows
    assert not rows["texture"].read.isVisible()
    draw_box(reading)
    generate(reading, qtbot)

    assert rows["texture"].read.text() == "reads 1.0 ± 0.7, Non-Solid/GGO"
    assert rows["texture"].read.property("role") == "warning"
    assert rows["sphericity"].read.text() == "reads 4.0 ± 0.5"
    assert "trained on LIDC's readers" in rows["sphericity"].read.toolTip()
    assert rows["sphericity"].read.property("role") == "muted"
    assert "64 % solid, circularity 0.82" in reading.panel.placing.status.text()
    assert "edge" not in reading.panel.placing.status.text()

    QTest.keyClick(rows["texture"].slider, KEY.Key_Left)
    assert rows["texture"].read.text() == "asked 5, reads 1.0 ± 0.7"
    QTest.keyClick(reading.view, KEY.Key_D)
    assert not rows["texture"].read.isVisible()


def test_the_panel_fits_a_window_of_1000_x_800_and_nothing_in_it_moves(reading, qtbot):
    area = reading.panel.findChild(QScrollArea)
    slider, generate_button = reading.panel.rows["texture"].slider, reading.panel.placing.generate

    def places():
        return [QRect(widget.mapTo(reading, QPoint()), widget.size()) for widget in (slider, generate_button)]

    draw_box(reading)
    before = places()
    reading.session.options = replace(reading.session.options, seed=2**31 - 1)  # So long that its line is wrapped.
    generate(reading, qtbot)
    qtbot.waitUntil(lambda: reading.session.plausibility != "")
    assert reading.panel.rows["texture"].read.isVisible()
    assert reading.size() == QSize(1000, 800)
    assert area.verticalScrollBar().maximum() == 0
    assert area.widget().width() == area.viewport().width()
    assert places() == before


def test_the_diamond_is_painted_where_the_reading_lies(reading, qtbot):
    slider = reading.panel.rows["texture"].slider
    draw_box(reading)
    before = slider.grab().toImage()
    generate(reading, qtbot)
    after = slider.grab().toImage()
    assert after.size() == before.size()

    changed = {
        x for x in range(after.width()) for y in range(after.height()) if before.pixel(x, y) != after.pixel(x, y)
    }
    ratio = after.devicePixelRatio()
    assert changed
    assert all(abs(x / ratio - slider.stop_x(1)) < 8 for x in changed)
    assert isinstance(after, QImage)


def test_best_of_ten_seeds_is_shown_and_the_history_is_ranked(reading, qtbot):
    rank(reading, qtbot)

    assert reading.session.candidate.result.request.options.seed == 8
    assert "Best of 10: seed 8" in reading.session.notice.text
    assert "0.0 off" in reading.session.notice.text
    assert reading.strip.which.currentText() == Which.RANKED.value
    model = reading.strip.list.model()
    listed = [model.index(row, 0).data(Qt.ItemDataRole.UserRole) for row in range(SEEDS)]
    offs = [entry.off for entry in listed]
    assert offs == sorted(offs)
    assert reading.strip.list.entry.options.seed == 8
    assert "off 0.0" in model.index(0, 0).data(Qt.ItemDataRole.AccessibleTextRole)
    tip = model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "Texture 5: Solid, reads 5.0 ± 0.7" in tip
    assert "Reads 0.0 off the scores asked for, on average" in tip


def test_a_new_result_brings_all_results_back(reading, qtbot):
    rank(reading, qtbot)
    QTest.keyClick(reading.view, KEY.Key_G)
    qtbot.waitUntil(lambda: reading.strip.list.model().rowCount() == SEEDS + 1)

    assert reading.strip.which.currentText() == Which.ALL.value


def test_each_run_is_ranked_when_its_own_seeds_have_ended(reading, qtbot):
    gate, session, ranked = Gate(1), reading.session, []
    reading.runner.on_step = lambda step: gate(step) if len(reading.runner.started) == 2 else None
    session.ranking_changed.connect(lambda: ranked.append((session.ranking, len(reading.runner.finished))))
    for seed in (0, 100):
        session.options = replace(session.options, seed=seed)
        draw_box(reading, column=40 + seed // 2)
        QTest.keyClick(reading.view, KEY.Key_G, CONTROL | SHIFT)
    gate.open()
    qtbot.waitUntil(lambda: session.queue.is_empty)
    whole = [len(ranking) for ranking, _ in ranked if ranking]
    assert whole == [SEEDS, SEEDS]
    assert ranked[0][1] < 2 * SEEDS


def test_what_was_cancelled_is_left_out(reading, qtbot):
    gate, runner = Gate(1), reading.runner
    runner.on_step = lambda step: gate(step) if len(runner.started) == 4 else None
    draw_box(reading)
    QTest.mouseClick(reading.panel.placing.best, LEFT)
    qtbot.waitUntil(lambda: len(runner.started) == 4)
    reading.queue.cancel_all()
    gate.open()
    qtbot.waitUntil(lambda: reading.session.ranking != ())

    assert len(reading.session.ranking) == 3
    assert "Best of 3: seed 2" in reading.session.notice.text


def test_it_takes_the_place_of_nothing_that_was_accepted(reading, qtbot):
    draw_box(reading)
    QTest.keyClick(reading.view, KEY.Key_G, CONTROL | SHIFT)
    qtbot.waitUntil(lambda: reading.session.candidate is not None)
    QTest.keyClick(reading.view, KEY.Key_A)
    accepted = reading.session.accepted
    qtbot.waitUntil(lambda: reading.session.ranking != ())

    assert reading.session.accepted == accepted
    assert reading.session.candidate is None


def test_without_a_scorer_it_says_why_nothing_can_be_ranked(make_window, volume, monkeypatch, tmp_path):
    monkeypatch.setattr(reasons, "DEFAULT_SCORER", tmp_path / "none")
    window = make_window()
    window.session.show_volume(volume)
    draw_box(window)

    assert not window.panel.placing.best.isEnabled()
    assert "scorer" in window.panel.placing.best.toolTip()
    assert window.panel.placing.rank_reason.isVisible()
    assert "scorer" in window.panel.placing.rank_reason.text()
    window.best_of.start()
    assert "scorer" in window.session.notice.text


def test_sliders_tell_how_readers_scored():
    table = reader_scores()

    assert set(table) == set(ATTRIBUTE_NAMES)
    assert all(sum(scores.shares) == pytest.approx(1, abs=0.001) for scores in table.values())
    assert table["texture"].shares[4] > 0.7
    assert readers_text("texture", 5, table["texture"]).startswith("74 % of LIDC's readings have texture 5")
    assert reading_text("margin", None, 3, ScoreReading(4.2, 0.5)) == "reads 4.2 ± 0.5"


@pytest.mark.parametrize(
    ("score", "deviation", "far"), [(2.1, 0.4, True), (1.9, 0.2, False), (2.8, 1.0, False), (3.1, 1.0, True)]
)
def test_a_reading_is_far_off_only_where_the_scorer_does_not_err_so_much(score, deviation, far):
    assert is_far_off(1, ScoreReading(score, deviation)) is far
    assert not is_far_off(None, ScoreReading(score, deviation))


def test_a_ranking_stays_in_sight_while_another_run_that_was_asked_for_before_goes_on(reading, qtbot):
    """What is asked for after it takes it out of sight: it would not be seen."""
    gate, session, runner, strip = Gate(1), reading.session, reading.runner, reading.strip
    runner.on_step = lambda step: gate(step) if len(runner.started) == SEEDS + 3 else None
    draw_box(reading)
    for _ in range(2):
        QTest.keyClick(reading.view, KEY.Key_G, CONTROL | SHIFT)
    qtbot.waitUntil(lambda: session.ranking != () and len(runner.started) == SEEDS + 3)
    qtbot.waitUntil(lambda: len(session.queue.waiting) == SEEDS - 3)
    assert "the history lists them" in session.notice.text
    assert strip.which.currentText() == Which.RANKED.value
    assert strip.list.model().rowCount() == SEEDS
    QTest.keyClick(reading.view, KEY.Key_G, SHIFT)
    assert strip.which.currentText() == Which.ALL.value
    gate.open()
    qtbot.waitUntil(lambda: session.queue.is_empty)
