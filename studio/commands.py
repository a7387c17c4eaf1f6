"""What can be undone in a slice: each command replaces the whole scene, whatever happened in between."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtGui import QUndoCommand

from engine.nodule import BoundingBox
from studio.layers import overlap_text
from studio.own_nodule import nodule_described, own_nodules
from studio.placed import BoxOnSlice, PlacedNodule
from studio.session import Session
from studio.settings_commands import TakeSettings


@dataclass(frozen=True)
class Scene:
    """The undoable part of a session."""

    box: BoxOnSlice | None
    candidate: PlacedNodule | None
    accepted: tuple[PlacedNodule, ...]

    @classmethod
    def of(cls, session: Session) -> Scene:
        """Return the scene of a session."""
        return cls(session.box, session.candidate, session.accepted)


class ChangeScene(QUndoCommand):
    """One scene instead of another; undo and redo also go to the slice where the box of what they show is.

    Parameters
    ----------
    merges : bool
        A series of such commands, one right after the other, is undone as one: for leafing through results.
    before : Scene, optional
        What undo shows; the scene of the session if left out.
    """

    def __init__(
        self, session: Session, text: str, after: Scene, merges: bool = False, before: Scene | None = None
    ) -> None:
        super().__init__(text)
        self._session = session
        self._merges = merges
        self._before = before or Scene.of(session)
        self._after = after
        self._is_new = True

    def id(self) -> int:
        """Tell which commands may be merged: -1 is none."""
        return 1 if self._merges else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take over where a later command leads to."""
        assert isinstance(other, ChangeScene)
        self._after = other._after
        # Qt deletes the other one, but PySide keeps its Python half as long as the stack: not its results, too.
        other._before = other._after = Scene(None, None, ())
        return True

    def redo(self) -> None:
        """Show the scene after the change."""
        self._show(self._after, instead_of=self._before)

    def undo(self) -> None:
        """Show the scene before the change."""
        self._show(self._before, instead_of=self._after)

    def _show(self, scene: Scene, instead_of: Scene) -> None:
        place = scene.box or instead_of.box
        if place and not self._is_new:  # A change that just happened must not take the user to another slice.
            self._session.go_to_slice(place.slice_index)
        self._is_new = False
        self._session.candidate = scene.candidate
        self._session.accepted = scene.accepted
        self._session.box = scene.box


def _change(session: Session, text: str, after: Scene, merges: bool = False) -> None:
    if after != Scene.of(session):
        session.undo_stack.push(ChangeScene(session, text, after, merges))


def set_box(session: Session, box: BoundingBox, text: str = "box") -> None:
    """Put the box on the slice that is shown; say how to get back a nodule that was not accepted."""
    _put_box(session, BoxOnSlice(session.slice_index, box), text)


def select(session: Session, nodule: PlacedNodule) -> None:
    """Put the box around a nodule, accepted or the slice's own, and set its scores, seed and options.

    Else like `set_box`.
    """
    if nodule.place == session.box:
        return
    session.undo_stack.beginMacro("selection")
    session.undo_stack.push(TakeSettings(session, nodule.result.request))
    _put_box(session, nodule.place, "selection")
    session.undo_stack.endMacro()


def select_next(session: Session, by: int) -> None:
    """Select the next nodule of the slice, its own or an accepted one, or with -1 the one before; round and round."""
    # In one place only the last one can be selected: with the slice's own one there, too, it would go no further.
    covered = {nodule.place for nodule in session.nodules_here}
    own = (nodule for nodule in own_nodules(session) if nodule.place not in covered)
    here, now = (*own, *session.accepted_here), nodule_described(session)
    if not here:
        session.say("There is no accepted nodule on this slice.")
        return
    at = here.index(now) + by if now in here else (0 if by > 0 else -1)
    select(session, here[at % len(here)])


def _put_box(session: Session, place: BoxOnSlice, text: str) -> None:
    if place == session.box:
        return
    had_candidate = session.candidate is not None
    _change(session, text, replace(Scene.of(session), box=place, candidate=None))
    if had_candidate:
        session.say("The nodule that was not accepted is gone; Ctrl+Z brings it back.")


def show_candidate(session: Session, nodule: PlacedNodule) -> None:
    """Show a finished nodule that waits to be accepted."""
    _change(session, "nodule", replace(Scene.of(session), box=nodule.place, candidate=nodule))


def look_back(session: Session, nodule: PlacedNodule) -> None:
    """Show a result of the past as one that waits to be accepted; leafing through several is undone as one."""
    scene = replace(Scene.of(session), box=nodule.place, candidate=nodule)
    _change(session, "look at an earlier result", scene, merges=True)


def accept(session: Session) -> None:
    """Keep the candidate in its slice, or say why not; not while something else is shown in its place."""
    live = "What is shown is live, to be looked at only; G makes the nodule." if session.sketch else ""
    why = _why_none_waits_here(session) or live
    if why or session.candidate is None:
        session.say(why)
    else:
        accepted = (*session.accepted, session.candidate)
        overlap = overlap_text(session, session.candidate)
        _change(session, "acceptance", replace(Scene.of(session), candidate=None, accepted=accepted))
        if overlap:
            session.say(overlap)


def accept_over_slices(session: Session, nodule: PlacedNodule, others: tuple[PlacedNodule, ...]) -> None:
    """Keep a nodule, the candidate or one that is accepted, in its slice and in others, as one step."""
    is_candidate = nodule is session.candidate
    accepted = (*session.accepted, *([nodule] if is_candidate else []), *others)
    candidate = None if is_candidate else session.candidate
    _change(session, "extension", replace(Scene.of(session), candidate=candidate, accepted=accepted))


def _why_none_waits_here(session: Session) -> str:
    if session.job:
        return "The nodule is still forming; Esc cancels it."
    if session.candidate is None:
        return "No nodule waits to be accepted or discarded; G makes one in the box."
    if session.candidate.slice_index != session.slice_index:
        where = session.candidate.slice_index + 1
        return f"The nodule that waits is on slice {where}; go there to accept or discard it."
    return ""


def discard(session: Session) -> None:
    """Take the candidate away, or say why not; the box stays."""
    why = _why_none_waits_here(session)
    if why:
        session.say(why)
    else:
        _change(session, "discarding", replace(Scene.of(session), candidate=None))


def delete(session: Session) -> None:
    """Remove the box and the nodule that waits in it; accepted ones are removed by `studio.editing`."""
    if session.box is not None:
        _change(session, "deletion", replace(Scene.of(session), box=None, candidate=None))
