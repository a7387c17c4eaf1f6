"""The table of outlines: what is measured of a polygon, and what is fitted to many."""

from pathlib import Path

import numpy as np
import pytest

from engine.outline import SHAPE_SCORES, OutlineTable, outline_table
from training.build_outlines import agreement, fit_table, main, measure_outline


def polygon(harmonic: int, amplitude: float, radius: float = 5.0, corners: int = 720) -> np.ndarray:
    angles = np.arange(corners) * (2 * np.pi / corners)
    radii = radius * np.exp(amplitude * np.cos(harmonic * angles))
    return np.stack([40 + radii * np.cos(angles), radii * np.sin(angles) - 3], axis=1)


@pytest.mark.parametrize("turned_round", [False, True])
@pytest.mark.parametrize(("harmonic", "amplitude"), [(2, 0.2), (5, 0.1), (12, 0.05)])
def test_a_harmonic_is_measured(harmonic: int, amplitude: float, turned_round: bool) -> None:
    points = polygon(harmonic, amplitude)

    measured = measure_outline(points[::-1] if turned_round else points)

    assert measured
    amplitudes, diameter = measured
    assert amplitudes[harmonic - 2] == pytest.approx(amplitude, rel=0.1)
    assert np.argmax(amplitudes) == harmonic - 2
    assert diameter == pytest.approx(10, rel=0.06)


def test_a_crescent_does_not_surround_its_centroid() -> None:
    angles = np.linspace(-2, 2, 50)
    outer = np.stack([np.cos(angles), np.sin(angles)], axis=1) * 10
    inner = np.stack([np.cos(angles[::-1]), np.sin(angles[::-1])], axis=1) * 9

    assert measure_outline(np.concatenate([outer, inner])) is None


def test_what_scores_add_is_found_and_made_up_for_disagreement() -> None:
    generator = np.random.default_rng(0)
    scores = generator.integers(1, 6, (4000, 4))
    diameters = np.exp(generator.normal(np.log(10), 0.4, 4000))
    adds = np.array([[-0.5, 0.0, 0.0, 0.0], [0.0, -0.1, 0.2, 0.1]])  # to harmonics 2 and 3
    stressed = adds * np.array([[1, 1, 1, 1], [1, 1, 2.8, 1]])  # lobulation, in lobes
    more = scores - np.array(list(SHAPE_SCORES.values()))
    means = np.log([0.2, 0.1]) + more @ adds.T + 0.1 * np.log2(diameters / 10)[:, None]
    amplitudes = np.exp(means + generator.normal(0, 0.3, means.shape))

    agreed = np.array([0.5, 0.5, 0.4, 0.25])

    table = fit_table(amplitudes, diameters, scores, agreed)

    assert np.array(table["by_score"]) == pytest.approx(stressed / agreed, abs=0.12)
    assert table["by_size"] == pytest.approx([0.1, 0.1], abs=0.05)
    # A nodule of mean scores is as it would be without stress.
    usual = np.array(table["mean"]) + (stressed - adds) / agreed @ more.mean(axis=0)
    assert np.exp(usual) == pytest.approx([0.2, 0.1], rel=0.1)
    assert set(table) == set(OutlineTable.__dataclass_fields__)


def test_agreement_is_that_of_two_readers_of_the_same_nodule() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(3, 1, (20_000, 1, 1))
    readers = np.clip(np.rint(truth + generator.normal(0, 1, (20_000, 3, 5))), 1, 5).astype(np.int8)
    readers[::2, 2] = 0

    assert agreement(readers) == pytest.approx(np.full(4, 0.5), abs=0.06)


def test_data_that_are_not_there_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path / "none"), "--out", str(tmp_path / "table.json")]) == 2

    assert "none" in capsys.readouterr().err
    assert not (tmp_path / "table.json").exists()


def test_the_table_that_comes_with_the_program_says_what_readers_see() -> None:
    table = outline_table()

    harmonics = len(table.mean)
    assert table.by_score.shape == (harmonics, 4)
    sphericity, margin, lobulation, spiculation = table.by_score.T
    assert (margin < 0).all()
    assert np.argmin(sphericity) == 0  # the second harmonic: long nodules
    assert (lobulation[1:] > 0).all()
    assert (spiculation[1:] > 0).all()
    # Lobes are lobulation's, finer waves are spiculation's.
    assert (lobulation[1:4] > spiculation[1:4]).all()
    assert (spiculation[4:] > lobulation[4:]).all()
