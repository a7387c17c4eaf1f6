"""While a slider moves or the box is dragged, a nodule in a few steps follows; when they rest, the full one is made."""

from __future__ import annotations

from collections import deque

from PySide6.QtCore import QObject, Qt, QTimer

from engine.events import (
    EngineState,
    Event,
    Failed,
    GenerationRequest,
    Preview,
    Request,
    Sketched,
    SketchRequest,
    StateChanged,
)
from engine.nodule import BoundingBox
from studio.engine_client import EngineClient
from studio.live_switch import LiveSwitch, Sketch, store_switch, stored_switch
from studio.placed import BoxOnSlice
from studio.placing import Placing
from studio.reasons import why_not_generate
from studio.session import Session

#: What has been moved by keys rests once nothing more has come for so long, in ms.
_REST_MS = 500
#: A picture that takes longer does not follow a hand; so many in a row tell that it is not by chance.
SLOW_SECONDS, _SLOW_IN_A_ROW = 0.4, 3
_BUSY = (EngineState.LOADING, EngineState.FAILED, EngineState.STOPPED)


class Live(QObject):
    """Sketches for one session. One sketch runs and at most one waits, here; a new one takes the place of that.

    The one that runs is cancelled at its next step, too, but never two in a row: or nothing would be seen of a box
    that is dragged on and on. Sketches are shown in `Session.sketch` and nowhere else: not recorded, not accepted.
    """

    def __init__(self, session: Session, engine: EngineClient, placing: Placing, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._engine = engine
        self._placing = placing
        self._job_id: int | None = None
        self._slice_index = 0
        self._wanted: GenerationRequest | None = None
        self._was_cut = False
        self._is_held = False
        #: The box in which the full nodule is to be made: another one may hold what nobody asked to change.
        self._full_due: BoxOnSlice | None = None
        #: Where the box was before its drag, and where it would be if that ended now.
        self._drag: tuple[BoxOnSlice | None, BoundingBox] | None = None
        self._took: deque[float] = deque(maxlen=_SLOW_IN_A_ROW)
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self._make_full)
        session.live = stored_switch()
        engine.event_arrived.connect(self._handle)
        session.dragged_changed.connect(self._follow_drag)
        # Queued: the drag has ended when the box is put where it has led.
        session.dragged_changed.connect(self._finish_drag, Qt.ConnectionType.QueuedConnection)
        session.job_changed.connect(self._give_way)
        for signal in (
            session.attributes_changed,
            session.options_changed,
            session.box_changed,
            session.slice_index_changed,
            session.candidate_changed,
            session.dragged_changed,
        ):
            # Queued: what follows the change is asked for first, and the old sketch stays until that is there.
            signal.connect(self._drop_if_stale, Qt.ConnectionType.QueuedConnection)
        for signal in (session.accepted_changed, session.volume_changed, session.slice_index_changed):
            signal.connect(self.drop)
        session.candidate_changed.connect(self._rest_no_more)

    def switch(self, is_on: bool) -> None:
        """Let nodules follow from now on, or not; the next start does likewise."""
        self._took.clear()
        self._session.live = store_switch(is_on)
        if not is_on:
            self.drop()

    def hold(self) -> None:
        """A slider is pressed: nothing rests before it is released."""
        self._is_held = True

    def release(self) -> None:
        """The slider is released: if it has moved, the full nodule is made."""
        self._is_held = False
        if self._rest.isActive():
            self._make_full()

    def follow_scores(self) -> None:
        """The user has chosen a score: sketch the nodule that the session describes now.

        When the slider rests, the full one is made. One that is accepted is not made anew: the slider may be for the
        next one. One that is being made anew becomes what the slider says at once; one that is being removed goes.
        """
        session, box = self._session, self._session.box_here
        if box is None or self._placing.is_removing or not self._can_follow(box):
            return
        if self._placing.is_editing:
            self._placing.make()  # Not cancelled first: that would put the box back where the nodule was.
            return
        is_forming = self._full_due is not None or session.job is not None
        self._placing.cancel()
        request, nodule = self._placing.request_now(), session.nodule_in_box
        if request and nodule and _is_same(request, nodule.result.request):
            self.drop()
            return
        self._full_due = session.box if is_forming or session.selected is None else None
        self._ask(request)
        self._rest.start()

    def drop(self) -> None:
        """Show no sketch and want none."""
        self._wanted = self._full_due = None
        self._rest.stop()
        if self._job_id is not None:
            self._engine.cancel(self._job_id)
        self._job_id, self._was_cut = None, False
        self._session.sketch = None

    # --- asking --------------------------------------------------------------------------------------

    def _can_follow(self, box: BoundingBox) -> bool:
        """Whether a sketch in that box would come at once."""
        session = self._session
        if not session.live.is_on or session.engine.state in _BUSY or not session.queue.is_empty:
            return False
        return session.volume is not None and why_not_generate(session, box) is None

    def _follow_drag(self) -> None:
        """Sketch in the box as it is dragged; a nodule that is forming goes on until the box is released."""
        session, dragged = self._session, self._session.dragged
        if dragged:
            self._drag = session.box, dragged.box
        if dragged and session.job is None and self._can_follow(dragged.box):
            self._rest.stop()
            self._full_due = None
            self._ask(self._placing.request_in(dragged))

    def _finish_drag(self) -> None:
        """Make the full nodule where the box was released, unless it holds one or one is on its way there."""
        session, drag = self._session, self._drag
        if session.dragged or drag is None:
            return
        self._drag = None
        before, box = drag
        has_moved = session.box != before and session.box_here == box
        if has_moved and not session.job and not session.nodule_in_box and self._can_follow(box):
            self._placing.make()

    def _ask(self, request: GenerationRequest | None) -> None:
        self._wanted = request
        if self._job_id is None:
            self._submit()
        elif not self._was_cut:
            self._was_cut = True
            self._engine.cancel(self._job_id)

    def _submit(self) -> None:
        wanted, self._wanted = self._wanted, None
        if wanted:
            self._slice_index = self._session.slice_index
            self._job_id = self._engine.submit(SketchRequest(wanted))

    def _make_full(self) -> None:
        if self._is_held:
            self._rest.start()
            return
        self._rest.stop()
        due, self._full_due = self._full_due, None
        if due and self._session.box == due:
            self._placing.make()

    # --- showing -------------------------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        if isinstance(event, (StateChanged, Preview)) or self._job_id is None or event.job_id != self._job_id:
            return
        self._job_id = None
        if isinstance(event, Failed):
            self.drop()
            self._switch_off(f"Live is off until it is switched on again (Q): {event.message}")
            return
        if isinstance(event, Sketched):
            self._was_cut = False
            self._show(event)
        self._submit()

    def _show(self, sketched: Sketched) -> None:
        session = self._session
        session.sketch = Sketch(self._slice_index, sketched)
        self._drop_if_stale()
        self._took.append(sketched.seconds)
        is_slow = len(self._took) == _SLOW_IN_A_ROW and min(self._took) > SLOW_SECONDS
        if is_slow and not session.live.is_chosen:
            self._wanted = None
            took = f"a picture takes {min(self._took):.1f} s on this computer"
            self._switch_off(f"Live is off, for {took}; Q switches it on.")

    def _switch_off(self, why: str) -> None:
        """Nothing is remembered: the next start tries again."""
        self._session.live = LiveSwitch(is_on=False, why_off=why)
        self._session.say(why)

    def _give_way(self) -> None:
        """Let a full job begin at once; what was sketched stays until more than that is to be seen."""
        if self._session.job:
            self._wanted = self._full_due = None
            self._rest.stop()
            if self._job_id is not None:
                self._engine.cancel(self._job_id)
            self._job_id, self._was_cut = None, False

    def _rest_no_more(self) -> None:
        """Make no nodule anew that the user has taken away meanwhile."""
        if self._session.candidate is None:
            self._full_due = None

    def _drop_if_stale(self) -> None:
        """Show no sketch of other scores, another seed or another box than those that are set."""
        session, sketch = self._session, self._session.sketch
        if sketch is None or session.dragged or self._job_id is not None:
            return
        nodule = session.nodule_in_box
        is_wanted = _is_same(sketch.made.request, self._placing.request_now())
        if not is_wanted or (nodule and _is_same(sketch.made.request, nodule.result.request)):
            session.sketch = None


def _is_same(one: GenerationRequest, other: Request | None) -> bool:
    """Whether two requests on one slice are for the same nodule."""
    return other is not None and (one.box, one.attributes, one.options) == (other.box, other.attributes, other.options)
