import pytest
import torch
from torch import Tensor

from engine.codec import seeded_noise
from engine.errors import InputError
from engine.sampling import denoise, estimate_x0, make_scheduler

CONFIG = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
    "beta_start": 0.0001,
    "beta_end": 0.02,
}


@pytest.mark.parametrize("prediction_type", ["v_prediction", "epsilon", "sample"])
def test_the_estimate_inverts_the_forward_process(prediction_type: str) -> None:
    clean, noise = seeded_noise((2, 1, 4, 4), 0), seeded_noise((2, 1, 4, 4), 1)
    alpha_bar = torch.tensor(0.3)
    alpha, sigma = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    predictions = {"v_prediction": alpha * noise - sigma * clean, "epsilon": noise, "sample": clean}

    estimate = estimate_x0(predictions[prediction_type], alpha * clean + sigma * noise, alpha_bar, prediction_type)

    assert torch.allclose(estimate, clean, atol=1e-5)


@pytest.mark.parametrize("solver", ["dpm++2m", "ddim"])
@pytest.mark.parametrize("steps", [1, 2, 15])
def test_a_denoiser_that_knows_the_answer_arrives_at_it(solver: str, steps: int) -> None:
    clean = torch.full((1, 1, 4, 4), 0.25)
    scheduler = make_scheduler(CONFIG, solver, steps)

    def oracle(noisy: Tensor, step: Tensor) -> Tensor:
        alpha_bar = scheduler.alphas_cumprod[step]
        return (alpha_bar.sqrt() * noisy - clean) / (1 - alpha_bar).sqrt()

    taken = list(denoise(oracle, scheduler, seeded_noise((1, 1, 4, 4), 0)))

    assert [step.index for step in taken] == list(range(1, steps + 1))
    assert torch.allclose(taken[-1].estimate, clean, atol=1e-3)
    assert torch.allclose(taken[-1].noisy, clean, atol=2e-2)


def test_values_that_are_not_finite_stop_the_loop() -> None:
    with pytest.raises(FloatingPointError, match="step 1"):
        next(denoise(lambda noisy, _: noisy * torch.nan, make_scheduler(CONFIG, "ddim", 3), torch.ones(1, 1, 2, 2)))


@pytest.mark.parametrize(
    ("solver", "steps", "sentence"), [("heun", 5, "no solver 'heun'"), ("ddim", 0, "0 steps"), ("ddim", 1001, "1001")]
)
def test_unusable_options_are_refused(solver: str, steps: int, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        make_scheduler(CONFIG, solver, steps)
