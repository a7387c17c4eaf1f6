"""Generate and Cancel, Accept and Discard, Export; and why one of them is not to be had now."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from engine.events import EngineState, GenerationResult
from engine.plain_measures import PlainMeasures
from studio import commands
from studio.buttons import button
from studio.own_nodule import nodule_described
from studio.placed import count_whole
from studio.placing import Placing
from studio.queue import SEEDS, JobQueue
from studio.reasons import why_no_ranking, why_not_export, why_not_generate, why_not_rank
from studio.session import Session
from studio.slice_texts import signed
from studio.theme import icon, line


def _text() -> QLabel:
    label = QLabel()
    label.setProperty("role", "muted")
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
    return label


class PlacingControls(QWidget):
    """The buttons from a box to an exported nodule."""

    export_wanted = Signal()
    best_wanted = Signal()

    def __init__(self, session: Session, placing: Placing, queue: JobQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._look = ("primary", "generate")
        self.seeds = button(f"{SEEDS} seeds", "seeds", "Shift+G", "small", queue.try_seeds)
        self.best = button(f"Best of {SEEDS}", "ranking", "Ctrl+Shift+G", "small", self.best_wanted.emit)
        self.best.setAccessibleName(f"Best of {SEEDS} seeds")
        self.generate = button("Generate", "generate", "G or Return", "primary", placing.generate)
        self.cancel = button("Cancel", "cancel", "Esc", "", placing.cancel)
        self.accept = button("Accept", "accept", "A", "primary", lambda: commands.accept(session))
        self.discard = button("Discard", "discard", "D", "", lambda: commands.discard(session))
        self.compare = button("", "compare", "hold Space", "", lambda: None)
        self.compare.setToolTip("Hold to see the original (Space)")
        self.compare.setAccessibleName("Hold to see the original")
        self.compare.setFixedWidth(40)
        self.compare.pressed.connect(lambda: self._show_original(True))
        self.compare.released.connect(lambda: self._show_original(False))
        self.export = button("Export…", "export", "Ctrl+E", "", self.export_wanted.emit)
        self.status, self.rank_reason, self.export_reason = _text(), _text(), _text()
        # As high with one line as with the three that may tell of a finished nodule: nothing above it jumps.
        self.status.setText("\n\n")
        self.status.setMinimumHeight(self.status.sizeHint().height())
        self.progress = QProgressBar(textVisible=False)
        self.progress.setAccessibleName("Progress of generating")
        self._lay_out()
        for signal in (
            session.volume_changed,
            session.made_whole_changed,
            session.slice_index_changed,
            session.box_changed,
            session.engine_changed,
            session.job_changed,
            session.preview_changed,
            session.sketch_changed,
            session.candidate_changed,
            session.accepted_changed,
            session.exported_changed,
            session.queue_changed,
        ):
            signal.connect(self.show_session)
        self.show_session()

    def _lay_out(self) -> None:
        self._first = QStackedLayout()
        self._first.addWidget(self.generate)
        self._first.addWidget(self.cancel)
        self._waiting = QWidget()
        row = QHBoxLayout(self._waiting)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.accept, 1)
        row.addWidget(self.discard, 1)
        row.addWidget(self.compare)
        policy = self.progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # Nothing above it jumps when it comes and goes.
        self.progress.setSizePolicy(policy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 6, 16, 6)
        layout.setSpacing(5)
        layout.addLayout(self._first)
        several = QHBoxLayout()
        several.setSpacing(8)
        several.addWidget(self.seeds, 1)
        several.addWidget(self.best, 1)
        layout.addLayout(several)
        for widget in (self.rank_reason, self.progress, self.status, line()):
            layout.addWidget(widget)
        self._ending = QWidget()
        end = QHBoxLayout(self._ending)
        end.setContentsMargins(0, 0, 0, 0)
        end.setSpacing(12)
        end.addWidget(self.export)
        self.export_reason.setAlignment(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        end.addWidget(self.export_reason, 1)
        # One after the other, in one place: a nodule that waits is accepted or discarded before any is exported.
        self._last = QStackedLayout()
        self._last.addWidget(self._ending)
        self._last.addWidget(self._waiting)
        layout.addLayout(self._last)

    def _show_original(self, shown: bool) -> None:
        self._session.original_shown = shown

    def show_session(self) -> None:
        """Show what can be done now, and why the rest cannot."""
        session, job, preview = self._session, self._session.job, self._session.preview
        why = why_not_generate(session)
        self._first.setCurrentWidget(self.cancel if job else self.generate)
        self.generate.setEnabled(why is None)
        self.seeds.setEnabled(why is None)
        self.seeds.setToolTip(why or f"Try this box and these scores with {SEEDS} seeds, one after the other (Shift+G)")
        self._show_best()
        self._show_generate(is_primary=session.nodule_in_box is None)
        self.progress.setVisible(job is not None)
        self.progress.setRange(0, preview.steps if preview else 1)
        self.progress.setValue(preview.step if preview else 0)
        self.status.setText(status_text(session))
        is_waiting = session.candidate is not None and job is None and session.sketch_here is None
        self._last.setCurrentWidget(self._waiting if is_waiting else self._ending)
        why = why_not_export(session)
        self.export.setEnabled(why is None)
        what = "accepted nodules" if session.accepted else "slice as it was made"
        self.export.setToolTip(why or f"Export the {what} (Ctrl+E)")
        self.export_reason.setText(why or _accepted_text(session))

    def _show_best(self) -> None:
        why = why_not_rank(self._session)
        self.best.setEnabled(why is None)
        self.best.setToolTip(why or f"Best of {SEEDS} seeds: ranked by how well they obey the scores (Ctrl+Shift+G)")
        # What else hinders it hinders the first button, too, and stands in the line below.
        self.rank_reason.setText(why_no_ranking() or "")
        self.rank_reason.setVisible(bool(self.rank_reason.text()))

    def _show_generate(self, is_primary: bool) -> None:
        """Let Generate stand out, or, while a nodule waits, Accept alone."""
        is_dark = is_primary and self.generate.isEnabled()
        look = ("primary" if is_primary else "", "generate" if is_dark else "generate-light")
        if look == self._look:  # A style sheet is slow to apply, and previews come often.
            return
        self._look = look
        self.generate.setProperty("role", look[0])
        self.generate.setText("Generate" if is_primary else "Generate again")
        self.generate.setIcon(icon(look[1]))
        self.generate.style().polish(self.generate)


def status_text(session: Session) -> str:
    """Return how far the job is, else why there can be none, else what was measured of the candidate."""
    preview = session.preview
    if session.job:
        begun = f"Step {preview.step} of {preview.steps}, {preview.seconds_left:.1f} s left" if preview else ""
        why = why_not_generate(session) if session.is_slice_forming else ""
        return "\n".join(filter(None, (begun or _starting_text(session), why)))
    if session.sketch_here:
        what = "puts it in the place of the accepted nodule" if session.selected else "makes the nodule"
        return f"{session.sketch_here.text}: to be looked at only; G {what}"
    why, nodule = why_not_generate(session), nodule_described(session)
    if why is None and session.engine.state is EngineState.FAILED:
        return "The model could not be loaded; Generate tries it again."
    return why or (result_text(nodule.result) if nodule else "")


def _starting_text(session: Session) -> str:
    if session.engine.state is EngineState.LOADING:
        return "Waiting for the model to be loaded"
    return "Next, after the one of the queue that is being made" if session.queue.running else "Starting"


def result_text(result: GenerationResult) -> str:
    """Return what was measured of a finished nodule, and its seed: the field of the seed may be out of sight."""
    measured, plain = result.measurement, result.measurement.plain
    size = f"{measured.diameter_mm:.1f} mm," if measured.mask.any() else "No nodule could be measured;"
    hu = signed(measured.mean_hu)
    hu = f"{hu} ± {plain.sd_hu:.0f} HU" if plain else f"mean {hu} HU"
    made = f"seed {result.request.options.seed}, made in {result.seconds:.1f} s"
    looks = f"\n{plain_text(plain)}" if plain else ""
    return f"{size} {hu}, {made}{looks}"


def plain_text(plain: PlainMeasures) -> str:
    """Return the plain measures of a nodule but for its HU."""
    found = [f"{plain.solid_part:.0%} solid".replace("%", " %")]
    if plain.circularity is not None:
        found.append(f"circularity {plain.circularity:.2f}")
    if plain.edge_sharpness is not None:
        found.append(f"edge {plain.edge_sharpness:.2f} /mm")
    return ", ".join(found)


def _accepted_text(session: Session) -> str:
    if not session.accepted:
        return "The slice as it was made"
    placed = count_whole(session.accepted)
    text = "1 accepted nodule" if placed == 1 else f"{placed} accepted nodules"
    is_extended = placed < len(session.accepted)
    text += f" in {len({nodule.slice_index for nodule in session.accepted})} slices" if is_extended else ""
    if not session.not_exported:
        return f"{text}, exported"
    if len(session.not_exported) == len(session.accepted):
        return text
    left = count_whole(session.not_exported)
    return f"{text}, not exported in all of them" if left == placed else f"{text}, {left} not exported"
