"""From a box and five scores to a candidate: submits to the engine, and turns its events into session state."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import replace

from PySide6.QtCore import QObject

from engine.ct import CTSlice
from engine.events import (
    Cancelled,
    Event,
    Extension,
    Failed,
    Finished,
    GenerationRequest,
    GenerationResult,
    Preview,
    Sketched,
    StateChanged,
)
from engine.nodule import BoundingBox
from studio import commands
from studio.editing import Editing, Wanted
from studio.engine_client import EngineClient
from studio.history import History
from studio.layers import slice_without, without
from studio.placed import Dragged, Job, PlacedNodule
from studio.reasons import why_not_generate
from studio.session import Session, Severity

#: Seeds are those that a spin box can show.
LARGEST_SEED = 2**31 - 1


class Placing(QObject):
    """Generates for one session. At most one job is current; events of all others are ignored."""

    def __init__(self, session: Session, engine: EngineClient, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._engine = engine
        self._history = history
        self._editing = Editing(session, engine, history, self)
        self._accepted = session.accepted
        engine.event_arrived.connect(self.handle)
        # A job is for one box in one slice: without them its result would be out of place.
        session.box_changed.connect(self._cancel_if_out_of_place)
        session.accepted_changed.connect(self._cancel_if_changed)
        session.volume_changed.connect(self.cancel)

    def generate(self) -> None:
        """Start the job that the session describes, as the user has asked for; what was said before is dealt with."""
        self._session.notice = None
        self.make()

    def make(self, extension: Extension | None = None) -> None:
        """Start the job that the session describes, instead of the one that runs; or say why not.

        An accepted nodule that is in the box is replaced. `extension`: see `request_now`.
        """
        session, edited = self._session, self._edited
        reason = why_not_generate(session)
        request = self.request_now(extension)
        if reason or request is None:
            session.say(reason or "Draw a box first.")
            return
        if edited:
            self._edit(edited, Wanted(request.box, request.attributes, request.options, request.extension))
            return
        self.cancel()
        session.job = Job(self._engine.submit(request), session.slice_index, request)

    def request_now(self, extension: Extension | None = None) -> GenerationRequest | None:
        """Return what would be asked of the engine now; None without a box on this slice.

        An accepted nodule that the box holds is left away: what is made may take its place. It goes on from another
        slice as `extension` says or, without one, as the nodule does that the box holds.
        """
        session, index, box = self._session, self._session.slice_index, self._session.box_here
        now = self._slice_without(self._edited) if box else None
        if now is None or box is None:
            return None
        held, source = self._edited or session.candidate, session.source_to_keep(index)
        extension = extension or (held.result.request.extension if held else None)
        return GenerationRequest(now, box, session.attributes, session.options, source, extension)

    def results_before(self) -> tuple[GenerationResult, ...]:
        """Return what the slice of `request_now` shows of other nodules, the first one first."""
        session, edited = self._session, self._edited
        own = session.own_results(session.slice_index)
        if edited is None:
            return (*own, *(nodule.result for nodule in session.accepted_here))
        layers = without(session, edited)
        for as_it_was, now in layers.kept:
            self._history.remember_rebased(now.result, as_it_was.result)
        return (*own, *layers.results)

    def request_in(self, dragged: Dragged) -> GenerationRequest | None:
        """Return what is to be sketched in a box as it is dragged: a nodule that goes along keeps its settings."""
        session, index, nodule = self._session, self._session.slice_index, dragged.nodule
        now = self._slice_without(nodule if nodule is session.selected else None)
        described = nodule.result.request if nodule else session
        if now is None:
            return None
        source, extension = session.source_to_keep(index), nodule.result.request.extension if nodule else None
        return GenerationRequest(now, dragged.box, described.attributes, described.options, source, extension)

    def _slice_without(self, accepted: PlacedNodule | None) -> CTSlice | None:
        session = self._session
        return slice_without(session, accepted) if accepted else session.slice_with_accepted(session.slice_index)

    def _cancel_if_changed(self) -> None:
        """Forget the current job if other nodules are accepted in its slices than when it began."""
        before, self._accepted = self._accepted, self._session.accepted
        if any(_in_slice(before, index) != _in_slice(self._accepted, index) for index in self.slices_of_job):
            self.cancel()

    def cancel(self) -> None:
        """Forget the current job at once; the engine stops it within one step."""
        job = self._session.job
        if job is None:
            return
        self._session.job = None
        self._session.preview = None
        self._engine.cancel(job.job_id)

    def move_box(self, box: BoundingBox) -> None:
        """Give the box another place or size; the nodule that it holds, finished or forming, is generated there."""
        session, edited = self._session, self._edited
        nodule = session.nodule_in_box
        if session.box_here == box or session.is_slice_forming:
            return
        if edited:
            now = self._editing.current and self._editing.current.wanted
            described = now or edited.result.request
            self._edit(edited, Wanted(box, described.attributes, described.options, described.extension))
            session.attributes, session.options = described.attributes, described.options
            return
        request = session.job.request if session.job else nodule.result.request if nodule else None
        commands.set_box(session, box, "move")
        if request:
            session.attributes = request.attributes
            session.options = request.options
            session.notice = None
            self.make(request.extension)

    def put_instead(self, nodule: PlacedNodule, made: PlacedNodule) -> None:
        """Put a nodule that is made already in the place of an accepted one: see `studio.layers.in_place_of`."""
        self.cancel()
        self._editing.put_instead(nodule, made)

    def undo(self) -> None:
        """Take back the last step; while an accepted nodule is being changed or removed, that is this."""
        if self.is_editing:
            self.cancel()
        else:
            self._session.undo_stack.undo()

    @property
    def slices_of_job(self) -> Collection[int]:
        """The slices that the current job is for: a nodule that is changed may go on in several."""
        job, edit = self._session.job, self._editing.current
        return edit.slices.keys() if edit else {job.slice_index} if job else ()

    @property
    def is_editing(self) -> bool:
        """Whether an accepted nodule is being changed or removed."""
        return self._session.job is not None and self._session.job.is_edit

    @property
    def is_removing(self) -> bool:
        """Whether an accepted nodule is being removed."""
        current = self._editing.current
        return current is not None and current.wanted is None

    def delete(self) -> None:
        """Remove the box and the nodule that it holds, an accepted one, too; or say that it is out of sight."""
        session, nodule = self._session, self._edited
        if session.box and not session.box_here:
            session.say(f"The box is on slice {session.box.slice_index + 1}; go there to delete it.")
        elif nodule:
            self._edit(nodule, None)
        else:
            commands.delete(session)

    @property
    def _edited(self) -> PlacedNodule | None:
        """The accepted nodule that is in the box, or on its way to it."""
        current = self._editing.current
        return current.nodule if current and current.wanted else self._session.selected

    def _edit(self, nodule: PlacedNodule, wanted: Wanted | None) -> None:
        self._session.notice = None
        self.cancel()  # It may say that one that waited is gone.
        self._editing.replace(nodule, wanted)

    def new_seed(self) -> None:
        """Draw another seed."""
        seed = random.randint(0, LARGEST_SEED)
        self._session.options = replace(self._session.options, seed=seed)

    def handle(self, event: Event) -> None:
        """Show an event of the engine. Those of jobs that are not current are ignored."""
        session, job = self._session, self._session.job
        if isinstance(event, StateChanged):
            session.engine = event
        elif isinstance(event, Failed) and event.job_id is None:
            session.say(event.message, Severity.ERROR)
        elif job is not None and event.job_id == job.job_id:
            self._handle_current(event, job)

    def _handle_current(self, event: Preview | Finished | Sketched | Cancelled | Failed, job: Job) -> None:
        session = self._session
        if isinstance(event, Preview):
            session.preview = event
            return
        if session.is_slice_forming or job.is_edit:
            return  # `SliceMaking` and `Editing` show how that ends.
        session.job = None
        session.preview = None
        if isinstance(event, Finished):
            commands.show_candidate(session, PlacedNodule(job.slice_index, event.result))
        elif isinstance(event, Failed):
            session.say(event.message, Severity.ERROR)

    def _cancel_if_out_of_place(self) -> None:
        job = self._session.job
        if job and (job.is_edit or job.place != self._session.box):
            self.cancel()


def _in_slice(accepted: tuple[PlacedNodule, ...], index: int) -> list[int]:
    """Tell which nodules are accepted in a slice: by identity, for they hold images."""
    return [id(nodule) for nodule in accepted if nodule.slice_index == index]
