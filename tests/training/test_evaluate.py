"""The whole evaluation on made-up crops and a tiny checkpoint, from its command line."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from PIL import Image

from engine.checkpoint import config_of, load_checkpoint, read_manifest, save_checkpoint
from engine.device import Device
from engine.errors import InputError
from engine.nodule import ATTRIBUTE_NAMES
from tests.checkpoints import save_tiny_checkpoint, save_tiny_slice_checkpoint
from tests.training.crops_file import HELD_OUT, write_crops
from tests.training.made_up_prepared import write_made_up
from training import evaluate
from training.evaluate import main
from training.nodule_crops import load_crops
from training.v_errors import compare_v_errors

SMALL = [
    *("--count", "3", "--other-count", "2", "--real-count", "6", "--error-count", "12"),
    *("--noise-count", "1", "--time-count", "1", "--steps", "2"),
]
FLOAT32 = Device(torch.device("cpu"), torch.float32, "CPU")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Checkpoint, baseline and crops."""
    root = tmp_path_factory.mktemp("evaluation")
    data = write_crops(root / "crops.parquet", list(HELD_OUT))
    return save_tiny_checkpoint(root / "tiny"), save_tiny_checkpoint(root / "other", seed=1), data


@pytest.fixture(scope="module")
def report(folders, tmp_path_factory):
    """The report folder of one run."""
    checkpoint, baseline, data = folders
    out = tmp_path_factory.mktemp("report")
    paths = ["--checkpoint", str(checkpoint), "--baseline", str(baseline), "--data", str(data), "--out", str(out)]
    assert main(["nodule", *paths, *SMALL]) == 0
    return out


def test_prepared_data_are_as_good_as_a_file_of_crops(folders, tmp_path):
    data = write_made_up(tmp_path / "prepared", [*HELD_OUT, *HELD_OUT])
    paths = ["--checkpoint", str(folders[0]), "--data", str(data), "--out", str(tmp_path / "out")]

    assert main(["nodule", *paths, *SMALL, "--other-count", "0"]) == 0

    figures = json.loads((tmp_path / "out" / "report.json").read_text())
    assert figures["cases"] == {"cases": 4, "patients": 2}


def test_json_holds_every_figure(report, folders):
    figures = json.loads((report / "report.json").read_text())

    assert figures["checkpoint"]["sha256"] == read_manifest(folders[0])["sha256"]
    assert figures["options"]["steps"] == 2
    assert figures["cases"] == {"cases": 4, "patients": 2}
    assert set(figures["v_error"]["mean_squared_error"]) == {
        "with attributes",
        "attributes dropped",
        "trained without attributes",
    }
    assert set(figures["sweeps"]) == set(ATTRIBUTE_NAMES)
    assert figures["sweeps"]["texture"]["boxes"] == 3
    assert len(figures["sweeps"]["texture"]["mean_at_score"]) == 5
    assert -1 <= figures["sweeps"]["texture"]["pooled"] <= 1
    assert figures["realism"]["crops_a_side"] == [2] * 10
    assert figures["realism"]["frechet"]["generated"] > figures["realism"]["frechet"]["floor"] > 0
    assert [one["spacing_mm"] for one in figures["noise"]] == [0.5, 0.7, 0.98, 1.4]
    assert figures["boxes"]["hu_changed_outside"] == 0
    assert figures["time"]["median_seconds"] > 0


def test_markdown_has_every_section(report):
    text = (report / "report.md").read_text()

    for words in ("Error of v", "Attributes", "Distance from real", "Noise", "In the box", "Time", "2 steps of"):
        assert words in text
    assert "nan" not in text


def test_sheets_show_a_row_for_each_case(report):
    sheets = []
    for name in ("texture", "margin"):
        with Image.open(report / f"contact_sheet_{name}.png") as sheet:
            sheets.append(np.asarray(sheet))
    texture, margin = sheets

    assert texture.shape[1] == margin.shape[1]
    assert texture.shape[0] > margin.shape[0]
    red = (texture == (230, 40, 40)).all(axis=2)
    assert red.any()
    assert len(np.unique(texture[~red])) > 50


@pytest.mark.parametrize("broken", ["--checkpoint", "--data"])
def test_bad_input_is_one_sentence_and_exit_code_2(folders, tmp_path, capsys, broken):
    paths = {"--checkpoint": str(folders[0]), "--data": str(folders[2]), broken: str(tmp_path / "nothing")}

    code = main(["nodule", *[word for pair in paths.items() for word in pair], "--out", str(tmp_path / "out"), *SMALL])

    assert code == 2
    assert "nothing" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_errors_of_v_are_those_of_the_same_samples(folders):
    checkpoint, other = (load_checkpoint(folder, FLOAT32) for folder in folders[:2])
    crops = load_crops(folders[2], held_out=True)

    alone = compare_v_errors(checkpoint, None, crops, 12)
    beside = compare_v_errors(checkpoint, other, crops, 12)
    itself = compare_v_errors(checkpoint, checkpoint, crops, 12)

    assert alone["mean_squared_error"].items() <= beside["mean_squared_error"].items()
    errors = itself["mean_squared_error"]
    assert errors["trained without attributes"] == errors["attributes dropped"]
    gain = beside["lower_than"]["trained without attributes"]
    difference = beside["mean_squared_error"]["trained without attributes"] - errors["with attributes"]
    assert gain["by"] == pytest.approx(difference)
    assert gain["interval_95"][0] <= gain["by"] <= gain["interval_95"][1]


def test_a_network_that_says_nothing_has_the_error_of_v_itself(folders, tmp_path):
    """With v predicted as 0, the error is E v^2 = a^2 + s^2 x0^2, which lies between 0 and 1 + x0^2."""
    config = config_of(read_manifest(folders[0]))
    silent = {name: tensor * 0 for name, tensor in load_checkpoint(folders[0], FLOAT32).network.state_dict().items()}
    save_checkpoint(tmp_path / "silent", config, silent)

    figures = compare_v_errors(
        load_checkpoint(tmp_path / "silent", FLOAT32), None, load_crops(folders[2], held_out=True), 12
    )

    assert 0.3 < figures["mean_squared_error"]["with attributes"] < 1.7
    assert figures["lower_than"]["attributes dropped"]["by"] == 0


def test_a_baseline_with_another_schedule_is_refused(folders, tmp_path):
    config = config_of(read_manifest(folders[0]))
    other = replace(config, scheduler={**config.scheduler, "beta_schedule": "linear"})
    weights = load_checkpoint(folders[0], FLOAT32).network.state_dict()
    save_checkpoint(tmp_path / "linear", other, weights)

    with pytest.raises(InputError, match="baseline's scheduler differs"):
        compare_v_errors(
            load_checkpoint(folders[0], FLOAT32),
            load_checkpoint(tmp_path / "linear", FLOAT32),
            load_crops(folders[2], held_out=True),
            4,
        )
    assert asdict(other) != asdict(config)


@pytest.mark.parametrize("place", ["--checkpoint", "--baseline"])
def test_a_slice_generator_is_no_nodule_generator(folders, tmp_path, capsys, place):
    paths = {"--checkpoint": str(folders[0]), "--data": str(folders[2]), "--out": str(tmp_path / "out")}
    paths[place] = str(save_tiny_slice_checkpoint(tmp_path / "slice"))

    assert main(["nodule", *[word for pair in paths.items() for word in pair], *SMALL]) == 2

    assert "makes whole slices, not nodules" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [("--time-count", "time_count is 0"), ("--error-count", "error_count is 0"), ("--batch", "batch is 0")],
)
def test_counts_of_which_nothing_can_be_measured_are_refused_at_once(folders, tmp_path, capsys, option, message):
    paths = ["--checkpoint", str(folders[0]), "--data", str(folders[2]), "--out", str(tmp_path / "out")]

    assert main(["nodule", *paths, *SMALL, option, "0"]) == 2

    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_there_are_as_many_cases_as_boxes_are_to_be_swept(folders, tmp_path, monkeypatch):
    data = write_crops(tmp_path / "crops.parquet", list(HELD_OUT), radii=(4, 9, 14, 6, 11))
    paths = ["--checkpoint", str(folders[0]), "--data", str(data), "--out", str(tmp_path / "out")]
    found = []
    monkeypatch.setattr(evaluate, "_sweeps", lambda checkpoint, cases, options: found.append(len(cases)) or [])

    assert main(["nodule", *paths, *SMALL, "--count", "0", "--real-count", "4", "--other-count", "5"]) == 0

    assert found == [5]
