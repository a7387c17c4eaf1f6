"""Why something cannot be done now, and what to do next: nothing is disabled without saying why."""

from __future__ import annotations

from engine.checkpoint import DEFAULT_SLICE_CHECKPOINT
from engine.errors import InputError
from engine.events import EngineState
from studio.session import Session

_FORMING = "The slice is still being made; Esc cancels it."
_STOPPED = "The engine has stopped; start the program again."


def why_not_generate(session: Session) -> str | None:
    """Return why nothing can be generated now, as one sentence; None if it can."""
    if session.volume is None:
        return "Open a chest CT first."
    if session.is_slice_forming:
        return _FORMING
    if session.box is None:
        return "Draw a box first: drag a square on the slice."
    if session.box_here is None:
        return f"The box is on slice {session.box.slice_index + 1}; go there, or draw one here."
    try:
        session.box_here.check_side(session.volume.pixel_spacing)
    except InputError as error:
        return str(error)
    if session.engine.state is EngineState.STOPPED:
        return _STOPPED
    return None


def why_not_suggest_place(session: Session) -> str | None:
    """Return why no place can be suggested now, as one sentence; None if one can."""
    if session.volume is None:
        return "Open a chest CT first."
    return _FORMING if session.is_slice_forming else None


def why_not_make_slices() -> str | None:
    """Return why this installation makes no slices at all, as one sentence; None if it does."""
    return None if DEFAULT_SLICE_CHECKPOINT.exists() else "The slice generator is not part of this version yet."


def why_not_generate_slice(session: Session) -> str | None:
    """Return why no slice can be made now, as one sentence; None if one can."""
    if session.is_slice_forming:
        return _FORMING
    if session.engine.state is EngineState.STOPPED:
        return _STOPPED
    return why_not_make_slices()


def why_not_export(session: Session) -> str | None:
    """Return why nothing can be exported now, as one sentence; None if it can."""
    if session.accepted:
        return None
    if session.candidate:
        return "Accept the nodule first (A)."
    return "There is no accepted nodule to export."


def hint(session: Session) -> str | None:
    """Return what to do next on the slice, as long as that is not plain; None afterwards."""
    if session.volume is None or session.job or session.accepted or session.original_shown:
        return None
    if session.candidate and session.box_here:
        return "A accepts, D discards. Hold Space to see the original. Drag the box to place the nodule elsewhere."
    if session.box is None:
        return "Drag a square where the nodule should be"
    return "Press G to generate the nodule" if why_not_generate(session) is None else None


def engine_text(session: Session) -> str:
    """Return what the engine is doing and on which device."""
    state, detail = session.engine.state, session.engine.detail
    if state is EngineState.IDLE:
        return f"Ready on {detail}" if detail else "Ready"
    if state is EngineState.SAMPLING:
        return f"Sampling on {detail}" if detail else "Sampling"
    if state is EngineState.LOADING:
        return f"Loading {detail}" if detail else "Loading the model"
    if state is EngineState.CANCELLING:
        return "Cancelling"
    return "The model could not be loaded" if state is EngineState.FAILED else "Stopped"
