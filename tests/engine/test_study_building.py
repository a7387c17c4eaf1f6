"""Building a study: balanced, sealed, drawn with a seed, and with nothing in it that tells."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from engine import journal
from engine.ct import LUNG, CTSlice
from engine.errors import InputError
from engine.events import SliceSource
from engine.nodule import BoundingBox
from engine.study import trial_images
from engine.study_building import StudyPlan, build_study
from engine.study_images import hu_step, whole_image
from engine.study_key import read_key
from engine.study_sources import read_sources
from tests.engine.study_sources import made_result, write_real, write_results

COUNTS = {"real_or_synthetic": 7, "forced_choice": 4, "rate_attributes": 6, "find_nodule": 6}


@pytest.fixture(scope="module")
def plan(tmp_path_factory, write_ct_series):
    folder = tmp_path_factory.mktemp("sources")
    results, real = write_results(folder / "journal", 9), write_real(folder, 9, write_ct_series)
    return StudyPlan("Real or not", ("anna", "ben"), COUNTS, 7, (results,), (real,), crop_mm=20.0)


@pytest.fixture(scope="module")
def built(plan, tmp_path_factory):
    """The study and its key."""
    folder = tmp_path_factory.mktemp("built")
    study = build_study(plan, folder / "study", folder / "key" / "KEY.json")
    return study, read_key(study, folder / "key" / "KEY.json")


def of_kind(built, kind):
    study, key = built
    return [
        (trial, key.images[trial.number], trial_images(study, trial)) for trial in study.trials if trial.kind == kind
    ]


def test_there_are_as_many_trials_as_asked_for(built):
    study, _ = built
    kinds = [trial.kind for trial in study.trials]
    assert {kind: kinds.count(kind) for kind in COUNTS} == COUNTS
    assert kinds != sorted(kinds)
    assert (study.title, study.readers, study.window) == ("Real or not", ("anna", "ben"), LUNG)


@pytest.mark.parametrize(
    ("kind", "halves"),
    [
        ("real_or_synthetic", {"synthetic": 4, "real": 3}),
        ("rate_attributes", {"synthetic": 3, "real": 3}),
        ("find_nodule", {"synthetic": 3, "no_nodule": 3}),
    ],
)
def test_halves_are_balanced(built, kind, halves):
    truths = [known[0].truth for _, known, _ in of_kind(built, kind)]
    assert {truth: truths.count(truth) for truth in set(truths)} == halves


def test_a_forced_choice_has_one_of_each_as_often_left_as_right(built):
    truths = [tuple(image.truth for image in known) for _, known, _ in of_kind(built, "forced_choice")]
    assert sorted(truths) == [("real", "synthetic")] * 2 + [("synthetic", "real")] * 2


def test_pairs_are_those_that_are_most_alike(plan, tmp_path):
    """Of nine synthetic and nine real nodules; a box of 12 x 0.8 mm is most like those of 11 x 0.7 mm."""
    study = build_study(replace(plan, counts={"forced_choice": 2}), tmp_path / "study", tmp_path / "KEY.json")
    key = read_key(study, tmp_path / "KEY.json")
    sources = read_sources(plan.synthetic, ())
    sides = {str(source.path.absolute()): source.nodule_box.side for source in sources.synthetic}
    made = [image for shown in key.images.values() for image in shown if image.truth == "synthetic"]
    assert [sides[image.source] for image in made] == [11, 11]


def test_boxes_are_shown_for_rating_only_and_lie_where_the_nodule_is(built):
    for trial, known, images in of_kind(built, "rate_attributes"):
        assert trial.box == known[0].box
        row, column, side = trial.box
        inside = images[0].hu[row : row + side, column : column + side]
        assert inside.max() > -300
        assert (images[0].hu > -300).sum() == (inside > -300).sum()
    for kind in ("real_or_synthetic", "forced_choice", "find_nodule"):
        assert all(trial.box is None for trial, _, _ in of_kind(built, kind))


def test_crops_hold_the_nodule_in_the_middle(built):
    for kind in ("real_or_synthetic", "forced_choice"):
        for _, known, images in of_kind(built, kind):
            for image, shown in zip(known, images, strict=True):
                row, column, side = image.box
                assert abs(row + side / 2 - shown.shape[0] / 2) <= 0.5
                assert abs(column + side / 2 - shown.shape[1] / 2) <= 0.5
                middle = shown.hu[shown.shape[0] // 2 - 1 :, shown.shape[1] // 2 - 1 :][:3, :3]
                assert middle.min() > -300


def test_nothing_of_a_file_tells_what_is_true(built):
    """Shapes, spacings, types and sizes of files do not go with the truth."""
    study, _ = built
    for kind in ("real_or_synthetic", "forced_choice"):
        shown = [image for _, _, images in of_kind(built, kind) for image in images]
        assert {(image.shape, image.pixel_spacing, image.hu.dtype.str) for image in shown} == {
            ((29, 29), (0.7, 0.7), "<i2")
        }
    whole = [image for kind in ("rate_attributes", "find_nodule") for _, _, (image,) in of_kind(built, kind)]
    assert {(image.shape, image.hu.dtype.str) for image in whole} == {((64, 80), "<i2")}
    for kind in COUNTS:
        paths = [study.folder / "trials" / f"{trial.number:04d}.npz" for trial, _, _ in of_kind(built, kind)]
        assert len({path.stat().st_size for path in paths}) == 1


def test_the_study_says_nothing_of_truth_scores_or_sources(built, plan):
    study, key = built
    written = (study.folder / "study.json").read_text("utf-8")
    for word in ('synthetic"', 'real"', "no_nodule", "scores", "source", str(plan.synthetic[0]), "series", key.secret):
        assert word not in written.replace("real_or_synthetic", "")
    names = {path.name for path in study.folder.iterdir()}
    assert names == {"study.json", "trials", "answers"}


def test_all_have_the_coarsest_grid_of_any_source(plan, tmp_path, write_ct_series):
    """A real series of multiples of 8 HU, and nodules that were made with odd ones."""
    real = write_real(tmp_path, 4, write_ct_series, hu_step=8)
    counts = {"real_or_synthetic": 4, "rate_attributes": 4, "forced_choice": 2}
    study = build_study(replace(plan, real=(real,), counts=counts), tmp_path / "study", tmp_path / "KEY.json")
    for trial in study.trials:
        for image in trial_images(study, trial):
            assert set(np.unique(image.hu % 8)) == {0}


def test_where_odd_hu_were_on_a_grid_of_two_is_not_told(plan):
    """A nodule of all HU in a slice of even ones: on the grid, it has as many multiples of four as the slice."""
    draw = np.random.default_rng(3)
    hu = (draw.integers(-450, -350, (80, 80)) * 2).astype(np.int16)
    hu[20:60, 20:60] = draw.integers(-900, -700, (40, 40))
    source = read_sources(plan.synthetic, ()).synthetic[0]
    source = replace(source, image=CTSlice(hu, (0.7, 0.7)), box=BoundingBox(20, 20, 40, hu.shape))
    assert hu_step([source]) == 2
    shown, (row, column, side) = whole_image(source, hu.shape, 2)
    inside = shown.hu[row : row + side, column : column + side]
    assert (inside % 2 == 0).all()
    assert (inside % 4 == 0).mean() == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("seed", range(4))
def test_what_readers_have_searched_they_are_not_asked_about(plan, tmp_path, seed):
    """They know that all nodules to be found are synthetic, and would know a slice again that had none."""
    counts = {"find_nodule": 6, "real_or_synthetic": 4}
    study = build_study(replace(plan, counts=counts, seed=seed), tmp_path / "study", tmp_path / "KEY.json")
    key = read_key(study, tmp_path / "KEY.json")
    searched, asked = set(), set()
    for trial in study.trials:
        (searched if trial.kind == "find_nodule" else asked).update(image.source for image in key.images[trial.number])
    # Of nine scenes, six are searched; two others have the nodules that are asked about.
    assert len(searched) == 6
    assert searched.isdisjoint(asked)


def test_it_says_where_slices_do_not_suffice_for_that(plan, tmp_path):
    counts, said = {"find_nodule": 8, "real_or_synthetic": 8}, []
    build_study(replace(plan, counts=counts), tmp_path / "study", tmp_path / "KEY.json", warn=said.append)
    # Of nine scenes, four have nodules that are asked about; eight are searched.
    assert [sentence[:50] for sentence in said] == ["3 slices are shown in find_nodule and in trials th"]


def test_the_key_is_sealed(built, tmp_path):
    study, key = built
    path = study.folder.parent / "key" / "KEY.json"
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == study.key_sha256
    changed = tmp_path / "KEY.json"
    changed.write_bytes(content.replace(b'"synthetic"', b'"real"', 1))
    with pytest.raises(InputError, match="is not the key with which the study was sealed"):
        read_key(study, changed)
    with pytest.raises(InputError, match="cannot be read"):
        read_key(study, tmp_path / "none.json")
    assert len(key.secret) == 64
    scores = [image.scores for shown in key.images.values() for image in shown if image.truth == "synthetic"]
    assert all(len(asked) == 5 and asked[4] is None for asked in scores)


def test_the_same_plan_makes_the_same_study_and_another_seed_another(plan, built, tmp_path):
    study, _ = built
    again = build_study(plan, tmp_path / "again", tmp_path / "KEY.json")
    assert (again.folder / "study.json").read_bytes() == (study.folder / "study.json").read_bytes()
    other = build_study(replace(plan, seed=8), tmp_path / "other", tmp_path / "OTHER.json")
    assert other.uid != study.uid
    assert [trial.kind for trial in other.trials] != [trial.kind for trial in study.trials]


def test_no_slice_stands_twice_in_trials_of_a_kind(built):
    for kind in ("rate_attributes", "find_nodule"):
        hashes = [image.sha256() for _, _, (image,) in of_kind(built, kind)]
        assert len(set(hashes)) == len(hashes)
    sources = [known[0].source for _, known, _ in of_kind(built, "find_nodule")]
    assert len(set(sources)) == len(sources)


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({"real_or_synthetic": 24}, "needs 12 synthetic nodules .* there are 9; add 3 or ask"),
        ({"forced_choice": 10}, "needs 10 synthetic nodules .* there are 9; add 1 or ask"),
        ({"find_nodule": 10}, "needs 5 other slices without a nodule .* there are 4; add 1 or ask"),
        ({"rate_attributes": 10}, "needs 5 real nodules with scores .* there are 4; add 1 or ask"),
        ({"find_nodule": 0}, "has no trials"),
    ],
)
def test_it_says_how_many_are_missing(plan, tmp_path, counts, sentence):
    with pytest.raises(InputError, match=sentence):
        build_study(replace(plan, counts=counts), tmp_path / "study", tmp_path / "KEY.json")
    assert list(tmp_path.iterdir()) == []


def test_two_nodules_in_one_slice_are_no_two_images(tmp_path):
    """The second was put into the slice with the first: no slice without a nodule, and none to find one nodule in."""
    first = made_result(1)
    request = replace(made_result(2).request, slice=first.slice)
    second = replace(made_result(2), request=request, slice=first.slice.with_hu(first.slice.hu + 1))
    for result in (first, second):
        journal.record(result, tmp_path / "journal")
    sources = read_sources((tmp_path / "journal",), ())
    assert len(sources.synthetic) == 2
    assert [source.scene for source in sources.no_nodule] == [first.before.sha256()]
    # Where the whole slice is shown, the second would show what was changed since the first.
    assert {source.scene for source in sources.synthetic} == {first.before.sha256()}
    # The second alone: what the slice was before any nodule is known from its source.
    known = replace(request, source=SliceSource(tmp_path, None, 0, "", first.before.sha256()))
    (entry,) = [journal.record(replace(second, request=known), tmp_path / "second")]
    alone = read_sources((entry,), ())
    assert ([source.is_alone for source in alone.synthetic], alone.no_nodule) == ([False], ())
    plan = StudyPlan("T", ("a",), {"find_nodule": 3}, 0, (tmp_path / "journal",))
    with pytest.raises(InputError, match=r"needs 2 synthetic nodules on different slices .* there are 1"):
        build_study(plan, tmp_path / "study", tmp_path / "KEY.json")


def test_whole_slices_show_the_box(plan, tmp_path, write_ct_series):
    real = write_real(tmp_path, 4, write_ct_series, shape=(64, 80))
    whole = replace(plan, real=(real,), crop_mm=None, counts={"real_or_synthetic": 4, "forced_choice": 2})
    study = build_study(whole, tmp_path / "study", tmp_path / "KEY.json")
    key = read_key(study, tmp_path / "KEY.json")
    for trial in study.trials:
        assert trial.shape == (64, 80)
        assert trial.box == (key.images[trial.number][0].box if trial.kind == "real_or_synthetic" else None)


@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        ({}, r"The box of 7\.7 mm in .*journal.* does not fit into crops of 7 mm; give a larger crop\."),
        ({"synthetic": ()}, r"The box of 9\.6 mm in line 2 of .*real\.csv does not fit into crops of 7 mm"),
    ],
)
def test_a_crop_too_small_for_a_box_is_refused(plan, tmp_path, without, sentence):
    with pytest.raises(InputError, match=sentence):
        build_study(replace(plan, crop_mm=7.0, **without), tmp_path / "study", tmp_path / "KEY.json")


def test_the_key_does_not_lie_in_the_study_nor_over_another(plan, tmp_path):
    study = tmp_path / "study"
    with pytest.raises(InputError, match="would lie in the study"):
        build_study(plan, study, study / "KEY.json")
    (tmp_path / "KEY.json").write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        build_study(plan, study, tmp_path / "KEY.json")
    assert (tmp_path / "KEY.json").read_text() == "mine"
    assert not study.exists()
