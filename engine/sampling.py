"""The denoising loop, written out; schedulers from diffusers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from torch import Tensor

from engine.errors import InputError
from engine.events import SamplingOptions

#: (x_t, t) -> prediction, all (N, C, H, W); t is a () int64 tensor.
Denoiser = Callable[[Tensor, Tensor], Tensor]

#: Name of a solver -> diffusers' class and what is set on it. "ddpm" with as many steps as in training is the paper's.
#: DDIM is the first order of DPM-Solver++ (Lu et al. 2022, section 4); diffusers' own DDIM goes back by whole steps of
#: the training and leaves noise behind where their number is not divided by that of the steps.
SOLVERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "dpm++2m": (DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "ddim": (DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++", "solver_order": 1}),
    "ddpm": (DDPMScheduler, {"clip_sample": False}),
}


@dataclass(frozen=True)
class SamplingLimits:
    """What a checkpoint's manifest says of sampling from it.

    Attributes
    ----------
    guidance_highest_t : int, optional
        Guidance is left away at steps with a t above it, where it costs variety and gains nothing (Kynkäänniemi et al.
        2024, "Applying guidance in a limited interval"). -1: always, for a network that was never trained without
        attributes. None: nowhere.
    largest_x0 : float, optional
        Estimates of x_0 are clipped to [-largest_x0, largest_x0], since none was larger in training. None: not at all.
    """

    guidance_highest_t: int | None = None
    largest_x0: float | None = None

    def allow_guidance(self, t: int) -> bool:
        """Tell whether guidance is meant for step t of the training schedule."""
        return self.guidance_highest_t is None or t <= self.guidance_highest_t


@dataclass(frozen=True)
class FewSteps:
    """How a checkpoint is sampled while a slider moves: what is soon there and near the full result.

    Attributes
    ----------
    steps : int
    solver : str
        One of `SOLVERS`.
    guidance : float, optional
        1 saves half of each step's work where a step is not guided; None: as asked for the full result.
    """

    steps: int = 3
    solver: str = "dpm++2m"
    guidance: float | None = None

    def instead_of(self, full: SamplingOptions) -> SamplingOptions:
        """Return the options of the sketch of a result: its seed stays."""
        guidance = full.guidance if self.guidance is None else self.guidance
        return SamplingOptions(full.seed, self.steps, guidance, self.solver)


@dataclass(frozen=True)
class DenoisingStep:
    """After `index` (from 1) of `count` steps: x_t, and the x0 estimate it was made with, (N, C, H, W)."""

    index: int
    count: int
    noisy: Tensor
    estimate: Tensor


def make_scheduler(training_config: dict[str, Any], solver: str, steps: int) -> Any:
    """Return diffusers' scheduler for a solver, its time steps set.

    Raises
    ------
    InputError
        If there is no such solver, or if there are more steps than the model was trained with.
    """
    if solver not in SOLVERS:
        raise InputError(f"There is no solver {solver!r}; choose one of {', '.join(SOLVERS)}.")
    longest = training_config["num_train_timesteps"]
    if not 1 <= steps <= longest:
        raise InputError(f"{steps} steps were asked for; give 1 to {longest}.")
    scheduler_class, settings = SOLVERS[solver]
    scheduler = scheduler_class.from_config(training_config, timestep_spacing="trailing", **settings)
    scheduler.set_timesteps(steps)
    if len(scheduler.timesteps) > steps:
        # For 62 numbers of steps, 61 among them, rounding lets diffusers go one step too far, to t = -1.
        scheduler.set_timesteps(timesteps=scheduler.timesteps[:steps].tolist())
    return scheduler


def estimate_x0(prediction: Tensor, noisy: Tensor, alpha_bar: Tensor, prediction_type: str) -> Tensor:
    """Return the window that a prediction stands for.

    With a = sqrt(alpha_bar), s = sqrt(1 - alpha_bar) and x_t = a x_0 + s e (Ho et al. 2020, equation 4): from
    the noise, x_0 = (x_t - s e) / a; from v = a e - s x_0 (Salimans and Ho 2022, appendix D), x_0 = a x_t - s v.
    """
    alpha, sigma = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    if prediction_type == "v_prediction":
        return alpha * noisy - sigma * prediction
    if prediction_type == "epsilon":
        return (noisy - sigma * prediction) / alpha
    return prediction


def prediction_of(x0: Tensor, noisy: Tensor, alpha_bar: Tensor, prediction_type: str) -> Tensor:
    """Return the prediction that stands for x_0: the inverse of `estimate_x0`."""
    alpha, sigma = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    if prediction_type == "v_prediction":
        return (alpha * noisy - x0) / sigma
    if prediction_type == "epsilon":
        return (noisy - alpha * x0) / sigma
    return x0


def clip_x0(denoiser: Denoiser, training_config: dict[str, Any], largest: float) -> Denoiser:
    """Return the denoiser, the x_0 that its predictions stand for clipped to [-largest, largest].

    Where nearly all is noise, an error of the predicted noise counts many times over in x_0, and a solver that takes
    few steps does not recover from it. diffusers' solvers clip in ways of their own, or not at all; here all do alike.
    """
    prediction_type = training_config["prediction_type"]
    alphas_bar: Tensor = make_scheduler(training_config, "ddpm", steps=1).alphas_cumprod

    def clipped(noisy: Tensor, step: Tensor) -> Tensor:
        alpha_bar = alphas_bar[step].to(noisy.device)
        x0 = estimate_x0(denoiser(noisy, step), noisy, alpha_bar, prediction_type)
        return prediction_of(x0.clamp(-largest, largest), noisy, alpha_bar, prediction_type)

    return clipped


def denoise(
    denoiser: Denoiser,
    scheduler: Any,
    noise: Tensor,
    generator: torch.Generator | list[torch.Generator] | None = None,
) -> Iterator[DenoisingStep]:
    """Run the reverse process from noise, (N, C, H, W), yielding after every step.

    Parameters
    ----------
    generator : one for all, or N of them; only "ddpm" draws from it
        On the CPU, so that a seed means the same everywhere.

    Raises
    ------
    FloatingPointError
        If the denoiser returns something that is not finite.
    """
    noisy = noise * scheduler.init_noise_sigma
    count = len(scheduler.timesteps)
    for index, step in enumerate(scheduler.timesteps, start=1):
        prediction = denoiser(noisy, step)
        if not torch.isfinite(prediction).all():
            raise FloatingPointError(f"the U-Net returned values that are not finite at step {index}")
        alpha_bar = scheduler.alphas_cumprod[step].to(noisy.device)
        estimate = estimate_x0(prediction, noisy, alpha_bar, scheduler.config.prediction_type)
        noisy = scheduler.step(prediction, step, noisy, generator=generator, return_dict=False)[0]
        yield DenoisingStep(index, count, noisy, estimate)
