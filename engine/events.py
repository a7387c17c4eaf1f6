"""What is asked of the engine and what it answers: frozen, free of torch, numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTSlice
from engine.errors import InputError
from engine.measurement import NoduleMeasurement
from engine.nodule import BoundingBox, NoduleAttributes

#: Seeds are kept within what every JSON reader and torch take for a whole number.
MOST_SEED = 2**53 - 1
#: As many steps as the generators are trained with.
MOST_STEPS = 1000
MOST_GUIDANCE = 100.0


class EngineState(Enum):
    """LOADING -> IDLE <-> SAMPLING -> CANCELLING -> IDLE; any -> STOPPED; LOADING -> FAILED -> LOADING.

    FAILED means that no checkpoint could be loaded; a failed job alone leads back to IDLE.
    """

    LOADING = "loading"
    IDLE = "idle"
    SAMPLING = "sampling"
    CANCELLING = "cancelling"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class SamplingOptions:
    """How the denoising runs: seed of the noise, number of U-Net steps, strength of guidance, solver.

    `guidance` is w in v = v_none + w (v_attributes - v_none): 1 switches guidance off.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    seed: int = 0
    steps: int = 15
    guidance: float = 2.0
    solver: str = "dpm++2m"

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= MOST_SEED:
            raise InputError(f"The seed is {self.seed}; give a whole number from 0 to {MOST_SEED}.")
        if not 1 <= self.steps <= MOST_STEPS:
            raise InputError(f"{self.steps} steps were asked for; give 1 to {MOST_STEPS}.")
        if not 0 <= self.guidance <= MOST_GUIDANCE:
            raise InputError(f"The guidance is {self.guidance:g}; give a number from 0 to {MOST_GUIDANCE:g}.")


@dataclass(frozen=True)
class GenerationRequest:
    """Everything that influences a result, but for the checkpoint and the versions of the libraries."""

    slice: CTSlice
    box: BoundingBox
    attributes: NoduleAttributes
    options: SamplingOptions = SamplingOptions()


@dataclass(frozen=True)
class GenerationResult:
    """A finished slice. `slice` differs from `request.slice` inside the box only."""

    request: GenerationRequest
    slice: CTSlice
    measurement: NoduleMeasurement
    seconds: float
    checkpoint_name: str
    checkpoint_sha256: str
    device: str


@dataclass(frozen=True)
class StateChanged:
    """The engine is in another state. `detail` says which device, or what is being loaded."""

    state: EngineState
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Preview:
    """The x0 estimate after `step` of `steps` U-Net steps, as HU of the box, (side, side) float32."""

    job_id: int
    step: int
    steps: int
    box: BoundingBox
    hu: NDArray[np.float32]
    seconds_left: float


@dataclass(frozen=True)
class Finished:
    """The job came to its end."""

    job_id: int
    result: GenerationResult


@dataclass(frozen=True)
class Cancelled:
    """The job was cancelled; nothing of it remains."""

    job_id: int


@dataclass(frozen=True)
class Failed:
    """Something failed; `message` is one sentence for the user.

    Without a job_id, it was the engine itself: loading the checkpoint (the state is then FAILED), or recording a result
    that was finished all the same.
    """

    job_id: int | None
    message: str


Event = StateChanged | Preview | Finished | Cancelled | Failed
