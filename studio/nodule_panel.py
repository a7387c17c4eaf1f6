"""The panel beside the slice: the five attributes, how to sample, and what to do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from engine.nodule import ATTRIBUTE_NAMES
from studio.box_controls import BoxControls
from studio.placing import Placing
from studio.placing_controls import PlacingControls
from studio.queue import JobQueue
from studio.sampling_controls import SamplingControls
from studio.score_slider import AttributeRow
from studio.session import Session
from studio.suggesting import Suggesting
from studio.theme import line

_WIDTH = 336


class NodulePanel(QFrame):
    """Shows and changes attributes and options; has the buttons from Generate to Export."""

    def __init__(
        self,
        session: Session,
        placing: Placing,
        queue: JobQueue,
        suggesting: Suggesting,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self.setObjectName("panel")
        self.setFixedWidth(_WIDTH)
        self.box = BoxControls(session, suggesting)
        self.rows = {name: AttributeRow(name) for name in ATTRIBUTE_NAMES}
        self.plausibility = _two_lines()
        self.sampling = SamplingControls(session, placing)
        self.placing = PlacingControls(session, placing, queue)
        for name, row in self.rows.items():
            row.score_chosen.connect(partial(self._choose, name))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._scrolled(), 1)
        layout.addWidget(line())
        layout.addWidget(self.placing)
        session.attributes_changed.connect(self.show_attributes)
        session.plausibility_changed.connect(lambda: self.plausibility.setText(session.plausibility))
        self.show_attributes()

    def _scrolled(self) -> QScrollArea:
        body = QWidget()
        body.setObjectName("panelBody")
        layout = QVBoxLayout(body)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(10)
        layout.addWidget(self.box)
        layout.addWidget(line())
        for row in self.rows.values():
            layout.addWidget(row)
        layout.addWidget(self.plausibility)
        layout.addWidget(line())
        heading = QLabel("Sampling")
        heading.setProperty("role", "heading")
        layout.addWidget(heading)
        layout.addWidget(self.sampling)
        layout.addStretch(1)
        area = QScrollArea(widgetResizable=True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.verticalScrollBar().setAccessibleName("Scroll the attributes")
        area.setWidget(body)
        return area

    def _choose(self, name: str, score: int) -> None:
        self._session.attributes = replace(self._session.attributes, **{name: score})

    def show_attributes(self) -> None:
        """Show the scores of the session."""
        for name, score in zip(ATTRIBUTE_NAMES, self._session.attributes.scores, strict=True):
            self.rows[name].show_score(score or 1)


def _two_lines() -> QLabel:
    """Return a label that is as high with one line of text as with two: nothing below it jumps."""
    label = QLabel(alignment=Qt.AlignmentFlag.AlignTop, wordWrap=True)
    label.setProperty("role", "muted")
    label.setMinimumHeight(2 * label.fontMetrics().lineSpacing())
    label.setAccessibleName("How usual these scores are")
    return label
