"""The panel beside the slice: the five attributes, how to sample, and what to do."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from engine.nodule import ATTRIBUTE_NAMES
from studio.box_controls import BoxControls
from studio.live import Live
from studio.live_controls import LiveControls
from studio.own_nodule import nodule_described
from studio.placing import Placing
from studio.placing_controls import PlacingControls
from studio.queue import JobQueue
from studio.reasons import why_not_generate
from studio.sampling_controls import SamplingControls
from studio.score_slider import AttributeRow
from studio.session import Session
from studio.suggesting import Suggesting
from studio.theme import line

_WIDTH = 336


class NodulePanel(QFrame):
    """Shows and changes attributes and options; has the buttons from Generate to Export.

    Attributes
    ----------
    ladder_wanted : Signal(str)
        That attribute is to be swept.
    """

    ladder_wanted = Signal(str)

    def __init__(
        self,
        session: Session,
        placing: Placing,
        queue: JobQueue,
        suggesting: Suggesting,
        live: Live,
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
        self.live = LiveControls(session, live)
        self.placing = PlacingControls(session, placing, queue)
        for name, row in self.rows.items():
            row.score_chosen.connect(partial(self._choose, name))
            row.score_chosen.connect(live.follow_scores)
            row.slider.sliderPressed.connect(live.hold)
            row.slider.sliderReleased.connect(live.release)
            row.ladder_wanted.connect(partial(self.ladder_wanted.emit, name))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._scrolled(), 1)
        layout.addWidget(line())
        layout.addWidget(self.placing)
        session.attributes_changed.connect(self.show_attributes)
        for signal in (
            session.candidate_changed,
            session.accepted_changed,
            session.box_changed,
            session.sketch_changed,
        ):
            signal.connect(self.show_readings)
        session.plausibility_changed.connect(lambda: self.plausibility.setText(session.plausibility))
        for signal in (
            session.volume_changed,
            session.slice_index_changed,
            session.box_changed,
            session.engine_changed,
            session.job_changed,
        ):
            signal.connect(self._show_ladders)
        self.show_attributes()
        self._show_ladders()

    def _scrolled(self) -> QScrollArea:
        body = QWidget()
        body.setObjectName("panelBody")
        layout = QVBoxLayout(body)
        # So close that all of it is in sight in a window of 1000 x 800: nothing needed for a nodule is scrolled to.
        layout.setContentsMargins(16, 6, 16, 4)
        layout.setSpacing(3)
        layout.addWidget(self.box)
        layout.addWidget(line())
        for row in self.rows.values():
            layout.addWidget(row)
        layout.addWidget(self.plausibility)
        layout.addWidget(line())
        layout.addWidget(self.sampling)
        layout.addWidget(self.live)
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
            self.rows[name].show_score(score)
        self.show_readings()

    def show_readings(self) -> None:
        """Show which scores were read back from the nodule in the box, if there is one and they were."""
        nodule = None if self._session.sketch_here else nodule_described(self._session)
        result = nodule.result if nodule else None
        for name, row in self.rows.items():
            scores = result.measurement.scores if result else None
            asked: int | None = getattr(result.request.attributes, name) if result else None
            row.show_reading(asked, scores[name] if scores else None)

    def _show_ladders(self) -> None:
        why = why_not_generate(self._session)
        for row in self.rows.values():
            row.show_why_no_ladder(why)


def _two_lines() -> QLabel:
    """Return a label that is as high with one line of text as with two: nothing below it jumps."""
    label = QLabel(alignment=Qt.AlignmentFlag.AlignTop, wordWrap=True)
    label.setProperty("role", "muted")
    label.setMinimumHeight(2 * label.fontMetrics().lineSpacing())
    label.setAccessibleName("How usual these scores are")
    return label
