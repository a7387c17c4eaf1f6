"""Starts a real studio, kills it at a random moment as `kill -9` does, and looks what is left."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from engine import journal
from engine.errors import InputError
from studio.autosave import read_session


@dataclass
class Left:
    """What a killed studio had told, and what of it is missing: nothing, if all is well."""

    finished: set[str] = field(default_factory=set)
    accepted: int = 0
    missing: list[str] = field(default_factory=list)


def kill_once(folder: Path, ct: Path, draw: random.Random) -> Left:
    """Let a studio work until it has told of a result, then some more, and kill it; return what is left of it.

    Parameters
    ----------
    folder : Path
        Its data: `journal`, `session.json`. What it held before must be there afterwards, too.
    draw : Random
        Gives the moment.
    """
    command = [sys.executable, "-m", "tests.studio.endless_studio", str(folder), str(ct)]
    before = read_session(folder / "session.json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        time.sleep(draw.uniform(0, 0.8))
        process.kill()
        lines += process.stdout.readlines()
    return _looked_through(folder, lines, len(before.accepted) if before else 0)


def _looked_through(folder: Path, lines: list[str], accepted_before: int) -> Left:
    left = Left(accepted=accepted_before)
    for line in lines:
        what, _, value = line.strip().partition(" ")
        if what == "finished":
            left.finished.add(value)
        elif what == "accepted":
            left.accepted = int(value)
    there = journal.entries(folder / "journal")
    left.missing += sorted(left.finished - {path.name for path in there})
    for path in there:
        try:
            journal.read(path)
        except InputError as error:
            left.missing.append(str(error))
    saved = read_session(folder / "session.json")
    if left.accepted and (saved is None or len(saved.accepted) < left.accepted):
        left.missing.append(
            f"{left.accepted} accepted nodules, of which {len(saved.accepted) if saved else 0} are left"
        )
    return left
