"""The journal: what is recorded comes back in full, and what was half written does no harm."""

import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from engine import journal
from engine.ct import CTSlice
from engine.errors import InputError
from engine.events import Extension
from engine.nodule import BoundingBox, NoduleAttributes
from tests.scripted_engine import scripted_request, scripted_result


def assert_same(one, other):
    """Compare field by field, so that a field that is added and not recorded is noticed."""
    assert type(one) is type(other)
    for field in fields(one):
        value, restored = getattr(one, field.name), getattr(other, field.name)
        if is_dataclass(value):
            assert_same(value, restored)
        elif isinstance(value, np.ndarray):
            assert value.dtype == restored.dtype
            np.testing.assert_array_equal(value, restored)
        else:
            assert value == restored, field.name


def result_of(hu_type=np.int16, spacing=(0.703125, 0.71)):
    """A result whose every value differs from the default, HU outside the usual range included."""
    generator = np.random.default_rng(3)
    hu = generator.integers(-3024, 3071, (30, 40)).astype(hu_type)
    if hu_type is np.float32:
        hu += generator.random(hu.shape, dtype=np.float32)
    request = replace(
        scripted_request(seed=7),
        slice=CTSlice(hu, spacing),
        box=BoundingBox(3, 20, 11, hu.shape),
        attributes=NoduleAttributes(None, 1, 2, 3, 5),
    )
    request = replace(request, extension=Extension("ab" * 32, -2.5))
    request = replace(request, options=replace(request.options, seed=2**40, steps=33, guidance=1.7, solver="ddim"))
    return scripted_result(request, seconds=0.123456789)


@pytest.mark.parametrize("hu_type", [np.int16, np.float32])
def test_a_result_comes_back_in_full(tmp_path, hu_type):
    result = result_of(hu_type)
    assert_same(journal.read(journal.record(result, tmp_path / "new" / "journal")), result)


def test_a_finished_slice_of_another_type_comes_back_in_full(tmp_path):
    result = result_of()
    floats = replace(result, slice=CTSlice(result.slice.hu + np.float32(0.5), result.slice.pixel_spacing))
    assert_same(journal.read(journal.record(floats, tmp_path)), floats)


def test_no_nodule_found_comes_back(tmp_path):
    result = result_of()
    empty = replace(result.measurement, mask=np.zeros(result.slice.shape, np.bool_), diameter_mm=0.0)
    result = replace(result, measurement=empty)
    assert_same(journal.read(journal.record(result, tmp_path)), result)


def test_numbers_of_numpy_are_recorded_as_numbers(tmp_path):
    result = result_of(spacing=(np.float64(0.5), np.float64(0.5)))
    options = replace(result.request.options, seed=np.int64(5), guidance=np.float32(2.5))
    result = replace(result, request=replace(result.request, options=options), seconds=np.float64(1.5))
    restored = journal.read(journal.record(result, tmp_path))
    assert restored.request.options == options
    assert restored.slice.pixel_spacing == (0.5, 0.5)


def test_an_entry_is_plain_json_and_plain_arrays(tmp_path):
    entry = journal.record(result_of(), tmp_path)
    assert sorted(path.name for path in entry.iterdir()) == ["result.json", "result.npz"]
    written = json.loads((entry / "result.json").read_text())
    assert written["box"] == {"row": 3, "column": 20, "side": 11}
    assert written["options"]["steps"] == 33
    assert written["input"]["sha256"] == result_of().request.slice.sha256()
    with np.load(entry / "result.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"input_hu", "finished_hu", "mask_pixels"}


def test_entries_come_newest_last(tmp_path):
    recorded = [journal.record(result_of(), tmp_path) for _ in range(4)]
    assert journal.entries(tmp_path) == recorded


def test_a_journal_that_does_not_exist_is_empty(tmp_path):
    assert journal.entries(tmp_path / "none") == []


def test_what_was_half_written_is_passed_over(tmp_path):
    whole = journal.record(result_of(), tmp_path)
    shutil.copytree(whole, tmp_path / f".{whole.name}")
    for missing in ("result.json", "result.npz"):
        part = shutil.copytree(whole, tmp_path / f"2001-without-{missing}")
        (part / missing).unlink()
    (tmp_path / "notes.txt").write_text("a file of somebody else's")
    assert journal.entries(tmp_path) == [whole]


def test_a_full_disk_is_one_sentence_and_leaves_nothing_behind(tmp_path, monkeypatch):
    whole = journal.record(result_of(), tmp_path)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"could not be saved .*No space left on device.*make room.*\.$"):
        journal.record(result_of(), tmp_path)
    assert list(tmp_path.iterdir()) == [whole]


def test_a_journal_in_the_place_of_a_file_is_one_sentence(tmp_path):
    (tmp_path / "journal").write_text("in the way")
    with pytest.raises(InputError, match="could not be saved"):
        journal.record(result_of(), tmp_path / "journal")


def spoil_arrays(entry):
    data = bytearray((entry / "result.npz").read_bytes())
    data[400] ^= 1
    (entry / "result.npz").write_bytes(data)


def cut_arrays(entry):
    (entry / "result.npz").write_bytes((entry / "result.npz").read_bytes()[:300])


def cut_json(entry):
    (entry / "result.json").write_text((entry / "result.json").read_text()[:100])


def change_json(entry, **changes):
    written = json.loads((entry / "result.json").read_text())
    (entry / "result.json").write_text(json.dumps({**written, **changes}))


def move_box(entry):
    change_json(entry, box={"row": 3, "column": 39, "side": 11})


def spoil_score(entry):
    change_json(entry, attributes={"sphericity": 9})


def later_format(entry):
    change_json(entry, format_version=2)


@pytest.mark.parametrize(
    "spoil",
    [shutil.rmtree, spoil_arrays, cut_arrays, cut_json, move_box, spoil_score, later_format],
)
def test_an_entry_that_cannot_be_read_is_one_sentence(tmp_path, spoil):
    entry = journal.record(result_of(), tmp_path)
    spoil(entry)
    with pytest.raises(InputError, match=r"cannot be read") as refused:
        journal.read(entry)
    assert "\n" not in str(refused.value)


RECORD_FOR_EVER = """
import sys
from pathlib import Path
from engine import journal
from tests.scripted_engine import scripted_request, scripted_result
while True:
    print(journal.record(scripted_result(scripted_request()), Path(sys.argv[1])), flush=True)
"""


def test_after_a_killed_process_every_entry_is_whole(tmp_path):
    """Killed three times while it records without pause, as by `kill -9`."""
    for count in (1, 4, 9):
        command = [sys.executable, "-c", RECORD_FOR_EVER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            told = [process.stdout.readline().strip() for _ in range(count)]
            process.kill()
        whole = journal.entries(tmp_path)
        assert set(told) <= {str(path) for path in whole}
    for path in whole:
        assert_same(journal.read(path), scripted_result(scripted_request()))


def test_the_studios_journal_is_under_the_users_data_folder():
    assert journal.journal_folder().name == "journal"
    assert "nodule-studio" in journal.journal_folder().parts
