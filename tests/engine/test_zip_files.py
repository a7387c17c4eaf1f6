"""Zips: what is in them is read, nothing of them stays, and the sentence for what cannot be read."""

import errno
import shutil
import tempfile
import zipfile
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import SimpleITK as sitk

from engine.ct_files import list_series, read_volume
from tests.engine.test_ct_files import refusal


def zipped(archive, folder):
    shutil.make_archive(str(archive.with_suffix("")), "zip", folder)
    return archive


def test_a_zip_of_a_series(write_ct_series, chest, tmp_path, monkeypatch):
    write_ct_series(tmp_path / "series" / "inside", chest)
    archive = zipped(tmp_path / "series.zip", tmp_path / "series")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    volume = read_volume(archive)
    np.testing.assert_array_equal(volume.hu, chest)
    assert volume.source == archive
    (info,) = list_series(archive)
    assert info.files[0] == Path("inside/slice000.dcm")
    assert not list((tmp_path / "temporary").iterdir())


def test_a_zip_cannot_write_outside_its_folder(write_ct_series, chest, tmp_path):
    file = write_ct_series(tmp_path / "series", chest[:1])[0]
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.write(file, "../../escaped.dcm")
        archive.write(file, str(tmp_path / "absolute.dcm"))
    np.testing.assert_array_equal(read_volume(tmp_path / "evil.zip").hu, chest[:1])
    assert not list(Path(tempfile.gettempdir()).glob("escaped.dcm"))
    assert not (tmp_path / "absolute.dcm").exists()


def test_zips_that_are_refused(write_ct_series, chest, tmp_path):
    write_ct_series(tmp_path / "series", chest)
    whole = zipped(tmp_path / "whole.zip", tmp_path / "series").read_bytes()
    bad = tmp_path / "bad.zip"
    bad.write_bytes(whole[: len(whole) // 2])
    assert "not a whole zip" in refusal(bad)
    bad.write_bytes(b"no zip")
    assert "not a whole zip" in refusal(bad)
    damaged = bytearray(whole)
    damaged[200:260] = bytes(60)
    bad.write_bytes(damaged)
    assert "not a whole zip" in refusal(bad)
    central = whole.index(b"PK\x01\x02")
    bad.write_bytes(whole[: central + 8] + b"\x01" + whole[central + 9 :])
    assert "password" in refusal(bad)
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("readme.txt", "no images")
    assert "holds no CT image" in refusal(bad)


def test_a_zip_of_one_nifti(chest, tmp_path):
    (tmp_path / "scan").mkdir()
    sitk.WriteImage(sitk.GetImageFromArray(chest), str(tmp_path / "scan" / "chest.nii.gz"))
    (tmp_path / "scan" / "licence.txt").write_text("free")
    volume = read_volume(zipped(tmp_path / "scan.zip", tmp_path / "scan"))
    np.testing.assert_array_equal(volume.hu, chest)
    assert volume.description == "chest.nii.gz"


def test_a_zip_larger_than_the_disk(write_ct_series, chest, tmp_path, monkeypatch):
    write_ct_series(tmp_path / "series", chest)
    archive = zipped(tmp_path / "series.zip", tmp_path / "series")
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)
    assert "more than the disk has free" in refusal(archive)


def test_a_disk_that_fills_up_while_a_zip_is_unpacked(write_ct_series, chest, tmp_path, monkeypatch):
    write_ct_series(tmp_path / "series", chest)
    archive = zipped(tmp_path / "series.zip", tmp_path / "series")
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(zipfile.ZipFile, "extractall", MagicMock(side_effect=full))
    assert refusal(archive) == (
        '"series.zip" cannot be unpacked (No space left on device); make room for temporary files, or open the folder '
        "that it was packed from."
    )
