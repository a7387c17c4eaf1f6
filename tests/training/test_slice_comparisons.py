"""What slices are compared by: crops around boxes, distances over splits, nearest neighbours, the paper's way."""

import numpy as np
import pytest
import torch

from tests.training.made_up_slices import write_made_up_slices
from training.frechet import FeatureNetwork
from training.nearest_neighbours import Neighbours, nearest, percentiles_of, share_nearer, small_pixels
from training.paper_way import compare_distances
from training.prepared import read_slices
from training.slice_distances import distances_beside_floor, distances_to
from training.slice_sets import SliceSet, features_of, joined, real_set


def slice_set(images, boxes):
    return SliceSet(images, np.array(boxes), np.zeros((len(images), 5), np.int64), np.full(len(images), "patient"))


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


def test_features_are_clipped_and_kept(tmp_path):
    calls = []

    def extract(grey):
        calls.append(len(grey))
        return torch.cat([grey.amin((2, 3)), grey.amax((2, 3))], dim=1).double().numpy()

    network = FeatureNetwork("extremes", 2, extract)
    images = np.tile(np.array([0, 1000, 3500], np.uint16), (5, 3, 1))

    first = features_of(network, images, (-500, 0), tmp_path, "test", batch=2)
    again = features_of(network, images, (-500, 0), tmp_path, "test", batch=2)
    wider = features_of(network, images[:1], (-1000, 2500), tmp_path, "test")

    assert calls == [2, 2, 1, 1]
    np.testing.assert_array_equal(first, np.tile([0.0, 1.0], (5, 1)))
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(wider, [[0.0, 1.0]])


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

    found = distances_beside_floor(real, patients, {"through": real}, made, splits=5, seed=0)

    assert found is not None
    assert found["a_side"] == [50, 50]
    mean = {name: row["frechet"]["mean"] for name, row in found["rows"].items()}
    assert mean["through"] == pytest.approx(mean["real"])
    assert mean["perfect"] == pytest.approx(mean["real"], rel=0.3)
    assert mean["shifted"] == pytest.approx(mean["real"] + 6, rel=0.2)


def test_one_patient_has_no_floor(features):
    real, _, made = features

    assert distances_beside_floor(real, np.full(100, "one"), {}, made, splits=2, seed=0) is None


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

    assert (same["frechet"]["ratio"], same["frechet"]["deviation"]) == (1, 0)
    assert (same["generated"], same["real"]) == (80, 100)
    assert worse["frechet"]["ratio"] > 3
    assert worse["frechet"]["few_steps"] / worse["frechet"]["paper"] == pytest.approx(worse["frechet"]["ratio"])
    assert worse["kernel"]["few_steps"] > worse["kernel"]["paper"]
