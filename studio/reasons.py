"""Why something cannot be done now, and what to do next: nothing is disabled without saying why."""

from __future__ import annotations

from collections.abc import Callable

from engine.checkpoint import DEFAULT_SLICE_CHECKPOINT
from engine.errors import InputError
from engine.events import EngineState, SliceRequest
from engine.nodule import BoundingBox
from engine.read_back import DEFAULT_SCORER
from studio.session import Session

_OPEN_FIRST = "Open a chest CT first."
_FORMING = "The slice is being made; Esc cancels it."
_STOPPED = "The engine has stopped; start the program again."


def why_not_generate(session: Session, dragged: BoundingBox | None = None) -> str | None:
    """Return why nothing can be generated now, as one sentence; None if it can. `dragged`: in that box."""
    if session.volume is None:
        return _OPEN_FIRST
    if session.is_slice_forming:
        return _FORMING
    box = dragged or session.box_here
    if box is None:
        elsewhere = session.box
        first = f"The box is on slice {elsewhere.slice_index + 1}; go there, or draw one here." if elsewhere else None
        return first or "Draw a box first: drag a square on the slice."
    try:
        box.check_side(session.volume.pixel_spacing)
    except InputError as error:
        return str(error)
    if session.engine.state is EngineState.STOPPED:
        return _STOPPED
    return None


def why_no_ranking() -> str | None:
    """Return why this installation ranks nothing at all, as one sentence; None if it does."""
    return None if DEFAULT_SCORER.is_dir() else "Nothing can be ranked, for the scorer is not part of this version."


def why_not_rank(session: Session) -> str | None:
    """Return why seeds cannot be tried and ranked now, as one sentence; None if they can."""
    return why_no_ranking() or why_not_generate(session)


def why_not_extend(session: Session) -> str | None:
    """Return why the nodule in the box cannot go on in other slices, as one sentence; None if its size allows it."""
    nodule = session.nodule_in_box
    if session.job or session.sketch:
        return "Wait until the nodule is finished; it can be extended then."
    if nodule is None or isinstance(nodule.result.request, SliceRequest):
        return "Generate a nodule in a scan first, or click one that is accepted; it can be extended then."
    if nodule.continues:
        is_there = any(other.result.nodule_sha256() == nodule.continues for other in session.accepted)
        where = "This nodule was placed in another slice; select it there to extend it."
        return where if is_there else "What this nodule goes on from is no longer there; draw a box for another one."
    name = nodule.result.nodule_sha256()
    if any(other.continues == name for other in session.accepted):
        return "This nodule has been extended already."
    return _STOPPED if session.engine.state is EngineState.STOPPED else None


def why_not_look(session: Session) -> str | None:
    """Return why there is nothing to look at or to delete, as one sentence; None if something is open."""
    return _OPEN_FIRST if session.volume is None else None


def why_not_suggest_place(session: Session) -> str | None:
    """Return why no place can be suggested now, and none be taken, as one sentence; None if one can."""
    return why_not_look(session) or (_FORMING if session.is_slice_forming else None)


#: What does nothing without a slice, by the texts of the menu, and why not.
WITHOUT_SLICE: dict[str, Callable[[Session], str | None]] = {
    "Box in the middle": why_not_suggest_place,
    "Delete box or nodule": why_not_look,
    "Fit": why_not_look,
    "One to one": why_not_look,
    "Zoom in": why_not_look,
    "Zoom out": why_not_look,
}


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
    if session.volume is None:
        return _OPEN_FIRST
    return None if session.made_whole else "Generate a nodule (G) and accept it (A) first."


def engine_text(session: Session) -> str:
    """Return what the engine is doing and on which device."""
    state, detail = session.engine.state, session.engine.detail
    if state is EngineState.IDLE:
        return f"Ready on {detail}" if detail else "Ready"
    if state is EngineState.SAMPLING:
        return f"Generating on {detail}" if detail else "Generating"
    if state is EngineState.LOADING:
        return f"Loading {detail}" if detail else "Loading the model"
    if state is EngineState.CANCELLING:
        return "Cancelling"
    return "The model could not be loaded" if state is EngineState.FAILED else "Stopped"
