"""Pictures of the program, made by driving its real window: `python -m tests.screenshots [OUT_FOLDER] [--input PATH]`.

Runs without a screen. Without a folder it renews the pictures of the README in `resources/pictures`; into a folder it
puts those of every state on its way. The engine is the real one with the embedded checkpoint, or that of --checkpoint;
where there is none, a scripted one. Without --input the pictures show a made-up chest and no patient's data.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from engine.checkpoint import DEFAULT_CHECKPOINT
from engine.job_runner import JobRunner, default_runner
from studio.theme import RESOURCES
from tests.own_window import own_window
from tests.picture_album import Album
from tests.picture_tour import Way, walk

PICTURES = RESOURCES / "pictures"
#: What the README shows.
README_PICTURES = frozenset({"finished", "box", "ladder", "compare", "light", "study", "generated"})


def main() -> int:
    """Make the pictures; return the exit code."""
    parser = _parser()
    options = parser.parse_args()
    if options.input and not options.out:
        parser.error("the pictures of the README show no patient: name a folder for those of another CT")
    with tempfile.TemporaryDirectory() as scratch, own_window(_open_runner(options.checkpoint)) as window:
        walk(window, _way(options), _album(options.out), Path(scratch))
    return 0


def _parser() -> argparse.ArgumentParser:
    way = Way()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", help="folder for the PNG files of all states")
    parser.add_argument("--input", type=Path, help="CT to open; a made-up chest if left out")
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT, help="its folder")
    parser.add_argument("--slice", type=int, help="index of the slice, from 0; the middle one if left out")
    parser.add_argument("--box", type=int, nargs=3, metavar=("ROW", "COLUMN", "SIDE"), default=way.box)
    parser.add_argument("--zoom", type=float, default=way.zoom, help="enlargement around the box")
    parser.add_argument("--size", type=int, nargs=2, default=way.size, help="of the window")
    return parser


def _way(options: argparse.Namespace) -> Way:
    return Way(options.input, options.slice, tuple(options.box), options.zoom, tuple(options.size))


def _album(out: Path | None) -> Album:
    if out is None:
        return Album(PICTURES, README_PICTURES)
    out.mkdir(parents=True, exist_ok=True)
    return Album(out)


def _open_runner(checkpoint: Path) -> Callable[[], JobRunner]:
    if checkpoint.is_dir():
        return partial(default_runner, checkpoint)
    from tests.scripted_engine import Loading, ScriptedRunner

    print(f"There is no checkpoint in {checkpoint}: the pictures show a scripted engine", file=sys.stderr)
    return Loading(ScriptedRunner(on_step=lambda step: time.sleep(0.1)))


if __name__ == "__main__":
    sys.exit(main())
