"""What the evaluation of slice generators takes, copies, draws and refuses, from its command line."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from engine.checkpoint import read_manifest
from tests.checkpoints import save_tiny_checkpoint, save_tiny_slice_checkpoint
from tests.training import slice_evaluation
from tests.training.crops_file import HELD_OUT, TRAINING
from tests.training.slice_evaluation import SCHEDULE, STUDIO, arguments
from training import evaluate_slice
from training.evaluate import main
from training.prepared import read_slices
from training.slice_comparisons import SliceEvaluation, SliceEvaluationOptions, compare_with_ddpm
from training.slice_conditions import draw_conditions
from training.slice_sets import generated_set, real_set

pytestmark = pytest.mark.usefixtures("quick")
#: Fixtures are found by their names in the file of a test.
quick, prepared, generators = slice_evaluation.quick, slice_evaluation.prepared, slice_evaluation.generators


@pytest.fixture
def black(monkeypatch):
    """Slices that take no time."""
    made = np.zeros((5, 256, 256), np.uint16)
    monkeypatch.setattr(SliceEvaluation, "generate", lambda _, folder, label, sampling, count: made[:count])


def test_variants_of_the_checkpoints_are_looked_among(generators, prepared, tmp_path, monkeypatch, black):
    seen = []
    monkeypatch.setattr(evaluate_slice, "compare_neighbours", lambda *given: seen.append(given[-1]) or {})
    monkeypatch.setattr(evaluate_slice, "write_slice_markdown", lambda _: "")
    training = {"samples_seen": 0, "options": {"variants": 3}}
    more = save_tiny_slice_checkpoint(tmp_path / "more", size=256, scheduler=SCHEDULE, training=training)

    assert main(arguments([generators[0], more], prepared, tmp_path / "out")) == 0

    ((first, second),) = [list(variants.values()) for variants in seen]
    assert (first, second) == (1, 3)


def test_a_checkpoint_that_is_replaced_is_evaluated_as_it_was(generators, prepared, tmp_path, monkeypatch):
    run = shutil.copytree(generators[1], tmp_path / "run")
    before, draw = read_manifest(run)["sha256"], evaluate_slice.draw_conditions

    def draw_while_training_goes_on(*given):
        save_tiny_slice_checkpoint(run, size=256, seed=2, scheduler=SCHEDULE)
        return draw(*given)

    monkeypatch.setattr(evaluate_slice, "draw_conditions", draw_while_training_goes_on)
    assert main(arguments([run], prepared, tmp_path / "out")) == 0

    assert read_manifest(run)["sha256"] != before
    figures = json.loads((tmp_path / "out" / "report.json").read_text())
    assert figures["generators"][STUDIO]["sha256"] == before
    (copy,) = (tmp_path / "out" / "checkpoints").iterdir()
    assert read_manifest(copy)["sha256"] == before
    assert {path.name for path in (tmp_path / "out" / "samples").iterdir() if "through" not in path.name} == {copy.name}


def test_conditions_are_drawn_from_what_they_are_compared_with(prepared, generators, tmp_path, monkeypatch, black):
    """Two scores of LIDC's initial scans are not to be trusted; their boxes are asked for all the same."""
    shutil.copytree(prepared, tmp_path / "prepared")
    (shard,) = (tmp_path / "prepared" / "slices").glob("*.parquet")
    table = parquet.read_table(shard)
    rows = table.to_pylist()
    for row in rows:
        row["is_from_initial"] = row["patient_id"] == TRAINING[0]
        row["nodules"] = [{**seen, "scores": [5, 4, 3, 2, 1]} for seen in row["nodules"]]
    parquet.write_table(pa.Table.from_pylist(rows, table.schema), shard)
    asked, draw = [], evaluate_slice.draw_conditions

    def remember(slices, *given):
        asked.append(slices)
        return draw(slices, *given)

    monkeypatch.setattr(evaluate_slice, "draw_conditions", remember)

    assert main(arguments(generators[:1], tmp_path / "prepared", tmp_path / "out")) == 0

    figures = json.loads((tmp_path / "out" / "report.json").read_text())
    assert figures["readings"] == {"readings": 12, "complete": 12}
    assert {reading.scores for readings in asked[0].nodules for reading in readings} == {(5, 4, 3, 2, 1)}


def test_inception_and_the_papers_way(generators, prepared, tmp_path):
    weights = tmp_path / "inception.pth"
    weights.touch()
    more = ["--inception", str(weights), "--against-ddpm", "--count", "6", "--ddpm-count", "4"]

    assert main(arguments(generators[1:], prepared, tmp_path / "out", *more)) == 0

    figures = json.loads((tmp_path / "out" / "report.json").read_text())
    assert set(figures["distances"]) == {"EfficientNet-Lite0", "Inception v3"}
    way = figures["paper_way"][STUDIO]
    assert way["steps"] == 5
    # The paper has no guidance.
    assert way["unet_passes"] == {"few_steps": 4, "paper": 5}
    (sha256,) = (path.name for path in (tmp_path / "out" / "checkpoints").iterdir())
    ways = {path.name.rsplit("-", 2)[0] for path in (tmp_path / "out" / "samples" / sha256).iterdir()}
    assert ways == {"dpm++2m-2-2.5", "ddpm-5-1"}
    assert way["seconds"]["times_faster"] == pytest.approx(way["seconds"]["paper"] / way["seconds"]["few_steps"])
    for network in ("EfficientNet-Lite0", "Inception v3"):
        distances = way["distances"][network]["nodules"]
        assert (distances["generated"], distances["real"]) == (4, 6)
        few, paper = (distances["frechet"][name] for name in ("few_steps", "paper"))
        assert distances["frechet"]["ratio"] == pytest.approx(few / paper)
        assert distances["frechet"]["above_floor"]["real"] == 2
        assert distances["kernel"]["deviation"] > 0
    text = (tmp_path / "out" / "report.md").read_text()
    assert "Inception v3 (8 features)" in text
    assert "Against the paper's way" in text
    assert "The ratio of Frechet distances cannot show that one is within 5 % of the other" in text
    assert "nan" not in text


def test_held_out_slices_without_nodules_have_no_distances(generators, prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "prepared")
    (shard,) = (tmp_path / "prepared" / "slices").glob("*.parquet")
    table = parquet.read_table(shard)
    rows = table.to_pylist()
    for row in rows:
        row["nodules"] = [] if row["patient_id"] in HELD_OUT else row["nodules"]
    parquet.write_table(pa.Table.from_pylist(rows, table.schema), shard)

    assert main(arguments(generators[1:], tmp_path / "prepared", tmp_path / "out")) == 0

    figures = json.loads((tmp_path / "out" / "report.json").read_text())
    assert figures["data"]["held-out"]["with_nodules"] == 0
    for level in ("global", "nodules"):
        assert figures["distances"]["EfficientNet-Lite0"][level]["held-out"] == {}
        assert figures["distances"]["EfficientNet-Lite0"][level]["training"][STUDIO]["real"] == 5
    assert "fewer than two slices with a nodule" in (tmp_path / "out" / "report.md").read_text()


def test_training_slices_without_nodules_have_nothing_to_compare_the_papers_way_with(generators, prepared, tmp_path):
    slices = read_slices(prepared, held_out=None)
    empty = real_set(replace(slices, nodules=[[] for _ in slices.nodules]), 5)
    options = SliceEvaluationOptions(count=4, steps=2, ddpm_count=4)
    work = SliceEvaluation(options, tmp_path, (evaluate_slice.efficientnet_lite0(),), draw_conditions(slices, 4))
    made = generated_set(np.zeros((4, 256, 256), np.uint16), work.conditions)

    way = compare_with_ddpm(work, STUDIO, generators[1], made, empty)

    assert way["distances"] == {"EfficientNet-Lite0": {}}
    assert way["seconds"]["few_steps"] > 0
    assert work.features(work.networks[0], empty.crops(), "none").shape == (0, 8)


def test_two_checkpoints_of_one_configuration_are_told_apart(generators, prepared, tmp_path):
    other = save_tiny_slice_checkpoint(tmp_path / "other", "tokens", size=256, seed=1, scheduler=SCHEDULE)

    assert main(arguments([generators[1], other], prepared, tmp_path / "out", "--conditions", "held-out")) == 0

    figures = json.loads((tmp_path / "out" / "report.json").read_text())
    names = [f"studio, tiny slice {read_manifest(folder)['sha256'][:6]}" for folder in (generators[1], other)]
    assert list(figures["generators"]) == names
    floor = figures["distances"]["EfficientNet-Lite0"]["global"]["floor"]["rows"]
    assert sum(name.startswith("through the VQ-VAE ") for name in floor) == 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--count", "1"], "count is 1"),
        (["--conditions", "dreams"], "no conditions 'dreams'"),
        (["--hu-low", "500"], "hu_low is 500"),
        (["--inception", "nowhere.pth"], "no file nowhere.pth"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_sentence(generators, prepared, tmp_path, capsys, more, message):
    assert main(arguments(generators, prepared, tmp_path, *more)) == 2

    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize("kind", ["nodule", "small"])
def test_checkpoints_that_make_something_else(kind, prepared, tmp_path, capsys):
    save = save_tiny_checkpoint if kind == "nodule" else save_tiny_slice_checkpoint

    assert main(arguments([save(tmp_path / "other")], prepared, tmp_path / "out")) == 2

    assert ("not whole slices" if kind == "nodule" else "64 pixels a side") in capsys.readouterr().err
