"""The words of the reader mode: tasks, questions, answers and keys."""

from __future__ import annotations

from dataclasses import dataclass

from engine.study import TrialKind

#: Real or synthetic, from 1 to 6; there is no middle, so that every answer leans to a side.
REALNESS = (
    "Surely real",
    "Probably real",
    "Perhaps real",
    "Perhaps synthetic",
    "Probably synthetic",
    "Surely synthetic",
)
#: Confidence, from 1 to 6.
CONFIDENCE = ("Guessed", "Unsure", "Rather unsure", "Rather sure", "Sure", "Very sure")
FINAL = "A confirmed answer cannot be changed."


@dataclass(frozen=True)
class Task:
    """One kind of trial in words.

    Attributes
    ----------
    title : str
        Of the part of the study.
    instruction : str
        Before the first of these trials.
    question : str
        Beside each of them.
    keys : (key, effect)
    """

    title: str
    instruction: str
    question: str
    keys: tuple[tuple[str, str], ...]


_ENTER = ("Enter", "Confirm; the next image follows")

TASKS: dict[TrialKind, Task] = {
    "find_nodule": Task(
        "Find the nodule",
        "Each image has one nodule, or none. Mark the middle of the nodule, or say that there is none; then say how "
        "sure you are.",
        "Is there a nodule, and where?",
        (
            ("Click", "Mark the nodule"),
            ("Arrow keys, Enter", "Move the cross, mark the nodule there"),
            ("N", "No nodule"),
            ("1 to 6", "How sure you are"),
            _ENTER,
        ),
    ),
    "real_or_synthetic": Task(
        "Real or synthetic?",
        "Each image has a nodule, in the box where there is one. It is of a patient, or it was made by a computer. Say "
        "which, and how sure you are.",
        "Is the nodule real or synthetic?",
        (("1 to 6", "Surely real to surely synthetic"), ("Left, Right", "The same, step by step"), _ENTER),
    ),
    "forced_choice": Task(
        "Which one is synthetic?",
        "Of two nodules side by side, one was made by a computer. Say which one, even if you have to guess.",
        "Which nodule is synthetic?",
        (("Left, Right", "Choose an image; a click does the same"), _ENTER),
    ),
    "rate_attributes": Task(
        "Rate the nodule",
        "Each image has a nodule in a box. Score its five attributes, each from 1 to 5.",
        "How does the nodule in the box look?",
        (
            ("1 to 5", "Score this attribute, and go to the next one"),
            ("Up, Down", "Another attribute"),
            ("Left, Right", "A lower or higher score"),
            _ENTER,
        ),
    ),
}

#: What works in every trial.
VIEW_KEYS = (
    ("Right button, Ctrl and arrows", "Window width and level"),
    ("L, M, B", "Lung, mediastinum, bone"),
    ("Wheel, + and −", "Zoom"),
    ("Middle button, Shift and arrows", "Pan"),
    ("F", "Fit, with the window as at first"),
    ("Z", "Zoom to the box"),
    ("Esc", "Pause"),
)
