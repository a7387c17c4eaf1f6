"""Distances against what they are for normal distributions, where both are known in closed form."""

import numpy as np
import pytest
import torch
from scipy import linalg

from training.frechet import (
    efficientnet_lite0,
    frechet_distance,
    image_features,
    kernel_difference,
    kernel_distance,
    load_feature_network,
    to_grey,
)


def normal(mean, covariance, count, seed):
    return np.random.default_rng(seed).multivariate_normal(mean, covariance, count)


def exactly_normal(mean, covariance, count, seed):
    """Samples whose own mean and covariance are the ones asked for."""
    drawn = normal(np.zeros(len(mean)), np.eye(len(mean)), count, seed)
    drawn -= drawn.mean(axis=0)
    whitened = drawn @ np.linalg.inv(np.linalg.cholesky(np.cov(drawn.T)).T)
    return whitened @ np.linalg.cholesky(covariance).T + mean


COVARIANCE = np.array([[2.0, 0.6, 0.0], [0.6, 1.0, -0.3], [0.0, -0.3, 0.5]])
OTHER = np.array([[1.0, -0.2, 0.1], [-0.2, 3.0, 0.4], [0.1, 0.4, 0.8]])


def test_distance_of_a_set_from_itself_is_zero():
    features = normal(np.zeros(3), COVARIANCE, 50, 0)

    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)


def test_shifted_mean_costs_its_square():
    features = normal(np.zeros(3), COVARIANCE, 50, 0)

    assert frechet_distance(features, features + np.array([1.0, 2.0, -2.0])) == pytest.approx(9)


def test_independent_normals_have_the_closed_form():
    """Diagonal covariances: the sum of squared differences of the standard deviations."""
    first = exactly_normal(np.zeros(3), np.diag([4.0, 1.0, 9.0]), 40, 1)
    second = exactly_normal(np.array([0.0, 3.0, 0.0]), np.diag([1.0, 1.0, 1.0]), 60, 2)

    assert frechet_distance(first, second) == pytest.approx(9 + 1 + 0 + 4)


def test_correlated_normals_agree_with_the_matrix_root():
    first = exactly_normal(np.zeros(3), COVARIANCE, 40, 3)
    second = exactly_normal(np.ones(3), OTHER, 70, 4)
    root = linalg.sqrtm(COVARIANCE @ OTHER).real

    expected = 3 + np.trace(COVARIANCE) + np.trace(OTHER) - 2 * np.trace(root)
    assert frechet_distance(first, second) == pytest.approx(expected)


def test_fewer_samples_than_features():
    """Two sets in different planes of a space of 100 dimensions: nothing is shared, so the traces add up."""
    first, second = np.zeros((10, 100)), np.zeros((10, 100))
    first[:, :2] = exactly_normal(np.zeros(2), np.eye(2) * 4, 10, 5)
    second[:, 2:4] = exactly_normal(np.zeros(2), np.eye(2), 10, 6)

    assert frechet_distance(first, second) == pytest.approx(8 + 2)


def test_frechet_distance_of_small_sets_is_biased_and_kernel_distance_is_not():
    """The same distribution on both sides: what is above zero is bias."""
    dimensions = 60

    def of_sets(distance, count):
        pairs = [
            (normal(np.zeros(dimensions), np.eye(dimensions), count, 2 * seed),
             normal(np.zeros(dimensions), np.eye(dimensions), count, 2 * seed + 1))
            for seed in range(20)
        ]  # fmt: skip
        return np.mean([distance(*pair) for pair in pairs])

    assert of_sets(frechet_distance, 30) > 4 * of_sets(frechet_distance, 300) > 1
    assert abs(of_sets(kernel_distance, 30)) < 0.02


def test_kernel_distance_has_the_closed_form_for_one_dimension():
    """E (xy + 1)^3 for normals, by moments: 1 + 3 E[xy] + 3 E[x2]E[y2] + E[x3]E[y3]."""
    first = normal([0.0], [[1.0]], 1500, 7)
    second = normal([1.0], [[1.0]], 1500, 8)
    moments = {0: (0, 1, 0), 1: (1, 2, 4)}

    def expected(a, b):
        return 1 + 3 * moments[a][0] * moments[b][0] + 3 * moments[a][1] * moments[b][1] + moments[a][2] * moments[b][2]

    closed = expected(0, 0) + expected(1, 1) - 2 * expected(0, 1)
    assert kernel_distance(first, second) == pytest.approx(closed, rel=0.15)


def test_kernel_difference_and_how_far_it_varies():
    """Pairs that go together; what differs from one drawing to the next is what the bootstrap says."""
    real = normal(np.zeros(3), np.eye(3), 400, 0)
    found, deviations = [], []
    for seed in range(60):
        second = normal(np.zeros(3), np.eye(3), 40, 1 + seed)
        first = second + 0.3 + normal(np.zeros(3), 0.3 * np.eye(3), 40, 1000 + seed)
        difference, deviation = kernel_difference(first, second, real, np.random.default_rng(seed))
        assert difference == pytest.approx(kernel_distance(first, real) - kernel_distance(second, real))
        found.append(difference)
        deviations.append(deviation)

    assert np.mean(found) > 0.2
    assert np.mean(deviations) == pytest.approx(np.std(found), rel=0.3)
    assert kernel_difference(first, first, real, np.random.default_rng(0)) == (0, 0)


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_sets_that_cannot_be_compared(distance):
    with pytest.raises(ValueError, match="two or more"):
        distance(np.zeros((1, 3)), np.zeros((5, 3)))
    with pytest.raises(ValueError, match="cannot be compared"):
        distance(np.zeros((5, 3)), np.zeros((5, 4)))


def test_features_of_discs_tell_solid_from_ground_glass():
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    disc = (rows - 15.5) ** 2 + (columns - 15.5) ** 2 < 64
    generator = torch.Generator().manual_seed(0)

    def images(hu):
        return torch.where(disc, hu, -850.0) + 30 * torch.randn(12, 1, 32, 32, generator=generator)

    network = load_feature_network()
    solid, again, glass = (image_features(network, images(hu), batch=5) for hu in (40.0, 40.0, -600.0))

    assert solid.shape == (12, 1280)
    assert frechet_distance(solid, glass) > 3 * frechet_distance(solid, again)
    assert kernel_distance(solid, glass) > 3 * abs(kernel_distance(solid, again))


def test_feature_network_is_the_same_one():
    hu = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(1)) * 400 - 400

    network = efficientnet_lite0()

    expected = image_features(load_feature_network(), hu)
    np.testing.assert_array_equal(network.extract(to_grey(hu)), expected)
    assert expected.shape == (2, network.length)
    assert len(network.weights) == 64
    assert to_grey(torch.tensor([-2000.0, -1000, -300, 400, 3000])).tolist() == pytest.approx([0, 0, 0.5, 1, 1])
