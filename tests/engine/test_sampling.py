import pytest
import torch
from torch import Tensor

from engine.codec import seeded_generator, seeded_noise
from engine.errors import InputError
from engine.sampling import SamplingLimits, clip_x0, denoise, estimate_x0, make_scheduler, prediction_of

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
    again = prediction_of(estimate, alpha * clean + sigma * noise, alpha_bar, prediction_type)
    assert torch.allclose(again, predictions[prediction_type], atol=1e-5)


@pytest.mark.parametrize("solver", ["dpm++2m", "ddim", "ddpm"])
@pytest.mark.parametrize("steps", [1, 2, 15, 61, 350, 600])
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


@pytest.mark.parametrize("solver", ["dpm++2m", "ddim", "ddpm"])
def test_any_number_of_steps_has_so_many_and_none_below_the_first(solver: str) -> None:
    for steps in range(1, 1001):
        times = make_scheduler(CONFIG, solver, steps).timesteps
        assert (len(times), int(times.min()) >= 0) == (steps, True)


def test_values_that_are_not_finite_stop_the_loop() -> None:
    with pytest.raises(FloatingPointError, match="step 1"):
        next(denoise(lambda noisy, _: noisy * torch.nan, make_scheduler(CONFIG, "ddim", 3), torch.ones(1, 1, 2, 2)))


@pytest.mark.parametrize(
    ("solver", "steps", "sentence"), [("heun", 5, "no solver 'heun'"), ("ddim", 0, "0 steps"), ("ddim", 1001, "1001")]
)
def test_unusable_options_are_refused(solver: str, steps: int, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        make_scheduler(CONFIG, solver, steps)


def silent(noisy: Tensor, _: Tensor) -> Tensor:
    return torch.zeros_like(noisy)


def run_silent(solver: str, *seeds: int) -> Tensor:
    noise = torch.ones(len(seeds), 1, 4, 4)
    generators = [seeded_generator(seed) for seed in seeds]
    *_, last = denoise(silent, make_scheduler(CONFIG, solver, 4), noise, generators)
    return last.noisy


def test_the_papers_solver_draws_noise_of_its_own_from_the_seed() -> None:
    first, second = run_silent("ddpm", 1, 2)

    assert not torch.equal(first, second)
    assert torch.equal(run_silent("ddpm", 2)[0], second)
    assert torch.equal(*run_silent("dpm++2m", 1, 2))


@pytest.mark.parametrize("solver", ["dpm++2m", "ddim", "ddpm"])
@pytest.mark.parametrize("prediction_type", ["v_prediction", "epsilon"])
def test_estimates_stay_within_what_was_trained(solver: str, prediction_type: str) -> None:
    config = {**CONFIG, "prediction_type": prediction_type}
    scheduler, noise = make_scheduler(config, solver, 8), seeded_noise((1, 1, 8, 8), 0)

    def far_off(noisy: Tensor, _: Tensor) -> Tensor:
        return -noisy

    free = [step.estimate.abs().max() for step in denoise(far_off, scheduler, noise, seeded_generator(0))]
    scheduler = make_scheduler(config, solver, 8)
    kept = denoise(clip_x0(far_off, config, 2.5), scheduler, noise, seeded_generator(0))

    # What is converted to a prediction and back is off by the rounding of values that nearly vanish.
    assert max(free) > 5
    assert max(step.estimate.abs().max() for step in kept) < 2.6


def test_what_is_within_the_limit_is_not_changed() -> None:
    noisy, step = seeded_noise((1, 1, 4, 4), 0) * 0.1, torch.tensor(300)

    clipped = clip_x0(lambda noisy, _: 0.5 * noisy, CONFIG, 4.0)(noisy, step)

    assert torch.allclose(clipped, 0.5 * noisy, atol=1e-6)


@pytest.mark.parametrize(
    ("highest", "allowed"), [(None, [True, True, True]), (800, [True, True, False]), (-1, [False] * 3)]
)
def test_guidance_ends_where_the_checkpoint_says(highest: int | None, allowed: list[bool]) -> None:
    limits = SamplingLimits(guidance_highest_t=highest)

    assert [limits.allow_guidance(t) for t in (0, 800, 801)] == allowed
