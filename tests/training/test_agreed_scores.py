from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.nodule import ATTRIBUTE_NAMES
from tests.checkpoints import TINY_NETWORK
from tests.training.crops_file import HELD_OUT, TRAINING, write_crops
from training.agreed_scores import agreed_scores, read_crops, with_agreed_scores
from training.nodule_crops import NoduleCrops, load_crops
from training.run_options import Pace
from training.train_nodule import NoduleOptions, train

LOBULATION = ATTRIBUTE_NAMES.index("lobulation")
CROPS = 400


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> NoduleCrops:
    return load_crops(write_crops(tmp_path_factory.mktemp("crops") / "crops.parquet", [*TRAINING]), held_out=False)


def many(crops: NoduleCrops, scores: np.ndarray) -> NoduleCrops:
    """A crop for each row of scores, (crops, readers), which are those of all five attributes."""
    count, readers = scores.shape
    units = count * readers
    return replace(
        crops,
        images=np.broadcast_to(crops.images[:1], (count, *crops.images.shape[1:])),
        masks=np.broadcast_to(crops.masks[:1], (count, *crops.masks.shape[1:])),
        pixel_spacing=np.broadcast_to(crops.pixel_spacing[:1], count),
        unit_crop=np.repeat(np.arange(count), readers),
        unit_reader=np.tile(np.arange(readers), count),
        unit_scores=np.repeat(scores.reshape(units, 1), 5, axis=1),
        unit_share=np.ones(units, np.float32),
        unit_annotation=np.arange(units),
    )


def test_scores_follow_what_readers_and_scorer_see_together(crops: NoduleCrops) -> None:
    generator = np.random.default_rng(0)
    truth = generator.uniform(0, 1, CROPS)
    readers = np.clip(np.rint(1 + 4 * truth[:, None] + generator.normal(0, 1, (CROPS, 2))), 1, 5).astype(int)
    readings = np.repeat((1 + 4 * truth + generator.normal(0, 0.7, CROPS))[:, None], 5, axis=1)

    agreed = agreed_scores(many(crops, readers), readings)[:, 0]

    found = np.corrcoef(agreed, truth)[0, 1]
    assert found > np.corrcoef(readers[:, 0], truth)[0, 1]
    assert found > np.corrcoef(readings[:, 0], truth)[0, 1]


def test_each_score_is_dealt_as_often_as_readers_gave_it_but_never_hardly_ever(crops: NoduleCrops) -> None:
    given = np.repeat([1, 2, 3, 4], [240, 80, 40, 40])[:, None]

    readings = np.repeat(np.linspace(1, 5, CROPS)[:, None], 5, axis=1)  # in the same order, none like another

    agreed = agreed_scores(many(crops, given), readings)

    shares = np.bincount(agreed[:, 0], minlength=6)[1:] / CROPS
    assert shares == pytest.approx(np.array([0.6, 0.2, 0.1, 0.1, 0.04]) / 1.04, abs=0.01)


def test_a_crop_that_only_the_scorer_read_has_its_score_too(crops: NoduleCrops) -> None:
    given = np.repeat([0, 1, 5], [100, 200, 100])[:, None]
    readings = np.full((CROPS, 5), np.nan)
    readings[:100] = np.linspace(1, 5, 100)[:, None]

    agreed = agreed_scores(many(crops, given), readings)[:, 0]

    assert (np.diff(agreed[:100]) >= 0).all()
    assert agreed[0] == 1
    assert agreed[99] == 5


def test_where_nobody_said_anything_the_score_is_not_given(crops: NoduleCrops) -> None:
    given = np.repeat([0, 2], [200, 200])[:, None]

    agreed = agreed_scores(many(crops, given), np.full((CROPS, 5), np.nan))

    assert not agreed[:200].any()
    assert agreed[200:].all()


def test_readers_of_a_crop_ask_for_the_same_but_some_of_them_for_margin_and_texture_of_their_own(
    crops: NoduleCrops,
) -> None:
    agreed = with_agreed_scores(crops)

    assert agreed.seen is not None
    assert agreed.seen.any()
    keeps = np.zeros(crops.unit_scores.shape, bool)
    for name, one_in in (("margin", 4), ("texture", 2)):
        keeps[:, ATTRIBUTE_NAMES.index(name)] = crops.unit_annotation % one_in == 1
    for crop in np.unique(agreed.unit_crop):
        its = agreed.unit_crop == crop
        for scores, kept in zip(agreed.unit_scores[its].T, keeps[its].T, strict=True):
            assert len(np.unique(scores[~kept])) <= 1
    assert keeps.any()
    assert np.array_equal(agreed.unit_scores[keeps], crops.unit_scores[keeps])
    assert np.isin(agreed.unit_scores, range(1, 6)).all()
    assert np.array_equal(agreed.unit_crop, crops.unit_crop)


def test_crops_are_compared_with_crops_of_like_size(crops: NoduleCrops) -> None:
    count = 1200
    large = np.repeat([False, True], count // 2)
    generator = np.random.default_rng(0)
    readings = np.repeat((np.where(large, 3.0, 1.0) + generator.uniform(0, 1, count))[:, None], 5, axis=1)
    given = np.repeat([1, 2, 3, 4, 5], count // 5)[generator.permutation(count), None]
    both = replace(many(crops, given), pixel_spacing=np.where(large, 0.9, 0.5).astype(np.float32))

    agreed = agreed_scores(both, readings)[:, LOBULATION]

    for of_size in (large, ~large):
        shares = np.bincount(agreed[of_size], minlength=6)[1:] / of_size.sum()
        assert shares == pytest.approx(np.full(5, 0.2), abs=0.06)


def test_crops_are_read_the_same_every_time_and_only_where_somebody_outlined_a_nodule(crops: NoduleCrops) -> None:
    (first, seen), (second, seen_again) = read_crops(crops), read_crops(crops)

    used = np.isin(np.arange(len(crops.images)), crops.unit_crop)
    assert np.array_equal(first, second, equal_nan=True)
    assert np.array_equal(seen, seen_again)
    assert np.isfinite(first).any()
    assert np.isnan(first[~used]).all()
    assert np.array_equal(seen.any(axis=(1, 2)), np.isfinite(first).all(axis=1))
    # A smooth disc.
    assert np.nanmax(first[:, LOBULATION]) < 3.5


def test_crops_are_read_by_as_many_processes_as_this_one_may_start(
    crops: NoduleCrops, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, workers: int, *_: object) -> None:
            started.append(workers)
            super().__init__(1)

    monkeypatch.setattr("training.agreed_scores.ProcessPoolExecutor", Pool)
    monkeypatch.setattr("training.agreed_scores.usable_cores", lambda: 3)

    read_crops(crops)

    assert started == [3]


def test_training_takes_agreed_scores(tmp_path: Path) -> None:
    path = write_crops(tmp_path / "crops.parquet", [*HELD_OUT, *TRAINING])
    options = NoduleOptions(samples=4, batch=4, agreed=True)

    train(options, path, tmp_path / "run", Pace(validate_on=4), network=TINY_NETWORK)

    assert '"agreed": true' in (tmp_path / "run" / "options.json").read_text()
