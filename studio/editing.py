"""Makes an accepted nodule anew, elsewhere or with other scores, or removes it; the others of its slice stay.

Every nodule is built on those accepted before it. The one that is edited goes on top, so that nothing is built on it
any more. The others keep their HU, bit for bit, unless the old one was in sight when they were made: they are then
made again with their own seed and scores, since each request must lead to what is in the slice. What a nodule that is
another one now went on as in other slices is taken out there: it would go on from what is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject

from engine.ct import CTSlice
from engine.events import Event, Extension, Failed, Finished, GenerationRequest, Preview, SamplingOptions, StateChanged
from engine.nodule import BoundingBox, NoduleAttributes
from studio.commands import ChangeScene, Scene
from studio.engine_client import EngineClient
from studio.history import History
from studio.layers import Layers, overlap_text, parts_elsewhere, taken_out
from studio.placed import BoxOnSlice, Job, PlacedNodule
from studio.rebasing import rebased
from studio.session import Session, Severity

#: What is said of a nodule that waited and cannot be shown again.
_GONE = "The nodule that was not accepted is gone; see the history."


@dataclass(frozen=True)
class Wanted:
    """What the nodule is to become. `extension` says from which slice it goes on, if it does."""

    box: BoundingBox
    attributes: NoduleAttributes
    options: SamplingOptions
    extension: Extension | None


@dataclass(frozen=True, eq=False)
class Edit:
    """An edit on its way.

    Attributes
    ----------
    nodule : PlacedNodule
        The accepted one that is replaced or removed.
    wanted : Wanted or None
        None: it is removed.
    before : Scene
        As it was when the edit began: what undo shows, on what is accepted by then.
    ready : PlacedNodule or None
        The nodule as it is wanted, if it is made already: it is put in where it still fits.
    made : PlacedNodule
        The others of the slices that change, as far as they are on them, from below to the top.
    again : PlacedNodule
        Those that are still to be made again.
    slices : int -> CTSlice
        Those that change, by their index, with those that are `made`.
    elsewhere : str
        What is to be said of other slices; empty if the nodule is in one.
    remade : int
        How many were made again.
    """

    nodule: PlacedNodule
    wanted: Wanted | None
    before: Scene
    ready: PlacedNodule | None
    made: tuple[PlacedNodule, ...]
    again: tuple[PlacedNodule, ...]
    slices: Mapping[int, CTSlice]
    elsewhere: str
    remade: int = 0


class ReplaceNodule(ChangeScene):
    """Another scene, and the scores and options that belong to the nodule in its box."""

    def __init__(self, session: Session, edit: Edit, before: Scene, after: Scene) -> None:
        super().__init__(session, "change of a nodule" if edit.wanted else "deletion", after, before=before)
        request = edit.nodule.result.request
        self._settings_before = (request.attributes, request.options)
        self._settings_after = (edit.wanted.attributes, edit.wanted.options) if edit.wanted else None

    def redo(self) -> None:
        """Show the new nodule, and its settings."""
        super().redo()
        if self._settings_after:
            self._session.attributes, self._session.options = self._settings_after

    def undo(self) -> None:
        """Show the old nodule, and its settings."""
        super().undo()
        self._session.attributes, self._session.options = self._settings_before


class Editing(QObject):
    """Edits one accepted nodule at a time. Nothing has changed before all of it is made; cancelled, nothing has."""

    def __init__(self, session: Session, engine: EngineClient, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._engine = engine
        self._history = history
        self._job: Job | None = None
        self.current: Edit | None = None
        engine.event_arrived.connect(self._handle)
        session.job_changed.connect(self._see_cancelled)

    def replace(self, nodule: PlacedNodule, wanted: Wanted | None) -> None:
        """Make the nodule anew as it is wanted, or remove it; the job before it must have been cancelled."""
        edit = self._begin(nodule, wanted)
        if wanted:
            self._show_box(BoxOnSlice(nodule.slice_index, wanted.box))
        self._go_on(edit)

    def put_instead(self, nodule: PlacedNodule, made: PlacedNodule) -> None:
        """Put a nodule that is made already in the place of an accepted one: see `studio.layers.in_place_of`.

        Where others must be made again first, it is made again on top of them: it was made with those of before.
        """
        session, request = self._session, made.result.request
        wanted = Wanted(request.box, request.attributes, request.options, request.extension)
        edit = self._begin(nodule, wanted, made)
        self._show_box(nodule.place)
        session.attributes, session.options = request.attributes, request.options
        self._go_on(edit)

    def _show_box(self, place: BoxOnSlice) -> None:
        """Put the box where the nodule forms: one that waits is out of sight until it is known what becomes of it."""
        self._session.candidate = None
        if self._session.box != place:
            self._session.box = place

    def _begin(self, nodule: PlacedNodule, wanted: Wanted | None, ready: PlacedNodule | None = None) -> Edit:
        session, layers = self._session, taken_out(self._session, nodule)
        for old, new in (pair for each in layers.values() for pair in each.kept):
            self._keep_path(old, new)
        made = tuple(new for each in layers.values() for _, new in each.kept)
        again = tuple(stale for each in layers.values() for stale in each.stale)
        slices = {index: each.slice for index, each in layers.items()}
        scene = Scene.of(session)
        # A nodule that waits is in the box; without one, the box goes with the accepted nodule.
        before = scene if scene.candidate else replace(scene, box=nodule.place)
        elsewhere = _elsewhere_text(session, nodule, layers, is_wanted=wanted is not None)
        return Edit(nodule, wanted, before, ready, made, again, slices, elsewhere)

    def _keep_path(self, old: PlacedNodule, new: PlacedNodule) -> None:
        path = self._history.path_of(old.result)
        if path and new.result is not old.result:
            self._history.remember(new.result, path)

    def _go_on(self, edit: Edit) -> None:
        """Make the next nodule; once all are made, show them."""
        self.current, index = edit, edit.nodule.slice_index
        if edit.again:
            request, index = edit.again[0].result.request, edit.again[0].slice_index
            assert isinstance(request, GenerationRequest)
            self._start(replace(request, slice=edit.slices[index]), index)
            return
        now, ready = edit.slices[index], edit.ready
        fitting = rebased(ready.result, now) if ready else None
        if ready and fitting:
            placed = PlacedNodule(index, fitting)
            self._keep_path(ready, placed)
            self._finish(edit, placed)
        elif edit.wanted:
            wanted, source = edit.wanted, self._session.source_to_keep(index)
            box, attributes, options = wanted.box, wanted.attributes, wanted.options
            self._start(GenerationRequest(now, box, attributes, options, source, wanted.extension), index)
        else:
            self._finish(edit, None)

    def _start(self, request: GenerationRequest, index: int) -> None:
        self._session.preview = None
        self._job = job = Job(self._engine.submit(request), index, request, is_edit=True)
        self._session.job = job

    def _handle(self, event: Event) -> None:
        edit, job = self.current, self._job
        if edit is None or job is None or isinstance(event, (StateChanged, Preview)) or event.job_id != job.job_id:
            return
        if not isinstance(event, Finished):
            self._session.preview = self._session.job = None  # Puts back the box.
            if isinstance(event, Failed):
                self._session.say(event.message, Severity.ERROR)
            return
        placed = PlacedNodule(job.slice_index, event.result)
        if edit.again:
            slices = {**edit.slices, placed.slice_index: placed.result.slice}
            made, left = (*edit.made, placed), edit.again[1:]
            self._go_on(replace(edit, made=made, again=left, slices=slices, remade=edit.remade + 1))
        else:
            self._finish(edit, placed)

    def _finish(self, edit: Edit, nodule: PlacedNodule | None) -> None:
        session, was_formed = self._session, self._job is not None
        if taken_out(session, edit.nodule).keys() != edit.slices.keys():
            # One of them was extended meanwhile: what it goes on as must be taken out, too.
            self._go_on(replace(self._begin(edit.nodule, edit.wanted, nodule), before=edit.before))
            return
        now, before = (session.attributes, session.options), self._before_now(edit)
        self.current = self._job = None
        session.preview = session.job = None
        elsewhere = tuple(other for other in session.accepted if other.slice_index not in edit.slices)
        accepted = (*elsewhere, *edit.made, *((nodule,) if nodule else ()))
        box = nodule.place if nodule else None
        session.undo_stack.push(ReplaceNodule(session, edit, before, Scene(box, None, accepted)))
        if was_formed:  # What has been set meanwhile is for the next one.
            session.attributes, session.options = now
        done = f"The nodule was {'changed' if nodule else 'deleted'}; Ctrl+Z brings it back as it was."
        overlap = overlap_text(session, nodule) if nodule else ""
        waited = "The nodule that was not accepted is gone with it." if before.candidate else _GONE
        gone = waited if edit.before.candidate else ""
        said = (done, gone, _remade_text(edit.remade), edit.elsewhere, overlap)
        session.say(" ".join(filter(None, said)))

    def _see_cancelled(self) -> None:
        """Put the box back around the nodule, or what was in it, unless there is another one by now."""
        edit, session = self.current, self._session
        if edit is None or session.job is self._job:
            return
        self.current = self._job = None
        before, is_shown_again = self._before_now(edit), False
        moved = edit.wanted and session.box and session.box.box == edit.wanted.box
        if moved and edit.nodule in session.accepted and session.candidate is None:
            session.candidate, is_shown_again = before.candidate, before.candidate is not None
            if session.box != before.box:
                session.box = before.box
        if edit.before.candidate and not is_shown_again:
            session.say(_GONE)

    def _before_now(self, edit: Edit) -> Scene:
        """Return what was there before, on what is accepted now: a nodule may have been extended since the edit began.

        One that waited is left out if its slice has changed around it: it would take away what was accepted there.
        """
        session, waited = self._session, edit.before.candidate
        waits = self._on_slice_now(waited) if waited else None
        box = edit.nodule.place if waited and waits is None else edit.before.box
        return Scene(box, waits, session.accepted)

    def _on_slice_now(self, nodule: PlacedNodule) -> PlacedNodule | None:
        now = self._session.slice_with_accepted(nodule.slice_index)
        fitting = rebased(nodule.result, now) if now else None
        if fitting is None or fitting is nodule.result:
            return nodule if fitting else None
        placed = PlacedNodule(nodule.slice_index, fitting)
        self._keep_path(nodule, placed)
        return placed


def _remade_text(count: int) -> str:
    if count == 0:
        return ""
    which, them = ("A nodule nearby was", "it") if count == 1 else (f"{count} nodules nearby were", "them")
    return f"{which} made again with the same seed and scores, for the old one had been beside {them}."


def _elsewhere_text(session: Session, nodule: PlacedNodule, layers: Mapping[int, Layers], is_wanted: bool) -> str:
    """Return what becomes of the other slices in which the nodule, and those that are made again, go on."""
    name, own, again = nodule.name, parts_elsewhere(session, nodule), " Shift+A extends it again." * is_wanted
    out = (part for each in layers.values() for part in each.out)
    others = len({part.slice_index for part in out if part.name != name})
    if own and nodule.continues:
        said = f"It goes on in {_slices(own)}: what is there stays as it was."
    else:
        said = f"It was taken out of {_slices(own)}, where it went on.{again}" if own else ""
    near = f"What was made again was taken out of {_slices(others)}, where it went on." if others else ""
    return f"{said} {near}".strip()


def _slices(count: int) -> str:
    return "1 other slice" if count == 1 else f"{count} other slices"
