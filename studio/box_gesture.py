"""A change of the box, by mouse or keys, that takes effect in the session when it ends."""

from __future__ import annotations

from dataclasses import replace

from engine.nodule import BoundingBox
from studio import commands
from studio.box_drag import BoxDrag, Grip
from studio.placed import Dragged, PlacedNodule
from studio.placing import Placing
from studio.session import Session


class BoxGesture:
    """What the view shows of a box until the mouse button, or Shift, is released.

    Attributes
    ----------
    is_by_mouse : bool
        Whether a mouse button holds the box, so that keys leave it alone.
    """

    def __init__(self, session: Session, placing: Placing) -> None:
        self._session = session
        self._placing = placing
        self._drag: BoxDrag | None = None
        self._box: BoundingBox | None = None
        self.is_by_mouse = False

    @property
    def box(self) -> BoundingBox | None:
        """The box as it would be if the gesture ended now; None while nothing has moved."""
        return self._box

    def _show(self, box: BoundingBox | None) -> None:
        self._box = box
        is_new = self._drag is not None and self._drag.grip is Grip.NOTHING
        self._session.dragged = Dragged(box, None if is_new else self._session.nodule_in_box) if box else None

    @property
    def moved_nodule(self) -> PlacedNodule | None:
        """The finished nodule while it is moved elsewhere: its old place shows what was there before."""
        is_moving = self._drag is not None and self._drag.grip is Grip.INSIDE and self.box
        return self._session.nodule_in_box if is_moving else None

    def press(self, grip: Grip, at: tuple[float, float], slice_shape: tuple[int, int]) -> None:
        """Begin with the mouse at an image point, (row, column)."""
        if self._session.is_slice_forming:  # It is made for this box.
            return
        self.is_by_mouse = True
        self._show(None)
        self._drag = BoxDrag(grip, at, self._session.box_here, slice_shape)

    def drag_to(self, row: float, column: float) -> None:
        """Go on with the mouse at an image point."""
        if self._drag:
            self._show(self._drag.to(row, column))

    def nudge(self, down: int, right: int, resize: bool) -> None:
        """Move the box by a pixel, or resize it by one at its bottom right corner."""
        box = self.box or self._session.box_here
        if box is None or self.is_by_mouse or self._session.is_slice_forming:
            return
        grip = Grip.BOTTOM_RIGHT if resize else Grip.INSIDE
        if self._drag and self._drag.grip is not grip:
            self.finish()
        self._drag = self._drag or BoxDrag(grip, (box.row, box.column), box, box.slice_shape)
        if resize:
            room = min(box.slice_shape[0] - box.row, box.slice_shape[1] - box.column)
            self._show(replace(box, side=max(2, min(box.side + down + right, room))))
        else:
            self._show(box.moved_to(box.row + down, box.column + right))

    def finish(self) -> bool:
        """End it: change the session. Return whether there was anything to change."""
        drag, box = self._drag, self.box
        self.drop()
        if drag is None or box is None:
            return False
        holds_nodule = self._session.nodule_in_box is not None or self._session.job is not None
        if drag.grip is Grip.INSIDE or (drag.grip is not Grip.NOTHING and holds_nodule):
            self._placing.move_box(box)
        else:
            commands.set_box(self._session, box, "box" if drag.grip is Grip.NOTHING else "resizing")
        return True

    def drop(self) -> None:
        """End it without effect."""
        self._drag = None
        self._show(None)
        self.is_by_mouse = False
