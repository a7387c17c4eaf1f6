"""``nodule-engine``: place nodules and generate slices without a screen, and look into checkpoints.

Exit codes: 0 done; 1 a batch is done but for rows that failed; 2 bad input, with one sentence on standard error;
130 stopped with Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

from engine.batch_command import add_batch
from engine.checkpoint import DEFAULT_CHECKPOINT, read_manifest
from engine.command_line import add_nodule, add_sampling, run_request, sampling_of, summary, whole_number
from engine.errors import InputError
from engine.events import GenerationRequest, SamplingOptions
from engine.export_folder import check_folder
from engine.export_series import series_of
from engine.exports import ALL_FORMATS, SERIES, ExportOptions, export_files
from engine.extend_command import check_extended, export_extension, extend
from engine.generate_command import add_generate
from engine.job_runner import is_out_of_memory
from engine.nodule import BoundingBox, NoduleAttributes
from engine.pacs_commands import add_fetch, add_send
from engine.replay_command import add_replay
from engine.study_command import add_study
from engine.synthetic_data import synthetic_warning


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
            return options.run(options) or 0
    except InputError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        # Wherever it was: while a large volume is read, too, or while its series is written.
        if not is_out_of_memory(error):
            raise
        print("The memory is full; close other programs and try again.", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="nodule-engine", description="Make synthetic lung nodules in chest CT slices.")
    commands = parser.add_subparsers(required=True, metavar="place|batch|generate|replay|send|fetch|study|info")
    _add_place(commands)
    add_batch(commands)
    add_generate(commands)
    add_replay(commands)
    add_send(commands)
    add_fetch(commands)
    add_study(commands)
    info = commands.add_parser("info", help="say what a checkpoint is", allow_abbrev=False)
    info.add_argument("checkpoint", metavar="CHECKPOINT", type=Path, help="folder of the checkpoint")
    info.set_defaults(run=_info)
    return parser


def _add_place(commands: Any) -> None:
    place = commands.add_parser("place", help="place a nodule in a slice and export it", allow_abbrev=False)
    add = place.add_argument
    add("input", metavar="INPUT", type=Path, help="DICOM file, folder or zip; NIfTI, NRRD or MHA")
    add("--slice", type=whole_number(0), metavar="INDEX", help="from 0, where the studio shows 1 [the middle slice]")
    add("--series", metavar="UID", help="which series, if INPUT holds several")
    add_nodule(place, required=True)
    add(
        "--checkpoint",
        type=Path,
        default=DEFAULT_CHECKPOINT,
        metavar="FOLDER",
        help="[the one that comes with the program]",
    )
    add_sampling(place, SamplingOptions())
    add(
        "--extend",
        action="store_true",
        help="let the nodule go on in the slices beside it, as far as it is long; always writes the whole series, too",
    )
    add("--whole-series", action="store_true", help="also write every slice of INPUT as a new DICOM series")
    add("--keep-identity", action="store_true", help="leave the patient's identity in [it is taken out]")
    place.set_defaults(run=_place)


def _place(options: argparse.Namespace) -> None:
    check_folder(options.out)
    if not options.extend:
        check_extended(options.out)
    from engine.ct_files import read_volume
    from engine.exported_result import made_whole_beside

    volume = read_volume(options.input, options.series)
    index = len(volume) // 2 if options.slice is None else options.slice
    ct_slice = volume.slice_at(index)
    request = GenerationRequest(
        ct_slice,
        BoundingBox(*options.box, slice_shape=ct_slice.shape),
        NoduleAttributes.from_scores(options.attributes),
        sampling_of(options),
    )
    result = run_request(request, options.checkpoint)
    others = extend(volume, index, result, options.checkpoint, options.out) if options.extend else {}
    # An extended nodule stands in the whole series anyway: one with a slice of it alone would only be taken for it.
    formats = (*ALL_FORMATS, SERIES) if options.whole_series and not options.extend else ALL_FORMATS
    export_options = ExportOptions(keep_identity=options.keep_identity)
    own = made_whole_beside(volume)
    printed = summary(index, result, options.out)
    series = series_of(volume, {index: result, **others}) if others else None
    if series:
        printed["extended"] = export_extension(volume, index, series, options.out, export_options)
    export_files(volume, index, result, options.out, formats, export_options, [own] if own else [], series)
    print(json.dumps(printed))
    from engine.lungs import lung_warning

    synthetic = "" if own else synthetic_warning(volume)
    for warning in (*volume.warnings, synthetic, lung_warning(ct_slice, request.box)):
        if warning:
            print(warning, file=sys.stderr)


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
