"""The scorer's training: samples, loss, figures whose answers are known, a run taken up, and the card."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.errors import InputError
from engine.scorer import ScorerConfig, load_scorer
from tests.training.crops_file import HELD_OUT, TRAINING
from tests.training.made_up_prepared import RADIUS_MM, write_made_up
from training import train_scorer
from training.build_reader_scores import table_of
from training.evaluate import main as evaluate
from training.prepared import write_description
from training.run_options import Pace
from training.scorer_figures import one_against_the_others, scorer_figures, within_one
from training.scorer_loss import ScorerOptions, drawing_probabilities, make_targets, scorer_inputs, scorer_loss
from training.scorer_samples import fold_of, load_samples
from training.train_scorer import calibrated, main, train

OPTIONS = ScorerOptions(samples=8, batch=2)
QUICK = Pace(validate_on=0, validate_every=2)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return write_made_up(tmp_path_factory.mktemp("prepared"), [*HELD_OUT, *TRAINING])


@pytest.fixture(scope="module")
def samples(prepared):
    return load_samples(prepared, held_out=False)


def test_nodules_are_measured_and_all_readers_scores_are_kept(samples):
    assert len(samples) == len(TRAINING)
    assert np.exp(samples.features[:, 0]) == pytest.approx(2 * RADIUS_MM, rel=0.1)
    # Readers gave texture 5 and 4; one patient is of the initial release, where lobulation is not trusted.
    assert samples.means[:, 4].tolist() == [4.5] * 3
    assert samples.shares[0, 4].tolist() == [0, 0, 0, 0.5, 0.5]
    assert np.isnan(samples.means[:, 2]).sum() == 1


def test_the_same_boxes_are_drawn_every_time(prepared, samples):
    again = load_samples(prepared, held_out=False)

    np.testing.assert_array_equal(again.masks, samples.masks)
    np.testing.assert_array_equal(again.places, samples.places)


def loss_of(logits, samples, folds):
    targets = make_targets(samples, drawing_probabilities(samples, 0.8), 0.8)
    return scorer_loss(logits, targets, np.arange(3), np.array(folds), OPTIONS)


def test_scores_that_are_not_known_cost_nothing(samples):
    logits = torch.zeros(3, 2, 5, 5)
    unknown = int(np.flatnonzero(np.isnan(samples.means[:, 2]))[0])
    changed = logits.clone()
    changed[unknown, :, 2:4] = torch.tensor([9.0, 0, 0, 0, 0])

    assert loss_of(logits, samples, [0, 1, 0]) == loss_of(changed, samples, [0, 1, 0])
    changed[:, :, 4] = torch.tensor([0, 0, 0, 9.0, 9.0])
    assert loss_of(changed, samples, [0, 1, 0]) < loss_of(logits, samples, [0, 1, 0])


def test_a_member_learns_nothing_of_its_own_part_of_the_patients(samples):
    logits = torch.zeros(3, 2, 5, 5)
    changed = logits.clone()
    changed[2, 1] = torch.tensor([9.0, 0, 0, 0, 0])

    assert loss_of(logits, samples, [0, 1, 1]) == loss_of(changed, samples, [0, 1, 1])
    assert loss_of(logits, samples, [0, 1, 0]) < loss_of(changed, samples, [0, 1, 0])


def test_patients_are_parted_by_themselves():
    folds = [fold_of(f"LIDC-IDRI-{number:04d}", 4) for number in range(400)]

    assert np.bincount(folds).tolist() == pytest.approx([100] * 4, abs=25)
    assert folds[:8] == [2, 1, 1, 1, 0, 2, 0, 0]  # in every process, and in every version: calibration rests on it


def test_augmentation_keeps_the_nodule_in_sight(samples):
    plain, _ = scorer_inputs(samples, np.arange(3), ScorerConfig(), None)
    turned, _ = scorer_inputs(samples, np.arange(3), ScorerConfig(), np.random.default_rng(0))

    assert not torch.equal(plain, turned)
    torch.testing.assert_close(turned[:, 1].sum((1, 2)), plain[:, 1].sum((1, 2)), rtol=0.45, atol=0)


def test_levels_count_the_same_however_rare():
    means = np.array([1.0] * 8 + [5.0] * 2)

    assert within_one(np.full(10, 1.5), means) == 0.5
    assert within_one(np.full(10, np.nan), means) is None


def test_one_reader_is_held_against_the_mean_of_the_others():
    own, others = one_against_the_others(np.array([[1, 2, 4, 0], [3, 0, 0, 0]], np.int8))

    assert own.tolist() == [1, 2, 4]
    assert others.tolist() == [3, 2.5, 1.5]


def test_perfect_scores_have_perfect_figures(samples):
    varied = replace(samples, readers=np.array([[[k + 1] * 5] for k in range(3)], np.int8))
    means = varied.means.astype(np.float64)

    texture = scorer_figures(varied, means, np.full(means.shape, 0.5))["attributes"]["texture"]

    assert texture["nodule"] == {"within_one": 1, "spearman": pytest.approx(1), "mean_error": 0}
    assert texture["constant"] == 1  # the constant 2 is within 1 of 1, 2 and 3
    assert texture["levels"] == [1, 1, 1, 0, 0]


def test_calibration_makes_deviations_as_large_as_errors(samples):
    many = samples.chosen(np.zeros(200, np.int64))
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(200, 5, 5, generator=draw) * 2

    config = calibrated(ScorerConfig(), logits, many)
    figures = scorer_figures(many, *train_scorer.read(logits, config))["attributes"]

    assert figures["texture"]["calibration"]["rms_of_deviations"] == pytest.approx(1, abs=0.01)


def test_a_run_taken_up_again_ends_where_an_unbroken_one_does(prepared, tmp_path):
    train(OPTIONS, prepared, tmp_path / "whole", QUICK)
    assert train(OPTIONS, prepared, tmp_path / "parts", replace(QUICK, stop_at=2)) is None
    train(OPTIONS, prepared, tmp_path / "parts", QUICK)

    whole, parts = (torch.load(tmp_path / run / "state.pt", weights_only=True)["network"] for run in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert load_scorer(tmp_path / "whole" / "scorer").config.training["samples_seen"] == 8
    card = (tmp_path / "whole" / "scorer" / "README.md").read_text()
    assert "Not for diagnosis" in card
    assert "2 slices of 2 nodules of 2 patients" in card

    assert (
        evaluate(
            [
                "scorer",
                "--scorer",
                str(tmp_path / "whole" / "scorer"),
                "--data",
                str(prepared),
                "--out",
                str(tmp_path / "report"),
            ]
        )
        == 0
    )
    assert "Spearman" in (tmp_path / "report" / "report.md").read_text()


def test_a_run_is_not_taken_up_with_other_data(prepared, tmp_path, monkeypatch):
    train(OPTIONS, prepared, tmp_path / "run", replace(QUICK, stop_at=1))
    other = shutil.copytree(prepared, tmp_path / "other")
    write_description(other, "tests", patients=7)

    with monkeypatch.context() as patched:
        patched.delattr(train_scorer, "load_samples")  # refused before nodules are measured
        with pytest.raises(InputError, match=r"made with other data, as prepared.json records them; give the same"):
            train(OPTIONS, other, tmp_path / "run", QUICK)

    assert train(OPTIONS, prepared, tmp_path / "run", replace(QUICK, stop_at=2)) is None


def test_the_command_says_what_is_missing(tmp_path, capsys):
    assert main(["--data", str(tmp_path), "--run", str(tmp_path / "run")]) == 2
    assert "prepared" in capsys.readouterr().err


def test_the_table_of_readers_counts_scores_and_pairs():
    readers = np.zeros((2, 3, 5), np.int8)
    readers[0, :, 0] = (4, 4, 2)
    readers[1, 0, 0] = 4

    table = table_of(readers)["sphericity"]

    assert table["shares"] == [0, 0.25, 0, 0.75, 0]
    assert table["others"][3] == (3, 1)  # each 4 of the first nodule: another 4 and a 2
    assert table["others"][1] == (4, 0)
