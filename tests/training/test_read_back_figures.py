"""Figures of read-back on scores whose answer is known."""

import numpy as np
import pytest

from training.read_back_figures import read_back_figures


def test_a_sweep_that_is_obeyed_and_leaks_into_one_other():
    scores = np.full((3, 5, 5), 3.0)
    scores[:, :, 4] = np.arange(1, 6)
    scores[:, :, 1] += np.linspace(0, 0.8, 5)

    figures = read_back_figures("texture", scores)

    assert figures["spearman"] == pytest.approx(1)
    assert figures["within_one"] == 1
    assert figures["mean_at_score"] == [1, 2, 3, 4, 5]
    assert figures["leakage"] == pytest.approx({"sphericity": 0, "margin": 0.8, "lobulation": 0, "spiculation": 0})


def test_a_sweep_that_changes_nothing():
    figures = read_back_figures("texture", np.full((3, 5, 5), 3.0))

    assert figures["spearman"] == 0
    assert figures["within_one"] == pytest.approx(0.6)


def test_boxes_without_a_nodule_are_left_out_and_nothing_is_said_of_none():
    scores = np.full((2, 5, 5), 3.0)
    scores[0, 4] = np.nan

    assert read_back_figures("texture", scores)["mean_at_score"] == [3] * 5
    assert read_back_figures("texture", np.full((2, 5, 5), np.nan)) is None
