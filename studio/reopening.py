"""Opens a result again: from the request.json of an export, or from an entry of a journal."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal

from engine import journal
from engine.events import GenerationRequest, SliceRequest
from engine.history import read_entry
from engine.whole_files import names_file
from studio import commands
from studio.background import Progress, Task, start_telling, stop_tasks
from studio.history import History
from studio.looking_back import LookingBack
from studio.placing import Placing
from studio.reasons import why_not_generate_slice
from studio.result_search import Found, InputNotFound, Opened, find_result
from studio.session import Session, Severity
from studio.settings_commands import TakeSettings
from studio.slice_making import SliceMaking

_REQUEST = "request.json"


def is_result(path: Path) -> bool:
    """Return whether a path may be that of a result: an export's folder, a JSON file, an entry of a journal."""
    is_json = path.suffix.lower() == ".json" and os.path.isfile(path)
    return is_json or names_file(path, _REQUEST) or journal.is_whole(path)


class ResultOpener(QObject):
    """Restores slice, box, scores and seed of a result, and shows it.

    It is taken from the history if it is there, else from the exported files; else it is made again, and compared by
    its hash. Where its CT is not known on this computer, the next one that is opened is looked through for its slice.

    Attributes
    ----------
    source_wanted : Signal(SliceSource, object)
        That series is to be opened, and the object, () -> None, to be called once it is.
    """

    source_wanted = Signal(object, object)

    def __init__(
        self, session: Session, history: History, looking: LookingBack, placing: Placing, slices: SliceMaking
    ) -> None:
        super().__init__(looking.parent())
        self._session = session
        self._history = history
        self._looking = looking
        self._placing = placing
        self._slices = slices
        self._task: Task | None = None
        self._waiting: Path | None = None
        self._expected: Found | None = None
        # Queued: whether a volume that is shown is a slice that was made is known a moment later.
        session.volume_changed.connect(self._look_in_opened, Qt.ConnectionType.QueuedConnection)
        session.candidate_changed.connect(self._compare)

    def open(self, path: Path) -> None:
        """Open a result; see `is_result`."""
        if path.is_dir() and journal.is_whole(path):
            self._start(lambda progress: Found(read_entry(self._history.adopt(path))), path)
        else:
            self._find(path)

    def stop(self) -> None:
        """Open nothing any more, and wait until that is so."""
        self._forget()
        stop_tasks(self)

    def _forget(self) -> None:
        """Open nothing of what was asked for before; the window goes on while its search ends."""
        self._waiting = self._expected = None
        if self._task:
            self._task.abandon()

    def _find(self, path: Path, only_opened: bool = False) -> None:
        session = self._session
        opened = Opened(session.volume, session.series_uid) if session.volume and not session.generated else None
        self._start(lambda progress: find_result(path, self._history, opened, only_opened, progress), path)

    def _start(self, work: Callable[[Progress], Found], path: Path) -> None:
        self._forget()
        self._task = Task(lambda progress: _found_or_not(work, progress), "The result could not be read", self)
        self._task.succeeded.connect(partial(self._show, path))
        self._task.failed.connect(self._fail)
        start_telling(self._task, self._session, "Reading the result")

    def _show(self, path: Path, found: Found | InputNotFound) -> None:
        self._task = None
        if isinstance(found, InputNotFound):
            self._waiting = path
            self._session.say(str(found), Severity.WARNING)
        elif found.entry:
            self._looking.restore_all(found.entry)
        elif isinstance(found.request, SliceRequest):
            self._make_slice(found.request)
        elif found.request:
            self._open_and_make(found, found.request)

    def _fail(self, message: str) -> None:
        self._task = None
        self._session.say(message, Severity.ERROR)

    def _open_and_make(self, found: Found, request: GenerationRequest) -> None:
        """Make a nodule again, in its slice, which is opened first if need be."""
        source = request.source
        assert source is not None
        make = partial(self._make, found, request, source.slice_index)
        if source == self._session.source_of(source.slice_index):
            make()
        else:
            self.source_wanted.emit(source, make)

    def _make(self, found: Found, request: GenerationRequest, slice_index: int) -> None:
        session = self._session
        session.go_to_slice(slice_index)
        session.undo_stack.push(TakeSettings(session, request))
        commands.set_box(session, request.box)
        now = session.slice_with_accepted(slice_index)
        if now is None or now.sha256() != request.slice.sha256():
            here = session.accepted_here
            how = "undo the nodules accepted in this slice" if here else "put in the one that was in this slice"
            session.say(f"Box, scores and seed are set; {how} to make the same again.")
            return
        self._expected = found
        session.notice = None
        self._placing.make(request.extension)

    def _make_slice(self, request: SliceRequest) -> None:
        session = self._session
        session.undo_stack.push(TakeSettings(session, request))
        why = why_not_generate_slice(session)
        if why:
            session.say(f"Scores and seed are set, but there is no slice beside the request: {why}")
        else:
            self._slices.generate_with(request.box, request.pixel_spacing_mm, request.attributes, request.options)

    def _compare(self) -> None:
        """Say whether what was made again is what was exported."""
        found, candidate = self._expected, self._session.candidate
        if found is None or found.request is None or candidate is None:
            return
        self._expected = None
        made, asked = candidate.result.request, found.request
        if (made.box, made.attributes, made.options) != (asked.box, asked.attributes, asked.options):
            return
        if candidate.result.slice.sha256() == found.output_sha256:
            self._session.say("Made again as it was exported: the HU are the same, bit for bit.")
        else:
            text = "Made again, but not bit for bit: the model, the processor or a version is another one than then."
            self._session.say(text, Severity.WARNING)

    def _look_in_opened(self) -> None:
        """Look for the slice in the CT that was opened now."""
        path, session = self._waiting, self._session
        if path and session.volume and not session.generated:
            self._find(path, only_opened=True)


def _found_or_not(work: Callable[[Progress], Found], progress: Progress) -> Found | InputNotFound:
    try:
        return work(progress)
    except InputNotFound as error:
        return error
