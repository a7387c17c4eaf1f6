"""How many trials of each kind a study is to have, and how many are possible."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QSpinBox, QWidget

from engine.study import TRIAL_KINDS, TrialKind
from studio.reading_texts import TASKS
from studio.study_survey import Survey

#: Trials of each kind that are proposed, if there are enough images.
_USUAL = 20


class TrialCounts(QWidget):
    """One number a kind of trial; proposed until the user sets it.

    Attributes
    ----------
    changed : Signal()
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fields: dict[TrialKind, QSpinBox] = {kind: QSpinBox(minimum=0, maximum=999) for kind in TRIAL_KINDS}
        self.limits: dict[TrialKind, QLabel] = {kind: QLabel() for kind in TRIAL_KINDS}
        self._set: set[TrialKind] = set()
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(12)
        layout.setVerticalSpacing(6)
        layout.setColumnStretch(2, 1)
        for number, kind in enumerate(TRIAL_KINDS):
            field, limit = self.fields[kind], self.limits[kind]
            field.setAccessibleName(f"Trials: {TASKS[kind].title}")
            field.setFixedWidth(72)
            field.lineEdit().setTextMargins(6, 0, 0, 0)
            field.valueChanged.connect(partial(self._note, kind))
            limit.setProperty("role", "muted")
            layout.addWidget(QLabel(TASKS[kind].title), number, 0)
            layout.addWidget(field, number, 1)
            layout.addWidget(limit, number, 2)

    @property
    def counts(self) -> dict[TrialKind, int]:
        """What is asked for, without what is not."""
        return {kind: field.value() for kind, field in self.fields.items() if field.value()}

    def show_survey(self, found: Survey | None) -> None:
        """Show what is possible; propose numbers where the user has set none. None while that is found out."""
        for kind in TRIAL_KINDS:
            possible = found.possible[kind] if found and found.possible else 0
            self.limits[kind].setText(_limit_text(kind, found, possible) if found else "…")
            if found and kind not in self._set:
                field = self.fields[kind]
                field.blockSignals(True)
                field.setValue(min(_USUAL, possible))
                field.blockSignals(False)

    def _note(self, kind: TrialKind, count: int) -> None:
        self._set.add(kind)
        self.changed.emit()


def why_not_counts(counts: dict[TrialKind, int], found: Survey) -> str:
    """Return why these numbers cannot be, as one sentence; empty if they can."""
    for kind, count in counts.items():
        possible = found.possible[kind] if found.possible else 0
        if count > possible:
            return f'"{TASKS[kind].title}": {count} asked for, {possible} possible; add images, or ask for fewer.'
    return "" if counts else "Ask for at least one trial."


def _limit_text(kind: TrialKind, found: Survey, possible: int) -> str:
    if found.problem:
        return ""
    if possible:
        return f"up to {possible}"
    if not found.synthetic:
        return "needs results"
    if kind == "rate_attributes":
        return "needs results with scores"
    if kind == "find_nodule" and not found.no_nodule:
        return "needs slices without a nodule"
    if kind != "find_nodule" and not found.real:
        return "needs real nodules: add a CSV"
    return "needs results in other slices, of the same size"
