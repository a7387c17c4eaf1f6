"""Crops for the comparison with real nodules, and distances over random splits of the patients."""

import numpy as np
import pytest

from engine.ct import CTSlice
from engine.errors import InputError
from engine.nodule import BoundingBox
from training.realism import distances_over_splits, nodule_crop


@pytest.mark.parametrize("spacing", [0.5, 0.7, 0.98])
def test_crop_shows_the_same_mm_at_every_spacing(spacing):
    rows, columns = np.indices((96, 96)) + 0.5
    box = BoundingBox(35, 40, 20, (96, 96))
    hu = np.where(np.hypot(rows - box.centre[0], columns - box.centre[1]) * spacing < 5, 30, -850)

    crop = nodule_crop(CTSlice(hu.astype(np.int16), (spacing, spacing)), box)[0, 0].numpy()

    inside = np.argwhere(crop > -410)
    assert crop.shape == (32, 32)
    assert inside.mean(axis=0) == pytest.approx([15.5, 15.5], abs=0.2)
    assert len(inside) * 0.7**2 == pytest.approx(np.pi * 25, rel=0.06)


def test_perfect_copies_lie_at_the_floor_and_others_above_it():
    generator = np.random.default_rng(0)
    real = generator.normal(0, 1, (60, 20))
    patients = np.repeat([f"patient {index}" for index in range(20)], 3)

    copies = distances_over_splits(real, real, patients, splits=5, seed=0)
    shifted = distances_over_splits(real, real + 1, patients, splits=5, seed=0)

    assert copies["crops_a_side"] == [30] * 5
    assert copies["frechet"]["ratio"] == pytest.approx(1)
    assert shifted["frechet"]["generated"] == pytest.approx(shifted["frechet"]["floor"] + 20, rel=0.5)
    assert shifted["kernel"]["generated"] > 10 * abs(shifted["kernel"]["floor"])


def test_one_patient_cannot_be_split():
    with pytest.raises(InputError, match="cannot be split"):
        distances_over_splits(np.zeros((4, 3)), np.zeros((4, 3)), np.array(["one"] * 4), splits=1, seed=0)
