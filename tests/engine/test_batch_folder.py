from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk

from engine import batch as batch_module
from engine.batch import share_of
from engine.batch_folder import read_batch
from engine.batch_rows import BatchRow
from engine.versions import library_versions
from tests.engine.batches import PLAN, contents
from tests.engine.small_chests import chest_slices, write_chest


def test_what_was_stopped_is_gone_on_with_and_is_the_same(batch, finished_batch, chests, tmp_path):
    shutil.copytree(finished_batch, tmp_path / "out")
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("nodules/000003/*")}
    for number in (1, 2, 10):
        shutil.rmtree(tmp_path / "out" / "nodules" / f"{number:06}")
    for name in ("manifest.csv", "manifest.parquet", "README.md"):
        (tmp_path / "out" / name).unlink()
    (tmp_path / "out/nodules/.partial-000002-17").mkdir()
    (tmp_path / "out/nodules/.000002.failed.new").touch()
    code, printed, _ = batch()
    assert (code, printed["rows"], printed["made"], printed["made_now"], printed["failed"]) == (1, 11, 7, 3, 4)
    assert contents(tmp_path / "out") == contents(finished_batch)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert not list((tmp_path / "out/nodules").glob(".*"))


def test_nothing_is_made_again(batch, finished_batch, tmp_path, monkeypatch):
    shutil.copytree(finished_batch, tmp_path / "out")
    monkeypatch.setattr(batch_module, "_make_row", None)
    assert batch()[1]["made_now"] == 0


def test_another_plan_or_other_settings_are_refused(batch, finished_batch, chests, tmp_path):
    shutil.copytree(finished_batch, tmp_path / "out")
    (chests / "changed.csv").write_text(PLAN.replace("11", "12"))
    assert "was begun with another plan" in batch(plan="changed.csv")[2]
    code, _, said = batch(steps=2)
    assert code == 2
    assert "was begun with steps 1, not 2; give the same" in said
    assert "was begun with balance none, not sizes" in batch("--balance", "sizes")[2]
    (tmp_path / "out/rows.jsonl").write_text("")
    assert "was altered" in batch()[2]
    assert contents(tmp_path / "out") == contents(finished_batch)


def test_a_folder_with_other_files_is_refused(batch, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    code, _, said = batch()
    assert code == 2
    assert "holds other files" in said
    assert [path.name for path in (tmp_path / "out").iterdir() if path.suffix] == ["mine.txt"]


def test_a_second_batch_in_the_same_folder_is_refused(batch, tmp_path):
    from engine.batch_folder import folder_lock

    (tmp_path / "out").mkdir()
    with folder_lock(tmp_path / "out"):
        assert "Another batch is at work" in batch()[2]


def test_rows_that_fail_are_tried_again_next_time(batch, tmp_path, monkeypatch):
    make = batch_module._make_row
    errors = {
        2: (FloatingPointError("not finite"), "values that are not numbers"),
        4: (RuntimeError("CUDA out of memory"), "Line 3: The nodule could not be made: the memory is full"),
        5: (KeyError("strange"), "The nodule could not be made ('strange')"),
    }

    def fail_thrice(row, *given):
        if row.number in errors:
            raise errors[row.number][0]
        make(row, *given)

    with monkeypatch.context() as patched:
        patched.setattr(batch_module, "_make_row", fail_thrice)
        code, printed, said = batch()
    assert (code, printed["made"], printed["failed"]) == (1, 4, 7)
    for number, (_, words) in errors.items():
        assert words in said
        assert words in (tmp_path / f"out/nodules/{number:06}.failed").read_text("utf-8")
    assert batch()[1]["made_now"] == 3
    assert not list((tmp_path / "out/nodules").glob("*.failed"))


def test_what_was_refused_is_told_with_its_name_at_the_screen_only(batch, finished_batch, chests, tmp_path):
    wanted = f'Line 6: There is no file or folder "{chests / "nowhere"}"; check the name.'
    assert batch(out="new")[2].count(wanted) == 2
    shutil.copytree(finished_batch, tmp_path / "out")
    said = batch()[2]
    assert f"{wanted} (nodules: 2)" in said
    assert "is not tried again (nodules: 4)" in said
    assert "nowhere" not in (tmp_path / "out/failures.csv").read_text("utf-8")


def test_names_of_files_inside_an_input_are_not_kept(batch, chests, tmp_path):
    (chests / "broken").mkdir()
    (chests / "broken/Muster Max.nii.gz").write_bytes(b"no image")
    (chests / "several").mkdir()
    for name in ("Muster Max", "Muster Maria"):
        sitk.WriteImage(sitk.GetImageFromArray(chest_slices()), chests / f"several/{name}.nii.gz")
    (chests / "broken.csv").write_text("input\nbroken\nseveral\n")
    said = batch(plan="broken.csv")[2]
    assert '"Muster Max.nii.gz" is damaged' in said
    assert '"Muster Maria.nii.gz" ("Muster Maria.nii.gz", slices: 3)' in said
    for file in (path for path in (tmp_path / "out").rglob("*") if path.is_file()):
        assert b"Muster" not in file.read_bytes(), file


def test_a_batch_of_which_every_row_fails(batch, tmp_path, monkeypatch):
    monkeypatch.setattr(batch_module, "_make_row", lambda *_: 1 / 0)
    code, printed, said = batch()
    assert (code, printed["made"], printed["failed"]) == (1, 0, 11)
    assert "division by zero" in said
    assert len(list((tmp_path / "out/nodules").glob("*.failed"))) == 7


def test_a_nodule_whose_line_of_the_manifest_is_damaged(batch, finished_batch, tmp_path):
    shutil.copytree(finished_batch, tmp_path / "out")
    (tmp_path / "out/nodules/000003/row.json").write_text("{")
    code, _, said = batch()
    assert code == 2
    assert "row.json is missing or damaged; remove the folder 000003" in said
    shutil.rmtree(tmp_path / "out/nodules/000003")
    assert batch()[1]["made_now"] == 1


def test_an_input_that_has_changed_fails_its_rows_only(batch, chests, tmp_path):
    write_chest(chests / "changing", "PAT-3", seed=3)
    (chests / "three.csv").write_text("input\nchanging\nfirst\n")
    assert batch(plan="three.csv")[0] == 0
    shutil.rmtree(tmp_path / "out/nodules/000001")
    shutil.rmtree(chests / "changing")
    write_chest(chests / "changing", "PAT-3", seed=4)
    code, printed, said = batch(plan="three.csv")
    assert (code, printed["made"]) == (1, 1)
    assert "not the one that the batch was begun with" in said


@pytest.mark.parametrize(("name", "made"), [("DICOM", 0), ("LIDC XML", 0), ("NIfTI", 1)])
def test_where_the_key_is_another_no_patient_gets_a_second_pseudonym(batch, chests, tmp_path, monkeypatch, name, made):
    (chests / "one.csv").write_text("input\nfirst\n")
    assert batch("--formats", name, plan="one.csv")[0] == 0
    shutil.rmtree(tmp_path / "out/nodules/000001")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))
    _, printed, said = batch("--formats", name, plan="one.csv")
    assert printed["made"] == made
    assert ("bring deidentification.key" in said) == (not made)


def test_a_row_that_is_no_longer_taken_is_a_failure(batch, chests, tmp_path, monkeypatch):
    (chests / "one.csv").write_text("input,size_mm\nfirst,5-12\n")
    assert batch(plan="one.csv")[0] == 0
    shutil.rmtree(tmp_path / "out/nodules/000001")
    monkeypatch.setattr("engine.batch_cells.LEAST_SIDE_MM", 30)
    code, printed, said = batch(plan="one.csv")
    assert (code, printed["made"]) == (1, 0)
    assert "size_mm is '5-12'" in said


def test_the_card_names_the_versions_of_the_beginning_and_of_the_end(batch, finished_batch, tmp_path, monkeypatch):
    shutil.copytree(finished_batch, tmp_path / "out")
    versions = library_versions()
    monkeypatch.setattr("engine.batch_card.library_versions", lambda: {**versions, "nodule-studio": "9.9"})
    batch()
    card = (tmp_path / "out/README.md").read_text("utf-8")
    both = f"{versions['nodule-studio']} (at the end 9.9)"
    assert f"Made by Nodule Studio {both}, begun on" in card
    assert f"nodule-studio {both}, torch {versions['torch']}, " in card


@pytest.mark.parametrize(
    "place", ["engine.batch_folder.Batch.put", "engine.export_volumes.write_volumes", "engine.batch_manifest.write_row"]
)
def test_a_full_disk_ends_the_batch_in_a_sentence(batch, tmp_path, monkeypatch, place):
    tried = []

    def full(*_):
        tried.append(place)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(place, full)
    code, _, said = batch()
    assert code == 2
    assert "No space left on device" in said
    assert "give the same command again" in said
    assert len(tried) == 1
    left = list((tmp_path / "out/nodules").iterdir()) if (tmp_path / "out/nodules").is_dir() else []
    assert left == []


def test_shares_are_all_rows_once():
    rows = [BatchRow(number, 1) for number in range(10)]
    for processes in (1, 2, 3, 7, 16):
        shares = [share_of(rows, process, processes) for process in range(processes)]
        assert [row for share in shares for row in share] == rows
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_two_processes_share_the_rows(finished_batch, chests, tmp_path):
    # Under --cpu, accelerate starts several processes by MPI only; --multi_gpu does so by torchrun, GPUs or not.
    launch = ["-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--num_machines", "1", "--num_cpu_threads_per_process", "1", "--main_process_port", "0"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "-m", "engine", "batch", str(chests / "plan.csv")]
    launch += ["--checkpoint", str(chests / "checkpoint"), "--steps", "1", "--out", str(tmp_path / "out")]
    (tmp_path / "out").mkdir()
    for name in ("batch.json", "rows.jsonl"):
        shutil.copy(finished_batch / name, tmp_path / "out")
    own = {"PYTHONPATH": str(Path(__file__).parents[2]), "GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run([sys.executable, *launch], capture_output=True, text=True, env={**os.environ, **own})
    printed = json.loads(ended.stdout.splitlines()[-1])
    assert (printed["made"], printed["made_now"], printed["failed"]) == (7, 7, 4), ended.stderr
    assert ended.returncode == 1
    # On the device stands the number of threads, which torchrun sets.
    ours, others = (
        {name: value for name, value in contents(folder).items() if not name.endswith(".json")}
        for folder in (tmp_path / "out", finished_batch)
    )
    assert ours == others
    assert len(read_batch(tmp_path / "out").rows) == 11
