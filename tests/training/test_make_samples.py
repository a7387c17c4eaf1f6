from pathlib import Path

import pydicom
import pytest

from engine.ct_files import read_volume
from engine.prior import suggest_for_generation
from engine.request_file import read_request
from tests.checkpoints import save_tiny_checkpoint, save_tiny_slice_checkpoint
from training.make_samples import main, make_samples


def test_each_seed_becomes_a_slice_that_opens_and_is_marked_as_synthetic(tmp_path: Path) -> None:
    checkpoint = save_tiny_slice_checkpoint(tmp_path / "checkpoint", size=256)

    folders = make_samples(checkpoint, [3, 4], tmp_path / "samples", steps=2)

    assert [folder.name for folder in folders] == ["seed-3", "seed-4"]
    for seed, folder in zip((3, 4), folders, strict=True):
        _, spacing, attributes = suggest_for_generation(seed)
        volume = read_volume(folder / "slice.dcm")
        assert volume.hu.shape == (1, 256, 256)
        assert volume.pixel_spacing == pytest.approx((spacing, spacing))
        assert pydicom.dcmread(folder / "slice.dcm").SyntheticData == "YES"
        assert (folder / "mask.dcm").exists()
        assert read_request(folder / "request.json").attributes == attributes
    first, second = (read_volume(folder / "slice.dcm").hu for folder in folders)
    assert (first != second).any()


def test_a_checkpoint_of_nodules_makes_no_slices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = save_tiny_checkpoint(tmp_path / "checkpoint")

    code = main(["--checkpoint", str(checkpoint), "--seeds", "1", "--out", str(tmp_path / "samples")])

    assert code == 2
    assert "slice" in capsys.readouterr().err
    assert not (tmp_path / "samples").exists()
