"""Results and exports with a file that was damaged or put there by somebody else, and places that may not be seen."""

import io
import json
import os
import zlib
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from engine import journal
from engine.checkpoint import read_manifest
from engine.errors import InputError
from engine.export_folder import check_folder
from engine.exported_result import exported_before, exported_slice
from engine.exports import export_files
from engine.known_inputs import known_input, remember_input
from engine.pacs import fetch_series
from engine.pacs_connection import DimseServer
from engine.replay import exported_hu, find_series, saved_request
from engine.study_sources import read_sources
from tests.checkpoints import save_tiny_checkpoint
from tests.engine.placed_nodules import make_result, make_volume
from tests.scripted_engine import scripted_request, scripted_result


@pytest.fixture
def entry(tmp_path):
    return journal.record(scripted_result(scripted_request()), tmp_path / "journal")


def flip(content, where, offset, bits):
    """Flip bits of the first local header (b"PK\\3\\4") or directory entry (b"PK\\1\\2") of a zip."""
    changed = bytearray(content)
    changed[content.find(where) + offset] ^= bits
    return bytes(changed)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: flip(content, b"PK\1\2", 8, 1),  # encrypted: RuntimeError
        lambda content: flip(content, b"PK\1\2", 10, 1),  # a way of compressing that there is not: NotImplementedError
        lambda content: flip(content, b"PK\1\2", 6, 64),  # a later version: NotImplementedError
        lambda content: flip(content, b"PK\3\4", 30, 1),
    ],
)
def test_a_result_with_a_flipped_bit(entry, change):
    arrays = entry / "result.npz"
    arrays.write_bytes(change(arrays.read_bytes()))
    with pytest.raises(InputError, match=r"cannot be read .*: restore its files from a copy, or delete it"):
        journal.read(entry)
    with pytest.raises(InputError, match="cannot be read"):
        read_sources((entry,), ())


def test_a_result_that_asks_for_more_memory_than_there_is(entry, monkeypatch):
    def fill(*_args, **_kwargs):
        raise MemoryError("Unable to allocate 1.82 TiB")

    monkeypatch.setattr(journal, "_restored", fill)
    with pytest.raises(InputError, match=r"cannot be read \(Unable to allocate 1.82 TiB\)"):
        journal.read(entry)


@pytest.mark.parametrize("dtype", [np.complex64, "U3", np.float64, np.bool_])
@pytest.mark.parametrize("name", ["input_hu", "finished_hu"])
def test_a_result_whose_arrays_are_none_of_hu(entry, name, dtype):
    with np.load(entry / "result.npz") as stored:
        arrays = {key: array.astype(dtype) if key == name else array for key, array in stored.items()}
    np.savez(entry / "result.npz", **arrays)
    with pytest.raises(InputError, match="HU are of the type"):
        journal.read(entry)


@pytest.fixture
def export(tmp_path):
    """An export with pictures and a volume, and its request."""
    volume, folder = make_volume(), tmp_path / "out"
    export_files(volume, 1, make_result(volume), folder, ["PNG", "NIfTI"])
    return folder, saved_request(folder)


def bomb(path):
    """A picture of 60,000 x 60,000 pixels, by its header."""
    stream = io.BytesIO()
    Image.new("L", (1, 1)).save(stream, "PNG")
    content = bytearray(stream.getvalue())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: Image.new("RGB", (48, 40)).save(path),
        lambda path: Image.new("I;16", (40, 48)).save(path),
        lambda path: path.write_bytes(b"no picture"),
        bomb,
    ],
)
def test_another_picture_beside_a_request(export, write):
    folder, saved = export
    (folder / "slice.nii.gz").unlink()
    for name, read in (("after-16bit.png", exported_slice), ("before-16bit.png", exported_before)):
        write(folder / name)
        with pytest.raises(InputError, match=r"restore it from a copy\.$"):
            read(saved, folder)


@pytest.mark.parametrize("shape", [(3, 40, 48), (1, 41, 48), (1, 40, 48, 3)])
def test_another_volume_beside_a_request(export, shape):
    folder, saved = export
    image = sitk.GetImageFromArray(np.zeros(shape, np.int16), isVector=len(shape) == 4)
    sitk.WriteImage(image, str(folder / "slice.nii.gz"))
    with pytest.raises(InputError, match="is not the slice that was exported; restore it"):
        exported_hu(saved, folder)


LONG = "a" * 300
NOWHERE = DimseServer("localhost", 1, "A")


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        (lambda path: check_folder(path), "cannot be written to"),
        (lambda path: saved_request(path), "cannot be read; check that the file is there"),
        (lambda path: fetch_series(NOWHERE, "1.2", "1.2", path), "cannot be written to"),
        (lambda path: read_sources((path,), ()), "holds no result|cannot be read"),
    ],
)
@pytest.mark.parametrize("name", ["long", "locked"])
def test_a_place_that_cannot_be_looked_at(tmp_path, monkeypatch, name, work, sentence):
    path = tmp_path / LONG if name == "long" else locked(tmp_path, monkeypatch)
    with pytest.raises(InputError, match=sentence):
        work(path)


def locked(tmp_path, monkeypatch):
    """Return a path that may not be looked at, also by root, whom nothing is forbidden."""
    path, stat, lstat, scan = tmp_path / "locked" / "x", os.stat, os.lstat, os.scandir

    def refusing(real):
        def look(at, *args, **kwargs):
            if str(at).startswith(str(path)):
                raise PermissionError(13, "Permission denied", str(at))
            return real(at, *args, **kwargs)

        return look

    for called, real in (("stat", stat), ("lstat", lstat), ("scandir", scan), ("access", os.access)):
        monkeypatch.setattr(os, called, refusing(real))
    return path


def test_an_input_that_cannot_be_looked_at(export, tmp_path, monkeypatch):
    folder, saved = export
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    gone = replace(saved, record={**saved.record, "input": {**saved.record["input"], "path": f"/{LONG}"}})
    remember_input("0" * 64, tmp_path / LONG)
    assert known_input("0" * 64) is None
    with pytest.raises(InputError, match="is not there any more; give what was opened"):
        find_series(replace(gone, input_sha256="0" * 64, sha256_as_read=""))
    assert json.loads((folder / "request.json").read_text())["input"]["path"] is None


def test_weights_that_cannot_be_read(tmp_path, monkeypatch):
    from engine import checkpoint

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    folder = save_tiny_checkpoint(tmp_path / "tiny")
    monkeypatch.setattr(checkpoint, "digest_of_file", refuse)
    with pytest.raises(
        InputError, match=r"model.safetensors in the checkpoint .* cannot be read \(Permission denied\)"
    ):
        read_manifest(folder)
