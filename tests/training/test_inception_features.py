"""Our Inception against torch-fidelity's, whose features of the same weights and images stand here as numbers."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.checkpoint import digest_of_file
from engine.errors import InputError
from training import inception_features
from training.inception_features import (
    WEIGHTS_FILES,
    Inception,
    find_inception_weights,
    inception_network,
    load_inception,
)


def random_weights(shapes):
    """Weights from a generator whose stream numpy has frozen, of the size that keeps the signal's."""
    generator = np.random.RandomState(0)
    weights = {}
    for name in sorted(shapes):
        values = generator.standard_normal(tuple(shapes[name]))
        if values.ndim == 4:
            values *= math.sqrt(2 / math.prod(shapes[name][1:]))
        elif name.endswith(("running_var", "bn.weight")):
            values = 1 + 0.2 * np.tanh(values)
        else:
            values *= 0.1
        weights[name] = torch.tensor(values, dtype=torch.float32)
    return weights


def images():
    """Two grey images in [0, 1], of the sizes that are compared."""
    for side in (32, 256):
        rows, columns = torch.meshgrid(*[torch.linspace(0, 1, side)] * 2, indexing="ij")
        yield ((rows * 7).sin() * (columns * 11 + rows).cos() / 2 + 0.5)[None, None]


@pytest.fixture(scope="module")
def weights():
    return random_weights({name: tensor.shape for name, tensor in Inception().state_dict().items() if tensor.dim()})


def with_classifier(weights, classes=1008):
    """As in the real file: a classifier that is not used, and no counts of batches."""
    return {**weights, "fc.weight": torch.zeros(classes, 2048), "fc.bias": torch.zeros(classes)}


@pytest.fixture(scope="module")
def weights_file(weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("inception") / "inception.safetensors"
    save_file(with_classifier(weights), path)
    return path


@pytest.fixture
def any_hash(monkeypatch):
    """Files made here have other hashes than the real one."""
    monkeypatch.setattr(inception_features, "WEIGHTS_SHA256", "")


#: What torch-fidelity 0.4.0 gives for them: mean, standard deviation, and features 500, 1500 and 2047.
REFERENCE = (
    (0.5537490325466412, 0.7361416301629645, [0.25344228744506836, 0.0560307651758194, 0.021740984171628952]),
    (0.5596807196426354, 0.7439166958419696, [0.25623664259910583, 0.054924800992012024, 0.017005302011966705]),
)


def test_features_are_those_of_torch_fidelity(weights_file):
    network = inception_network(weights_file)

    assert network.weights == digest_of_file(weights_file)
    for grey, (mean, deviation, some) in zip(images(), REFERENCE, strict=True):
        (features,) = network.extract(grey)
        assert features.shape == (network.length,) == (2048,)
        assert features.mean() == pytest.approx(mean, rel=1e-4)
        assert features.std(ddof=1) == pytest.approx(deviation, rel=1e-4)
        assert features[[500, 1500, 2047]] == pytest.approx(some, rel=1e-3)


@pytest.mark.parametrize("name", ["inception.pth", "inception.safetensors"])
def test_weights_may_be_as_they_are_shipped_or_safetensors(name, weights, tmp_path, any_hash):
    (save_file if name.endswith("safetensors") else torch.save)(with_classifier(weights), tmp_path / name)

    loaded = load_inception(tmp_path / name).state_dict()

    assert all(torch.equal(loaded[name], tensor) for name, tensor in weights.items())


def test_a_file_with_another_hash_is_refused(weights, tmp_path):
    torch.save(with_classifier(weights), tmp_path / WEIGHTS_FILES[0])

    with pytest.raises(InputError, match="does not hold the Inception weights of the Frechet distance"):
        load_inception(tmp_path / WEIGHTS_FILES[0])


BROKEN = ["text", "empty", "other network", "list", "missing layer", "other shape", "torchvision", "no classifier"]


@pytest.mark.parametrize("broken", BROKEN)
def test_files_that_hold_something_else(broken, weights, tmp_path, any_hash):
    path = tmp_path / "weights.pth"
    contents = {
        "empty": {},
        "other network": {"conv.weight": torch.zeros(3)},
        "list": [1, 2],
        "missing layer": with_classifier(
            {name: tensor for name, tensor in weights.items() if "Mixed_7c.branch_pool" not in name}
        ),
        "other shape": with_classifier({**weights, "Conv2d_1a_3x3.conv.weight": torch.zeros(32, 1, 3, 3)}),
        # Its layers have the same names and shapes, and were trained to tell 1000 classes apart.
        "torchvision": with_classifier(weights, classes=1000),
        "no classifier": weights,
    }
    if broken == "text":
        path.write_text("not weights")
    else:
        torch.save(contents[broken], path)

    with pytest.raises(InputError, match=r"does not hold the Inception weights.*pytorch-fid"):
        load_inception(path)


def test_a_file_that_would_run_code_is_refused(tmp_path, any_hash):
    class Attack:
        def __reduce__(self):
            return (print, ("this must not run",))

    torch.save({"Conv2d_1a_3x3.conv.weight": Attack()}, tmp_path / "attack.pth")

    with pytest.raises(InputError, match="does not hold"):
        load_inception(tmp_path / "attack.pth")


def test_weights_are_looked_for_where_other_packages_keep_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert find_inception_weights(None) is None

    kept = tmp_path / "hub" / "checkpoints" / WEIGHTS_FILES[1]
    kept.parent.mkdir(parents=True)
    kept.touch()

    assert find_inception_weights(None) == kept
    with pytest.raises(InputError, match="There is no file"):
        find_inception_weights(tmp_path / "nowhere.pth")
