"""How a VQ-VAE gives slices back: figures of a known error, and any pretrained one from the command line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.vq_codec import VQCodec
from tests.checkpoints import tiny_vq_codec
from tests.training.crops_file import HELD_OUT
from tests.training.vqvae_data import RADII, write_vqvae_data
from training.evaluate import main as evaluate
from training.prepared import read_nodules, read_slices, stored_from_hu
from training.vqvae_reconstruction import DIAMETER_NAMES, WAYS, evaluate_vqvae
from training.vqvae_samples import halve


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vqvae_data(tmp_path_factory.mktemp("prepared"))


class Shifting(VQCodec):
    """Gives everything back, too bright by 30 HU with its code book and by 10 HU without."""

    def encode(self, hu: torch.Tensor) -> torch.Tensor:
        self.encoded = hu.clamp(self.hu_min, self.hu_max)
        return self.encoded

    def decode_codes(self, indices: torch.Tensor) -> torch.Tensor:
        return self.encoded + 30

    def decode_unquantised(self, values: torch.Tensor) -> torch.Tensor:
        return values + 10

    def code_indices(self, values: torch.Tensor) -> torch.Tensor:
        return (values[:, 0, ::4, ::4] > -500).long()


def test_figures_are_those_of_a_known_error(data: Path) -> None:
    codec = Shifting(tiny_vq_codec().vqvae)

    figures = evaluate_vqvae(codec, read_slices(data, held_out=True), read_nodules(data, held_out=True))

    for way, error in zip(WAYS, (30, 10), strict=True):
        assert figures[way]["lung_mae_hu"] == pytest.approx(error, abs=1e-3)
        assert figures[way]["nodule_mae_hu"] == {name: pytest.approx(error, abs=1e-3) for name in DIAMETER_NAMES}
        assert figures[way]["psnr_db"] == pytest.approx(20 * np.log10(1400 / error), abs=0.01)
    assert figures["nodules"] == len(HELD_OUT) * len(RADII)
    assert figures["code_book"]["used"] == 2 / 32


def test_a_sample_of_the_rows_is_enough_between(data: Path) -> None:
    codec = Shifting(tiny_vq_codec().vqvae)

    figures = evaluate_vqvae(codec, read_slices(data, held_out=True), None, count=2)

    assert figures["slices"] == 2
    assert figures["nodules"] == 0
    assert figures["quantised"]["nodule_mae_hu"] == dict.fromkeys(DIAMETER_NAMES)


def test_halving_takes_the_mean_of_two_by_two() -> None:
    stored = stored_from_hu(np.arange(16.0).reshape(1, 4, 4))

    assert halve(stored)[0].tolist() == [[1002.5, 1004.5], [1010.5, 1012.5]]


def test_evaluate_takes_any_pretrained_vqvae(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vqvae: Any = tiny_vq_codec().vqvae
    vqvae.save_pretrained(tmp_path / "vqvae")

    given = ["vqvae", "--vqvae", str(tmp_path / "vqvae"), "--data", str(data), "--out", str(tmp_path / "out")]
    assert evaluate(given) == 0

    figures = json.loads((tmp_path / "out" / "vqvae.json").read_text())
    assert figures["code_book"]["codes"] == 32
    assert "PSNR over [-1000, 400] HU" in capsys.readouterr().out
