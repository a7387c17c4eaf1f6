from __future__ import annotations

import pytest
import SimpleITK as sitk

from engine.batch_sources import OpenVolume, patient_identity, split_of
from engine.ct_files import read_volume
from engine.errors import InputError
from tests.engine.small_chests import chest_slices, write_chest


def test_splits_keep_to_their_shares():
    parts = [split_of(f"patient {number}", (60, 30, 10)) for number in range(2000)]
    assert [round(parts.count(name) / 2000, 1) for name in ("train", "val", "test")] == [0.6, 0.3, 0.1]
    assert {split_of(str(number), (0, 100, 0)) for number in range(50)} == {"val"}


def test_what_cannot_be_opened_is_looked_through_once(tmp_path, monkeypatch):
    opened = []

    def read(source, series_uid):
        opened.append(source.name)
        raise ZeroDivisionError("strange")

    monkeypatch.setattr("engine.ct_files.read_volume", read)
    volumes = OpenVolume()
    for name in ("one", "one", "two", "one"):
        with pytest.raises(InputError, match="strange"):
            volumes.read(tmp_path / name, None)
    assert opened == ["one", "two", "one"]


def test_whose_a_volume_is(chests, tmp_path):
    volume = read_volume(chests / "first")
    assert patient_identity(volume) == "PAT-first"
    nameless = write_chest(tmp_path / "nameless", "", seed=5)
    study = str(read_volume(nameless).headers[0].StudyInstanceUID)
    assert patient_identity(read_volume(nameless)) == study
    image = sitk.GetImageFromArray(chest_slices(2))
    for name in ("one", "two"):
        sitk.WriteImage(image, tmp_path / f"{name}.nii.gz")
    assert len({patient_identity(read_volume(tmp_path / f"{name}.nii.gz")) for name in ("one", "two")}) == 1
