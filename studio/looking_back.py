"""What can be done with an entry of the history: show it, take its settings, restore all of it, star and delete it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from engine.errors import InputError
from engine.events import GenerationResult, SliceRequest, SliceSource
from engine.history import Entry
from engine.whole_slices import is_made_name, volume_of
from studio import commands
from studio.background import Progress, Task, start_telling, stop_tasks
from studio.history import History
from studio.layers import in_place_of
from studio.placed import BoxOnSlice, PlacedNodule
from studio.rebasing import is_from_open_series, place_now, source_of
from studio.session import Notice, Session, Severity
from studio.settings_commands import DeleteResult, TakeSettings

#: What can be done with a result, as the strip, the menus and the sheet of keys call it.
SHOW, USE, TAKE, RESTORE = "Show in its slice", "Show and take settings", "Take settings only", "Restore all of it"

Then = Callable[[GenerationResult], None]


class LookingBack(QObject):
    """Acts on entries for one session; reads them in the background, the last one asked for only.

    Attributes
    ----------
    source_wanted : Signal(SliceSource, object)
        That series is to be opened, and the object, () -> None, to be called once it is.
    slice_wanted : Signal(GenerationResult)
        That slice, which was made whole, is to be opened.
    replacement_wanted : Signal(PlacedNodule, PlacedNodule)
        The first, which is accepted, is to be replaced by the second.
    """

    source_wanted = Signal(object, object)
    slice_wanted = Signal(object)
    replacement_wanted = Signal(object, object)

    def __init__(self, session: Session, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._history = history
        self._task: Task | None = None

    def show(self, entry: Entry) -> None:
        """Show the result in its slice; if that is not open, offer to open it."""
        self._read(entry, lambda result: self._show(entry, result))

    def take_settings(self, entry: Entry) -> None:
        """Set the scores, the seed and the steps of the result and, where its slice is open, its box."""
        self._read(entry, self._take_settings)

    def use(self, entry: Entry) -> None:
        """Show the result and take its settings."""
        self._read(entry, lambda result: self._show_and_take(entry, result))

    def show_result(self, result: GenerationResult, takes_settings: bool = False) -> None:
        """Show a result that need not be read, and take its settings if that is asked for."""
        if self._task:
            self._task.abandon()
        if takes_settings:
            self._take_settings(result)
        self._show_in_slice(result, self._history.path_of(result), partial(self.show_result, result))

    def restore_all(self, entry: Entry) -> None:
        """Open what the result was made of, if need be; show the result and take its settings."""

        def restore(result: GenerationResult) -> None:
            source = source_of(result)
            if isinstance(result.request, SliceRequest):
                if not self._is_open_slice(result):
                    self.slice_wanted.emit(result)
                self._take_settings(result)
            elif place_now(self._session, result) or not source or is_from_open_series(self._session, result):
                self._show_and_take(entry, result)
            else:
                self._open_source(source, lambda: self._show_and_take(entry, result))

        self._read(entry, restore)

    def star(self, entry: Entry) -> None:
        """Star the entry, or take its star away."""
        try:
            self._history.star(entry.path, not entry.is_starred)
        except InputError as error:
            self._session.say(str(error), Severity.ERROR)

    def delete(self, entry: Entry) -> None:
        """Move the entry to the trash; that can be undone, and for 30 days it can be put back from there."""
        if entry.is_deleted:
            self.put_back(entry)
        else:
            self._session.undo_stack.push(DeleteResult(self._session, self._history, entry.path))

    def put_back(self, entry: Entry) -> None:
        """Take a deleted entry out of the trash."""
        try:
            self._history.put_back(entry.path)
        except InputError as error:
            self._session.say(str(error), Severity.ERROR)

    def stop(self) -> None:
        """Show nothing any more, and wait for the reading to end."""
        stop_tasks(self)

    def _read(self, entry: Entry, then: Then) -> None:
        self._start(lambda progress: self._history.read(entry.path), then)

    def _start(self, work: Callable[[Progress], GenerationResult], then: Then) -> None:
        if self._task:
            self._task.abandon()
        self._task = Task(work, "The result could not be read", self)
        self._task.succeeded.connect(then)
        self._task.failed.connect(partial(self._session.say, severity=Severity.ERROR))
        start_telling(self._task, self._session, "Reading the result")

    def _show(self, entry: Entry, result: GenerationResult) -> None:
        self._show_in_slice(result, entry.path, partial(self.show, entry))

    def _show_in_slice(self, result: GenerationResult, path: Path | None, again: Callable[[], object]) -> None:
        session = self._session
        if isinstance(result.request, SliceRequest):
            self._show_slice(result)
            return
        placed = self._already_placed(result, path)
        if placed:
            session.go_to_slice(placed.slice_index)
            commands.select(session, placed)
            return
        if session.candidate and self._is_it(session.candidate, result, path):  # Nothing that could be undone.
            session.notice = None
            session.go_to_slice(session.candidate.slice_index)
            return
        nodule = place_now(session, result)
        if nodule is None:
            session.notice = self._why_not_shown(result, path, again)
            return
        if path:
            self._history.remember(nodule.result, path)
        session.notice = None
        session.go_to_slice(nodule.slice_index)
        commands.look_back(session, nodule)

    def _open_source(self, source: SliceSource, then: Callable[[], object]) -> None:
        """Open what a slice was read from, and go on; a slice that was made is read from the journal."""
        if not is_made_name(source.path):
            self.source_wanted.emit(source, then)
            return

        def find(progress: Progress) -> GenerationResult:
            made = self._history.slice_made(source)
            if made is None:
                raise InputError(f"The slice that this result is of, {source.description}, is not in the history.")
            return made

        def show(made: GenerationResult) -> None:
            self.slice_wanted.emit(made)
            if self._is_open_slice(made):
                then()

        self._start(find, show)

    def _show_slice(self, result: GenerationResult) -> None:
        """Open a slice that was made whole if nothing else is; otherwise only offer to."""
        session, do_open = self._session, partial(self.slice_wanted.emit, result)
        session.notice = None
        if session.volume is None:
            do_open()
        elif not self._is_open_slice(result):
            text = "This result is a slice that was made whole, which is not open."
            session.notice = Notice(text, offer="Open it", do=do_open)

    def _is_open_slice(self, result: GenerationResult) -> bool:
        """Whether the result is a slice that was made whole, and the one that is open."""
        volume = self._session.volume
        is_slice = isinstance(result.request, SliceRequest)
        return is_slice and volume is not None and volume.source == volume_of(result).source

    def _already_placed(self, result: GenerationResult, path: Path | None) -> PlacedNodule | None:
        """Return the accepted nodule that is this result: the slice as it is now holds it."""
        return next((nodule for nodule in self._session.accepted if self._is_it(nodule, result, path)), None)

    def _is_it(self, nodule: PlacedNodule, result: GenerationResult, path: Path | None) -> bool:
        """Whether a nodule is that result, whose entry is there."""
        its = self._history.path_of(nodule.result)
        return nodule.result is result or (its is not None and path is not None and its.name == path.name)

    def _take_settings(self, result: GenerationResult) -> None:
        session, request = self._session, result.request
        nodule = place_now(session, result)
        place = BoxOnSlice(0, request.box) if self._is_open_slice(result) else nodule.place if nodule else None
        stack, taken = session.undo_stack, TakeSettings(session, request)
        if place:
            session.go_to_slice(place.slice_index)
        moves_box = place is not None and session.box != place
        if taken.changes_anything or moves_box:  # Or undo would have a step that shows nothing.
            stack.beginMacro("settings of an earlier result")
            stack.push(taken)
            if moves_box:
                commands.set_box(session, request.box)
            stack.endMacro()
        if place is None:
            session.say("Scores, seed and steps are set; the box is not, for its slice is not open.")

    def _show_and_take(self, entry: Entry, result: GenerationResult) -> None:
        self._take_settings(result)
        self._show(entry, result)

    def _replace(self, result: GenerationResult, path: Path | None) -> None:
        """Put the result in the place of the accepted nodule that has its box, if that is still possible."""
        instead = in_place_of(self._session, result)
        if instead is None:
            self._session.say("The slice has changed meanwhile; choose the result again.")
            return
        if path:
            self._history.remember(instead[1].result, path)
        self._session.go_to_slice(instead[1].slice_index)
        self.replacement_wanted.emit(*instead)

    def _why_not_shown(self, result: GenerationResult, path: Path | None, again: Callable[[], object]) -> Notice:
        source, instead = source_of(result), in_place_of(self._session, result)
        if instead:
            return Notice(
                f"Slice {instead[0].slice_index + 1} has changed around this nodule since it was made: "
                "an accepted one is in its box.",
                offer="Replace that one",
                do=partial(self._replace, result, path),
            )
        if is_from_open_series(self._session, result) and source:
            if not any(nodule.slice_index == source.slice_index for nodule in self._session.accepted):
                return Notice(
                    f"This nodule was made beside another one, which is not in slice {source.slice_index + 1} now: put "
                    "that one in first, or take the settings of this one and generate it again.",
                )
            return Notice(
                f"Slice {source.slice_index + 1} has changed around this nodule since it was made: undo or delete the "
                "nodules there, or take its settings and generate it again.",
            )
        if source is None:
            return Notice("This result is of a slice that is not open; open its CT and choose it again.")
        name = f"slice {source.slice_index + 1} of {source.description or source.path.name}"
        if not os.path.exists(source.path) and not is_made_name(source.path):
            return Notice(f"This result is of {name}, which is no longer in {source.path}; open it from where it is.")
        do_open = partial(self._open_source, source, again)
        return Notice(f"This result is of {name}, which is not open.", offer="Open it", do=do_open)
