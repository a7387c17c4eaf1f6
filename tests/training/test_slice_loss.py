"""What the slice generator learns from: configurations, their inputs and loss, and the error on held-out patients."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.network import ConditionedUNet
from tests.checkpoints import TINY_NETWORK, tiny_vq_codec
from training.nodule_loss import NetworkInputs, loss_of, predict
from training.slice_loss import (
    CONFIGURATIONS,
    NOISE_LEVELS,
    SliceBatch,
    SliceOptions,
    make_slice_inputs,
    make_slice_scheduler,
    slice_validation_errors,
    steps_of_levels,
)
from training.slice_readings import SliceReadings


def inputs_for(options: SliceOptions, seed: int = 0) -> NetworkInputs:
    generator = torch.Generator().manual_seed(seed)
    latents, noise = torch.randn(2, 2, 3, 64, 64, generator=generator)
    boxes = torch.tensor([[40.0, 50.0, 60.0, 70.0], [100.0, 90.0, 140.0, 130.0]])
    batch = SliceBatch(latents, boxes, torch.tensor([1.4, 1.2]), torch.tensor([[4, 4, 1, 1, 5], [1, 2, 3, 4, 5]]))
    return make_slice_inputs(batch, make_slice_scheduler(options), torch.tensor([100, 700]), noise, batch.levels)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_every_configuration_trains_what_it_has(configuration: str) -> None:
    options = CONFIGURATIONS[configuration]
    torch.manual_seed(0)
    shape = replace(TINY_NETWORK, conditioning=options.conditioning, context_channels=1)
    network = ConditionedUNet(shape, tiny_vq_codec(), 256)

    inputs = inputs_for(options)
    loss = loss_of(predict(network, inputs), inputs, options)
    loss.backward()

    assert 0 < loss.item() < 10
    gradients = {name: value.grad for name, value in network.named_parameters()}
    # None may be without one: several processes could not agree on it.
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())
    moving = {name for name, gradient in gradients.items() if gradient is not None and gradient.abs().max() > 0}
    tables = "tokens.attributes.weight"
    assert (tables in moving) == (configuration in ("3", "studio"))
    assert any(".attn2.to_k" in name or ".attn2.to_v" in name for name in moving) == (configuration != "1")
    assert "unet.conv_in.weight" in moving


@pytest.mark.parametrize("configuration", "123")
def test_the_papers_configurations_are_as_the_paper_says(configuration: str) -> None:
    options = CONFIGURATIONS[configuration]

    assert options == SliceOptions(
        conditioning=f"paper-{configuration}",
        prediction="epsilon",
        schedule="scaled_linear",
        beta_start=0.0015,
        beta_end=0.0195,
        weighting="none",
        drop_all=0.0,
        drop_one=0.0,
        trusted=False,
        rare_scores=False,
        variants=1,
    )
    assert options.min_snr == 0


def test_epsilon_is_what_the_paper_predicts() -> None:
    options = CONFIGURATIONS["1"]
    inputs = inputs_for(options)

    alpha_bar = inputs.alpha_bar[:, None, None, None]
    clean = (inputs.noisy - (1 - alpha_bar).sqrt() * inputs.target) / alpha_bar.sqrt()

    assert torch.allclose(clean, torch.randn(2, 2, 3, 64, 64, generator=torch.Generator().manual_seed(0))[0], atol=1e-3)
    zero = torch.zeros_like(inputs.target)
    assert loss_of(zero, inputs, options).item() == pytest.approx((inputs.target**2).mean().item())


def test_errors_of_all_configurations_are_measured_alike() -> None:
    """A network that always says "x_0 is 0" has one error of v, whatever it predicts and in whichever schedule."""

    class SaysNothing(torch.nn.Module):
        def __init__(self, scheduler: Any) -> None:
            super().__init__()
            self.alphas_bar, self.prediction = scheduler.alphas_cumprod, scheduler.config.prediction_type
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, noisy: torch.Tensor, step: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
            alpha_bar = self.alphas_bar[step][:, None, None, None]
            scale = alpha_bar.sqrt() if self.prediction == "v_prediction" else 1.0
            return noisy * scale / (1 - alpha_bar).sqrt()

    class OneLatent:
        def take(self, slices: np.ndarray, variants: np.ndarray) -> torch.Tensor:
            return torch.ones(len(slices), 3, 64, 64)

    readings = SliceReadings(
        *np.zeros((3, 1), np.int64),
        boxes=np.array([[40, 40, 80, 80]], np.float32),
        spacing_mm=np.ones(1, np.float32),
        scores=np.ones((1, 5), np.int64),
        ends=np.ones(1),
    )
    wanted = float(np.mean(1 / np.array(NOISE_LEVELS)))
    for configuration in ("1", "studio"):
        scheduler = make_slice_scheduler(CONFIGURATIONS[configuration])
        latents: Any = OneLatent()
        count = len(NOISE_LEVELS)
        errors = slice_validation_errors(SaysNothing(scheduler), latents, readings, scheduler, count)
        # The levels that a schedule has lie beside those asked for, by up to a twentieth at the smallest.
        assert errors == {"whole": pytest.approx(wanted, rel=0.06), "box": pytest.approx(wanted, rel=0.06)}


def test_noise_levels_are_found_in_every_schedule() -> None:
    for options in CONFIGURATIONS.values():
        scheduler = make_slice_scheduler(options)
        shares = 1 - scheduler.alphas_cumprod[steps_of_levels(scheduler)]
        assert shares.tolist() == pytest.approx(NOISE_LEVELS, abs=0.005)


def test_a_box_counts_the_same_whatever_its_size() -> None:
    options = CONFIGURATIONS["studio"]
    inputs = inputs_for(options)

    in_the_box = loss_of(inputs.target + inputs.mask.ceil(), inputs, options)
    everywhere = loss_of(inputs.target + 1, inputs, options)

    assert everywhere.item() == pytest.approx(1 + options.outside, rel=1e-4)
    assert in_the_box.item() == pytest.approx(1, rel=0.02)
