"""A scripted job runner: stands at the engine's boundary and plays every success and failure on demand.

    runner = ScriptedRunner(steps=5, on_step=Gate(3))       # waits in step 3 until the test lets it go on
    runner = ScriptedRunner(on_step=raising(MemoryError(), at=2))
    engine = EngineThread(Loading(runner, failures=[OSError("gone")]), notify)

Nothing here sleeps: a test meets the engine thread at a `Gate`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.ct import CTSlice, HUArray
from engine.events import (
    AnyRequest,
    Finished,
    GenerationRequest,
    GenerationResult,
    Preview,
    Request,
    SamplingOptions,
    Sketched,
    SketchRequest,
    SliceRequest,
)
from engine.measurement import NoduleMeasurement
from engine.nodule import BoundingBox, NoduleAttributes

#: Seconds after which a test that waits for something gives up. Nothing waits that long unless it fails.
PATIENCE = 60.0
SKETCH_STEPS = 3


class OutOfMemoryError(RuntimeError):
    """Named as torch's own error for a full GPU is."""


def scripted_request(seed: int = 0, steps: int = 5, side: int = 6) -> GenerationRequest:
    """Return a request for a box in a small slice."""
    before = CTSlice(np.full((24, 32), -850, dtype=np.int16), (0.7, 0.7))
    box = BoundingBox(8, 10, side, before.shape)
    return GenerationRequest(before, box, NoduleAttributes(5, 4, 1, None, 3), SamplingOptions(seed, steps))


def scripted_result(request: Request, seconds: float = 0.25) -> GenerationResult:
    """Return a request's slice with a box whose HU tell the seed: -100 + seed; the mask is its middle.

    A slice that is made whole has -850 HU outside the box.
    """
    before = _before(request)
    hu = before.hu.copy()
    hu[request.box.slices] = -100 + request.options.seed % 1000
    mask = np.zeros(before.shape, dtype=np.bool_)
    row, column = (int(position) for position in request.box.centre)
    mask[row - 1 : row + 1, column - 1 : column + 1] = True
    measurement = NoduleMeasurement(mask, diameter_mm=1.58, mean_hu=float(hu[row, column]))
    return GenerationResult(request, before.with_hu(hu), measurement, seconds, "scripted", "0" * 64, "scripted device")


def scripted_sketch(request: GenerationRequest) -> HUArray:
    """Return the HU of a box that tell the score of texture: -500 + 50 times it."""
    return np.full((request.box.side,) * 2, -500 + 50 * (request.attributes.texture or 0), dtype=np.int16)


def _before(request: Request) -> CTSlice:
    if isinstance(request, GenerationRequest):
        return request.slice
    spacing = request.pixel_spacing_mm
    return CTSlice(np.full(request.box.slice_shape, -850, dtype=np.int16), (spacing, spacing))


@dataclass
class ScriptedRunner:
    """A `JobRunner` that yields a Preview a step and then a result, without a model.

    Attributes
    ----------
    steps : int, optional
        Number of steps; that of the request's options if left out.
    on_step : (step) -> None, optional
        Called in the engine thread within each step, from 1; may wait, and may raise.
    sketch_seconds : float
        How long sketches say that they took.
    started, closed, finished : job ids
        What became of the jobs that ran: begun; closed between two steps; come to their end.
    """

    steps: int | None = None
    on_step: Callable[[int], object] | None = None
    device: str = "scripted device"
    sketch_seconds: float = 0.1
    started: list[int] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    finished: list[int] = field(default_factory=list)

    def __call__(self, request: AnyRequest, job_id: int) -> Iterator[Preview | Finished | Sketched]:
        self.started.append(job_id)
        steps = SKETCH_STEPS if isinstance(request, SketchRequest) else self.steps or request.options.steps
        box = request.box
        shape = box.slice_shape if isinstance(request, SliceRequest) else (box.side, box.side)
        try:
            for step in range(1, steps + 1):
                if self.on_step is not None:
                    self.on_step(step)
                hu = np.full(shape, -100 * step, dtype=np.float32)
                yield Preview(job_id, step, steps, request.box, hu, seconds_left=float(steps - step))
        except GeneratorExit:
            self.closed.append(job_id)
            raise
        self.finished.append(job_id)
        if isinstance(request, SketchRequest):
            yield Sketched(job_id, request.request, scripted_sketch(request.request), steps, self.sketch_seconds)
        else:
            yield Finished(job_id, scripted_result(request))


class Gate:
    """Holds the engine thread in the given steps until the test opens them; give it as `on_step`.

    Without steps it is a gate of one step, 0: as `Loading(gate=...)` uses it.
    """

    def __init__(self, *steps: int) -> None:
        self._reached = {step: threading.Event() for step in steps or (0,)}
        self._opened = {step: threading.Event() for step in steps or (0,)}

    def __call__(self, step: int = 0) -> None:
        if step in self._reached:
            self._reached[step].set()
            if not self._opened[step].wait(PATIENCE):
                raise TimeoutError(f"nobody opened the gate of step {step}")

    def wait_until_reached(self, step: int = 0) -> None:
        """Wait until the engine thread is held in a step."""
        assert self._reached[step].wait(PATIENCE), f"step {step} was never reached"

    def open(self, *steps: int) -> None:
        """Let the engine thread go on from the given steps; from all of them if none is given."""
        for step in steps or self._opened:
            self._opened[step].set()


class Doorman:
    """An `on_step` that holds the second step of a job: the second one, or that which is named."""

    def __init__(self, job: int = 2) -> None:
        self.gate = Gate(job)
        self.jobs = 0

    def __call__(self, step: int) -> None:
        self.jobs += step == 1
        if step == 2:
            self.gate(self.jobs)


def raising(error: Exception, at: int) -> Callable[[int], None]:
    """Return an `on_step` that raises `error` in step `at`, the first time it gets there."""
    left = [error]

    def on_step(step: int) -> None:
        if step == at and left:
            raise left.pop()

    return on_step


class Loading:
    """An `open_runner` that can be held at a gate and fail a number of times before it returns the runner."""

    def __init__(self, runner: ScriptedRunner, failures: Sequence[Exception] = (), gate: Gate | None = None) -> None:
        self._runner = runner
        self._failures = list(failures)
        self._gate = gate
        self.threads: list[str] = []

    def __call__(self) -> ScriptedRunner:
        self.threads.append(threading.current_thread().name)
        if self._gate is not None:
            self._gate()
        if self._failures:
            raise self._failures.pop(0)
        return self._runner
