"""What can be undone in a slice: each command replaces the whole scene, whatever happened in between."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtGui import QUndoCommand

from engine.nodule import BoundingBox
from studio.session import BoxOnSlice, PlacedNodule, Session


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
    """One scene instead of another; undo and redo also go to the slice where it happened.

    Parameters
    ----------
    merges : bool
        A series of such commands, one right after the other, is undone as one: for leafing through results.
    """

    def __init__(self, session: Session, text: str, after: Scene, merges: bool = False) -> None:
        super().__init__(text)
        self._session = session
        self._merges = merges
        self._before = Scene.of(session)
        self._after = after
        self._is_new = True
        place = after.box or self._before.box
        self._slice_index = place.slice_index if place else session.slice_index

    def id(self) -> int:
        """Tell which commands may be merged: -1 is none."""
        return 1 if self._merges else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take over where a later command leads to."""
        assert isinstance(other, ChangeScene)
        self._after, self._slice_index = other._after, other._slice_index
        return True

    def redo(self) -> None:
        """Show the scene after the change."""
        self._show(self._after)

    def undo(self) -> None:
        """Show the scene before the change."""
        self._show(self._before)

    def _show(self, scene: Scene) -> None:
        if not self._is_new:  # A change that just happened must not take the user to another slice.
            self._session.go_to_slice(self._slice_index)
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
    """Put the box around a nodule that was accepted; else like `set_box`."""
    _put_box(session, nodule.place, "selection")


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
    """Keep the candidate in its slice."""
    if session.candidate and not session.job:
        accepted = (*session.accepted, session.candidate)
        _change(session, "acceptance", replace(Scene.of(session), candidate=None, accepted=accepted))


def discard(session: Session) -> None:
    """Take the candidate away; the box stays."""
    if session.candidate and not session.job:
        _change(session, "discarding", replace(Scene.of(session), candidate=None))


def delete(session: Session) -> None:
    """Remove the box and the nodule that it holds.

    An accepted nodule on which another was built stays: without it the other would not be what it is.
    """
    nodule = session.nodule_in_box
    if session.box is None:
        return
    if nodule is None or nodule is session.candidate:
        _change(session, "deletion", replace(Scene.of(session), box=None, candidate=None))
        return
    if any(later.slice_index == nodule.slice_index for later in _accepted_after(session, nodule)):
        session.say("Another nodule was built on this one; delete the later nodule of this slice first.")
        return
    accepted = tuple(other for other in session.accepted if other is not nodule)
    _change(session, "deletion", Scene(None, None, accepted))


def _accepted_after(session: Session, nodule: PlacedNodule) -> tuple[PlacedNodule, ...]:
    return session.accepted[session.accepted.index(nodule) + 1 :]
