"""``nodule-engine``: place nodules without a screen, and look into checkpoints.

Exit codes: 0 done; 2 bad input, with one sentence on standard error; 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

from engine.checkpoint import DEFAULT_CHECKPOINT, load_checkpoint, read_manifest
from engine.errors import InputError
from engine.events import (
    MOST_GUIDANCE,
    MOST_SEED,
    MOST_STEPS,
    Finished,
    GenerationRequest,
    GenerationResult,
    Preview,
    SamplingOptions,
)
from engine.exports import check_folder, export_all
from engine.job_runner import failure_sentence
from engine.nodule import ATTRIBUTE_NAMES, BoundingBox, NoduleAttributes


class _Parser(argparse.ArgumentParser):
    """Answers wrong arguments as any other bad input is answered: with one sentence."""

    def error(self, message: str) -> NoReturn:
        sentence = message.removeprefix("argument ")
        raise InputError(f"{sentence[0].upper()}{sentence[1:].rstrip('.')}; see {self.prog} --help.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    try:
        with warnings.catch_warnings():
            # What libraries think of a file would stand beside the one sentence.
            warnings.simplefilter("ignore")
            options = _parser().parse_args(arguments)
            options.run(options)
    except InputError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="nodule-engine", description="Place synthetic lung nodules in chest CT slices.")
    commands = parser.add_subparsers(required=True, metavar="place|info")
    _add_place(commands)
    info = commands.add_parser("info", help="say what a checkpoint is", allow_abbrev=False)
    info.add_argument("checkpoint", metavar="CHECKPOINT", type=Path, help="folder of the checkpoint")
    info.set_defaults(run=_info)
    return parser


def _add_place(commands: Any) -> None:
    defaults = SamplingOptions()
    place = commands.add_parser("place", help="place a nodule in a slice and export it", allow_abbrev=False)
    add = place.add_argument
    add("input", metavar="INPUT", type=Path, help="DICOM file, folder or zip; NIfTI, NRRD or MHA")
    add("--slice", type=_integer(0), metavar="INDEX", help="from 0 along the slice normal [the middle slice]")
    add("--series", metavar="UID", help="which series, if INPUT holds several")
    add(
        "--box",
        type=_integer(),
        nargs=3,
        required=True,
        metavar=("ROW", "COLUMN", "SIDE"),
        help="top left corner and side in pixels; patient's right on the left, front up",
    )
    add(
        "--attributes",
        type=_integer(1, 5),
        nargs=5,
        required=True,
        metavar=tuple(name[:3].upper() for name in ATTRIBUTE_NAMES),
        help=f"scores from 1 to 5: {', '.join(ATTRIBUTE_NAMES)}",
    )
    add("--seed", type=_integer(0, MOST_SEED), default=defaults.seed, metavar="N", help="[%(default)s]")
    add("--steps", type=_integer(1, MOST_STEPS), default=defaults.steps, metavar="N", help="[%(default)s]")
    add(
        "--guidance",
        type=_guidance,
        default=defaults.guidance,
        metavar="G",
        help="1 switches guidance off [%(default)s]",
    )
    add(
        "--checkpoint",
        type=Path,
        default=DEFAULT_CHECKPOINT,
        metavar="FOLDER",
        help="[the one that comes with the program]",
    )
    add("--out", type=Path, required=True, metavar="FOLDER", help="made if it is not there")
    place.set_defaults(run=_place)


def _integer(least: int | None = None, most: int | None = None) -> Any:
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


def _place(options: argparse.Namespace) -> None:
    check_folder(options.out)
    from engine.ct_files import read_volume

    volume = read_volume(options.input, options.series)
    index = len(volume) // 2 if options.slice is None else options.slice
    ct_slice = volume.slice_at(index)
    request = GenerationRequest(
        ct_slice,
        BoundingBox(*options.box, slice_shape=ct_slice.shape),
        NoduleAttributes.from_scores(options.attributes),
        SamplingOptions(options.seed, options.steps, options.guidance),
    )
    result = _generate(request, options.checkpoint)
    export_all(volume, index, result, options.out)
    print(json.dumps(_summary(index, result, options.out)))
    for warning in volume.warnings:
        print(warning, file=sys.stderr)


def _generate(request: GenerationRequest, folder: Path) -> GenerationResult:
    from tqdm import tqdm

    from engine.generation import place_nodule

    checkpoint = load_checkpoint(folder)
    watched = sys.stderr.isatty()
    with tqdm(total=request.options.steps, unit="step", file=sys.stderr, disable=not watched) as bar:
        try:
            for event in place_nodule(checkpoint, request, previews=watched):
                match event:
                    case Preview(step=step):
                        bar.update(step - bar.n)
                    case Finished(result=result):
                        return result
        except FloatingPointError as error:
            raise InputError(failure_sentence(error, "No nodule could be generated")) from error
    raise RuntimeError("the generator ended without a result")


def _summary(index: int, result: GenerationResult, folder: Path) -> dict[str, Any]:
    """Return what `place` prints."""
    options = result.request.options
    return {
        "diameter_mm": round(float(result.measurement.diameter_mm), 2),
        "mean_hu": round(float(result.measurement.mean_hu), 1),
        "seconds": round(result.seconds, 3),
        "steps": options.steps,
        "seed": options.seed,
        "slice": index,
        "checkpoint": result.checkpoint_name,
        "device": result.device,
        "out": str(folder),
    }


def _info(options: argparse.Namespace) -> None:
    text = "\n".join(_lines(read_manifest(options.checkpoint)))
    card = options.checkpoint / "README.md"
    if card.is_file():
        text += f"\n\n{card.read_text('utf-8', 'replace').strip()}"
    # A console that has not all letters of the card shows question marks for them.
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


def _lines(values: dict[str, Any], indent: str = "") -> list[str]:
    """Return a manifest as lines for people: name, hash and training first, settings after."""
    order = ("name", "kind", "sha256", "training")
    lines: list[str] = []
    for key in sorted(values, key=lambda key: order.index(key) if key in order else len(order)):
        value: Any = values[key]
        label = key.replace("_", " ")
        if isinstance(value, dict):
            lines += [f"{indent}{label}", *_lines(cast("dict[str, Any]", value), indent + "    ")]
        else:
            lines.append(f"{indent}{label:<24} {value if isinstance(value, str) else json.dumps(value)}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
