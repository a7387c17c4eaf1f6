"""What the engine thread runs: how a job looks from outside, and how one that failed is told to the user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from engine.checkpoint import DEFAULT_SLICE_CHECKPOINT
from engine.errors import InputError
from engine.events import AnyRequest, Finished, Preview, Sketched, SketchRequest, SliceRequest

if TYPE_CHECKING:
    from engine.checkpoint import Checkpoint


class JobRunner(Protocol):
    """What runs jobs once the checkpoint is loaded. Called and iterated in the engine thread only.

    Attributes
    ----------
    device : str
        For the status line: "CPU (2 threads)", "CUDA: ...".
    """

    device: str

    def __call__(self, request: AnyRequest, job_id: int) -> Iterator[Preview | Finished | Sketched]:
        """Run one job: a Preview after every U-Net step, then one Finished; of a SketchRequest, one Sketched.

        The job can be cancelled wherever the iterator yields; `close()`, if it has one, is called then.
        """
        ...


class GeneratorRunner:
    """A `JobRunner` with a generator for each kind of request.

    Parameters
    ----------
    checkpoint : Checkpoint
        Loaded: of nodules or of slices, as its kind says.
    slice_folder : Path
        Where the slice generator is loaded from at its first request, if it is not the one above.
    """

    def __init__(self, checkpoint: Checkpoint, slice_folder: Path) -> None:
        self.device = checkpoint.device.description
        self._first = checkpoint
        self._loaded = {checkpoint.config.kind: checkpoint}
        self._slice_folder = slice_folder

    def __call__(self, request: AnyRequest, job_id: int) -> Iterator[Preview | Finished | Sketched]:
        """Run `place_nodule`, `sketch_nodule` or `generate_slice`: all yield after every U-Net step."""
        from engine.generation import place_nodule, sketch_nodule
        from engine.slice_generation import generate_slice

        if isinstance(request, SliceRequest):
            return generate_slice(self._slice_generator(), request, job_id)
        nodules = self._loaded.get("nodule", self._first)
        if isinstance(request, SketchRequest):
            return sketch_nodule(nodules, request.request, job_id)
        return place_nodule(nodules, request, job_id)

    def _slice_generator(self) -> Checkpoint:
        from engine.checkpoint import check_there, load_checkpoint

        if "slice" not in self._loaded:
            check_there(self._slice_folder)
            self._loaded["slice"] = load_checkpoint(self._slice_folder, self._first.device)
        return self._loaded["slice"]


def default_runner(checkpoint_folder: Path, slice_folder: Path = DEFAULT_SLICE_CHECKPOINT) -> JobRunner:
    """Load a checkpoint folder; return what makes nodules, or slices, with it. To be called in the engine thread.

    Parameters
    ----------
    slice_folder : Path
        Of the slice generator, loaded when it is first asked for: the program starts as quickly without it.

    Raises
    ------
    InputError
        If the checkpoint folder is not a whole, unaltered checkpoint.
    """
    # Takes seconds, as it imports torch: so here, and not before the window is up.
    from engine.checkpoint import load_checkpoint

    return GeneratorRunner(load_checkpoint(checkpoint_folder), slice_folder)


def what_failed(request: AnyRequest) -> str:
    """Return the beginning of `failure_sentence` for a request that could not be answered."""
    return f"The {'slice' if isinstance(request, SliceRequest) else 'nodule'} could not be generated"


def failure_sentence(error: Exception, what: str) -> str:
    """Return one sentence for the user: what failed, why, and what to do.

    Parameters
    ----------
    error : Exception
        An InputError speaks for itself.
    what : str
        What failed, without a full stop.
    """
    if isinstance(error, InputError):
        return str(error)
    if is_out_of_memory(error):
        return f"{what}: the memory is full; close other programs and try again."
    if isinstance(error, FloatingPointError):
        return f"{what}: the model gave values that are not numbers; try another seed or a lower guidance."
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return f"{what} ({reason.rstrip('.')}); try again, and see the log if it fails again."


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether an error says that the memory is full, without importing torch."""
    # By the name of the class (CUDA, MPS), or by what torch's CPU allocator says.
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    text = str(error)
    return named or "out of memory" in text or "DefaultCPUAllocator" in text
