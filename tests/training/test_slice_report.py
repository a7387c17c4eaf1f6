"""What an evaluation of slice generators reports: figures, page and pictures, from its command line."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from engine.checkpoint import read_manifest
from tests.training import slice_evaluation
from tests.training.slice_evaluation import FIRST, STUDIO, arguments
from training import slice_samples
from training.evaluate import main
from training.slice_report import write_slice_markdown

pytestmark = pytest.mark.usefixtures("quick")
#: Fixtures are found by their names in the file of a test.
quick, prepared, generators = slice_evaluation.quick, slice_evaluation.prepared, slice_evaluation.generators


@pytest.fixture(scope="module")
def report(generators, prepared, tmp_path_factory):
    """The report folder of one run, without the paper's way."""
    out = tmp_path_factory.mktemp("report")
    assert main(arguments(generators, prepared, out)) == 0
    return out


def test_table_2_has_both_levels_of_every_configuration(report):
    figures = json.loads((report / "report.json").read_text())

    (network,) = figures["distances"]
    vqvae = figures["generators"][STUDIO]["vqvae_sha256"]
    assert network == "EfficientNet-Lite0"
    for level in ("global", "nodules"):
        found = figures["distances"][network][level]
        assert set(found["training"]) == {FIRST, STUDIO}
        assert set(found["held-out"]) == {"real, trained on", FIRST, STUDIO}
        assert (found["training"][FIRST]["generated"], found["training"][FIRST]["real"]) == (5, 5)
        assert (found["held-out"][FIRST]["generated"], found["held-out"][FIRST]["real"]) == (5, 4)
        assert set(found["floor"]["rows"]) == {"real", f"through the VQ-VAE {vqvae[:6]}", FIRST, STUDIO}
        floor = {name: row["frechet"]["mean"] for name, row in found["floor"]["rows"].items()}
        assert 0 < floor["real"] < min(floor[FIRST], floor[STUDIO])


def test_report_says_what_was_compared(report, generators):
    figures = json.loads((report / "report.json").read_text())

    assert figures["data"]["training"] == {"slices": 9, "with_nodules": 6, "patients": 3, "sources": {"made-up": 9}}
    assert figures["data"]["held-out"]["slices"] == 6
    assert figures["generators"][STUDIO]["sha256"] == read_manifest(generators[1])["sha256"]
    assert [one["is_guided"] for one in figures["generators"].values()] == [False, True]
    assert [one["unet_passes"] for one in figures["time"].values()] == [2, 4]
    assert (figures["options"]["steps"], figures["options"]["guidance"]) == (2, 2.5)
    assert figures["paper_way"] == {}
    text = (report / "report.md").read_text()
    for words in (
        "generated whole",
        "EfficientNet-Lite0 (8 features)",
        FIRST,
        "the floor",
        "Nearest training",
        "the paper takes 1000 steps of DDPM; here every configuration, 1 to 3 too, takes 2 steps of dpm++2m",
        "EfficientNet-Lite0 hash of",
        "This run of the evaluation took",
        "| N | M |",
    ):
        assert words in text
    assert "nan" not in text
    assert "{" not in text


def test_transplants_are_named_where_they_stand_for_real_slices(report):
    figures = json.loads((report / "report.json").read_text())
    plain = write_slice_markdown(figures)
    figures["data"]["training"]["sources"] = {"made-up": 3, "made-up with transplant": 6}

    assert plain == (report / "report.md").read_text()
    assert "transplanted" not in plain
    assert "stand for real ones" in write_slice_markdown(figures)


def test_other_data_than_those_trained_on_are_named(report):
    figures = json.loads((report / "report.json").read_text())

    assert f"not that of these data for {FIRST}, {STUDIO}" in write_slice_markdown(figures)
    figures["generators"][FIRST]["data"] = figures["made_by"]
    assert f"not that of these data for {STUDIO}." in write_slice_markdown(figures)
    figures["generators"][STUDIO]["data"] = figures["made_by"]
    assert "not that of these data" not in write_slice_markdown(figures)


def test_the_report_names_the_variants(report):
    figures = json.loads((report / "report.json").read_text())
    assert "variants" not in (report / "report.md").read_text()

    (as_they_are,) = figures["neighbours"].values()
    figures["neighbours"]["3"] = as_they_are
    text = write_slice_markdown(figures)

    assert "count in all 3 variants that were trained on" in text
    assert "Training slices as they are" in text
    assert text.count("| nearer than real, held out |") == 2


def test_random_networks_have_learned_nothing_by_heart(report):
    neighbours = json.loads((report / "report.json").read_text())["neighbours"]["1"]

    assert set(neighbours["pixels"]["real"]) == {"held out", "training, other patients"}
    assert neighbours["pixels"]["real"]["held out"]["count"] == 6
    assert neighbours["pixels"]["real"]["training, other patients"]["count"] == 5
    for label in (FIRST, STUDIO):
        assert neighbours["pixels"]["generated"][label]["count"] == 5
        assert set(neighbours["pixels"]["generated"][label]["nearer_than"].values()) == {0}
        assert neighbours["features"]["generated"][label]["nearest"] > 0


@pytest.mark.parametrize("name", ["slices", "scores_studio", "neighbours_pixels_studio", "neighbours_features_studio"])
def test_pictures_are_drawn(report, name):
    with Image.open(report / f"{name}.png") as picture:
        colours = np.asarray(picture.convert("RGB"))

    assert min(colours.shape[:2]) > 400
    assert len(np.unique(colours)) > 50
    assert (colours == (230, 40, 40)).all(axis=2).any() == (name != "scores_studio")


def test_rows_of_a_checkpoint_are_the_same_whatever_stands_beside_it(report, generators, prepared, tmp_path):
    assert main(arguments(generators[1:], prepared, tmp_path)) == 0

    together, alone = (json.loads((folder / "report.json").read_text()) for folder in (report, tmp_path))
    assert alone["comparison"] == together["comparison"]
    assert f"have the hash {alone['comparison'][:12]}:" in (tmp_path / "report.md").read_text()
    for level in ("global", "nodules"):
        before, after = (figures["distances"]["EfficientNet-Lite0"][level] for figures in (together, alone))
        for side in ("training", "held-out"):
            assert after[side] == {name: row for name, row in before[side].items() if name != FIRST}
        assert after["floor"]["a_side"] == before["floor"]["a_side"]
        rows = before["floor"]["rows"]
        assert after["floor"]["rows"] == {name: row for name, row in rows.items() if name != FIRST}
    for measure, before in together["neighbours"]["1"].items():
        after = alone["neighbours"]["1"][measure]
        assert after["real"] == before["real"]
        assert after["generated"] == {STUDIO: before["generated"][STUDIO]}


def test_a_second_run_generates_nothing_again(report, generators, prepared, tmp_path, monkeypatch):
    def fail(*_):
        raise AssertionError("slices that are there were generated again")

    shutil.copytree(report / "samples", tmp_path / "samples")
    monkeypatch.setattr(slice_samples, "load_checkpoint", fail)

    assert main(arguments(generators, prepared, tmp_path)) == 0


def test_the_report_says_which_readings_were_left_out(report):
    figures = json.loads((report / "report.json").read_text())

    # No made-up reading says how spiculated a nodule is.
    assert figures["readings"] == {"readings": 12, "complete": 0}
    assert "No reading has all five scores" in (report / "report.md").read_text()
    figures["readings"]["complete"] = 9
    assert "3 of 12 lack one and were left out" in write_slice_markdown(figures)
    for readings in (None, {"readings": 12, "complete": 12}):
        assert "all five" not in write_slice_markdown({**figures, "readings": readings})
