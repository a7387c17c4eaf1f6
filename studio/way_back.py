"""What a slice that is made whole takes the place of: to be shown again if it is not made, and on the way back."""

from __future__ import annotations

from dataclasses import dataclass

from engine.ct import CTVolume
from engine.events import GenerationResult, SliceRequest
from engine.nodule import NoduleAttributes
from studio.commands import Scene
from studio.history import History
from studio.placed import PlacedNodule, count_whole
from studio.saved_session import SavedSession, saved_session
from studio.session import Session
from studio.sweep import Sweep
from studio.viewport import Framing


@dataclass(frozen=True)
class Open:
    """What is open in a window, but for its steps of undo."""

    volume: CTVolume | None
    series_uid: str | None
    slice_index: int
    scene: Scene
    exported: tuple[PlacedNodule, ...]
    in_project: tuple[PlacedNodule, ...]
    generated: SliceRequest | None
    made_whole: GenerationResult | None
    attributes: NoduleAttributes
    sweep: Sweep | None
    is_sweep_shown: bool
    framing: Framing | None


def what_is_open(session: Session) -> Open:
    """Return what is open now."""
    return Open(
        session.volume,
        session.series_uid,
        session.slice_index,
        Scene.of(session),
        session.exported,
        session.in_project,
        session.generated,
        session.made_whole,
        session.attributes,
        session.sweep,
        session.is_sweep_shown,
        session.framing,
    )


def show_again(session: Session, before: Open) -> None:
    """Show what was open before a slice; scores that were set since then stay."""
    if session.generated and session.attributes == session.generated.attributes:  # Nobody has set others meanwhile.
        session.attributes = before.attributes
    if before.volume is None:
        session.close_volume()
        return
    session.show_volume(before.volume, before.series_uid)
    session.go_to_slice(before.slice_index)
    session.generated, session.made_whole = before.generated, before.made_whole
    session.accepted, session.exported = before.scene.accepted, before.exported
    session.in_project = before.in_project
    session.candidate, session.box = before.scene.candidate, before.scene.box
    session.sweep, session.is_sweep_shown = before.sweep, before.is_sweep_shown
    session.framing = before.framing  # Last: a ladder or grid that appears brings the box into sight.


@dataclass(frozen=True)
class WayBack:
    """What was read from a file, and slices have taken the place of.

    Attributes
    ----------
    saved : SavedSession
        It as it is written: the only trace of how its nodules lie in it, if the program ends before one goes back.
    before : Open or None
        It as the window had it; None in a session that was reopened: its file is read when one goes back, so that
        the slice is there at once, and also where the file is not.
    """

    saved: SavedSession
    before: Open | None = None

    @classmethod
    def to_what_is_open(cls, session: Session, history: History) -> WayBack | None:
        """Return the way back to what is open now; None if nothing is."""
        saved = saved_session(session, history)
        return cls(saved, what_is_open(session)) if saved else None

    @property
    def name(self) -> str:
        """Name of its file or folder, or what it is."""
        volume = self.before.volume if self.before else None
        path = volume.source if volume else self.saved.path
        return path.name or self.saved.description

    @property
    def not_kept(self) -> int:
        """How many of its accepted nodules were neither exported nor saved; also those that could not be recorded."""
        if self.before:
            kept = (*self.before.exported, *self.before.in_project)
            return count_whole(nodule for nodule in self.before.scene.accepted if nodule not in kept)
        return len({nodule.name for nodule in self.saved.accepted if not nodule.is_exported})
