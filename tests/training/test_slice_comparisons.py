"""What slices are compared by: crops around boxes, distances over splits, nearest neighbours, the paper's way."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.events import SLICE_SAMPLING, SamplingOptions
from tests.training.made_up_slices import write_made_up_slices
from training.frechet import FeatureNetwork
from training.nearest_neighbours import Neighbours, nearest, percentiles_of, share_nearer, small_pixels
from training.paper_way import compare_distances, paper_options
from training.prepared import read_slices
from training.slice_comparisons import SliceEvaluation, SliceEvaluationOptions, compare_neighbours
from training.slice_conditions import draw_conditions
from training.slice_distances import distances_beside_floor, distances_to
from training.slice_latents import crops_of_variant, images_in_crops
from training.slice_sets import SliceSet, TrainedOn, features_of, generated_set, joined, real_set


def slice_set(images, boxes):
    count = len(images)
    unknown = np.array([frozenset()] * count)
    return SliceSet(images, np.array(boxes), np.zeros((count, 5), np.int64), np.full(count, "patient"), unknown)


def test_crops_are_centred_on_the_box_and_stay_on_the_slice():
    rows, columns = np.indices((256, 256))
    image = (rows + 1000 * columns % 65536).astype(np.uint16)
    boxes = [(100, 60, 10), (0, 0, 6), (240, 250, 6), (50, 50, 7)]

    crops = slice_set(np.stack([image] * 4), boxes).crops()

    assert crops.shape == (4, 32, 32)
    for crop, (row, column) in zip(crops, [(89, 49), (0, 0), (224, 224), (37, 37)], strict=True):
        np.testing.assert_array_equal(crop, image[row : row + 32, column : column + 32])


def test_real_sets_take_slices_with_nodules(tmp_path):
    slices = read_slices(write_made_up_slices(tmp_path), held_out=None)

    everything, some = real_set(slices, 100), real_set(slices, 4, seed=1)

    assert (len(everything), len(some)) == (10, 4)
    assert (everything.boxes[:, 2] > 0).all()
    both = joined(everything, some)
    assert len(both) == 14
    np.testing.assert_array_equal(both.images[10:], some.images)
    np.testing.assert_array_equal(both.patients[10:], some.patients)


def test_real_sets_know_which_nodules_they_show_and_which_scores_not_to_trust(tmp_path):
    slices = read_slices(write_made_up_slices(tmp_path), held_out=False)
    readings = [
        [replace(one, annotation_id=10 * index + reader) for reader, one in enumerate(seen)]
        for index, seen in enumerate(slices.nodules)
    ]
    patients = np.unique(slices.patients)
    initial = slices.patients == patients[0]

    real = real_set(replace(slices, nodules=readings, is_from_initial=initial), 100)

    assert len(real) == 6
    for patient, scores, seen in zip(real.patients, real.scores, real.annotations, strict=True):
        assert (scores[2] == 0) == (patient == patients[0])
        assert len(seen) == 2
        assert {slices.patients[one // 10] for one in seen} == {patient}
    assert real_set(slices, 100).annotations.tolist() == [frozenset()] * 6


def variant_of(slices, variant):
    """Of slices that are all trained on."""
    return images_in_crops(slices.images, crops_of_variant(len(slices), variant))


def test_variants_count_among_what_was_trained_on(tmp_path):
    slices = read_slices(write_made_up_slices(tmp_path / "prepared"), held_out=False)
    with_nodule = read_slices(tmp_path / "prepared", held_out=False, with_nodules=True)

    (plain,), seen = TrainedOn(slices).parts(), TrainedOn(slices, variants=3)
    images = np.concatenate(list(seen.parts()))

    assert plain is slices.images
    assert (len(slices), len(with_nodule), len(images)) == (9, 6, 21)
    np.testing.assert_array_equal(images[:9], slices.images)
    np.testing.assert_array_equal(images[9:15], variant_of(with_nodule, 1))
    np.testing.assert_array_equal(images[15:], variant_of(with_nodule, 2))
    np.testing.assert_array_equal(seen.patients, np.concatenate([slices.patients, *[with_nodule.patients] * 2]))
    for index in (2, 9, 14, 15, 20):
        np.testing.assert_array_equal(seen.image(index), images[index])


def test_a_copy_of_a_variant_is_found_by_those_who_were_trained_on_it(tmp_path):
    write_made_up_slices(tmp_path / "prepared")
    training, held_out = (read_slices(tmp_path / "prepared", held_out=side) for side in (False, True))
    copies = variant_of(read_slices(tmp_path / "prepared", held_out=False, with_nodules=True), 1)[:4]
    means = FeatureNetwork("means", 1, lambda grey: grey.mean((1, 2, 3)).double().numpy()[:, None], "none")
    options = SliceEvaluationOptions(count=4, pairs=1)
    work = SliceEvaluation(options, tmp_path, (means,), draw_conditions(training, 4))
    made = {label: generated_set(copies, work.conditions) for label in ("of one", "of two")}

    found = compare_neighbours(work, made, training, held_out, {"of one": 1, "of two": 2})

    of_one, of_two = (found[variants]["pixels"]["generated"] for variants in "12")
    assert of_one["of one"]["nearest"] > 10
    assert of_two["of two"]["percentile_50"] == 0
    assert of_two["of two"]["nearer_than"]["held out"] == 1
    assert (len(of_one), len(of_two)) == (1, 1)


def test_features_are_clipped_and_kept(tmp_path):
    calls = []

    def extract(grey):
        calls.append(len(grey))
        return torch.cat([grey.amin((2, 3)), grey.amax((2, 3))], dim=1).double().numpy()

    network = FeatureNetwork("extremes", 2, extract, weights="first")
    images = np.tile(np.array([0, 1000, 3500], np.uint16), (5, 3, 1))

    first = features_of(network, images, (-500, 0), tmp_path, "test", batch=2)
    again = features_of(network, images, (-500, 0), tmp_path, "test", batch=2)
    wider = features_of(network, images[:1], (-1000, 2500), tmp_path, "test")
    features_of(replace(network, weights="second"), images[:1], (-1000, 2500), tmp_path, "test")

    assert calls == [2, 2, 1, 1, 1]
    np.testing.assert_array_equal(first, np.tile([0.0, 1.0], (5, 1)))
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(wider, [[0.0, 1.0]])


#: Of as many slices as `features` has.
NO_ANNOTATIONS = np.array([frozenset()] * 100)


@pytest.fixture
def features():
    """Real features of 20 patients, each a little apart from the others; and perfect and shifted generated ones."""
    generator = np.random.default_rng(0)
    patients = np.repeat([f"patient {index}" for index in range(20)], 5)
    real = generator.normal(0, 1, (100, 6)) + generator.normal(0, 0.2, (20, 6)).repeat(5, axis=0)
    perfect = generator.normal(0, 1, (80, 6)) + generator.normal(0, 0.2, (80, 6))
    return real, patients, {"perfect": perfect, "shifted": perfect + 1}


def test_distances_state_how_many_they_are_of(features):
    real, _, made = features

    found = distances_to(real, {**made, "one": real[:1]})

    assert set(found) == {"perfect", "shifted"}
    assert (found["perfect"]["generated"], found["perfect"]["real"]) == (80, 100)
    assert found["shifted"]["frechet"] == pytest.approx(found["perfect"]["frechet"] + 6, abs=1.5)
    assert found["shifted"]["kernel"] > 20 * abs(found["perfect"]["kernel"])


def test_perfect_slices_lie_at_the_floor(features):
    real, patients, made = features

    found = distances_beside_floor(real, patients, NO_ANNOTATIONS, {"through": real}, made, splits=5, seed=0)

    assert found is not None
    assert found["a_side"] == [50, 50]
    mean = {name: row["frechet"]["mean"] for name, row in found["rows"].items()}
    assert mean["through"] == pytest.approx(mean["real"])
    assert mean["perfect"] == pytest.approx(mean["real"], rel=0.3)
    assert mean["shifted"] == pytest.approx(mean["real"] + 6, rel=0.2)


def test_a_row_beside_the_floor_does_not_depend_on_what_else_is_compared(features):
    real, patients, made = features

    def rows(sets):
        found = distances_beside_floor(real, patients, NO_ANNOTATIONS, {}, sets, splits=4, seed=0)
        assert found is not None
        return found["rows"]

    together = rows({**made, "perfect again": made["perfect"]})

    assert together["perfect"] == together["perfect again"]
    for name in made:
        alone = rows({name: made[name]})
        assert alone == {which: together[which] for which in ("real", name)}


def test_one_patient_has_no_floor(features):
    real, _, made = features

    assert distances_beside_floor(real, np.full(100, "one"), NO_ANNOTATIONS, {}, made, splits=2, seed=0) is None


def test_slices_of_the_same_nodule_are_not_on_both_sides_of_the_floor():
    """Each nodule looks like itself wherever it is: where both sides have it, they are the same."""
    generator = np.random.default_rng(0)
    patients = np.array([f"patient {index}" for index in range(80)])
    # The first 40 patients share 10 nodules, which two readers each saw; the others have one each.
    nodules = np.concatenate([np.arange(40) % 10, np.arange(10, 50)])
    real = generator.normal(0, 1, (50, 2))[nodules]
    shared = np.array([frozenset({2 * nodule, 2 * nodule + 1}) for nodule in nodules])

    def sizes(annotations):
        found = distances_beside_floor(real, patients, annotations, {}, {}, splits=20, seed=0)
        return found and found["a_side"]

    assert sizes(np.array([frozenset()] * 80)) == [40, 40]
    low, high = sizes(shared)
    assert 12 <= low < high <= 32
    assert sizes(np.array([frozenset({1})] * 80)) is None


def test_nearest_neighbours_are_found_whatever_the_batch():
    generator = np.random.default_rng(0)
    others = generator.normal(0, 1, (40, 7)).astype(np.float32)
    vectors = generator.normal(0, 1, (300, 7)).astype(np.float32)
    vectors[290] = others[17]

    found = nearest(vectors, others)

    every = np.sqrt(((vectors[:, None] - others[None]) ** 2).mean(axis=2))
    np.testing.assert_array_equal(found.indices, every.argmin(axis=1))
    np.testing.assert_allclose(found.distances, every.min(axis=1), rtol=1e-5)
    assert (found.indices[290], found.distances[290]) == (17, 0)
    with pytest.raises(ValueError, match="nothing among which"):
        nearest(vectors, others[:0])


def test_small_pixels_are_means_in_hu():
    image = np.zeros((1, 256, 256), np.uint16)
    image[0, :4, 4:8] = 800
    image[0, :4, 8:12] = 3500
    image[0, :2, 12:16] = 1000

    small = small_pixels(image, (-1000, 400)).reshape(64, 64)

    assert small[0, :5].tolist() == [-1000, -200, 400, -500, -1000]


def test_copies_are_noticed():
    held_out = Neighbours(np.linspace(50, 150, 101), np.zeros(101, np.int64))
    copies = Neighbours(np.array([2.0, 3.0, 60.0, 90.0]), np.zeros(4, np.int64))

    assert share_nearer(copies, held_out) == 0.5
    assert share_nearer(held_out, held_out) == pytest.approx(0.01, abs=0.01)
    assert percentiles_of(copies)["nearest"] == 2
    assert percentiles_of(held_out)["percentile_50"] == 100
    assert percentiles_of(held_out)["count"] == 101


def test_neighbours_of_other_patients():
    vectors = np.array([[0.0], [1.0], [5.0], [8.0]], np.float32)
    patients = np.array(["a", "a", "b", "c"])

    found = nearest(vectors, vectors, patients, patients)

    assert found.indices.tolist() == [2, 2, 3, 2]
    assert found.distances.tolist() == [5, 4, 3, 3]
    with pytest.raises(ValueError, match="nothing among which"):
        nearest(vectors[:2], vectors[:2], patients[:2], patients[:2])


def test_the_papers_way_beside_few_steps(features):
    real, _, made = features

    same = compare_distances(made["perfect"], made["perfect"], real)
    worse = compare_distances(made["shifted"], made["perfect"], real)

    assert same["frechet"]["ratio"] == 1
    assert (same["kernel"]["difference"], same["kernel"]["deviation"]) == (0, 0)
    assert (same["generated"], same["real"]) == (80, 100)
    assert worse["frechet"]["ratio"] > 3
    assert worse["frechet"]["few_steps"] / worse["frechet"]["paper"] == pytest.approx(worse["frechet"]["ratio"])
    kernel = worse["kernel"]
    assert kernel["difference"] == pytest.approx(kernel["few_steps"] - kernel["paper"])
    assert kernel["difference"] > 5 * kernel["deviation"] > 0


def test_what_lies_above_the_floor_shows_what_the_bias_of_few_slices_hides():
    """Of many features and few slices: one set is 1.5 times as far as the other, and the ratio says 1.1."""
    generator = np.random.default_rng(0)
    real, few, many = (generator.normal(0, 1, (count, 200)) for count in (1500, 60, 60))
    few[:, 0], many[:, 0] = few[:, 0] + np.sqrt(60), many[:, 0] + np.sqrt(40)

    found = compare_distances(few, many, real)["frechet"]

    above = found["above_floor"]
    assert 1.05 < found["ratio"] < 1.2
    assert above["ratio"] == pytest.approx(1.5, rel=0.15)
    assert above["few_steps"] == pytest.approx(60, rel=0.15)
    assert above["floor"] > 2 * above["few_steps"]
    assert above["real"] == 1440
    assert compare_distances(few, many, real[:61])["frechet"]["above_floor"] is None


def test_no_ratio_where_nothing_lies_above_the_floor(features):
    real, _, _ = features

    above = compare_distances(real[:20], real[20:40], real)["frechet"]["above_floor"]

    assert above["few_steps"] < 0
    assert above["ratio"] is None


def test_the_papers_way_is_not_guided():
    options = SamplingOptions(seed=3, steps=20, guidance=2.5)

    assert paper_options(options, 1000) == SamplingOptions(3, 1000, 1.0, "ddpm")
    assert SliceEvaluationOptions().sampling == SLICE_SAMPLING
