"""Noise along a nodule: what the seed gives where it was placed, normal everywhere, less alike the farther away."""

import pytest
import torch

from engine.codec import seeded_generator
from engine.nodule_noise import QUARTER_TURN_MM, nodule_noise

SIZE, SEED = 64, 5


def noise_at(offset_mm: float) -> torch.Tensor:
    return nodule_noise(seeded_generator(SEED), SEED, offset_mm, SIZE)


def likeness(one: float, other: float) -> float:
    return float((noise_at(one) * noise_at(other)).mean())


def test_where_the_nodule_is_placed_it_is_that_of_the_seed() -> None:
    assert torch.equal(noise_at(0), torch.randn((1, 1, SIZE, SIZE), generator=seeded_generator(SEED)))


@pytest.mark.parametrize("share", [-2.5, -1, -0.3, 0.5, 1, 1.7])
def test_it_is_standard_normal_everywhere(share: float) -> None:
    noise = noise_at(share * QUARTER_TURN_MM)

    assert float(noise.mean()) == pytest.approx(0, abs=0.05)
    assert float(noise.std()) == pytest.approx(1, abs=0.05)


def test_neighbours_are_alike_and_far_slices_are_not() -> None:
    near = QUARTER_TURN_MM / 9
    assert likeness(0, near) == pytest.approx(0.985, abs=0.06)
    assert likeness(0, 6 * near) == pytest.approx(0.5, abs=0.06)
    assert likeness(0, 9 * near) == pytest.approx(0, abs=0.06)
    assert likeness(8.5 * near, 9.5 * near) == pytest.approx(0.985, abs=0.06)
    assert likeness(-6 * near, 6 * near) == pytest.approx(0.25, abs=0.06)


def test_the_steps_that_follow_draw_the_same_everywhere() -> None:
    drawn: list[torch.Tensor] = []
    for offset in (0.0, 3.0):
        generator = seeded_generator(SEED)
        nodule_noise(generator, SEED, offset, SIZE)
        drawn.append(torch.randn(4, generator=generator))
    assert torch.equal(*drawn)
