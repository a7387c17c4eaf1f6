import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
from diffusers.models.autoencoders.vq_model import VQModel

from engine.codec import IdentityCodec
from engine.errors import InputError
from engine.vq_codec import VQCodec, load_vq_codec, save_vq_codec
from tests.checkpoints import tiny_vq_codec


def tiny_model(seed: int = 0, levels: int = 3, **changes: Any) -> VQModel:
    """Of the shape of ``CompVis/ldm-celebahq-256``'s ``vqvae``, but narrow: three image channels, with attention."""
    torch.manual_seed(seed)
    settings: dict[str, Any] = {
        "in_channels": 3,
        "out_channels": 3,
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "block_out_channels": (8, 8, 16)[-levels:],
        "layers_per_block": 2,
        "latent_channels": 3,
        "num_vq_embeddings": 64,
        "norm_num_groups": 4,
    }
    model = VQModel(**{**settings, **changes}).eval().requires_grad_(False)
    model.quantize.embedding.weight.data.normal_()
    return model


@pytest.fixture
def hu() -> torch.Tensor:
    return torch.rand(2, 1, 64, 32, generator=torch.Generator().manual_seed(1)) * 1400 - 1000


def test_a_slice_becomes_latents_four_times_smaller_and_a_slice_again(hu: torch.Tensor) -> None:
    codec = tiny_vq_codec()

    latents = codec.encode(hu)

    assert (codec.channels, codec.factor) == (3, 4)
    assert latents.shape == (2, 3, 16, 8)
    assert codec.decode(latents).shape == codec.decode_unquantised(latents).shape == hu.shape
    assert codec.preview(latents).shape == (2, 1, 16, 8)
    assert torch.equal(codec.from_grid(codec.to_grid(latents)), latents)


def test_patches_of_latents_become_channels_and_come_back(hu: torch.Tensor) -> None:
    usual = tiny_vq_codec()
    codec = VQCodec(usual.vqvae, usual.statistics, replace(usual.pixels, patch=2))

    latents = codec.encode(hu)

    assert codec.to_grid(latents).shape == (2, 12, 8, 4)
    assert torch.equal(codec.from_grid(codec.to_grid(latents)), latents)


@pytest.mark.parametrize("channels", [1, 3])
def test_it_decodes_as_diffusers_does(hu: torch.Tensor, channels: int) -> None:
    model = tiny_model(in_channels=channels, out_channels=channels)
    images = (hu + 1000) / 3500 * 2 - 1

    expected = model(images.expand(-1, channels, -1, -1)).sample.mean(1, keepdim=True).clamp(-1, 1)

    codec = VQCodec(model)
    assert torch.allclose(codec.to_images(codec.decode(codec.encode(hu))), expected, atol=1e-5)
    assert (codec.decode(codec.encode(hu)) - codec.decode_unquantised(codec.encode(hu))).abs().max() > 1


@pytest.mark.parametrize("most_tree_channels", [8, 2])
def test_codes_are_the_nearest_however_they_are_found(monkeypatch: pytest.MonkeyPatch, most_tree_channels: int) -> None:
    monkeypatch.setattr("engine.vq_codec._MOST_TREE_CHANNELS", most_tree_channels)
    codec = tiny_vq_codec()
    codes = codec.vqvae.quantize.embedding.weight
    wanted = torch.randint(len(codes), (3, 40, 20), generator=torch.Generator().manual_seed(0))

    assert torch.equal(codec.nearest_codes(codec.codes_of(wanted) + 1e-4), wanted)


def test_statistics_normalise_what_the_model_says(hu: torch.Tensor) -> None:
    codec = tiny_vq_codec()
    assert codec.statistics is not None
    plain = VQCodec(codec.vqvae)
    mean, components = torch.tensor(codec.statistics.mean), torch.tensor(codec.statistics.components)

    wanted = (plain.encode(hu).movedim(1, -1) - mean) @ components.T
    assert torch.allclose(codec.encode(hu), wanted.movedim(-1, 1), atol=1e-5)
    assert torch.allclose(codec.decode(codec.encode(hu)), plain.decode(plain.encode(hu)), atol=1e-1)


def test_components_that_are_left_out_are_those_of_the_mean(hu: torch.Tensor) -> None:
    codec = tiny_vq_codec()
    assert codec.statistics is not None
    # The first and the second channel of the model; the third is always 0.2.
    codec.statistics = replace(codec.statistics, components=((2.0, 0.0, 0.0), (0.0, 0.5, 0.0)), preview_weights=(1, 1))
    plain = VQCodec(codec.vqvae)
    latents = plain.encode(hu)
    latents[:, 2] = 0.2

    values = codec.encode(hu)

    assert codec.channels == values.shape[1] == 2
    assert torch.allclose(codec.decode_unquantised(values), plain.decode_unquantised(latents), atol=1e-1)


def test_a_preview_is_a_weighted_sum_in_hu() -> None:
    codec = tiny_vq_codec()
    assert codec.statistics is not None
    codec.statistics = replace(codec.statistics, preview_weights=(0.25, 0.0, -0.75), preview_bias=0.1)
    latents = torch.tensor([1.0, 5.0, 0.5])[None, :, None, None].expand(1, 3, 2, 2)

    assert torch.allclose(codec.preview(latents), torch.full((1, 1, 2, 2), (1 + 0.1 - 0.125) / 2 * 3500 - 1000))
    assert codec.preview(latents * 100).min() == -1000


def test_padding_and_metal_are_clipped(hu: torch.Tensor) -> None:
    codec = tiny_vq_codec()
    clipped = hu.clone()
    hu[0, 0, 0, :2] = torch.tensor([-3024.0, 9000.0])
    clipped[0, 0, 0, :2] = torch.tensor([-1000.0, 2500.0])

    assert torch.equal(codec.encode(hu), codec.encode(clipped))


def test_a_saved_codec_loads_as_it_was(tmp_path: Path, hu: torch.Tensor) -> None:
    codec = tiny_vq_codec()
    save_vq_codec(codec, tmp_path / "codec")

    loaded = load_vq_codec(tmp_path / "codec")

    assert loaded.settings() == codec.settings()
    torch.testing.assert_close(loaded.encode(hu), codec.encode(hu))  # in another memory format
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_settings_pass_through_json(hu: torch.Tensor) -> None:
    codec = tiny_vq_codec()
    settings = json.loads(json.dumps({"kind": "vqvae", **codec.settings()}))

    again = VQCodec.from_settings(settings)
    again.load_state_dict(codec.state_dict())

    assert again.settings() == codec.settings()
    assert torch.equal(again.eval().encode(hu), codec.encode(hu))


def test_another_range_and_patch_last(tmp_path: Path, hu: torch.Tensor) -> None:
    usual, pixels = tiny_vq_codec(), IdentityCodec(-1024.0, 600.0, 4)
    codec = VQCodec(usual.vqvae, usual.statistics, pixels).eval().requires_grad_(False)
    save_vq_codec(codec, tmp_path)

    for again in (load_vq_codec(tmp_path), VQCodec.from_settings(codec.settings())):
        again.load_state_dict(usual.state_dict())
        assert (again.hu_min, again.hu_max, again.patch) == (-1024, 600, 4)
        assert again.pixels == pixels
        assert again.to_grid(again.encode(hu)).shape == (2, 48, 4, 2)
        torch.testing.assert_close(again.eval().to_images(hu), pixels.encode(hu))
    assert not torch.equal(codec.encode(hu), usual.encode(hu))


def test_settings_without_a_range_mean_the_usual_one(tmp_path: Path) -> None:
    codec = tiny_vq_codec()
    settings = codec.settings()
    for name in ("hu_min", "hu_max", "patch"):
        del settings[name]

    assert VQCodec.from_settings(settings).settings() == codec.settings()


def test_latents_normalised_as_they_once_were_are_refused() -> None:
    settings = tiny_vq_codec().settings()
    del settings["statistics"]["components"]

    with pytest.raises(InputError, match="use a checkpoint made for this one"):
        VQCodec.from_settings({**settings, "statistics": {**settings["statistics"], "std": [1.0, 1.0, 1.0]}})


@pytest.mark.parametrize("subfolder", ["", "vqvae"])
def test_a_pretrained_model_of_three_channels_works_without_our_files(
    tmp_path: Path, hu: torch.Tensor, subfolder: str
) -> None:
    tiny_model().save_pretrained(tmp_path / "pipeline" / subfolder)

    codec = load_vq_codec(tmp_path / "pipeline")

    assert codec.statistics is None
    assert codec.encode(hu).shape == (2, 3, 16, 8)
    assert codec.decode(codec.encode(hu)).shape == hu.shape
    assert VQCodec.from_settings(codec.settings()).settings() == codec.settings()


@pytest.mark.filterwarnings("ignore:.*local_dir_use_symlinks")  # diffusers' own way of asking the hub
@pytest.mark.parametrize("channels", [1, 3])
def test_a_model_is_found_by_its_name_on_the_hub(
    tmp_path: Path, hu: torch.Tensor, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As the hub's library keeps what it has fetched once, and looks first.
    kept, revision = tmp_path / "models--CompVis--ldm-celebahq-256", "0" * 40
    tiny_model(in_channels=channels, out_channels=channels).save_pretrained(kept / "snapshots" / revision / "vqvae")
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(revision)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)

    codec = load_vq_codec("CompVis/ldm-celebahq-256")

    assert codec.decode(codec.encode(hu)).shape == hu.shape


def test_a_model_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    tiny_model(levels=2).save_pretrained(tmp_path)

    with pytest.raises(InputError, match="latents 2 times smaller"):
        load_vq_codec(tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no VQ-VAE"):
        load_vq_codec(tmp_path)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    save_vq_codec(tiny_vq_codec(), tmp_path)
    (tmp_path / "codec.json").write_text('{"mean": 3}')
    with pytest.raises(InputError, match=r"codec\.json"):
        load_vq_codec(tmp_path)

    (tmp_path / "diffusion_pytorch_model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match="cannot be read"):
        load_vq_codec(tmp_path)
