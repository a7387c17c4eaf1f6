"""The box: its size, whether it is a place where a nodule can be, and suggestions."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from engine.lungs import LEAST_SHARE_IN_LUNG
from studio.buttons import button
from studio.reasons import why_not_suggest_place
from studio.session import Session
from studio.slice_texts import side_text
from studio.suggesting import Suggesting


class BoxControls(QWidget):
    """Tells size and place of the box on one line; has the buttons that suggest a place and scores."""

    def __init__(self, session: Session, suggesting: Suggesting, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        heading = QLabel("Box")
        heading.setProperty("role", "heading")
        self.place = QLabel(alignment=Qt.AlignmentFlag.AlignRight)
        self.place.setAccessibleName("Size and place of the box")
        self.suggest_place = button("Suggest a place", "suggest", "P", "small", suggesting.suggest_place)
        self.suggest_scores = button("Suggest scores", "suggest", "Shift+P", "small", suggesting.suggest_scores)
        self.suggest_scores.setToolTip("Suggest scores that occur together in nodules of this size (Shift+P)")
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(8)
        layout.setVerticalSpacing(5)
        layout.addWidget(heading, 0, 0)
        layout.addWidget(self.place, 0, 0, 1, 2)
        layout.addWidget(self.suggest_place, 1, 0)
        layout.addWidget(self.suggest_scores, 1, 1)
        for signal in (
            session.volume_changed,
            session.slice_index_changed,
            session.box_changed,
            session.lungs_changed,
            session.job_changed,
        ):
            signal.connect(self.show_session)
        self.show_session()

    def show_session(self) -> None:
        """Show the box, or why there can be none now; warn of one that lies outside the lungs."""
        why = why_not_suggest_place(self._session)
        self.suggest_place.setEnabled(why is None)
        self.suggest_place.setToolTip(why or "Draw a box at a likely place in the lungs; again for another one (P)")
        self.place.setText(why or place_text(self._session))
        role = "warning" if not why and is_outside_lungs(self._session) else "muted"
        if self.place.property("role") != role:  # A style sheet is slow to apply.
            self.place.setProperty("role", role)
            self.place.style().polish(self.place)


def is_outside_lungs(session: Session) -> bool:
    """Whether the box on the slice that is shown is known to lie outside the lungs by more than a fifth."""
    share = session.share_in_lungs
    return share is not None and share < LEAST_SHARE_IN_LUNG


def place_text(session: Session) -> str:
    """Return the size of the box and, as soon as that is known, what part of it lies in the lungs."""
    if session.box is None or session.volume is None:
        return "None drawn"
    if session.box_here is None:
        return f"On slice {session.box.slice_index + 1}"
    size, share = side_text(session.box_here, session.volume.pixel_spacing), session.share_in_lungs
    if share is None:
        return size
    percent = int(share * 100)
    if percent == 0:
        return f"{size}, outside the lungs"
    return f"{size}, {'only ' if is_outside_lungs(session) else ''}{percent} % in the lungs"
