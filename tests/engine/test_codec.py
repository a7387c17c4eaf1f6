import pytest
import torch

from engine.codec import IdentityCodec, seeded_noise


def test_hu_in_range_survive_encoding_and_decoding() -> None:
    hu = torch.linspace(-1000, 600, 33)

    assert torch.allclose(IdentityCodec().decode(IdentityCodec().encode(hu)), hu, atol=1e-3)


def test_padding_and_metal_are_clipped_not_wrapped() -> None:
    encoded = IdentityCodec().encode(torch.tensor([-3024.0, -2000.0, 3071.0]))

    assert encoded.tolist() == [-1.0, -1.0, 1.0]


def test_patches_go_to_the_grid_and_back_unchanged() -> None:
    pixels = torch.arange(2 * 1 * 8 * 8).reshape(2, 1, 8, 8).float()
    codec = IdentityCodec(patch=2)

    assert codec.to_grid(pixels).shape == (2, 4, 4, 4)
    assert torch.equal(codec.from_grid(codec.to_grid(pixels)), pixels)


def test_a_preview_is_what_is_decoded() -> None:
    values = torch.linspace(-1.2, 1.2, 9).reshape(1, 1, 3, 3)

    assert torch.equal(IdentityCodec().preview(values), IdentityCodec().decode(values))


def test_settings_make_the_same_codec() -> None:
    codec = IdentityCodec(hu_min=-900, hu_max=300, patch=1)

    assert IdentityCodec(**codec.settings()) == codec
    assert (codec.channels, codec.factor) == (1, 1)


def test_an_inverted_range_is_refused() -> None:
    with pytest.raises(ValueError, match="hu_min"):
        IdentityCodec(hu_min=600, hu_max=-1000)


def test_a_seed_names_its_noise() -> None:
    assert torch.equal(seeded_noise((1, 3), 7), seeded_noise((1, 3), 7))
    assert not torch.equal(seeded_noise((1, 3), 7), seeded_noise((1, 3), 8))
