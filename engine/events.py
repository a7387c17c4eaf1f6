"""What is asked of the engine and what it answers: frozen, free of torch, numpy only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.ct import CTSlice, HUArray
from engine.errors import InputError
from engine.measurement import NoduleMeasurement
from engine.nodule import BOX_SIDE_MM, BoundingBox, NoduleAttributes, is_whole_number

#: Seeds are kept within what every JSON reader and torch take for a whole number.
MOST_SEED = 2**53 - 1
#: As many steps as the generators are trained with.
MOST_STEPS = 1000
MOST_GUIDANCE = 100.0
#: Pixel spacings, in mm, of slices that can be made whole; a chest of 360 mm on 256 pixels has 1.4.
SLICE_SPACING_MM = (0.4, 4.0)
USUAL_SLICE_SPACING_MM = 1.4


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

    `guidance` is w in v = v_none + w (v_attributes - v_none): 1 switches guidance off. Where a checkpoint has a guide,
    v_none is the guide's; see `engine.denoiser`.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    seed: int = 0
    steps: int = 15
    guidance: float = 2.5
    solver: str = "dpm++2m"

    def __post_init__(self) -> None:
        if not (is_whole_number(self.seed) and 0 <= self.seed <= MOST_SEED):
            raise InputError(f"The seed is {self.seed}; give a whole number from 0 to {MOST_SEED}.")
        if not (is_whole_number(self.steps) and 1 <= self.steps <= MOST_STEPS):
            raise InputError(f"{self.steps} steps were asked for; give 1 to {MOST_STEPS}.")
        if not 0 <= self.guidance <= MOST_GUIDANCE:
            raise InputError(f"The guidance is {self.guidance:g}; give a number from 0 to {MOST_GUIDANCE:g}.")


#: How slices are made whole. Where a generator has no guide or was trained for little, as many steps of "ddpm" keep
#: bodies in shape, for fresh noise takes back what earlier steps got wrong; where it has one, they come out too smooth.
#: With the embedded generator, more steps than these are hardly to be told from them.
SLICE_SAMPLING = SamplingOptions(steps=10)


@dataclass(frozen=True)
class SliceSource:
    """Where a slice was read from: it has no influence on a result, but lets the slice be opened again.

    Attributes
    ----------
    path : Path
        The file or folder that was opened.
    series_uid : str or None
        Of the series in it, as `engine.ct_files.read_volume` takes it.
    slice_index : int
        From 0.
    description : str
        Of the series, for people.
    sha256 : str
        `CTSlice.sha256` of the slice as it was read, before any nodule; empty where it is not known.
    is_synthetic : bool
        The slice was made whole, or had synthetic nodules when it was read: it is none without a nodule.
    """

    path: Path
    series_uid: str | None
    slice_index: int
    description: str = ""
    sha256: str = field(default="", compare=False)
    is_synthetic: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Extension:
    """Says of a slice that the nodule in it was placed in another one, and goes on here: see `engine.extension`.

    Attributes
    ----------
    continues : str
        `GenerationResult.nodule_sha256` where it was placed: the same for all slices of one nodule.
    offset_mm : float
        Of this slice from that one along the slice normal. The noise changes with it.
    """

    continues: str
    offset_mm: float


@dataclass(frozen=True)
class GenerationRequest:
    """Everything that influences a result, but for the checkpoint and the versions of the libraries; and `source`."""

    slice: CTSlice
    box: BoundingBox
    attributes: NoduleAttributes
    options: SamplingOptions = SamplingOptions()
    source: SliceSource | None = None
    extension: Extension | None = None


@dataclass(frozen=True)
class SliceRequest:
    """Everything that influences a slice made whole, but for the checkpoint and the versions of the libraries.

    Attributes
    ----------
    box : BoundingBox
        In pixels of the slice to be made; its `slice_shape` is that of the slice.
    pixel_spacing_mm : float
        Of the slice: its pixels are square.

    Raises
    ------
    InputError
        If the spacing is none of a chest CT, or the box is larger than any nodule.
    """

    box: BoundingBox
    attributes: NoduleAttributes
    options: SamplingOptions = SLICE_SAMPLING
    pixel_spacing_mm: float = USUAL_SLICE_SPACING_MM

    #: It was read from nowhere, and no nodule goes on in it.
    source: ClassVar[SliceSource | None] = None
    extension: ClassVar[Extension | None] = None

    def __post_init__(self) -> None:
        least, most = SLICE_SPACING_MM
        if not least <= self.pixel_spacing_mm <= most:
            raise InputError(f"The pixel spacing is {self.pixel_spacing_mm:g} mm; give {least:g} to {most:g} mm.")
        side, largest = self.box.side * self.pixel_spacing_mm, BOX_SIDE_MM[1]
        if side > largest:
            raise InputError(f"The box is {side:.1f} mm wide; draw a smaller one, of up to {largest:g} mm.")


Request = GenerationRequest | SliceRequest


@dataclass(frozen=True)
class SketchRequest:
    """The nodule that a request asks for, in a few steps: to be looked at while a slider moves, never to be kept.

    How many steps, and with which solver and guidance, is up to the checkpoint; the seed is that of the request.
    """

    request: GenerationRequest

    @property
    def box(self) -> BoundingBox:
        """In which the nodule is sketched."""
        return self.request.box


#: What the engine can be asked for; a result that is kept is of a `Request`.
AnyRequest = Request | SketchRequest


@dataclass(frozen=True)
class GenerationResult:
    """A finished slice: with a nodule that was put into the box, or made whole.

    Where there was a slice before, `slice` differs from it inside the box only.
    """

    request: Request
    slice: CTSlice
    measurement: NoduleMeasurement
    seconds: float
    checkpoint_name: str
    checkpoint_sha256: str
    device: str

    def nodule_sha256(self) -> str:
        """Hash of the HU in the box, and of the box: other nodules of the slice may come and go without changing it."""
        box = self.request.box
        digest = hashlib.sha256(f"{self.slice.hu.dtype.str} {box.row} {box.column} {box.side}".encode())
        digest.update(self.slice.hu[box.slices].tobytes())
        return digest.hexdigest()

    @property
    def before(self) -> CTSlice | None:
        """The slice into which the nodule was put; None where the slice was made whole."""
        return None if isinstance(self.request, SliceRequest) else self.request.slice


@dataclass(frozen=True)
class StateChanged:
    """The engine is in another state. `detail` says which device, or what is being loaded."""

    state: EngineState
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Preview:
    """The x0 estimate after `step` of `steps` U-Net steps.

    Attributes
    ----------
    box : BoundingBox
        In which the nodule forms.
    hu : float32
        What has changed of the slice: (side, side) of the box, or (rows, columns) of a slice that is made whole.
        `slices` says where it goes.
    """

    job_id: int
    step: int
    steps: int
    box: BoundingBox
    hu: NDArray[np.float32]
    seconds_left: float

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of `hu` into the slice, an array of (rows, columns)."""
        rows, columns = self.hu.shape
        if (rows, columns) == self.box.slice_shape:
            return slice(0, rows), slice(0, columns)
        return self.box.slices


@dataclass(frozen=True)
class Finished:
    """The job came to its end."""

    job_id: int
    result: GenerationResult


@dataclass(frozen=True, eq=False)
class Sketched:
    """The job of a `SketchRequest` came to its end. Nothing of it is recorded or measured.

    Attributes
    ----------
    request : GenerationRequest
        As it was asked, with the options of the full result.
    hu : (side, side) of the slice's own type
        Of the box, noise and border as in a full result.
    steps : int
        How many it took.
    seconds : float
        How long they took.
    """

    job_id: int
    request: GenerationRequest
    hu: HUArray
    steps: int
    seconds: float


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


Event = StateChanged | Preview | Finished | Sketched | Cancelled | Failed
