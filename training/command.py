"""What every script under ``training/`` does with input that is of no use."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from engine.errors import InputError

#: Exit code of a training that was asked to stop before its end, so that what waits for its end does not begin.
NOT_DONE = 3

_Arguments = ParamSpec("_Arguments")


def command(main: Callable[_Arguments, int | None]) -> Callable[_Arguments, int]:
    """Let `main` return its exit code: 0 where it returns none; 2 and one sentence on standard error if it raises
    `engine.errors.InputError`.
    """

    @wraps(main)
    def run(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> int:
        try:
            return main(*args, **kwargs) or 0
        except InputError as error:
            print(error, file=sys.stderr)
            return 2

    return run
