from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from engine.vq_codec import VQCodec
from tests.checkpoints import tiny_vq_codec
from tests.training.prepared_slices import write_prepared
from training.prepared import PreparedSlices, read_slices
from training.slice_latents import cache_latents, crops_of_variant, images_in_crops
from training.training_run import make_accelerator


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> PreparedSlices:
    return read_slices(write_prepared(tmp_path_factory.mktemp("prepared")), held_out=False)


@pytest.fixture(scope="module")
def accelerator() -> Accelerator:
    return make_accelerator()  # accelerate keeps what the first one of a process was made with


class CountingCodec(VQCodec):
    """Counts the slices that it encodes."""

    encoded = 0

    def encode(self, hu: torch.Tensor) -> torch.Tensor:
        self.encoded += len(hu)
        return super().encode(hu)


def counting_codec(seed: int = 0) -> CountingCodec:
    codec = tiny_vq_codec(seed)
    return CountingCodec(codec.vqvae, codec.statistics).eval()


def test_latents_are_those_of_the_vqvae(tmp_path: Path, slices: PreparedSlices, accelerator: Accelerator) -> None:
    codec = tiny_vq_codec()
    latents = cache_latents(slices, codec, tmp_path, 1, accelerator)

    taken = latents.take(np.array([4, 1]), np.array([0, 0]))

    with accelerator.autocast():
        wanted = codec.encode(torch.from_numpy(np.stack([slices.hu(4), slices.hu(1)]))[:, None]).float()
    # Batches of another size round otherwise in bf16.
    torch.testing.assert_close(taken, wanted, atol=0.05, rtol=0.02)
    assert latents.channels == 3
    assert latents.largest >= float(taken.abs().max())


def test_a_second_run_encodes_nothing_and_more_variants_only_those(
    tmp_path: Path, slices: PreparedSlices, accelerator: Accelerator
) -> None:
    cache_latents(slices, tiny_vq_codec(), tmp_path, 1, accelerator)
    codec = counting_codec()

    cache_latents(slices, codec, tmp_path, 1, accelerator)
    assert codec.encoded == 0
    cache_latents(slices, codec, tmp_path, 3, accelerator)
    assert codec.encoded == 2 * len(slices)


def test_another_vqvae_or_other_slices_get_a_cache_of_their_own(
    tmp_path: Path, slices: PreparedSlices, accelerator: Accelerator
) -> None:
    cache_latents(slices, tiny_vq_codec(), tmp_path / "latents", 1, accelerator)
    other_vqvae, same_vqvae = counting_codec(seed=1), counting_codec()
    others = read_slices(write_prepared(tmp_path / "others", seed=1), held_out=False)

    cache_latents(slices, other_vqvae, tmp_path / "latents", 1, accelerator)
    cache_latents(others, same_vqvae, tmp_path / "latents", 1, accelerator)

    assert other_vqvae.encoded == same_vqvae.encoded == len(slices)
    assert len(list((tmp_path / "latents").iterdir())) == 3


def test_a_stopped_encoding_goes_on_with_what_is_missing(
    tmp_path: Path, slices: PreparedSlices, accelerator: Accelerator
) -> None:
    whole = cache_latents(slices, tiny_vq_codec(), tmp_path, 2, accelerator)
    (lost,) = tmp_path.glob("*/variant-1/*.npy")
    before = np.array(whole.shards[1][0])
    lost.unlink()
    codec = counting_codec()

    again = cache_latents(slices, codec, tmp_path, 2, accelerator)

    assert codec.encoded == len(slices)
    assert np.array_equal(again.shards[1][0], before)
    assert not list(tmp_path.rglob("*.part"))


def test_variants_are_crops_within_the_slice() -> None:
    assert (crops_of_variant(5, 0) == (0, 0, 256)).all()
    crops = crops_of_variant(500, 1)

    row, column, side = crops.T
    assert (crops >= 0).all()
    assert max((row + side).max(), (column + side).max()) <= 256.001
    assert 224 <= side.min() < 226
    assert not np.array_equal(crops, crops_of_variant(500, 2))


def test_a_variant_shows_its_crop(tmp_path: Path, slices: PreparedSlices, accelerator: Accelerator) -> None:
    class Straight:
        """Encodes nothing: HU as they come, in thousands."""

        def encode(self, hu: torch.Tensor) -> torch.Tensor:
            return hu / 1000

        def settings(self) -> dict[str, str]:
            return {}

        def state_dict(self) -> dict[str, torch.Tensor]:
            return {}

    latents = cache_latents(slices, Straight(), tmp_path, 2, accelerator)

    hu = latents.take(np.array([1]), np.array([1]))[0, 0] * 1000

    # The only bright square of this slice: rows 90 to 120, columns 150 to 180.
    row, column, side = crops_of_variant(len(slices), 1)[1]
    bright = torch.nonzero(hu > -400).float()
    assert bright.amin(0).numpy() == pytest.approx((np.array([90 - row, 150 - column]) * 256 / side), abs=1)
    assert bright.amax(0).numpy() + 1 == pytest.approx((np.array([120 - row, 180 - column]) * 256 / side), abs=1)
    # As an image, it is what was encoded, up to rounding in fp16.
    image = images_in_crops(slices.images, crops_of_variant(len(slices), 1))[1].astype(np.float32) - 1000
    np.testing.assert_allclose(image, np.clip(hu.numpy(), -1000, 2500), atol=2)
    np.testing.assert_array_equal(images_in_crops(slices.images, crops_of_variant(len(slices), 0)), slices.images)
