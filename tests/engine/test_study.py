"""A reader's answers: kept at once, never lost, never twice."""

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from engine import study as study_module
from engine.errors import InputError
from engine.study import Answer, AnswerBook, order_for, read_answers
from engine.study_answer import check_answer
from tests.made_up_study import SHAPE, made_up_answer, made_up_study


@pytest.fixture
def study(tmp_path):
    return made_up_study(tmp_path / "study")


@pytest.fixture
def draw():
    return np.random.default_rng(1)


def answer_all(study, reader, draw, most=99):
    with AnswerBook(study, reader) as book:
        given = []
        while len(given) < most and (trial := book.next_trial):
            given.append(made_up_answer(trial, draw))
            book.record(given[-1])
        assert list(book.answers.values())[-len(given) :] == given
    return given


def test_answers_come_back_in_the_order_of_answering(study, draw):
    given = answer_all(study, "anna", draw)
    assert tuple(answer.trial for answer in given) == order_for(study, "anna")
    with AnswerBook(study, "anna") as book:
        assert list(book.answers.values()) == given
        assert book.next_trial is None
    assert list(read_answers(study, "anna").values()) == given
    assert read_answers(study, "ben") == {}


def test_a_reader_goes_on_where_it_was_left(study, draw):
    given = answer_all(study, "anna", draw, most=3)
    with AnswerBook(study, "anna") as book:
        assert book.next_trial.number == order_for(study, "anna")[3]
    given += answer_all(study, "anna", draw)
    assert list(read_answers(study, "anna").values()) == given
    assert len(given) == len(study.trials)


def test_an_answer_is_on_the_disk_at_once(study, draw):
    with AnswerBook(study, "anna") as book:
        answer = made_up_answer(book.next_trial, draw)
        book.record(answer)
        assert read_answers(study, "anna") == {answer.trial: answer}


def test_a_trial_is_answered_once(study, draw):
    with AnswerBook(study, "anna") as book:
        answer = made_up_answer(book.next_trial, draw)
        book.record(answer)
        with pytest.raises(InputError, match="answered already"):
            book.record(replace(answer, seconds=9.0))
        assert dict(book.answers) == {answer.trial: answer}


def test_a_closed_book_takes_no_answers(study, draw):
    book = AnswerBook(study, "anna")
    book.close()
    book.close()
    with pytest.raises(ValueError, match="closed"):
        book.record(made_up_answer(study.trials[0], draw))


def test_no_two_write_a_readers_answers(study):
    with AnswerBook(study, "anna"), AnswerBook(study, "ben"):
        with pytest.raises(InputError, match="answers of anna are open in another"):
            AnswerBook(study, "anna")
        run = subprocess.run(
            [sys.executable, "-m", "tests.engine.recording_reader", study.folder, "anna", "0", "99"],
            capture_output=True,
            text=True,
        )
        assert "answers of anna are open in another" in run.stderr
    AnswerBook(study, "anna").close()


def test_an_unknown_reader_is_refused(study):
    for read in (AnswerBook, read_answers):
        with pytest.raises(InputError, match="no reader 'carl'"):
            read(study, "carl")


@pytest.mark.parametrize("torn", [b"{", b'{"study": "5f0f', b"\0\0\0"])
def test_a_torn_last_line_is_dropped_and_nothing_else(study, draw, torn):
    given = answer_all(study, "anna", draw, most=3)
    path = study.folder / "answers" / "anna.jsonl"
    with path.open("ab") as file:
        file.write(torn)
    assert list(read_answers(study, "anna").values()) == given
    given += answer_all(study, "anna", draw)
    assert list(read_answers(study, "anna").values()) == given


def spoil(line, **changes):
    return json.dumps({**json.loads(line), **changes}).encode() + b"\n"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda lines: [lines[0][:-9] + b"\n", *lines[1:]], "Line 1 of .* is damaged"),
        (lambda lines: [*lines, lines[1]], "Line 4 of .* answers trial . again"),
        (lambda lines: [lines[0], spoil(lines[1], study="other"), lines[2]], "Line 2 of .* is of another study"),
        (lambda lines: [spoil(lines[0], trial=99), *lines[1:]], "Line 1 of .* is no answer"),
        (lambda lines: [spoil(lines[0], value="up"), *lines[1:]], "Line 1 of .* is no answer"),
        (lambda lines: [spoil(lines[0], seconds="1"), *lines[1:]], "Line 1 of .* is no answer"),
        (lambda lines: [b"[]\n", *lines[1:]], "Line 1 of .* is damaged"),
    ],
)
def test_answers_that_were_changed_are_refused(study, draw, change, sentence):
    answer_all(study, "anna", draw, most=3)
    path = study.folder / "answers" / "anna.jsonl"
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    content = path.read_bytes()
    for read in (AnswerBook, read_answers):
        with pytest.raises(InputError, match=sentence):
            read(study, "anna")
    assert path.read_bytes() == content


def test_on_a_full_disk_nothing_is_lost(study, draw, monkeypatch):
    """The disk takes a part of the line, then no more; with room again, the same answer is taken."""
    given = answer_all(study, "anna", draw, most=2)
    with AnswerBook(study, "anna") as book:
        given.append(made_up_answer(book.next_trial, draw))

        def full(_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(study_module.os, "fsync", full)
            with pytest.raises(InputError, match=r"could not be saved .* make room"):
                book.record(given[-1])
        assert len(book.answers) == 2
        assert list(read_answers(study, "anna").values()) == given[:2]
        book.record(given[-1])
    assert list(read_answers(study, "anna").values()) == given


GOOD = {"real_or_synthetic": 6, "forced_choice": "left", "rate_attributes": (1, 2, 3, 4, 5), "find_nodule": None}
BAD = {
    "real_or_synthetic": [0, 7, True, 2.0, "3", None],
    "forced_choice": ["up", None, 1],
    "rate_attributes": [(1, 2, 3, 4), (1, 2, 3, 4, 6), (0, 2, 3, 4, 5), (1.0, 2, 3, 4, 5), None, 3],
    "find_nodule": [(1.0,), (-0.1, 3.0), (3.0, SHAPE[1] + 0.1), (float("nan"), 1.0), "left", ("1", 2)],
}


@pytest.mark.parametrize("kind", GOOD)
def test_only_answers_to_the_question_are_taken(study, kind):
    trial = next(trial for trial in study.trials if trial.kind == kind)
    confidence = 6 if kind == "find_nodule" else None
    good = Answer(trial.number, kind, GOOD[kind], confidence, 0.0, "2031-05-09T14:03:59Z")
    check_answer(trial, good)
    wrong = [replace(good, value=value) for value in BAD[kind]]
    wrong += [replace(good, confidence=other) for other in ({0, 7, True, None} if confidence else {0, 3})]
    wrong += [replace(good, seconds=seconds) for seconds in (-1.0, float("nan"), float("inf"))]
    wrong += [replace(good, answered_at=date) for date in ("", "yesterday", "2031-05-09T14:03:59")]
    wrong += [replace(good, trial=trial.number + 1), replace(good, kind="other")]
    for answer in wrong:
        with pytest.raises(InputError):
            check_answer(trial, answer)


def test_three_readers_killed_twice_lose_no_answer(tmp_path):
    """3 readers x 60 trials in processes of their own; each is killed twice (SIGKILL) while it records."""
    study = made_up_study(tmp_path / "study", counts=dict.fromkeys(GOOD, 15))
    confirmed = {reader: [] for reader in study.readers}
    for kill_after in (17, 12, None):
        processes = {reader: start_reading(study, reader, kill_after) for reader in study.readers}
        for reader, process in processes.items():
            confirmed[reader] += read_until_killed(process, kill_after)
    for reader in study.readers:
        kept = [str(answer) for answer in read_answers(study, reader).values()]
        lost = [line for line in confirmed[reader] if line not in kept]
        assert lost == []
        assert len(kept) == 60
        assert sorted(read_answers(study, reader)) == list(range(1, 61))


def start_reading(study, reader, kill_after):
    most = 2 * kill_after if kill_after else 60
    command = [sys.executable, "-m", "tests.engine.recording_reader", study.folder, reader, str(most), str(most)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **pipes)


def read_until_killed(process, kill_after):
    """Return the answers that the process told of; it is killed after so many of them."""
    with process:
        lines = [process.stdout.readline() for _ in range(1 + (kill_after or 0))]
        if kill_after:
            process.kill()
        else:
            process.stdin.close()
        lines += process.stdout.readlines()
        assert process.stderr.read() == ""
    assert process.returncode == (-9 if kill_after else 0)
    assert lines[0] == "open\n"
    return [line.strip() for line in lines[1:]]
