"""Whether nodules follow the sliders and the box while these move, and what is remembered of that."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QSettings

from engine.events import Sketched

_KEY = "live"


@dataclass(frozen=True)
class LiveSwitch:
    """On or off.

    Attributes
    ----------
    is_chosen : bool
        The user has said so, now or at an earlier start; otherwise it depends on how fast this computer is.
    why_off : str
        Why the studio has switched it off, as one sentence; empty if it has not.
    """

    is_on: bool = True
    is_chosen: bool = False
    why_off: str = ""


@dataclass(frozen=True, eq=False)
class Sketch:
    """A nodule in a few steps on a slice, to be looked at only."""

    slice_index: int
    made: Sketched

    @property
    def text(self) -> str:
        """What it is, in words."""
        return f"Live, {self.made.steps} step{'s' if self.made.steps > 1 else ''}"


def stored_switch() -> LiveSwitch:
    """Return what was chosen at an earlier start; on, if nothing was."""
    chosen = QSettings().value(_KEY)
    return LiveSwitch() if chosen is None else LiveSwitch(is_on=chosen == "on", is_chosen=True)


def store_switch(is_on: bool) -> LiveSwitch:
    """Remember what was chosen, and return it."""
    QSettings().setValue(_KEY, "on" if is_on else "off")
    return LiveSwitch(is_on, is_chosen=True)
