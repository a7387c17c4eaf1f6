from __future__ import annotations

import csv
import json

import numpy as np
import SimpleITK as sitk
from PIL import Image
from pyarrow import parquet

from engine.__main__ import main
from engine.batch_manifest import COLUMNS
from engine.batch_pictures import write_pictures
from engine.batch_sources import split_of
from engine.exports import export_files
from engine.known_inputs import known_input
from tests.engine.batches import manifest
from tests.engine.placed_nodules import make_whole_slice
from tests.engine.small_chests import chest_slices


def test_every_row_is_made_or_says_why_not(finished_batch):
    lines = manifest(finished_batch)
    assert [line["number"] for line in lines] == ["1", "2", "3", "4", "5", "6", "10"]
    assert [line["plan_line"] for line in lines] == ["2", "2", "2", "3", "4", "4", "7"]
    with (finished_batch / "failures.csv").open(encoding="utf-8", newline="") as file:
        failed = [(line["number"], line["plan_line"], line["reason"]) for line in csv.DictReader(file)]
    assert [row[:2] for row in failed] == [("7", "5"), ("8", "6"), ("9", "6"), ("11", "8")]
    assert failed[0][2].startswith("margin is '7'")
    assert failed[1][2] == 'There is no file or folder "the input"; check the name.'
    assert failed[3][2] == "There is no slice 9; this series has slices 0 to 2."


def test_what_was_asked_for_is_what_was_made(finished_batch):
    lines = manifest(finished_batch)
    given = lines[3]
    assert [given[name] for name in ("slice_index", "box_row", "box_column", "box_side")] == ["1", "60", "30", "6"]
    assert (given["margin"], given["seed"], given["steps"]) == ("4", "11", "1")
    assert {line["margin"] for line in lines[4:6]} <= {"3", "4", "5"}
    assert lines[6]["margin"] == ""
    assert len({line["seed"] for line in lines}) == 7
    for line in lines:
        saved = json.loads((finished_batch / line["folder"] / "request.json").read_text("utf-8"))
        assert str(saved["options"]["seed"]) == line["seed"]
        assert saved["output"]["sha256"] == line["output_sha256"]
        assert saved["input"]["sha256"] == line["input_sha256"]


def test_masks_and_slices_are_there(finished_batch, chests):
    before = chest_slices(3, seed=0)[1]
    folder = finished_batch / manifest(finished_batch)[3]["folder"]
    slices, box = (sitk.GetArrayFromImage(sitk.ReadImage(folder / f"{name}.nii.gz"))[0] for name in ("slice", "box"))
    assert np.argwhere(box).min(axis=0).tolist() == [60, 30]
    assert box.sum() == 36
    np.testing.assert_array_equal(slices[box == 0], before[box == 0])
    assert (folder / "mask.nii.gz").is_file()


def test_both_manifests_are_the_same(finished_batch):
    table = parquet.read_table(finished_batch / "manifest.parquet").to_pylist()
    lines = manifest(finished_batch)
    assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in table] == lines
    assert isinstance(table[0]["margin"], int)
    assert isinstance(table[0]["lung_share"], float)


def test_suggested_boxes_lie_in_the_lungs(finished_batch):
    shares = [float(line["lung_share"]) for line in manifest(finished_batch) if line["plan_line"] in "24"]
    assert len(shares) == 5
    assert min(shares) >= 0.8


def test_the_card_says_what_it_is(finished_batch):
    card = (finished_batch / "README.md").read_text("utf-8")
    sha256 = json.loads((finished_batch / "batch.json").read_text())["settings"]["checkpoint_sha256"]
    assert "# 7 synthetic lung nodules" in card
    assert "The slices around them are those of the inputs. For research only" in card
    assert f"`tiny`, checkpoint sha256 `{sha256}`" in card
    assert "4 of 11 rows were not made" in card
    for name in ("places", "sizes", "scores", "hu"):
        assert f"card/{name}.png" in card
        with Image.open(finished_batch / "card" / f"{name}.png") as picture:
            assert min(picture.size) > 200


def test_patients_stay_together_and_are_named_nowhere(finished_batch, chests):
    lines = manifest(finished_batch)
    of_patient = {line["patient"]: line["split"] for line in lines}
    assert len(of_patient) == 2
    assert all(line["split"] == of_patient[line["patient"]] for line in lines)
    assert of_patient == {
        line["patient"]: split_of("PAT-first" if line["plan_line"] in "23" else "PAT-second", (80, 10, 10))
        for line in lines
    }
    for file in (path for path in finished_batch.rglob("*") if path.is_file()):
        for name in ("PAT-", "first", "nowhere", str(chests)):
            assert name.encode() not in file.read_bytes(), file


def test_a_row_can_be_repeated(finished_batch, chests, capfd):
    folder = finished_batch / manifest(finished_batch)[0]["folder"]
    capfd.readouterr()
    assert (
        main(["replay", str(folder), "--checkpoint", str(chests / "checkpoint"), "--input", str(chests / "first")]) == 0
    )
    assert json.loads(capfd.readouterr().out)["same_hu"] is True


def test_volumes_are_read_once_and_lungs_found_once_a_slice(batch, monkeypatch):
    from engine import batch_expansion, ct_files

    read, found = [], []
    read_once, find = ct_files.read_volume, batch_expansion.find_lung_places
    monkeypatch.setattr(ct_files, "read_volume", lambda *given: read.append(given[0].name) or read_once(*given))
    monkeypatch.setattr(
        batch_expansion, "find_lung_places", lambda ct_slice: found.append(ct_slice.sha256()) or find(ct_slice)
    )
    batch()
    # Once to choose places and once to make nodules, but for what is still in memory then.
    assert sorted(read) == ["first", "first", "nowhere", "second", "second"]
    assert len(found) == len(set(found)) <= 6


def test_what_a_slice_was_made_with_is_looked_up_once(batch, chests, tmp_path, monkeypatch):
    from engine import exported_result

    volume, whole = make_whole_slice()
    export_files(volume, 0, whole, chests / "whole", ["DICOM"])
    (chests / "whole.csv").write_text("input,slice,box,seed\nwhole/slice.dcm,0,26 4 10,1-3\n")
    read, read_request = [], exported_result.saved_request
    monkeypatch.setattr(exported_result, "saved_request", lambda folder: read.append(folder) or read_request(folder))
    assert batch("--formats", "Tables", plan="whole.csv")[0] == 0
    assert read == [chests / "whole"]
    for number in ("000001", "000003"):
        marks = json.loads((tmp_path / "out" / "nodules" / number / "boxes.json").read_text())["annotations"]
        assert marks[0]["box_asked_for"] == [20, 10, 12, 12]


def test_a_plan_of_which_nothing_can_be_made(batch, chests, tmp_path):
    (chests / "nothing.csv").write_text("input,slice\nfirst,9\n,4\n")
    code, printed, said = batch(plan="nothing.csv")
    assert (code, printed["rows"], printed["made"], printed["failed"]) == (1, 2, 0, 2)
    assert "Line 3: input is empty" in said
    assert manifest(tmp_path / "out") == []


def test_pictures_of_nothing(tmp_path):
    empty = {name: np.empty(0) for name in COLUMNS}
    assert len(write_pictures(empty, tmp_path)) == len(list(tmp_path.iterdir())) == 4


def test_formats_that_are_asked_for(batch, tmp_path):
    assert batch("--formats", "PNG", "Tables", "DICOM")[0] == 1
    names = {path.name for path in (tmp_path / "out/nodules/000001").iterdir()}
    assert {"after.png", "mask.png", "boxes.json", "slice.dcm", "mask.dcm", "request.json"} < names
    assert "slice.nii.gz" not in names
    made = tmp_path / "out/nodules/000001"
    saved = json.loads((made / "request.json").read_text("utf-8"))
    assert known_input(saved["output"]["sha256"]) == made / "slice.dcm"


def test_bad_options_are_one_sentence(batch, chests, tmp_path):
    assert "shares of 90 % in all" in batch("--split", "70", "10", "10")[2]
    assert "--formats" in batch("--formats", "GIF")[2]
    assert "--balance" in batch("--balance", "colours")[2]
    assert "cannot be read" in batch(plan="missing.csv")[2]
    assert "There is no solver 'euler'" in batch("--solver", "euler")[2]
    assert not (tmp_path / "out").exists()
