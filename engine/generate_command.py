"""``nodule-engine generate``: make a slice whole, with a nodule in it, and export it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from engine.checkpoint import CHECKPOINTS, DEFAULT_SLICE_CHECKPOINT, check_kind, check_there, config_of, read_manifest
from engine.command_line import add_nodule, add_sampling, run_request, sampling_of, summary
from engine.errors import InputError
from engine.events import SLICE_SAMPLING, SLICE_SPACING_MM, USUAL_SLICE_SPACING_MM, SliceRequest
from engine.export_folder import check_folder
from engine.nodule import BoundingBox, NoduleAttributes

#: The paper's three (section 3), and ours.
CONFIGURATIONS = ("1", "2", "3", "studio")


def add_generate(commands: Any) -> None:
    """Add the command."""
    generate = commands.add_parser("generate", help="make a whole slice with a nodule, export it", allow_abbrev=False)
    add_nodule(generate, required=False)
    least, most = SLICE_SPACING_MM
    generate.add_argument(
        "--spacing",
        type=_spacing,
        metavar="MM",
        help=f"side of a pixel, with --box: {least:g} to {most:g} mm [{USUAL_SLICE_SPACING_MM:g}; drawn with the box]",
    )
    which = generate.add_mutually_exclusive_group()
    which.add_argument(
        "--configuration",
        choices=CONFIGURATIONS,
        help="the studio's own, or one of the paper's: 1 comes with the program; train 2 and 3 first, and put them "
        "into resources/checkpoints/slice-2 and slice-3",
    )
    which.add_argument(
        "--checkpoint", type=Path, metavar="FOLDER", help="[resources/checkpoints/slice, if there is one]"
    )
    add_sampling(generate, SLICE_SAMPLING)
    generate.set_defaults(run=_generate)


def checkpoint_folder(configuration: str | None) -> Path:
    """Return where the slice generator of a configuration lies; None stands for the best one, which is ours."""
    return CHECKPOINTS / (
        DEFAULT_SLICE_CHECKPOINT.name if configuration in (None, "studio") else f"slice-{configuration}"
    )


def _spacing(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _request(options: argparse.Namespace, size: int) -> SliceRequest:
    """Return the request; what was not given is drawn from what LIDC's readers marked, with the seed."""
    from engine.prior import suggest_for_generation, suggest_scores

    if options.box is None:
        box, spacing, attributes = suggest_for_generation(options.seed)
    else:
        spacing = USUAL_SLICE_SPACING_MM if options.spacing is None else options.spacing
        box = BoundingBox(*options.box, slice_shape=(size, size))
        # The box is as large as the nodule, unlike one for the nodule generator.
        attributes = suggest_scores(options.seed, extent_mm=box.side * spacing)
    if options.attributes is not None:
        attributes = NoduleAttributes.from_scores(options.attributes)
    return SliceRequest(box, attributes, sampling_of(options), spacing)


def _generate(options: argparse.Namespace) -> None:
    check_folder(options.out)
    if options.spacing is not None and options.box is None:
        raise InputError(
            "--spacing was given without --box, which is drawn together with its spacing; give both or neither."
        )
    folder = options.checkpoint or checkpoint_folder(options.configuration)
    check_there(folder)
    config = config_of(read_manifest(folder))
    check_kind(config, "slice")
    result = run_request(_request(options, config.grid["size"]), folder)
    from engine.exports import export_all
    from engine.whole_slices import volume_of

    export_all(volume_of(result), 0, result, options.out)
    print(json.dumps(summary(0, result, options.out)))
