"""Read-back: with every result, in the journal and in exports; and none where there is no scorer."""

import numpy as np
import pytest

from engine import history, journal, read_back
from engine.checkpoint import load_checkpoint
from engine.ct import CTSlice
from engine.events import Finished, GenerationRequest, SamplingOptions
from engine.generation import place_nodule
from engine.measurement_record import measurement_of, measurement_record
from engine.nodule import ATTRIBUTE_NAMES, BoundingBox, NoduleAttributes
from engine.score_reading import ScoreReading, differences, distance_from_request
from tests.checkpoints import save_tiny_checkpoint
from tests.scorers import save_tiny_scorer

ASKED = NoduleAttributes(4, 4, 1, None, 5)
READ = dict(zip(ATTRIBUTE_NAMES, (ScoreReading(score, 0.5) for score in (4.5, 3.0, 1.5, 3.0, 5.0)), strict=True))


@pytest.fixture
def scorer_folder(tmp_path, monkeypatch):
    folder = tmp_path / "scorer"
    monkeypatch.setattr(read_back, "DEFAULT_SCORER", folder)
    read_back._scorer.cache_clear()
    yield folder
    read_back._scorer.cache_clear()


def test_distance_is_the_mean_over_what_was_asked_for():
    assert differences(ASKED, READ) == {"sphericity": 0.5, "margin": -1.0, "lobulation": 0.5, "texture": 0.0}
    assert distance_from_request(ASKED, READ) == pytest.approx(0.5)
    assert distance_from_request(ASKED, None) is None
    assert distance_from_request(NoduleAttributes(None, None, None, None, None), READ) is None


def nodule():
    rows, columns = np.indices((96, 96)) + 0.5
    disc = np.hypot(rows - 46, columns - 56) < 7
    hu = np.where(disc, 30, -850) + np.random.default_rng(0).normal(0, 10, disc.shape)
    return CTSlice(hu.astype(np.float32), (0.7, 0.7)), BoundingBox(34, 44, 24, (96, 96))


def test_measured_and_read_together(scorer_folder):
    ct_slice, box = nodule()
    save_tiny_scorer(scorer_folder)

    measurement = read_back.measure_and_read(None, ct_slice, box)

    assert set(measurement.scores) == set(ATTRIBUTE_NAMES)
    assert measurement.plain.solid_part > 0.5


def test_without_a_scorer_or_with_a_damaged_one_all_else_is_measured(scorer_folder, caplog):
    ct_slice, box = nodule()
    assert read_back.measure_and_read(None, ct_slice, box).scores is None
    read_back._scorer.cache_clear()
    save_tiny_scorer(scorer_folder)
    (scorer_folder / "scorer.safetensors").write_bytes(b"")

    measurement = read_back.measure_and_read(None, ct_slice, box)

    assert measurement.scores is None
    assert measurement.diameter_mm == pytest.approx(9.8, abs=0.5)
    assert "altered" in caplog.text


def test_a_record_comes_back_as_it_was(scorer_folder):
    ct_slice, box = nodule()
    save_tiny_scorer(scorer_folder)
    measurement = read_back.measure_and_read(None, ct_slice, box)

    again = measurement_of(measurement_record(measurement), measurement.mask)

    assert (again.plain, again.scores) == (measurement.plain, measurement.scores)
    assert (again.diameter_mm, again.mean_hu) == (measurement.diameter_mm, measurement.mean_hu)
    assert measurement_of({"diameter_mm": 3.0, "mean_hu": -1.0}, measurement.mask).scores is None


def test_a_generated_nodule_is_read_and_what_was_read_is_kept(scorer_folder, tmp_path):
    save_tiny_scorer(scorer_folder)
    ct_slice, box = nodule()
    request = GenerationRequest(ct_slice, box, ASKED, SamplingOptions(steps=1))
    *_, last = place_nodule(load_checkpoint(save_tiny_checkpoint(tmp_path / "tiny")), request)
    assert isinstance(last, Finished)

    entry = journal.record(last.result, tmp_path / "journal")

    assert journal.read(entry).measurement.scores == last.result.measurement.scores
    assert history.read_entry(entry).scores == last.result.measurement.scores
    assert history.read_entry(entry).off == distance_from_request(ASKED, last.result.measurement.scores)
