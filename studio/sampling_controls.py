"""Seed, steps and guidance."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QSpinBox,
    QWidget,
)

from engine.events import MOST_GUIDANCE, MOST_SEED, MOST_STEPS
from studio.buttons import ReturnButton, keep_from_wheel
from studio.placing import Placing
from studio.session import Session
from studio.theme import ICON_SIZE, icon


class _Decimal(QDoubleSpinBox):
    """A field with a decimal point, for which a comma is taken, too: the keypads of many countries type one."""

    def validate(self, input: str, pos: int) -> tuple[QValidator.State, str, int]:
        """Put a point in the place of a comma."""
        return super().validate(input.replace(",", "."), pos)


class SamplingControls(QWidget):
    """How the next nodule is sampled."""

    def __init__(self, session: Session, placing: Placing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        # All that a request may hold, for one that was opened is shown here. Seeds go beyond the whole numbers of Qt's
        # fields, not beyond those that a float has exactly.
        self.seed = QDoubleSpinBox(maximum=MOST_SEED, decimals=0)
        self.steps = QSpinBox(minimum=1, maximum=MOST_STEPS)
        self.guidance = _Decimal(minimum=0, maximum=MOST_GUIDANCE, singleStep=0.5, decimals=1)
        self.new_seed = ReturnButton(icon("new-seed"), "")
        self.new_seed.setIconSize(ICON_SIZE)
        self.new_seed.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.new_seed.setToolTip("New seed (N)")
        self.new_seed.setAccessibleName("New seed")
        self.new_seed.setFixedWidth(40)
        self.new_seed.clicked.connect(placing.new_seed)
        self._lay_out()
        self._connect()
        self.show_options()

    def _lay_out(self) -> None:
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(8)
        layout.setVerticalSpacing(5)
        tips = {
            "Seed": "The same seed, box and scores give the same nodule",
            "Steps": "Denoising steps: more take longer",
            "Guidance": "How strongly the scores are followed; 1 switches guidance off",
        }
        for name, field in (("Seed", self.seed), ("Steps", self.steps), ("Guidance", self.guidance)):
            field.setToolTip(tips[name])
            field.setAccessibleName(name)
            keep_from_wheel(field)
            field.lineEdit().setTextMargins(6, 0, 0, 0)
        layout.addWidget(QLabel("Seed"), 0, 0)
        layout.addWidget(self.seed, 0, 1, 1, 3)
        layout.addWidget(self.new_seed, 0, 4)
        layout.addWidget(QLabel("Steps"), 1, 0)
        layout.addWidget(self.steps, 1, 1)
        layout.addWidget(QLabel("Guidance"), 1, 2, Qt.AlignmentFlag.AlignRight)
        layout.addWidget(self.guidance, 1, 3, 1, 2)
        layout.setColumnStretch(1, 1)
        layout.setColumnStretch(3, 1)

    def _connect(self) -> None:
        self._session.options_changed.connect(self.show_options)
        self.seed.valueChanged.connect(self._change_seed)
        self.steps.valueChanged.connect(partial(self._change, "steps"))
        self.guidance.valueChanged.connect(partial(self._change, "guidance"))

    def _change_seed(self, seed: float) -> None:
        self._change("seed", int(seed))

    def _change(self, option: str, value: float) -> None:
        changed: Any = {option: value}
        self._session.options = replace(self._session.options, **changed)

    def show_options(self) -> None:
        """Show what the session has, without announcing it as chosen."""
        options = self._session.options
        shown = ((self.seed, options.seed), (self.steps, options.steps), (self.guidance, options.guidance))
        for field, value in shown:
            if field.value() != value:
                field.blockSignals(True)
                field.setValue(value)  # pyright: ignore[reportArgumentType]
                field.blockSignals(False)
