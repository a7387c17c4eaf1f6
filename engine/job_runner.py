"""What the engine thread runs: how a job looks from outside, and how one that failed is told to the user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from engine.errors import InputError
from engine.events import Finished, GenerationRequest, Preview

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

    def __call__(self, request: GenerationRequest, job_id: int) -> Iterator[Preview | Finished]:
        """Run one job: a Preview after every U-Net step, then one Finished.

        The job can be cancelled wherever the iterator yields; `close()`, if it has one, is called then.
        """
        ...


class NoduleRunner:
    """A `JobRunner` that places nodules with one loaded checkpoint."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.device = checkpoint.device.description
        self._checkpoint = checkpoint

    def __call__(self, request: GenerationRequest, job_id: int) -> Iterator[Preview | Finished]:
        """Run `engine.generation.place_nodule`: it yields after every U-Net step."""
        from engine.generation import place_nodule

        return place_nodule(self._checkpoint, request, job_id=job_id, previews=True)


def default_runner(checkpoint_folder: Path) -> JobRunner:
    """Load a checkpoint folder; return what places nodules with it. To be called in the engine thread.

    Raises
    ------
    InputError
        If the folder is not a whole, unaltered checkpoint.
    """
    # Takes seconds, as it imports torch: so here, and not before the window is up.
    from engine.checkpoint import load_checkpoint

    return NoduleRunner(load_checkpoint(checkpoint_folder))


def failure_sentence(error: Exception, what: str) -> str:
    """Return one sentence for the user: what failed, why, and what to do.

    Parameters
    ----------
    error : Exception
        An InputError speaks for itself. Running out of memory is recognised without importing torch: by
        the name of the class (CUDA, MPS) or by what torch's CPU allocator says.
    what : str
        What failed, without a full stop.
    """
    if isinstance(error, InputError):
        return str(error)
    if _is_out_of_memory(error):
        return f"{what}: the memory is full; close other programs and try again."
    if isinstance(error, FloatingPointError):
        return f"{what}: the model gave values that are not numbers; try another seed or a lower guidance."
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return f"{what} ({reason.rstrip('.')}); try again, and see the log if it fails again."


def _is_out_of_memory(error: Exception) -> bool:
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    text = str(error)
    return named or "out of memory" in text or "DefaultCPUAllocator" in text
