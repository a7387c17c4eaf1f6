"""The one state of the window. Widgets show a `Session` and change a `Session`; they never call each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoStack

from engine.ct import LUNG, WINDOW_PRESETS, CTSlice, CTVolume, HUArray, WindowLevel
from engine.events import (
    EngineState,
    GenerationResult,
    Preview,
    SamplingOptions,
    SliceRequest,
    SliceSource,
    StateChanged,
)
from engine.lungs import share_in_lung
from engine.nodule import BoundingBox, NoduleAttributes
from engine.synthetic_data import is_synthetic
from studio.live_switch import LiveSwitch, Sketch
from studio.placed import BoxOnSlice, Dragged, Job, PlacedNodule
from studio.queue_state import Queue
from studio.session_field import Field
from studio.shown import Shown
from studio.sweep import Sweep
from studio.viewport import Framing

#: Each step of undo holds whole slices.
_MOST_UNDONE = 200


@dataclass(frozen=True, eq=False)
class LungsOnSlice:
    """Where the lungs are on one slice of a series: bool of (rows, columns)."""

    volume: CTVolume
    slice_index: int
    mask: NDArray[np.bool_]


class Severity(Enum):
    """How a notice looks."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Notice:
    """One sentence for the user, shown in the window until it is closed or replaced.

    Attributes
    ----------
    offer, do : str and () -> object, optional
        What a button beside the sentence says and does.
    """

    text: str
    severity: Severity = Severity.INFO
    offer: str = ""
    do: Callable[[], object] | None = None


@dataclass(frozen=True)
class Opening:
    """A file that is being read. `fraction` is None until it is known how much there is."""

    name: str
    fraction: float | None = None


class Session(QObject):
    """What is open, what is drawn and what the engine does; one signal a field, nothing that can be derived.

    `framing` is what part of the slice is looked at; None while the whole slice is, fitted.
    `dragged` is the box as it would be if its drag ended now; `box` changes when it does.
    `sketch` is the nodule in a few steps that follows sliders and box: to be looked at, never to be kept.
    `candidate` is the finished nodule that waits to be accepted or discarded; `box` is its box as long as it waits.
    `generated` is what the open slice was made of, or is being made of; None if it was read from a file.
    `made_whole` is that slice, with a nodule of its own; also where its export was opened, and no other slice is open.
    `series_uid` is how the open series was asked for, where its file or folder holds several.
    `doing` says what goes on in the background, that has no bar of its own: "Finding the lungs", the latest last.
    `plausibility` says how usual the scores are in nodules as large as the box; empty until that is known.
    `queue_step` is the last preview of the running job of the queue.
    `sweep` is the last ladder or grid of the open series, and `is_sweep_shown` whether it is in sight.
    `ranking` names the entries of the history that the last Best of N has ranked, the best one first.
    `accepted` is in the order of acceptance: on each slice, a nodule is built on those accepted before it.
    `in_project` are those of them that the project holds, as it was saved or opened last.
    """

    volume_changed = Signal()
    generated_changed = Signal()
    made_whole_changed = Signal()
    series_uid_changed = Signal()
    slice_index_changed = Signal()
    window_changed = Signal()
    framing_changed = Signal()
    box_changed = Signal()
    dragged_changed = Signal()
    attributes_changed = Signal()
    options_changed = Signal()
    engine_changed = Signal()
    job_changed = Signal()
    preview_changed = Signal()
    live_changed = Signal()
    sketch_changed = Signal()
    candidate_changed = Signal()
    accepted_changed = Signal()
    exported_changed = Signal()
    in_project_changed = Signal()
    original_shown_changed = Signal()
    doing_changed = Signal()
    notice_changed = Signal()
    opening_changed = Signal()
    shown_changed = Signal()
    lungs_changed = Signal()
    plausibility_changed = Signal()
    presets_changed = Signal()
    queue_changed = Signal()
    queue_step_changed = Signal()
    ranking_changed = Signal()
    sweep_changed = Signal()
    is_sweep_shown_changed = Signal()

    volume = Field[CTVolume | None](None)
    generated = Field[SliceRequest | None](None)
    made_whole = Field[GenerationResult | None](None)
    series_uid = Field[str | None](None)
    slice_index = Field[int](0)
    window = Field[WindowLevel](LUNG)
    framing = Field[Framing | None](None)
    box = Field[BoxOnSlice | None](None)
    dragged = Field[Dragged | None](None)
    attributes = Field[NoduleAttributes](NoduleAttributes(4, 4, 1, 1, 5))
    options = Field[SamplingOptions](SamplingOptions())
    engine = Field[StateChanged](StateChanged(EngineState.LOADING))
    job = Field[Job | None](None)
    preview = Field[Preview | None](None)
    live = Field[LiveSwitch](LiveSwitch())
    sketch = Field[Sketch | None](None)
    candidate = Field[PlacedNodule | None](None)
    accepted = Field[tuple[PlacedNodule, ...]](())
    exported = Field[tuple[PlacedNodule, ...]](())
    in_project = Field[tuple[PlacedNodule, ...]](())
    original_shown = Field[bool](False)
    doing = Field[tuple[str, ...]](())
    notice = Field[Notice | None](None)
    opening = Field[Opening | None](None)
    shown = Field[Shown](Shown())
    lungs = Field[LungsOnSlice | None](None)
    plausibility = Field[str]("")
    presets = Field[dict[str, WindowLevel]](WINDOW_PRESETS)
    queue = Field[Queue](Queue())
    queue_step = Field[Preview | None](None)
    ranking = Field[tuple[str, ...]](())
    sweep = Field[Sweep | None](None)
    is_sweep_shown = Field[bool](False)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(_MOST_UNDONE)

    def show_volume(self, volume: CTVolume, series_uid: str | None = None) -> None:
        """Show another series from its middle slice. Nothing of the one before remains, but for the queue."""
        self.close_volume()  # No widget may see the new index beside the old series.
        self.series_uid = series_uid
        self.slice_index = len(volume) // 2
        self.volume = volume

    def close_volume(self) -> None:
        """Show nothing. The queue goes on."""
        self.undo_stack.clear()
        self.box = self.candidate = self.sketch = self.preview = self.notice = self.generated = self.sweep = None
        self.is_sweep_shown = False
        self.made_whole = self.framing = None
        self.accepted = self.exported = self.in_project = ()
        self.volume = self.series_uid = self.lungs = None

    def go_to_slice(self, index: int) -> None:
        """Show the slice of that index, or the nearest there is."""
        if self.volume is None:
            return
        nearest = max(0, min(index, len(self.volume) - 1))
        if nearest != self.slice_index:
            self.slice_index = nearest

    def say(self, text: str, severity: Severity = Severity.INFO) -> None:
        """Show one sentence in the window."""
        self.notice = Notice(text, severity)

    def slice_with_accepted(self, index: int) -> CTSlice | None:
        """Return a slice with the nodules that were accepted on it; None if no series with such a slice is open."""
        for nodule in reversed(self.accepted):
            if nodule.slice_index == index:
                return nodule.result.slice
        return self.volume.slice_at(index) if self.volume and index < len(self.volume) else None

    def source_of(self, index: int) -> SliceSource | None:
        """Return where a slice was read from; None if nothing is open."""
        volume = self.volume
        return SliceSource(volume.source, self.series_uid, index, volume.description) if volume else None

    def source_to_keep(self, index: int) -> SliceSource | None:
        """Return where a slice was read from, with what it was then: to be kept with a result."""
        source, volume = self.source_of(index), self.volume
        if source is None or volume is None:
            return None
        return replace(source, sha256=volume.slice_at(index).sha256(), is_synthetic=is_synthetic(volume, index))

    def own_results(self, index: int) -> tuple[GenerationResult, ...]:
        """Return what an open slice is itself, where it was made whole: its nodule comes before all that are put in."""
        return (self.made_whole,) if self.made_whole and index == 0 else ()

    @property
    def is_slice_forming(self) -> bool:
        """Whether the open slice itself is being made."""
        return self.job is not None and isinstance(self.job.request, SliceRequest)

    @property
    def box_here(self) -> BoundingBox | None:
        """The box, if it is on the slice that is shown."""
        return self.box.box if self.box and self.box.slice_index == self.slice_index else None

    @property
    def nodule_in_box(self) -> PlacedNodule | None:
        """The finished nodule that the box holds: the candidate, else an accepted one."""
        if self.candidate or not self.box:
            return self.candidate
        return next((nodule for nodule in reversed(self.accepted) if nodule.place == self.box), None)

    @property
    def selected(self) -> PlacedNodule | None:
        """The accepted nodule that the box holds."""
        return None if self.candidate else self.nodule_in_box

    @property
    def accepted_here(self) -> tuple[PlacedNodule, ...]:
        """The accepted nodules of the slice that is shown."""
        return tuple(nodule for nodule in self.accepted if nodule.slice_index == self.slice_index)

    @property
    def nodules_here(self) -> tuple[PlacedNodule, ...]:
        """The nodules of the slice that is shown: the accepted ones, and the one that waits."""
        waits = self.candidate is not None and self.candidate.slice_index == self.slice_index
        return (*self.accepted_here, *([self.candidate] if self.candidate and waits else []))

    @property
    def not_exported(self) -> tuple[PlacedNodule, ...]:
        """The accepted nodules that have not been exported."""
        return tuple(nodule for nodule in self.accepted if nodule not in self.exported)

    @property
    def not_kept(self) -> tuple[PlacedNodule, ...]:
        """The accepted nodules that have neither been exported nor saved in a project."""
        return tuple(nodule for nodule in self.not_exported if nodule not in self.in_project)

    @property
    def box_side_mm(self) -> float | None:
        """Side of the box, on whatever slice it is; None without a box."""
        return self.box.box.side_mm(self.volume.pixel_spacing) if self.box and self.volume else None

    @property
    def lungs_here(self) -> NDArray[np.bool_] | None:
        """Where the lungs are on the slice that is shown; None if that is not known yet."""
        lungs = self.lungs
        is_here = lungs is not None and lungs.volume is self.volume and lungs.slice_index == self.slice_index
        return lungs.mask if lungs and is_here else None

    @property
    def share_in_lungs(self) -> float | None:
        """What part of the box on the slice that is shown lies in the lungs, 0 to 1; None if that is not known yet."""
        lungs, box = self.lungs_here, self.box_here
        return None if lungs is None or box is None else share_in_lung(lungs, box)

    @property
    def sketch_here(self) -> Sketch | None:
        """What is sketched on the slice that is shown, as long as nothing better is to be seen of it."""
        job, preview, sketch = self.job, self.preview, self.sketch
        is_late = preview is not None and 2 * preview.step > preview.steps
        is_elsewhere = sketch is not None and job is not None and job.request.box != sketch.made.request.box
        here = sketch is not None and sketch.slice_index == self.slice_index
        return sketch if here and not (job and (is_late or is_elsewhere)) else None

    @property
    def shown_hu(self) -> HUArray | None:
        """HU to be shown, (rows, columns): the original, a sketch or preview, the candidate or what was accepted."""
        here = self.slice_index
        if self.volume is None:
            return None
        if self.original_shown:
            return self.volume.slice_at(here).hu
        sketch = self.sketch_here
        if sketch:
            request = sketch.made.request
            return _painted(request.slice.hu, request.box.slices, sketch.made.hu)
        if self.job and self.job.slice_index == here:
            request = self.job.request
            before = self.volume.slice_at(here) if isinstance(request, SliceRequest) else request.slice
            preview = self.preview
            return _painted(before.hu, preview.slices, preview.hu) if preview else before.hu
        if self.candidate and self.candidate.slice_index == here:
            return self.candidate.result.slice.hu
        shown = self.slice_with_accepted(here)
        return shown.hu if shown else None


def _painted(hu: HUArray, where: tuple[slice, slice], patch: HUArray) -> HUArray:
    painted = hu.copy()
    painted[where] = patch
    return painted
