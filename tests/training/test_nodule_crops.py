from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.conditioning import box_mask
from engine.errors import InputError
from engine.window import WindowGrid
from tests.training.crops_file import HELD_OUT, TRAINING, write_crops
from training.lidc_scores import AnnotationScores, read_annotation_scores
from training.nodule_crops import NoduleCrops, load_crops, sampling_weights
from training.nodule_samples import draw_batch, fixed_batch

GRID = WindowGrid()


@pytest.fixture(scope="module")
def crops_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_crops(tmp_path_factory.mktemp("crops") / "crops.parquet", [*HELD_OUT, *TRAINING])


@pytest.fixture(scope="module")
def crops(crops_path: Path) -> NoduleCrops:
    return load_crops(crops_path, held_out=False)


def test_scores_come_from_pylidcs_own_database() -> None:
    scores = read_annotation_scores()

    assert len(scores) == 6859
    texture = np.bincount([annotation.attributes.texture or 0 for annotation in scores.values()])
    assert texture.tolist() == [0, 480, 155, 381, 823, 5020]


def test_scores_of_the_initial_scans_are_not_trusted_for_lobulation_and_spiculation() -> None:
    scores: AnnotationScores = next(s for s in read_annotation_scores().values() if s.is_from_initial)

    assert scores.trusted.lobulation is None
    assert scores.trusted.spiculation is None
    assert scores.trusted.texture == scores.attributes.texture


def test_no_patient_is_on_both_sides(crops_path: Path, crops: NoduleCrops) -> None:
    assert set(crops.patients) == set(TRAINING)
    assert set(load_crops(crops_path, held_out=True).patients) == set(HELD_OUT)


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "crops.parquet").write_text("nodules")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        load_crops(tmp_path / "crops.parquet", held_out=True)


def test_thin_ends_of_a_nodule_are_left_out(crops: NoduleCrops) -> None:
    # The discs have radii of 4, 9 and 14 pixels and share their annotations: the first has a tenth of the area.
    assert len(crops) == len(TRAINING) * 2 * 4
    assert crops.unit_share.min() >= 0.3


def test_hu_are_those_of_the_file(crops: NoduleCrops) -> None:
    hu = crops.hu(2)

    assert hu[48, 48] == pytest.approx(0, abs=130)
    assert hu[:10, :10].mean() == pytest.approx(-850, abs=10)


def test_rare_scores_are_drawn_more_often_than_they_occur(crops: NoduleCrops) -> None:
    scores = np.array([[3, 3, 1, 1, 5]] * 9 + [[3, 3, 1, 5, 5]], np.int64)
    few = crops.chosen(np.arange(len(crops)) < 10)
    few = NoduleCrops(**{**few.__dict__, "unit_scores": scores, "unit_annotation": np.arange(10)})

    weights = sampling_weights(few)

    assert weights.sum() == pytest.approx(1)
    assert weights[-1] / few.unit_share[-1] == pytest.approx(3 * weights[0] / few.unit_share[0])


@pytest.mark.parametrize("augmented", [True, False])
def test_boxes_hold_their_nodules_at_every_spacing(crops: NoduleCrops, augmented: bool) -> None:
    generator = np.random.default_rng(0)
    if augmented:
        samples = draw_batch(crops, sampling_weights(crops), GRID, 64, generator)
    else:
        samples = fixed_batch(crops, np.arange(len(crops)), GRID, seed=0)
    mask = box_mask(samples.boxes, GRID.size)

    assert samples.nodule.any(dim=(1, 2, 3)).all()
    assert not (samples.nodule & (mask == 0)).any()
    sides = samples.boxes[:, 2:] - samples.boxes[:, :2]
    assert torch.allclose(sides[:, 0], sides[:, 1], atol=1e-3)
    assert samples.hu[samples.nodule].mean() == pytest.approx(0, abs=150)
    assert samples.hu[~samples.nodule & samples.known].mean() == pytest.approx(-850, abs=150)


def test_a_nodule_is_as_it_was_measured_and_else_as_outlined(crops: NoduleCrops) -> None:
    units = np.arange(len(crops))
    measured = np.zeros(crops.masks.shape, bool)
    first = crops.unit_crop[0]
    measured[first, 40:60, 47:50] = True

    outlined = fixed_batch(crops, units, GRID, seed=0)
    samples = fixed_batch(replace(crops, seen=measured), units, GRID, seed=0)

    has_mask = torch.from_numpy(crops.unit_crop == first)
    assert torch.equal(samples.nodule[~has_mask], outlined.nodule[~has_mask])
    rows, columns = (samples.nodule[0, 0].any(dim=axis).sum().item() for axis in (1, 0))
    assert rows == pytest.approx(columns * 20 / 3, rel=0.35)
    assert torch.equal(samples.boxes, outlined.boxes)


def test_a_batch_is_named_by_its_generator(crops: NoduleCrops) -> None:
    weights = sampling_weights(crops)
    first, second = (draw_batch(crops, weights, GRID, 8, np.random.default_rng([1, 2])) for _ in range(2))

    assert torch.equal(first.hu, second.hu)
    assert torch.equal(first.boxes, second.boxes)


def test_what_lies_off_the_crop_is_known_to_be_unknown(crops: NoduleCrops) -> None:
    # 96 pixels of 0.5 mm hold a window of 64 x 0.7 mm = 44.8 mm, but not one that is turned.
    fine = crops.chosen(crops.pixel_spacing[crops.unit_crop] < 0.6)

    known = draw_batch(fine, sampling_weights(fine), GRID, 32, np.random.default_rng(0)).known

    assert known[:, 0, 20:44, 20:44].all()
    assert not known.all()
