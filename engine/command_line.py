"""What the commands of ``nodule-engine`` share: arguments, progress, and the line that is printed at the end."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.checkpoint import load_checkpoint
from engine.errors import InputError
from engine.events import (
    MOST_GUIDANCE,
    MOST_SEED,
    MOST_STEPS,
    Finished,
    GenerationResult,
    Preview,
    Request,
    SamplingOptions,
    SliceRequest,
)
from engine.job_runner import failure_sentence, is_out_of_memory, what_failed
from engine.nodule import ATTRIBUTE_NAMES


def add_nodule(command: argparse.ArgumentParser, required: bool) -> None:
    """Add --box and --attributes; where they are not required, they are drawn."""
    drawn = "" if required else " [drawn with the seed]"
    command.add_argument(
        "--box",
        type=whole_number(),
        nargs=3,
        required=required,
        metavar=("ROW", "COLUMN", "SIDE"),
        help=f"top left corner and side in pixels; patient's right on the left, front up{drawn}",
    )
    command.add_argument(
        "--attributes",
        type=whole_number(1, 5),
        nargs=5,
        required=required,
        metavar=tuple(name[:3].upper() for name in ATTRIBUTE_NAMES),
        help=f"scores from 1 to 5: {', '.join(ATTRIBUTE_NAMES)}{drawn}",
    )


def add_sampling(command: argparse.ArgumentParser, defaults: SamplingOptions) -> None:
    """Add the options of `engine.events.SamplingOptions`, and --out; `defaults` are what is not given."""
    add = command.add_argument
    add("--seed", type=whole_number(0, MOST_SEED), default=defaults.seed, metavar="N", help="[%(default)s]")
    add("--steps", type=whole_number(1, MOST_STEPS), default=defaults.steps, metavar="N", help="[%(default)s]")
    add("--guidance", type=_guidance, default=defaults.guidance, metavar="G", help="1 switches it off [%(default)s]")
    add(
        "--solver",
        default=defaults.solver,
        metavar="NAME",
        help="dpm++2m; ddim; or ddpm, with 1000 steps the way of the paper [%(default)s]",
    )
    add(
        "--out",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="made if it is not there; files of the same names are replaced",
    )


def sampling_of(options: argparse.Namespace) -> SamplingOptions:
    """Return what `add_sampling` has read."""
    return SamplingOptions(options.seed, options.steps, options.guidance, options.solver)


def whole_number(least: int | None = None, most: int | None = None) -> Any:
    """Return a reader of whole numbers from `least` to `most`, both included."""
    bounds = "" if least is None else f" of {least} or more" if most is None else f" from {least} to {most}"

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or (least is not None and number < least) or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number{bounds}")
        return number

    return read


def _guidance(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= MOST_GUIDANCE:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {MOST_GUIDANCE:g}")
    return number


@contextmanager
def generating(what: str) -> Generator[None]:
    """Turn what is no fault of the program, a full memory or values that are no numbers, into one sentence.

    Parameters
    ----------
    what : as in `engine.job_runner.failure_sentence`

    Raises
    ------
    InputError
        Instead of those errors.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, FloatingPointError) and not is_out_of_memory(error):
            raise
        raise InputError(failure_sentence(error, what)) from error


def run_request(request: Request, checkpoint_folder: Path) -> GenerationResult:
    """Run a request of either kind to its end, its steps shown where standard error is a terminal.

    Raises
    ------
    InputError
        If the memory is full or the network returned what are no numbers, beside what loading and the generators
        themselves raise.
    """
    from tqdm import tqdm

    watched = sys.stderr.isatty()
    with generating(what_failed(request)):
        events = _events_of(request, checkpoint_folder, watched)
        with tqdm(total=request.options.steps, unit="step", file=sys.stderr, disable=not watched) as bar:
            for event in events:
                match event:
                    case Preview(step=step):
                        bar.update(step - bar.n)
                    case Finished(result=result):
                        return result
    raise RuntimeError("the generator ended without a result")


def _events_of(request: Request, checkpoint_folder: Path, previews: bool) -> Iterator[Preview | Finished]:
    from engine.generation import place_nodule
    from engine.slice_generation import generate_slice

    checkpoint = load_checkpoint(checkpoint_folder)
    if isinstance(request, SliceRequest):
        return generate_slice(checkpoint, request, previews=previews)
    return place_nodule(checkpoint, request, previews=previews)


def summary(slice_index: int, result: GenerationResult, folder: Path) -> dict[str, Any]:
    """Return what is printed of a result, as one line of JSON."""
    request, options = result.request, result.request.options
    return {
        "diameter_mm": round(float(result.measurement.diameter_mm), 2),
        "mean_hu": round(float(result.measurement.mean_hu), 1),
        "seconds": round(result.seconds, 3),
        "steps": options.steps,
        "seed": options.seed,
        "slice": slice_index,
        "box": [request.box.row, request.box.column, request.box.side],
        "attributes": list(request.attributes.scores),
        "checkpoint": result.checkpoint_name,
        "device": result.device,
        "out": str(folder),
    }
