import numpy as np
import pytest

from engine.ct import CTSlice
from engine.nodule import BoundingBox
from engine.noise import equalise_noise, noise_levels

SHAPE = (120, 120)
BOX = BoundingBox(40, 40, 40, SHAPE)


def lung(inside: float, outside: float) -> CTSlice:
    generator = np.random.default_rng(0)
    hu = -850 + generator.normal(0, outside, SHAPE)
    hu[BOX.slices] = -850 + generator.normal(0, inside, (BOX.side, BOX.side))
    return CTSlice(hu.astype(np.float32), (0.7, 0.7))


def equalised(ct_slice: CTSlice) -> CTSlice:
    hu = ct_slice.hu.astype(np.float64)
    hu[BOX.slices] += equalise_noise(ct_slice, BOX)
    return CTSlice(hu.astype(np.float32), ct_slice.pixel_spacing)


@pytest.mark.parametrize(("inside", "outside"), [(50, 25), (25, 25), (20, 30)])
def test_noise_inside_becomes_that_outside(inside: float, outside: float) -> None:
    before, after = (
        noise_levels(ct_slice, BOX) for ct_slice in (lung(inside, outside), equalised(lung(inside, outside)))
    )

    assert before[0] / before[1] == pytest.approx(inside / outside, rel=0.1)
    assert after[0] / after[1] == pytest.approx(1, abs=0.1)


def test_edges_stay_sharp() -> None:
    ct_slice = lung(50, 25)
    hu = ct_slice.hu.copy()
    hu[52:68, 52:68] = 50
    step_before = float(hu[60, 53] - hu[60, 50])

    after = equalised(CTSlice(hu, (0.7, 0.7))).hu

    assert after[60, 53] - after[60, 50] == pytest.approx(step_before, rel=0.1)


def test_nothing_is_done_where_there_is_no_lung() -> None:
    muscle = CTSlice(np.random.default_rng(0).normal(50, 20, SHAPE).astype(np.float32), (0.7, 0.7))

    assert np.isnan(noise_levels(muscle, BOX)).all()
    assert not equalise_noise(muscle, BOX).any()


def test_a_box_in_the_corner_is_measured_too() -> None:
    corner = BoundingBox(0, 0, 40, SHAPE)

    assert equalise_noise(lung(25, 25), corner).shape == (40, 40)
