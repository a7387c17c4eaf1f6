"""The scorer: what goes in, what comes out, and that a damaged one is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.checkpoint import digest_of_manifest
from engine.ct import CTSlice
from engine.errors import InputError
from engine.measurement import measure_nodule
from engine.nodule import ATTRIBUTE_NAMES, BoundingBox
from engine.scorer import (
    FEATURES,
    MANIFEST,
    SHAPE_ATTRIBUTES,
    SHAPE_FEATURES,
    SIZE,
    NoduleScorer,
    cut_windows,
    expected_scores,
    features_of,
    load_scorer,
    normalised,
    scorer_place,
    to_source,
)
from tests.scorers import TINY, save_tiny_scorer

ROWS, COLUMNS = np.indices((96, 96))
BOX = BoundingBox(34, 44, 24, (96, 96))


def measured(radius=7.0, row=46.0, column=56.0):
    disc = np.hypot(ROWS + 0.5 - row, COLUMNS + 0.5 - column) < radius
    hu = np.where(disc, 30, -850) + np.random.default_rng(0).normal(0, 10, disc.shape)
    ct_slice = CTSlice(hu.astype(np.float32), (0.7, 0.7))
    return ct_slice, measure_nodule(None, ct_slice, BOX)


def test_what_is_saved_reads_the_same_and_in_every_place(tmp_path):
    scorer = load_scorer(save_tiny_scorer(tmp_path))
    here, moved = scorer.read(*measured()), scorer.read(*measured(row=45.0, column=55.0))

    assert set(here) == set(ATTRIBUTE_NAMES)
    for name in ATTRIBUTE_NAMES:
        assert 1 <= here[name].score <= 5
        assert 0 < here[name].deviation < 2
        assert moved[name].score == pytest.approx(here[name].score, abs=0.05)


def test_nothing_is_read_where_no_nodule_was_found(tmp_path):
    ct_slice = CTSlice(np.full((96, 96), -850, np.int16), (0.7, 0.7))

    assert load_scorer(save_tiny_scorer(tmp_path)).read(ct_slice, measure_nodule(None, ct_slice, BOX)) is None


@pytest.mark.parametrize("altered", ["scorer.json", "scorer.safetensors"])
def test_an_altered_or_missing_file_is_refused(tmp_path, altered):
    path = save_tiny_scorer(tmp_path) / altered
    path.write_bytes(path.read_bytes().replace(b"8", b"9", 1))
    with pytest.raises(InputError, match="copy"):
        load_scorer(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match="copy"):
        load_scorer(tmp_path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"members": 1e400}', "[]", "5", "{}"])
def test_a_scorer_that_is_no_json_or_no_object(tmp_path, text):
    (save_tiny_scorer(tmp_path) / MANIFEST).write_text(text)
    with pytest.raises(InputError, match="There is no whole scorer in"):
        load_scorer(tmp_path)


@pytest.mark.parametrize("change", [{"stretch": 5}, {"channels": None}, {"stretch": [["a", "b"]]}])
def test_a_scorer_whose_settings_were_changed_together_with_their_hash(tmp_path, change):
    path = save_tiny_scorer(tmp_path) / MANIFEST
    manifest = {**json.loads(path.read_text()), **change}
    path.write_text(json.dumps({**manifest, "sha256": digest_of_manifest(manifest)}))
    with pytest.raises(InputError, match="was altered or is of another version"):
        load_scorer(tmp_path)


def test_the_window_is_centred_on_the_nodule_and_as_large_as_it_asks_for():
    mask = np.zeros((96, 96), np.bool_)
    mask[40:50, 30:60] = True
    x, y, side = scorer_place(mask, (0.7, 0.5))
    assert (x, y) == (45, 45)
    assert side == pytest.approx(1.5 * 15 + 8)

    hu = torch.full((1, 1, 96, 96), -850.0)
    hu[0, 0, 40:50, 30:60] = 5000
    windows = cut_windows(hu, torch.from_numpy(mask)[None, None].float(), to_source((x, y, side), (0.7, 0.5)))

    assert windows.shape == (1, 2, SIZE, SIZE)
    assert windows[0, 0].max() == 1
    inside = windows[0, 1] > 0.5
    assert inside.sum().item() * (side / SIZE) ** 2 == pytest.approx(mask.sum() * 0.7 * 0.5, rel=0.12)
    assert torch.equal(inside, inside.flip(0).flip(1))


def test_scores_of_the_shape_know_neither_size_nor_density():
    torch.manual_seed(0)
    network = NoduleScorer(TINY).eval()
    features = torch.randn(1, len(FEATURES))
    others = features.clone()
    others[:, [FEATURES.index(name) for name in FEATURES if name not in SHAPE_FEATURES]] += 1
    of_shape = [ATTRIBUTE_NAMES.index(name) for name in SHAPE_ATTRIBUTES]

    first = network(torch.zeros(1, 2, SIZE, SIZE), features)[0]
    second = network(torch.randn(1, 2, SIZE, SIZE), others)[0]

    for attribute in range(len(ATTRIBUTE_NAMES)):
        assert torch.equal(first[:, attribute], second[:, attribute]) == (attribute in of_shape)


@pytest.mark.parametrize("name", SHAPE_FEATURES)
def test_scores_of_the_shape_follow_each_measure_of_it(name):
    torch.manual_seed(0)
    network = NoduleScorer(TINY).eval()
    windows, features = torch.zeros(1, 2, SIZE, SIZE), torch.zeros(1, len(FEATURES))
    other = features.clone()
    other[0, FEATURES.index(name)] = 1

    changed = (network(windows, features) != network(windows, other))[0].any(dim=(0, 2))

    assert all(changed[ATTRIBUTE_NAMES.index(attribute)] for attribute in SHAPE_ATTRIBUTES)


def test_a_feature_that_is_not_known_counts_as_the_mean():
    _, measurement = measured()
    features = features_of(replace(measurement, plain=replace(measurement.plain, edge_sharpness=None)))

    assert np.isnan(features[4])
    assert normalised(torch.from_numpy(features)[None], TINY)[0, 4] == 0


def test_scores_are_stretched_and_deviations_calibrated():
    logits = torch.full((1, 5, 5), -20.0)
    logits[0, :, 1] = logits[0, :, 3] = 0  # half 2, half 4: mean 3, standard deviation 1
    config = replace(TINY, stretch=((-1.0, 1.5),) * 5, deviation_factor=(0.5,) * 5)

    scores, deviations = expected_scores(logits, config)

    assert scores[0].tolist() == pytest.approx([3.5] * 5)
    assert deviations[0].tolist() == pytest.approx([0.5] * 5)
