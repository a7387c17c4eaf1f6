"""Reader studies: opening one, and a reader's answers, of which none that was confirmed is ever lost.

`answers/READER.jsonl` has one line of JSON an answer, which only ever grows. A line is flushed to the disk before
`AnswerBook.record` returns. A process that is killed while it writes leaves a line that is torn; nobody was told that
this answer is kept, and the next `AnswerBook` cuts it off. Who gets which trial when, and the images: `study_trials`.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from engine.errors import InputError
from engine.json_files import parse_json
from engine.study_answer import MOST_CONFIDENCE, MOST_SCORE, SIDES, Answer, Value, check_answer
from engine.study_trials import (
    ANSWERS,
    TRIAL_KINDS,
    Study,
    Trial,
    TrialKind,
    check_reader,
    open_study,
    order_for,
    trial_images,
)

__all__ = [
    "MOST_CONFIDENCE",
    "MOST_SCORE",
    "SIDES",
    "TRIAL_KINDS",
    "Answer",
    "AnswerBook",
    "Study",
    "Trial",
    "TrialKind",
    "Value",
    "check_answer",
    "open_study",
    "order_for",
    "read_answers",
    "trial_images",
]


class AnswerBook:
    """One reader's answers; a context manager.

    Only one at a time, in any process, can be open for a reader. Use it in one thread at a time.

    Raises
    ------
    InputError
        If the reader is unknown, another process has the reader's answers open, the file is damaged, or cannot be
        written to.
    """

    def __init__(self, study: Study, reader: str) -> None:
        from filelock import FileLock

        check_reader(study, reader)
        self.study, self.reader = study, reader
        self._order = order_for(study, reader)
        folder = study.folder / ANSWERS
        # Not bound to a thread. The operating system opens the lock when the process ends, in whatever way.
        self._lock = FileLock(folder / f"{reader}.lock", timeout=0, thread_local=False)
        self._locked(folder)
        try:
            self._answers, self._length = _read(study, reader)
            _append(answers_path(study, reader), self._length, b"")
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> AnswerBook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def answers(self) -> Mapping[int, Answer]:
        """What is answered, by the number of the trial, in the order of answering."""
        return MappingProxyType(self._answers)

    @property
    def next_trial(self) -> Trial | None:
        """The first trial, in the reader's order, that has no answer; None at the end."""
        return next((self.study.trial(number) for number in self._order if number not in self._answers), None)

    def record(self, answer: Answer) -> None:
        """Keep an answer; it is on the disk when this returns.

        Raises
        ------
        InputError
            If the trial is answered already, the answer is none to it (see `check_answer`), or it cannot be written;
            nothing is kept then.
        """
        check_answer(self.study.trial(answer.trial), answer)
        if answer.trial in self._answers:
            raise InputError(f"Trial {answer.trial} is answered already; go on with the next one.")
        if not self._lock.is_locked:
            raise ValueError("the answer book is closed")
        line = _line(self.study, answer)
        _append(answers_path(self.study, self.reader), self._length, line)
        self._length += len(line)
        self._answers[answer.trial] = answer

    def close(self) -> None:
        """Let others open the reader's answers. Closing twice is allowed."""
        self._lock.release()

    def _locked(self, folder: Path) -> None:
        from filelock import Timeout

        try:
            folder.mkdir(exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise InputError(
                f"The answers of {self.reader} are open in another window or program; go on there, or close it first."
            ) from error
        except (OSError, RuntimeError) as error:
            raise InputError(f"Answers cannot be written to {folder}; allow writing there.") from error


def answers_path(study: Study, reader: str) -> Path:
    """Return where a reader's answers are; the file is missing until the first one."""
    return study.folder / ANSWERS / f"{reader}.jsonl"


def read_answers(study: Study, reader: str) -> dict[int, Answer]:
    """Read a reader's answers by the number of the trial, in the order of answering, without changing the file.

    Raises
    ------
    InputError
        If the study has no such reader, or the file is damaged: any line but a torn last one, answers of another
        study or to trials that there are not, or two to the same trial.
    """
    check_reader(study, reader)
    return _read(study, reader)[0]


def _read(study: Study, reader: str) -> tuple[dict[int, Answer], int]:
    """Return the answers, and the length in bytes of the lines that are whole."""
    path = answers_path(study, reader)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}, 0
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); check the file.") from error
    # What lies behind the last line's end was being written when the process was killed.
    whole = content[: content.rfind(b"\n") + 1]
    answers: dict[int, Answer] = {}
    for number, line in enumerate(whole.splitlines(), start=1):
        answer = _parsed(study, line, f"Line {number} of {path}")
        if answer.trial in answers:
            raise InputError(f"Line {number} of {path} answers trial {answer.trial} again; restore it from a copy.")
        answers[answer.trial] = answer
    return answers, len(whole)


def _parsed(study: Study, line: bytes, where: str) -> Answer:
    try:
        written: Any = parse_json(line)
        uid = written.pop("study")
        if isinstance(written["value"], list):
            written["value"] = tuple(written["value"])
        answer = Answer(**written)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{where} is damaged; restore the file from a copy.") from error
    if uid != study.uid:
        raise InputError(f"{where} is of another study; put the file back into that one.")
    try:
        check_answer(study.trial(answer.trial), answer)
    except (InputError, TypeError) as error:
        raise InputError(f"{where} is no answer to a trial of this study; restore the file from a copy.") from error
    return answer


def _line(study: Study, answer: Answer) -> bytes:
    return json.dumps({"study": study.uid, **asdict(answer)}, allow_nan=False).encode() + b"\n"


def _append(path: Path, length: int, line: bytes) -> None:
    """Cut a file, made if need be, off where it was whole, add a line, and wait until it is on the disk."""
    try:
        with path.open("ab") as file:
            file.truncate(length)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        if length == 0:
            _flush_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.truncate(path, length)
        raise InputError(
            f"The answers could not be saved ({error.strerror or error}); make room or allow writing in {path.parent}, "
            "and try again."
        ) from error


def _flush_folder(folder: Path) -> None:
    """Wait until the names of new files are on the disk."""
    # Windows opens no folders, and keeps names of files safe by itself.
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
