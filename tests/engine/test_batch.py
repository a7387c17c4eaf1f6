from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from pyarrow import parquet

from engine import batch as batch_module
from engine.__main__ import main
from engine.batch import share_of
from engine.batch_folder import read_batch
from engine.batch_manifest import COLUMNS
from engine.batch_pictures import write_pictures
from engine.batch_rows import BatchRow
from engine.batch_sources import patient_identity, split_of
from engine.ct_files import read_volume
from tests.checkpoints import save_tiny_checkpoint
from tests.engine.small_chests import chest_slices, write_chest

#: Seven nodules of two patients, and three lines that cannot be made.
PLAN = """input,slice,box,margin,seed,count
first,,,,,3
first,1,60 30 6,4,11,
second,0-2,,3-5,,2
second,1,60 30 6,7,,
nowhere,,,,,2
second,2,50 80 5,none,5,
second,9,,,,
"""


@pytest.fixture(scope="module")
def chests(tmp_path_factory):
    """A folder of two patients' chests, with a plan beside them and a checkpoint."""
    folder = tmp_path_factory.mktemp("chests")
    for seed, patient in enumerate(("first", "second")):
        write_chest(folder / patient, f"PAT-{patient}", seed=seed)
    (folder / "plan.csv").write_text(PLAN)
    save_tiny_checkpoint(folder / "checkpoint")
    return folder


@pytest.fixture
def run(chests, tmp_path, capfd, monkeypatch):
    """Run the command, without drawing; return its exit code, what it printed (if that was JSON) and what it said."""
    monkeypatch.setattr("engine.batch_card.write_pictures", lambda *_: [])

    def batch(*more, plan="plan.csv", out="out", steps=1):
        given = ["batch", chests / plan, "--checkpoint", chests / "checkpoint", "--steps", steps]
        capfd.readouterr()
        code = main([str(argument) for argument in [*given, "--out", tmp_path / out, *more]])
        printed, said = capfd.readouterr()
        return code, json.loads(printed) if printed else None, said

    return batch


@pytest.fixture(scope="module")
def finished(chests, tmp_path_factory):
    """The folder of a finished batch, to be looked at only."""
    folder = tmp_path_factory.mktemp("finished") / "out"
    given = ["batch", chests / "plan.csv", "--checkpoint", chests / "checkpoint", "--steps", 1, "--out", folder]
    assert main([str(argument) for argument in given]) == 1
    return folder


def manifest(folder):
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def contents(folder):
    """Everything of a batch that must be the same however often it was stopped, by name."""
    files = sorted(path for path in (folder / "nodules").rglob("*") if path.is_file())
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path.suffix != ".json"}
    for path in (path for path in files if path.suffix == ".json"):
        record = json.loads(path.read_text("utf-8"))
        record.pop("seconds", None)
        found[path.relative_to(folder).as_posix()] = record
    return found


def test_every_row_is_made_or_says_why_not(finished):
    lines = manifest(finished)
    assert [line["number"] for line in lines] == ["1", "2", "3", "4", "5", "6", "10"]
    assert [line["plan_line"] for line in lines] == ["2", "2", "2", "3", "4", "4", "7"]
    with (finished / "failures.csv").open(encoding="utf-8", newline="") as file:
        failed = [(line["number"], line["plan_line"], line["reason"]) for line in csv.DictReader(file)]
    assert [row[:2] for row in failed] == [("7", "5"), ("8", "6"), ("9", "6"), ("11", "8")]
    assert failed[0][2].startswith("margin is '7'")
    assert failed[1][2] == 'There is no file or folder "the input"; check the name.'
    assert failed[3][2] == "There is no slice 9; this series has slices 0 to 2."


def test_what_was_asked_for_is_what_was_made(finished):
    lines = manifest(finished)
    given = lines[3]
    assert [given[name] for name in ("slice_index", "box_row", "box_column", "box_side")] == ["1", "60", "30", "6"]
    assert (given["margin"], given["seed"], given["steps"]) == ("4", "11", "1")
    assert {line["margin"] for line in lines[4:6]} <= {"3", "4", "5"}
    assert lines[6]["margin"] == ""
    assert len({line["seed"] for line in lines}) == 7
    for line in lines:
        saved = json.loads((finished / line["folder"] / "request.json").read_text("utf-8"))
        assert str(saved["options"]["seed"]) == line["seed"]
        assert saved["output"]["sha256"] == line["output_sha256"]
        assert saved["input"]["sha256"] == line["input_sha256"]


def test_masks_and_slices_are_there(finished, chests):
    before = chest_slices(3, seed=0)[1]
    folder = finished / manifest(finished)[3]["folder"]
    slices, box = (sitk.GetArrayFromImage(sitk.ReadImage(folder / f"{name}.nii.gz"))[0] for name in ("slice", "box"))
    assert np.argwhere(box).min(axis=0).tolist() == [60, 30]
    assert box.sum() == 36
    np.testing.assert_array_equal(slices[box == 0], before[box == 0])
    assert (folder / "mask.nii.gz").is_file()


def test_both_manifests_are_the_same(finished):
    table = parquet.read_table(finished / "manifest.parquet").to_pylist()
    lines = manifest(finished)
    assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in table] == lines
    assert isinstance(table[0]["margin"], int)
    assert isinstance(table[0]["lung_share"], float)


def test_suggested_boxes_lie_in_the_lungs(finished):
    shares = [float(line["lung_share"]) for line in manifest(finished) if line["plan_line"] in "24"]
    assert len(shares) == 5
    assert min(shares) >= 0.8


def test_the_card_says_what_it_is(finished):
    card = (finished / "README.md").read_text("utf-8")
    sha256 = json.loads((finished / "batch.json").read_text())["settings"]["checkpoint_sha256"]
    assert "# 7 synthetic lung nodules" in card
    assert "research" in card
    assert f"`tiny`, checkpoint sha256 `{sha256}`" in card
    assert "4 of 11 rows were not made" in card
    for name in ("places", "sizes", "scores", "hu"):
        assert f"card/{name}.png" in card
        with Image.open(finished / "card" / f"{name}.png") as picture:
            assert min(picture.size) > 200


def test_patients_stay_together_and_are_named_nowhere(finished, chests):
    lines = manifest(finished)
    of_patient = {line["patient"]: line["split"] for line in lines}
    assert len(of_patient) == 2
    assert all(line["split"] == of_patient[line["patient"]] for line in lines)
    assert of_patient == {
        line["patient"]: split_of("PAT-first" if line["plan_line"] in "23" else "PAT-second", (80, 10, 10))
        for line in lines
    }
    for file in (path for path in finished.rglob("*") if path.is_file()):
        for name in ("PAT-", "first", "nowhere", str(chests)):
            assert name.encode() not in file.read_bytes(), file


def test_a_row_can_be_repeated(finished, chests, capfd):
    folder = finished / manifest(finished)[0]["folder"]
    capfd.readouterr()
    assert (
        main(["replay", str(folder), "--checkpoint", str(chests / "checkpoint"), "--input", str(chests / "first")]) == 0
    )
    assert json.loads(capfd.readouterr().out)["same_hu"] is True


def test_what_was_stopped_is_gone_on_with_and_is_the_same(run, finished, chests, tmp_path):
    shutil.copytree(finished, tmp_path / "out")
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("nodules/000003/*")}
    for number in (1, 2, 10):
        shutil.rmtree(tmp_path / "out" / "nodules" / f"{number:06}")
    for name in ("manifest.csv", "manifest.parquet", "README.md"):
        (tmp_path / "out" / name).unlink()
    (tmp_path / "out/nodules/.partial-000002-17").mkdir()
    code, printed, _ = run()
    assert (code, printed["rows"], printed["made"], printed["made_now"], printed["failed"]) == (1, 11, 7, 3, 4)
    assert contents(tmp_path / "out") == contents(finished)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert not list((tmp_path / "out/nodules").glob(".*"))


def test_nothing_is_made_again(run, finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "out")
    monkeypatch.setattr(batch_module, "_make_row", None)
    assert run()[1]["made_now"] == 0


def test_another_plan_or_other_settings_are_refused(run, finished, chests, tmp_path):
    shutil.copytree(finished, tmp_path / "out")
    (chests / "changed.csv").write_text(PLAN.replace("11", "12"))
    assert "was begun with another plan" in run(plan="changed.csv")[2]
    code, _, said = run(steps=2)
    assert code == 2
    assert "was begun with steps 1, not 2; give the same" in said
    assert "balance" in run("--balance", "sizes")[2]
    (tmp_path / "out/rows.jsonl").write_text("")
    assert "was altered" in run()[2]
    assert contents(tmp_path / "out") == contents(finished)


def test_a_folder_with_other_files_is_refused(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    code, _, said = run()
    assert code == 2
    assert "holds other files" in said
    assert [path.name for path in (tmp_path / "out").iterdir() if path.suffix] == ["mine.txt"]


def test_a_second_batch_in_the_same_folder_is_refused(run, tmp_path):
    from engine.batch_folder import folder_lock

    (tmp_path / "out").mkdir()
    with folder_lock(tmp_path / "out"):
        assert "Another batch is at work" in run()[2]


def test_rows_that_fail_are_tried_again_next_time(run, tmp_path, monkeypatch):
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
        code, printed, said = run()
    assert (code, printed["made"], printed["failed"]) == (1, 4, 7)
    for number, (_, words) in errors.items():
        assert words in said
        assert words in (tmp_path / f"out/nodules/{number:06}.failed").read_text("utf-8")
    assert run()[1]["made_now"] == 3
    assert not list((tmp_path / "out/nodules").glob("*.failed"))


def test_an_input_that_has_changed_fails_its_rows_only(run, chests, tmp_path):
    write_chest(chests / "changing", "PAT-3", seed=3)
    (chests / "three.csv").write_text("input\nchanging\nfirst\n")
    assert run(plan="three.csv")[0] == 0
    shutil.rmtree(tmp_path / "out/nodules/000001")
    shutil.rmtree(chests / "changing")
    write_chest(chests / "changing", "PAT-3", seed=4)
    code, printed, said = run(plan="three.csv")
    assert (code, printed["made"]) == (1, 1)
    assert "not the one that the batch was begun with" in said


def test_volumes_are_read_once_and_lungs_found_once_a_slice(run, monkeypatch):
    from engine import batch_expansion, ct_files

    read, found = [], []
    read_once, find = ct_files.read_volume, batch_expansion.find_lung_places
    monkeypatch.setattr(ct_files, "read_volume", lambda *given: read.append(given[0].name) or read_once(*given))
    monkeypatch.setattr(
        batch_expansion, "find_lung_places", lambda ct_slice: found.append(ct_slice.sha256()) or find(ct_slice)
    )
    run()
    # Once to choose places and once to make nodules, but for what is still in memory then.
    assert sorted(read) == ["first", "first", "nowhere", "second", "second"]
    assert len(found) == len(set(found)) <= 6


def test_a_plan_of_which_nothing_can_be_made(run, chests, tmp_path):
    (chests / "nothing.csv").write_text("input,slice\nfirst,9\n,4\n")
    code, printed, said = run(plan="nothing.csv")
    assert (code, printed["rows"], printed["made"], printed["failed"]) == (1, 2, 0, 2)
    assert "Line 3: input is empty" in said
    assert manifest(tmp_path / "out") == []


def test_pictures_of_nothing(tmp_path):
    empty = {name: np.empty(0) for name in COLUMNS}
    assert len(write_pictures(empty, tmp_path)) == len(list(tmp_path.iterdir())) == 4


def test_a_full_disk_ends_the_batch_in_a_sentence(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.batch_folder.Batch.note_failure", full)
    monkeypatch.setattr("engine.batch_folder.Batch.put", full)
    code, _, said = run()
    assert code == 2
    assert "No space left on device" in said
    assert "give the same command again" in said


def test_formats_that_are_asked_for(run, tmp_path):
    assert run("--formats", "PNG", "Tables", "DICOM")[0] == 1
    names = {path.name for path in (tmp_path / "out/nodules/000001").iterdir()}
    assert {"after.png", "mask.png", "boxes.json", "slice.dcm", "mask.dcm", "request.json"} < names
    assert "slice.nii.gz" not in names


def test_bad_options_are_one_sentence(run, chests, tmp_path):
    assert "shares of 90 % in all" in run("--split", "70", "10", "10")[2]
    assert "--formats" in run("--formats", "GIF")[2]
    assert "--balance" in run("--balance", "colours")[2]
    assert "cannot be read" in run(plan="missing.csv")[2]
    assert not (tmp_path / "out").exists()


def test_shares_are_all_rows_once():
    rows = [BatchRow(number, 1) for number in range(10)]
    for processes in (1, 2, 3, 7, 16):
        shares = [share_of(rows, process, processes) for process in range(processes)]
        assert [row for share in shares for row in share] == rows
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_splits_keep_to_their_shares():
    parts = [split_of(f"patient {number}", (60, 30, 10)) for number in range(2000)]
    assert [round(parts.count(name) / 2000, 1) for name in ("train", "val", "test")] == [0.6, 0.3, 0.1]
    assert {split_of(str(number), (0, 100, 0)) for number in range(50)} == {"val"}


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


def test_two_processes_share_the_rows(finished, chests, tmp_path):
    # Under --cpu, accelerate starts several processes by MPI only; --multi_gpu does so by torchrun, GPUs or not.
    launch = ["-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--num_machines", "1", "--num_cpu_threads_per_process", "1", "--main_process_port", "0"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "-m", "engine", "batch", str(chests / "plan.csv")]
    launch += ["--checkpoint", str(chests / "checkpoint"), "--steps", "1", "--out", str(tmp_path / "out")]
    (tmp_path / "out").mkdir()
    for name in ("batch.json", "rows.jsonl"):
        shutil.copy(finished / name, tmp_path / "out")
    own = {"PYTHONPATH": str(Path(__file__).parents[2]), "GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run([sys.executable, *launch], capture_output=True, text=True, env={**os.environ, **own})
    printed = json.loads(ended.stdout.splitlines()[-1])
    assert (printed["made"], printed["made_now"], printed["failed"]) == (7, 7, 4), ended.stderr
    assert ended.returncode == 1
    # On the device stands the number of threads, which torchrun sets.
    ours, others = (
        {name: value for name, value in contents(folder).items() if not name.endswith(".json")}
        for folder in (tmp_path / "out", finished)
    )
    assert ours == others
    assert len(read_batch(tmp_path / "out").rows) == 11
