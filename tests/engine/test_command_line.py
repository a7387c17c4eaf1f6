from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from engine.__main__ import main
from engine.exports import export_files
from tests.checkpoints import save_tiny_checkpoint
from tests.engine.placed_nodules import make_whole_slice
from tests.engine.test_exports import ALL_FILES


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def series(tmp_path_factory, write_ct_series):
    """Four slices of 64 x 64 pixels of 0.75 mm: noise of lung."""
    folder = tmp_path_factory.mktemp("series")
    hu = np.random.default_rng(3).normal(-820, 40, (4, 64, 64)).astype(np.int16)
    write_ct_series(folder, hu)
    return folder


@pytest.fixture
def arguments(series, checkpoint, tmp_path):
    """A request that is right; `changes` replace what follows an option, None leaves it out."""

    def with_changes(source=series, **changes):
        options = {
            "slice": "2",
            "box": "20 24 16",
            "attributes": "4 5 1 1 5",
            "seed": "3",
            "steps": "2",
            "guidance": "2",
            "checkpoint": [checkpoint],
            "out": [tmp_path / "out"],
        }
        made = ["place", str(source)]
        for name, value in (options | changes).items():
            if value is not None:
                values = value.split() if isinstance(value, str) else value
                made += [f"--{name}", *map(str, values)]
        return made

    return with_changes


def refused(capfd, *made):
    """Run bad input: exit code 2, nothing printed but one sentence. Return it."""
    assert main([str(argument) for argument in made]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert "Traceback" not in err
    return err.strip()


def test_place_writes_every_file_and_one_line(arguments, tmp_path, capfd):
    assert main(arguments()) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    printed = json.loads(out)
    assert {"diameter_mm", "mean_hu", "seconds", "steps"} < set(printed)
    assert (printed["steps"], printed["seed"], printed["slice"]) == (2, 3, 2)
    assert printed["checkpoint"] == "tiny"
    assert printed["seconds"] > 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == ALL_FILES


def test_the_same_request_gives_the_same_hu(arguments, tmp_path):
    for name in ("one", "two"):
        assert main(arguments(out=[tmp_path / name])) == 0
    one, two = (pydicom.dcmread(tmp_path / name / "slice.dcm").PixelData for name in ("one", "two"))
    assert one == two
    assert (tmp_path / "one/slice.nii.gz").read_bytes() == (tmp_path / "two/slice.nii.gz").read_bytes()
    assert main(arguments(seed="4", out=[tmp_path / "three"])) == 0
    assert pydicom.dcmread(tmp_path / "three" / "slice.dcm").PixelData != one


def test_hu_outside_the_box_are_those_of_the_file(arguments, series, tmp_path):
    assert main(arguments()) == 0
    before = sitk.GetArrayFromImage(sitk.ReadImage(series / "slice002.dcm"))[0]
    after = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "out" / "slice.dcm"))[0]
    changed = np.argwhere(before != after)
    assert len(changed)
    assert changed.min(axis=0).tolist() >= [20, 24]
    assert (changed.max(axis=0) < [36, 40]).all()


def test_slices_of_a_real_scan_count_as_itk_counts_them(arguments, data_folder, tmp_path):
    scan = data_folder / "dicom" / "LIDC-IDRI-0001"
    assert main(arguments(source=scan, slice="21", box="250 120 30")) == 0
    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(scan))
    before, after = sitk.ReadImage(files[21]), sitk.ReadImage(tmp_path / "out" / "slice.dcm")
    outside = np.ones((512, 512), bool)
    outside[250:280, 120:150] = False
    pixels = [sitk.GetArrayFromImage(image)[0][outside] for image in (before, after)]
    np.testing.assert_array_equal(*pixels)
    assert after.GetOrigin() == pytest.approx(before.GetOrigin())
    assert after.GetSpacing() == pytest.approx((0.703125, 0.703125, 2.5))


def test_what_was_amiss_with_the_input_is_told_on_standard_error(arguments, data_folder, capfd):
    assert main(arguments(source=data_folder / "dicom" / "no-modality", slice="0", box="250 120 30")) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["slice"] == 0
    assert "does not say that it is CT" in err


def test_the_middle_slice_is_the_default(arguments, capfd):
    assert main(arguments(slice=None)) == 0
    assert json.loads(capfd.readouterr().out)["slice"] == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"attributes": "6 5 1 1 5"}, "--attributes: '6' is not a whole number from 1 to 5"),
        ({"attributes": "4 5 x 1 5"}, "--attributes: 'x' is not a whole number from 1 to 5"),
        ({"attributes": "4 5 1.5 1 5"}, "'1.5' is not a whole number from 1 to 5"),
        ({"attributes": "4 5 1 1"}, "--attributes: expected 5 arguments"),
        ({"attributes": None}, "required: --attributes"),
        ({"box": "20 24"}, "--box: expected 3 arguments"),
        ({"box": "20 24 1.5"}, "--box: '1.5' is not a whole number"),
        ({"box": "20 24 0"}, "draw one of 2 pixels or more"),
        ({"box": "20 24 41"}, "leaves the slice of 64 x 64 pixels"),
        ({"box": "-1 24 16"}, "leaves the slice of 64 x 64 pixels"),
        ({"box": "20 24 -16"}, "draw one of 2 pixels or more"),
        ({"box": "20 24 3"}, "draw a larger one, of 4 to 60 mm"),
        ({"slice": "4"}, "There is no slice 4; this series has slices 0 to 3"),
        ({"slice": "-1"}, "--slice: '-1' is not a whole number of 0 or more"),
        ({"steps": "0"}, "--steps: '0' is not a whole number from 1 to 1000"),
        ({"steps": "1001"}, "from 1 to 1000"),
        ({"seed": "-1"}, "--seed: '-1' is not a whole number from 0 to"),
        ({"seed": "1e3"}, "--seed: '1e3' is not a whole number"),
        ({"seed": "9" * 30}, "is not a whole number from 0 to"),
        ({"guidance": "nan"}, "--guidance: 'nan' is not a number from 0 to 100"),
        ({"guidance": "inf"}, "--guidance: 'inf' is not a number from 0 to 100"),
        ({"guidance": "-1"}, "--guidance: '-1' is not a number from 0 to 100"),
        ({"guidance": "much"}, "--guidance: 'much' is not a number from 0 to 100"),
        ({"out": None}, "required: --out"),
        ({"series": "1.2.3"}, "1.2.3"),
        ({"colour": "red"}, "Unrecognized arguments: --colour red"),
    ],
)
def test_bad_input_is_one_sentence(arguments, changes, words, tmp_path, capfd):
    assert words in refused(capfd, *arguments(**changes))
    assert not (tmp_path / "out").exists()


def test_input_that_is_missing_or_no_image(arguments, tmp_path, capfd):
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "cut.nii.gz").write_bytes(b"\x1f\x8b\x08\x00cut short")
    (tmp_path / "nothing").mkdir()
    for name in ("missing.dcm", "text.txt", "empty.dcm", "cut.nii.gz", "nothing"):
        assert refused(capfd, *arguments(source=tmp_path / name))


def test_a_checkpoint_that_is_none(arguments, tmp_path, capfd):
    assert "checkpoint" in refused(capfd, *arguments(checkpoint=[tmp_path]))
    assert "checkpoint" in refused(capfd, "info", tmp_path)


def test_an_altered_checkpoint(arguments, tmp_path, capfd):
    folder = save_tiny_checkpoint(tmp_path / "altered")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert "altered" in refused(capfd, *arguments(checkpoint=[folder]))
    assert "altered" in refused(capfd, "info", folder)


def test_a_file_in_the_place_of_out(arguments, tmp_path, capfd):
    (tmp_path / "out").write_text("mine")
    assert "is a file, not a folder" in refused(capfd, *arguments())
    assert (tmp_path / "out").read_text() == "mine"


def test_an_out_folder_that_may_not_be_written_to(arguments, monkeypatch, capfd):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "cannot be written to" in refused(capfd, *arguments())


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (FloatingPointError("not finite at step 1"), "try another seed or a lower guidance"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "the memory is full"),
    ],
)
def test_a_generator_that_fails(arguments, tmp_path, monkeypatch, capfd, failure, sentence):
    def fail(*_, **__):
        raise failure
        yield

    monkeypatch.setattr("engine.generation.place_nodule", fail)
    assert sentence in refused(capfd, *arguments())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["place", "generate"])
def test_a_memory_that_is_full_before_the_first_step(arguments, tmp_path, monkeypatch, capfd, command):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr("engine.command_line.load_checkpoint", fail)
    made = arguments() if command == "place" else ["generate", "--configuration", "1", "--out", tmp_path / "out"]
    what = "nodule" if command == "place" else "slice"
    sentence = f"The {what} could not be generated: the memory is full; close other programs and try again."
    assert refused(capfd, *made) == sentence
    assert not (tmp_path / "out").exists()


def test_a_memory_that_is_full_while_the_scan_is_read(arguments, tmp_path, monkeypatch, capfd):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr("engine.ct_files.read_volume", fail)
    assert refused(capfd, *arguments()) == "The memory is full; close other programs and try again."
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("made", [[], ["draw"], ["info"], ["place"]])
def test_no_command_or_a_wrong_one(made, capfd):
    assert "--help" in refused(capfd, *made)


def test_help_goes_to_standard_output(capfd):
    with pytest.raises(SystemExit) as ended:
        main(["place", "--help"])
    assert ended.value.code == 0
    assert "--attributes SPH MAR LOB SPI TEX" in " ".join(capfd.readouterr().out.split())


def test_ctrl_c_is_130_and_leaves_nothing(arguments, tmp_path, monkeypatch, capfd):
    def interrupted(*_, **__):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("engine.generation.place_nodule", interrupted)
    assert main(arguments()) == 130
    assert capfd.readouterr() == ("", "")
    assert not (tmp_path / "out").exists()


def test_info_says_what_a_checkpoint_is(checkpoint, capfd):
    (checkpoint / "README.md").write_text("# A tiny checkpoint\n\nFor tests: größer wird es nicht.\n", "utf-8")
    assert main(["info", str(checkpoint)]) == 0
    out, err = capfd.readouterr()
    manifest = json.loads((checkpoint / "checkpoint.json").read_text())
    assert err == ""
    assert manifest["sha256"] in out
    assert [line.split() for line in out.splitlines()[:2]] == [["name", "tiny"], ["kind", "nodule"]]
    assert "samples seen" in out
    assert "größer wird es nicht." in out


def test_bad_input_is_refused_before_torch_is_imported():
    script = (
        "import sys; from engine.__main__ import main\n"
        "code = main(['place', 'x', '--box', '1', '1', '9', '--attributes', '6', '1', '1', '1', '1', '--out', 'o'])\n"
        "print(code, sorted({'torch', 'SimpleITK', 'highdicom', 'diffusers'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "2 []\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_as_a_program_in_a_terminal_stopped_with_ctrl_c(arguments, tmp_path):
    """Steps are shown where there is a terminal; Ctrl-C between them ends the program without a traceback."""
    import pty
    import termios

    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 80))
    program = subprocess.Popen(
        [sys.executable, "-m", "engine", *arguments(steps="1000")],
        stdout=subprocess.PIPE,
        stderr=end,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    os.close(end)
    shown = b""
    # Not before a step is done: interrupted while it still imports, CPython may exit by the signal itself.
    while not re.search(rb"[1-9]/1000 \[", shown):
        shown += os.read(terminal, 4096)
    program.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):
        while more := os.read(terminal, 4096):
            shown += more
    out, _ = program.communicate(timeout=60)
    os.close(terminal)
    assert (program.returncode, out) == (130, b""), shown.decode()
    assert b"Traceback" not in shown
    assert not (tmp_path / "out").exists()


def test_a_nodule_in_a_slice_that_was_made_whole_is_marked_beside_its_own(arguments, tmp_path, capfd):
    volume, whole = make_whole_slice()
    export_files(volume, 0, whole, tmp_path / "whole", ["DICOM"])
    made = {"source": tmp_path / "whole" / "slice.dcm", "slice": "0", "box": "26 4 10"}
    assert main(arguments(**made)) == 0
    assert "synthetic" not in capfd.readouterr().err
    marked = json.loads((tmp_path / "out" / "boxes.json").read_text())["annotations"]
    assert marked[0]["box_asked_for"] == [20, 10, 12, 12]
    assert pydicom.dcmread(tmp_path / "out" / "slice.dcm").PatientName == "SYNTHETIC^"
    again = tmp_path / "again"
    checkpoint = arguments()[arguments().index("--checkpoint") + 1]
    assert main(["replay", str(tmp_path / "out"), "--checkpoint", checkpoint, "--out", str(again)]) == 0
    assert json.loads(capfd.readouterr().out)["different_files"] == []


def test_an_input_with_synthetic_nodules_that_are_not_known_is_warned_of(arguments, tmp_path, capfd, write_ct_series):
    hu = np.random.default_rng(3).normal(-820, 40, (1, 64, 64)).astype(np.int16)
    (file,) = write_ct_series(tmp_path / "ct", hu, SyntheticData="YES")
    assert main(arguments(source=file, slice="0")) == 0
    assert "The image says that it is synthetic" in capfd.readouterr().err
    assert json.loads((tmp_path / "out" / "request.json").read_text())["input"]["synthetic"] is True
