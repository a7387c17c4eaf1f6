"""From a press of "Generate a slice" to an open slice that was made whole: one volume of one slice, with its box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from engine.ct import CTVolume
from engine.errors import InputError
from engine.events import (
    SLICE_SAMPLING,
    Event,
    Failed,
    Finished,
    GenerationResult,
    Preview,
    SamplingOptions,
    SliceRequest,
    StateChanged,
)
from engine.nodule import BoundingBox, NoduleAttributes
from engine.whole_slices import volume_of
from studio.engine_client import EngineClient
from studio.history import History
from studio.placed import BoxOnSlice, Job
from studio.placing import Placing
from studio.reasons import why_not_generate_slice
from studio.saved_session import SavedSession
from studio.session import Notice, Session, Severity
from studio.suggesting import Suggesting
from studio.way_back import Open, WayBack, show_again, what_is_open

#: What a slice of which nothing is known yet looks like, HU.
_BLANK = -1000


class SliceMaking(QObject):
    """Makes slices for one session; while one forms, it is the open volume, and previews are painted over all of it.

    If it is cancelled or fails, what was open is open again, with its scores; its steps of undo are lost. Once
    the slice is made, there is a way back, too; after the next ones, the same, until a file is opened. A session that
    is reopened has it again.

    Parameters
    ----------
    may_leave : () -> bool
        Asks the user whether what is open may be closed; what the way back leads to stays.

    Attributes
    ----------
    way_back_changed : Signal()
        `way_back` may be another one.
    reopening_wanted : Signal(SavedSession)
        The way back leads to what must be read from its file first.
    """

    way_back_changed = Signal()
    reopening_wanted = Signal(object)

    def __init__(
        self,
        session: Session,
        engine: EngineClient,
        history: History,
        placing: Placing,
        suggesting: Suggesting,
        may_leave: Callable[[], bool],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._engine = engine
        self._history = history
        self._placing = placing
        self._suggesting = suggesting
        self._may_leave = may_leave
        self._job: Job | None = None
        self._before: Open | None = None
        self._blank: CTVolume | None = None
        self._behind: WayBack | None = None
        engine.event_arrived.connect(self._handle)
        session.job_changed.connect(self._see_cancelled)
        # Queued: whether a volume that is shown is a slice that was made is known a moment later.
        session.volume_changed.connect(self._see_opened, Qt.ConnectionType.QueuedConnection)

    def generate(self) -> None:
        """Make a slice; or say why not.

        With the box and the scores that are set, where a generated slice with a box is open: the same seed again
        gives its neighbour, and where nothing was changed, another seed another slice. Otherwise with those of one
        annotation of LIDC.
        """
        session = self._session
        reason = why_not_generate_slice(session)
        if reason:
            session.say(reason)
        elif session.generated and session.box_here:
            if self._would_be_the_same(session.generated, session.box_here):
                self._placing.new_seed()
            self.generate_with(session.box_here, session.generated.pixel_spacing_mm, session.attributes)
        else:
            self._suggesting.suggest_slice(lambda drawn: self.generate_with(*drawn))

    def _would_be_the_same(self, made: SliceRequest, box: BoundingBox) -> bool:
        now = box, self._session.attributes, _options_set(self._session)
        return (made.box, made.attributes, made.options) == now

    def generate_with(
        self,
        box: BoundingBox,
        spacing_mm: float,
        attributes: NoduleAttributes,
        options: SamplingOptions | None = None,
    ) -> None:
        """Make a slice; without options, with the steps and the seed that are set."""
        session = self._session
        options = options or _options_set(session)
        try:
            request = SliceRequest(box, attributes, options, spacing_mm)
        except InputError as error:
            session.say(str(error))
            return
        if why_not_generate_slice(session) or not self._may_make_way():
            return
        self.stop()
        before = self._keep_way_back()
        blank = np.full((1, *box.slice_shape), _BLANK, np.int16)
        volume = CTVolume(blank, (spacing_mm, spacing_mm), ((0.0, 0.0, 0.0),), description="Slice being generated")
        _show(session, volume, request)
        session.attributes = attributes
        job = Job(self._engine.submit(request), 0, request)
        self._job, self._before, self._blank = job, before, volume
        session.job = job

    def open(self, result: GenerationResult) -> None:
        """Open a slice that was made earlier, with its box, instead of what is open."""
        assert isinstance(result.request, SliceRequest)
        if self._may_make_way():
            self.stop()
            self._keep_way_back()
            show_made(self._session, result, result.request)
            self._offer_way_back()

    def reopen(self, made: GenerationResult, behind: SavedSession | None) -> None:
        """Open the slice of a saved session, without a question; `behind` is what it had taken the place of."""
        assert isinstance(made.request, SliceRequest)
        self.stop()
        show_made(self._session, made, made.request)
        self._behind = WayBack(behind) if behind else None
        self._offer_way_back()

    @property
    def behind(self) -> WayBack | None:
        """What was read from a file, and a slice has taken the place of; None if nothing was."""
        return self._behind if self._session.generated else None

    @property
    def way_back(self) -> str | None:
        """Name of what is behind."""
        return self.behind.name if self.behind else None

    def go_back(self) -> None:
        """Open again what a slice has taken the place of, as it was; or say why not."""
        behind = self.behind
        if behind is None:
            self._session.say("No slice that was made has taken the place of a scan.")
        elif not self._may_leave():
            self._offer_way_back()  # Whoever takes an offer closes it.
        else:
            self.stop()
            if behind.before:
                show_again(self._session, behind.before)
            else:
                self.reopening_wanted.emit(behind.saved)

    def _may_make_way(self) -> bool:
        """Ask whether what is open may be closed, unless there will be a way back to it."""
        return self._session.generated is None or self._may_leave()

    def _keep_way_back(self) -> Open:
        """Return what is open; keep it, to be gone back to, unless it is a slice that was made."""
        if not self._session.generated:
            self._behind = WayBack.to_what_is_open(self._session, self._history)
        return what_is_open(self._session)

    def stop(self) -> None:
        """Make the slice no further; what was open before is open again at once."""
        self._placing.cancel()
        self._put_back()

    def _handle(self, event: Event) -> None:
        job = self._job
        if job is None or isinstance(event, (StateChanged, Preview)) or event.job_id != job.job_id:
            return
        self._job = None
        self._session.preview = self._session.job = None
        if isinstance(event, Finished):
            assert isinstance(event.result.request, SliceRequest)
            show_made(self._session, event.result, event.result.request)
            self._forget()
            self._offer_way_back()
            return
        self._put_back()
        if isinstance(event, Failed):
            self._say_with_way_back(event.message, Severity.ERROR)

    def _offer_way_back(self) -> None:
        """Offer to open again what was read from a file; slices that were made are in the history."""
        name = self.way_back
        if name:
            self._say_with_way_back(f"The slice that was made has taken the place of {name}.")

    def _say_with_way_back(self, text: str, severity: Severity = Severity.INFO) -> None:
        has_way = self.way_back is not None
        self._session.notice = Notice(text, severity, "Go back" if has_way else "", self.go_back if has_way else None)

    def _see_opened(self) -> None:
        session = self._session
        if session.volume and not session.generated:
            self._behind = None
        self.way_back_changed.emit()

    def _see_cancelled(self) -> None:
        """Show again what was open, once whoever has cancelled is done: it may be a change that can be undone."""
        if self._job and self._session.job is not self._job:
            self._job = None
            QTimer.singleShot(0, self, self._put_back)

    def _put_back(self) -> None:
        session, before, is_shown = self._session, self._before, self._session.volume is self._blank
        if before is None or self._job:
            return
        self._forget()
        if not is_shown:  # Something else has been opened meanwhile.
            return
        show_again(session, before)
        if before.generated:
            self._offer_way_back()

    def _forget(self) -> None:
        self._before = self._blank = None


def _options_set(session: Session) -> SamplingOptions:
    """Return the steps and the seed that are set, with the solver for slices."""
    return replace(session.options, solver=SLICE_SAMPLING.solver)


def show_made(session: Session, made: GenerationResult, request: SliceRequest) -> None:
    """Show a slice that was made of a request, with its box, instead of what is open."""
    _show(session, volume_of(made), request, made)


def _show(session: Session, volume: CTVolume, request: SliceRequest, made: GenerationResult | None = None) -> None:
    session.show_volume(volume)
    session.generated, session.made_whole = request, made
    session.box = BoxOnSlice(0, request.box)
