from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk

from engine.__main__ import main
from engine.ct_files import read_volume
from engine.errors import InputError
from engine.events import GenerationRequest
from engine.exports import ExportOptions, export_all, export_files
from engine.measurement import NoduleMeasurement
from engine.nodule import BoundingBox, NoduleAttributes
from engine.replay import (
    TOLERANCE_HU,
    Comparison,
    check_tolerance,
    compare,
    compare_files,
    find_input,
    saved_request,
)
from tests.checkpoints import save_tiny_checkpoint
from tests.engine.placed_nodules import SHAPE, make_result, make_volume, source_header


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def series(tmp_path_factory, write_ct_series):
    """A folder that holds two series of three slices of 64 x 64 pixels."""
    folder = tmp_path_factory.mktemp("Muster Max")
    for number in range(2):
        hu = np.random.default_rng(number).normal(-820, 40, (3, 64, 64)).astype(np.int16)
        write_ct_series(folder, hu, series_uid=f"1.2.3.{number}", prefix=f"series{number}-")
    return folder


@pytest.fixture
def export(series, checkpoint, tmp_path):
    """Export a nodule in the second series; return the folder."""

    def place(*more, name="first"):
        made = ["place", series, "--series", "1.2.3.1", "--slice", "1", "--box", "20", "24", "16"]
        made += ["--attributes", "4", "5", "1", "1", "5", "--steps", "2", "--checkpoint", checkpoint]
        assert main([str(argument) for argument in [*made, "--out", tmp_path / name, *more]]) == 0
        return tmp_path / name

    return place


@pytest.fixture
def replay(checkpoint, capfd):
    """Run the command; return its exit code, and what it printed or said."""

    def run(folder, *more, checkpoint=checkpoint):
        capfd.readouterr()
        code = main([str(argument) for argument in ["replay", folder, "--checkpoint", checkpoint, *more]])
        out, err = capfd.readouterr()
        return (code, json.loads(out)) if code == 0 else (code, err)

    return run


def test_it_is_the_same_bit_for_bit(export, replay, tmp_path):
    folder = export()
    code, printed = replay(folder, "--out", tmp_path / "again")
    assert code == 0
    assert printed["same_hu"] is True
    assert printed["sha256"] == saved_request(folder).output_sha256
    assert printed["other_versions"] == []
    assert printed["different_files"] == []
    assert len(printed["same_files"]) == len(list(folder.iterdir())) == len(list((tmp_path / "again").iterdir()))


def test_so_is_a_whole_series_with_the_identity_kept(export, replay, tmp_path):
    folder = export("--whole-series", "--keep-identity")
    _, printed = replay(folder, "--out", tmp_path / "again")
    assert printed["different_files"] == []
    assert "series/0003.dcm" in printed["same_files"]


def test_the_request_itself_stands_for_its_folder(export, replay, tmp_path):
    code, printed = replay(export() / "request.json", "--out", tmp_path / "again")
    assert (code, printed["different_files"]) == (0, [])


def test_it_does_not_write_over_what_it_compares(export, replay):
    folder = export()
    old = {file.name: file.read_bytes() for file in folder.iterdir()}
    for given in (folder, folder / "request.json"):
        code, sentence = replay(given, "--out", folder / ".." / folder.name)
        assert code == 2
        assert "holds the files to compare with; give another folder to --out" in sentence
        assert sentence.count("\n") == 1
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == old


def test_without_out_nothing_is_written(export, replay, tmp_path):
    code, printed = replay(export() / "request.json")
    assert (code, printed["same_hu"]) == (0, True)
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_files_that_differ_are_named(export, replay, tmp_path):
    folder = export()
    (folder / "mask.png").write_bytes(b"")
    (folder / "nodule.csv").unlink()
    _, printed = replay(folder, "--out", tmp_path / "again")
    assert printed["different_files"] == ["mask.png", "nodule.csv"]


def test_an_input_that_is_not_known_here_must_be_given(export, replay, series, tmp_path, monkeypatch):
    folder = export()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))
    code, sentence = replay(folder)
    assert code == 2
    assert "give it with --input" in sentence
    assert sentence.count("\n") == 1
    code, printed = replay(folder, "--input", series)
    assert (code, printed["same_hu"]) == (0, True)


def test_the_one_file_of_the_slice_is_enough(export, replay, series):
    code, printed = replay(export(), "--input", series / "series1-001.dcm")
    assert (code, printed["same_hu"]) == (0, True)


def test_in_a_part_of_the_series_the_slice_has_another_index_and_lies_at_the_same_place(
    export, replay, series, tmp_path
):
    part = tmp_path / "part"
    shutil.copytree(series, part)
    (part / "series1-000.dcm").unlink()
    folder, again = export(), tmp_path / "again"
    _, printed = replay(folder, "--input", part, "--out", again)
    assert {"slice.nii.gz", "mask.nrrd"} <= set(printed["same_files"])
    assert read_volume(again / "slice.dcm").positions == read_volume(folder / "slice.dcm").positions


def test_a_mask_beside_the_scan_is_passed_over(export, series, tmp_path):
    image = sitk.GetImageFromArray(read_volume(series, "1.2.3.1").hu)
    image.SetSpacing((0.75, 0.75, 2.5))
    (tmp_path / "nifti").mkdir()
    for name, pixels in (("mask", image > -800), ("scan", image)):
        sitk.WriteImage(pixels, tmp_path / "nifti" / f"{name}.nii.gz")
    volume, index = find_input(saved_request(export()), tmp_path / "nifti")
    assert (volume.description, index) == ("scan.nii.gz", 1)


def test_an_input_that_was_named_and_is_gone(export, replay, series, tmp_path, monkeypatch):
    folder = export("--keep-identity")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))
    assert replay(folder)[0] == 0
    request = folder / "request.json"
    request.write_text(request.read_text().replace(str(series), str(tmp_path / "gone")))
    assert "gone is not there any more; give what was opened with --input" in replay(folder)[1]


def test_another_input_is_refused(export, replay, write_ct_series, tmp_path):
    write_ct_series(tmp_path / "other", np.full((2, 64, 64), -800, np.int16))
    code, sentence = replay(export(), "--input", tmp_path / "other")
    assert code == 2
    assert "No slice of" in sentence
    assert "has the HU that the request was made of" in sentence


def test_another_checkpoint_is_refused(export, replay, tmp_path):
    other = save_tiny_checkpoint(tmp_path / "other", seed=1)
    code, sentence = replay(export(), checkpoint=other)
    assert code == 2
    assert "is not the one that made this result, tiny (" in sentence
    assert "give its folder with --checkpoint" in sentence


def test_a_folder_without_a_request(replay, tmp_path):
    assert replay(tmp_path) == (2, f"{tmp_path / 'request.json'} cannot be read; check that the file is there.\n")


def changed(folder, **changes):
    """Make the request say that something else came out; return the folder."""
    record = json.loads((folder / "request.json").read_text())
    record["output"]["sha256"] = "0" * 64
    (folder / "request.json").write_text(json.dumps(record | changes))
    return folder


def test_where_the_hash_differs_the_files_tell_by_how_much(export, replay):
    code, printed = replay(changed(export(), device="another"))
    assert code == 0
    assert (printed["same_hu"], printed["mean_hu"], printed["outside_hu"]) == (False, 0.0, 0.0)
    assert printed["other_versions"][0].startswith("device another then, CPU")


def test_without_such_files_it_cannot_tell(export, replay, tmp_path):
    folder = changed(export())
    for file in folder.glob("slice.*"):
        file.unlink()
    code, sentence = replay(folder)
    assert code == 2
    assert "has no slice to tell by how much" in sentence


@pytest.fixture
def exported(tmp_path):
    """A result, its folder, and its request, which says that another hash came out."""
    volume = make_volume()
    result = make_result(volume)
    export_all(volume, 1, result, tmp_path)
    return result, tmp_path, saved_request(changed(tmp_path))


@pytest.mark.parametrize("name", ["slice.nii.gz", "slice.nrrd", "slice.dcm"])
def test_any_file_of_the_slice_serves(name, exported):
    result, folder, saved = exported
    for file in folder.glob("slice.*"):
        if file.name != name:
            file.unlink()
    hu = np.array(result.slice.hu)
    hu[12, 22] += 3
    compared = compare(saved, folder, dataclasses.replace(result, slice=result.slice.with_hu(hu)))
    assert (compared.largest_hu, compared.outside_hu) == (3.0, 0.0)
    assert compared.mean_hu == pytest.approx(3 / 144)


def test_files_of_an_earlier_export_do_not_serve(tmp_path):
    volume = make_volume()
    earlier, result = make_result(volume, nodule=False), make_result(volume)
    export_files(volume, 1, earlier, tmp_path, ["NIfTI"])
    export_files(volume, 1, result, tmp_path, ["DICOM"])
    assert (tmp_path / "slice.nii.gz").is_file()
    assert compare(saved_request(changed(tmp_path)), tmp_path, result).largest_hu == 0
    export_files(volume, 1, result, tmp_path, ["PNG"])
    with pytest.raises(InputError, match="has no slice to tell by how much"):
        compare(saved_request(changed(tmp_path)), tmp_path, result)


@pytest.mark.parametrize(("slope", "least"), [("0.1", 0.1), (None, 0.5)])
def test_fractions_of_hu_that_dicom_rounds_are_no_change(tmp_path, slope, least):
    """With the slope of the source they come back as float32; without one they are rounded to a power of two."""
    headers = (source_header(RescaleSlope=slope),) * 2 if slope else ()
    stored = np.random.default_rng(5).integers(0, 14000, (2, *SHAPE))
    volume = make_volume(headers, hu=(stored * np.float64(0.1) - 1024).astype(np.float32))
    result = make_result(volume)
    export_files(volume, 1, result, tmp_path, ["DICOM"])
    saved = saved_request(changed(tmp_path))
    compared = compare(saved, tmp_path, result)
    assert compared.outside_hu == 0
    check_tolerance(compared)
    hu = np.array(result.slice.hu)
    hu[0, 10] += least
    changed_there = compare(saved, tmp_path, dataclasses.replace(result, slice=result.slice.with_hu(hu)))
    assert changed_there.outside_hu == pytest.approx(least, abs=0.02)


def test_a_change_outside_the_box_is_never_tolerated(exported):
    result, folder, saved = exported
    hu = np.array(result.slice.hu)
    hu[0, 10] += 1
    compared = compare(saved, folder, dataclasses.replace(result, slice=result.slice.with_hu(hu)))
    assert compared.outside_hu == 1
    with pytest.raises(InputError, match="changed outside the box"):
        check_tolerance(compared)


def test_more_than_processors_explain_is_another_nodule():
    check_tolerance(Comparison(False, TOLERANCE_HU, 60, 0, ()))
    with pytest.raises(InputError, match=r"HU in the box differ by 5\.1 on average.*\(with torch 2 then, 3 now\)"):
        check_tolerance(Comparison(False, TOLERANCE_HU + 0.1, 60, 0, ("torch 2 then, 3 now",)))


def test_of_a_whole_slice_it_says_that_the_slice_is_another():
    comparison = Comparison(False, TOLERANCE_HU + 0.1, 60, 0, ())
    with pytest.raises(InputError, match=r"^The slice is another one: HU differ by 5\.1 on average"):
        check_tolerance(comparison, whole_slice=True)


def test_files_of_a_subfolder_are_compared(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "series").mkdir(parents=True)
        (tmp_path / name / "series" / "0001.dcm").write_text("same")
        (tmp_path / name / "request.json").write_text(json.dumps({"seconds": name, "seed": 1}))
        (tmp_path / name / "mask.dcm").write_text(name)
    assert compare_files(tmp_path / "one", tmp_path / "two") == (["request.json", "series/0001.dcm"], ["mask.dcm"])


def test_the_input_is_found_where_it_was_opened(series, export):
    folder = export()
    volume, index = find_input(saved_request(folder))
    assert (volume.source, index) == (series, 1)
    moved = folder.parent / "moved"
    shutil.copytree(series, moved)
    volume, index = find_input(saved_request(folder), moved)
    assert (volume.source, index) == (moved, 1)


def test_a_nodule_that_was_built_on_another_is_found_in_the_export_of_the_first(series, export, tmp_path):
    first = export()
    volume, index = find_input(saved_request(first))
    on_it = read_volume(first / "slice.dcm").slice_at(0)
    result = dataclasses.replace(
        make_result(make_volume()),
        request=GenerationRequest(on_it, BoundingBox(2, 3, 16, on_it.shape), NoduleAttributes(4, 4, 1, 1, 5)),
        slice=on_it.with_hu(on_it.hu + 1),
        measurement=NoduleMeasurement(np.zeros(on_it.shape, bool), 0.0, -800.0),
    )
    export_all(volume, index, result, tmp_path / "second")
    found, index = find_input(saved_request(tmp_path / "second"))
    assert (found.source, index) == (first / "slice.dcm", 0)


def test_a_slice_that_was_made_whole(tmp_path, replay, monkeypatch):
    """Its own generator is tested elsewhere: here, that the request alone is enough."""
    from engine import replay_command
    from tests.engine.placed_nodules import make_whole_slice

    volume, result = make_whole_slice()
    export_all(volume, 0, result, tmp_path / "first", ExportOptions())
    asked = []
    monkeypatch.setattr(replay_command, "check_checkpoint", lambda *_: None)
    monkeypatch.setattr(replay_command, "run_request", lambda request, _: asked.append(request) or result)
    code, printed = replay(tmp_path / "first", "--out", tmp_path / "again")
    assert (code, printed["same_hu"], printed["different_files"]) == (0, True, [])
    assert asked == [result.request]
