"""``nodule-engine batch``: from a plan to a data set."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from engine import batch_plan
from engine.batch_balance import BALANCES
from engine.checkpoint import DEFAULT_CHECKPOINT, check_kind, config_of, read_manifest
from engine.command_line import add_sampling, whole_number
from engine.errors import InputError
from engine.events import SamplingOptions
from engine.export_folder import check_folder
from engine.exports import FORMATS

#: Exact HU, masks of nodule and box, at their place in the patient: 0.3 MB a slice of 512 x 512.
DEFAULT_FORMATS = ("NIfTI",)
DEFAULT_SPLIT = (80, 10, 10)
#: So many reasons are printed; all stand in failures.csv.
_REASONS_SHOWN = 20
_REFUSED = (
    "What could not be decided when the batch was begun is not tried again (nodules: {}); correct the plan or its "
    "inputs, and begin in a new folder."
)
#: Exit code where rows failed.
SOME_FAILED = 1


def add_batch(commands: Any) -> None:
    """Add the command."""
    batch = commands.add_parser(
        "batch",
        help="make a data set from a plan",
        description="Make a data set from a plan. The same command goes on with a batch that was stopped, and tries\n"
        "again what failed in the making; what could not be decided at the beginning is\n"
        "for a new folder. With accelerate launch -m engine batch ..., several processes share the rows.",
        epilog=batch_plan.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = batch.add_argument
    add("plan", metavar="PLAN", type=Path, help="CSV or YAML, see below")
    add("--balance", nargs="+", choices=BALANCES, default=[], help="draw what the plan leaves open evenly over these")
    add(
        "--split",
        nargs=3,
        type=whole_number(0, 100),
        default=DEFAULT_SPLIT,
        metavar=("TRAIN", "VAL", "TEST"),
        help=f"percent of the source patients [{' '.join(map(str, DEFAULT_SPLIT))}]",
    )
    add(
        "--formats",
        nargs="+",
        choices=FORMATS,
        default=DEFAULT_FORMATS,
        help=f"of each nodule; {', '.join(FORMATS)} [{' '.join(DEFAULT_FORMATS)}]",
        metavar="FORMAT",
    )
    add("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT, metavar="FOLDER", help="[the one of the program]")
    add_sampling(batch, SamplingOptions())
    batch.set_defaults(run=_batch)


def _batch(options: argparse.Namespace) -> int:
    check_folder(options.out)
    if sum(options.split) != 100:
        raise InputError(f"--split has shares of {sum(options.split)} % in all; give three that make up 100.")
    from engine.batch import run_batch
    from engine.batch_folder import BatchSettings
    from engine.sampling import make_scheduler

    manifest = read_manifest(options.checkpoint)
    config = config_of(manifest)
    check_kind(config, "nodule")
    # Refuses a solver or steps that cannot be: of a batch begun with them, no row could ever be made.
    make_scheduler(config.scheduler, options.solver, options.steps)
    settings = BatchSettings(
        seed=options.seed,
        balance=tuple(name for name in BALANCES if name in options.balance),
        split=tuple(options.split),
        steps=options.steps,
        guidance=options.guidance,
        solver=options.solver,
        formats=tuple(name for name in FORMATS if name in options.formats),
        checkpoint=config.name,
        checkpoint_sha256=manifest["sha256"],
    )
    outcome = run_batch(options.plan, options.out, settings, options.checkpoint)
    if outcome is None:
        return 0
    _show_failures(outcome.failures, options.out)
    if outcome.refused:
        print(_REFUSED.format(outcome.refused), file=sys.stderr)
    printed = {
        "rows": outcome.rows,
        "made": outcome.made,
        "made_now": outcome.made_now,
        "failed": len(outcome.failures),
        "seconds": round(outcome.seconds, 1),
        "out": str(options.out),
    }
    print(json.dumps(printed))
    return SOME_FAILED if outcome.failures else 0


def _show_failures(failures: dict[int, str], folder: Path) -> None:
    reasons = Counter(failures.values())
    for reason, count in list(reasons.items())[:_REASONS_SHOWN]:
        print(f"{reason} (nodules: {count})" if count > 1 else reason, file=sys.stderr)
    if len(reasons) > _REASONS_SHOWN:
        print(f"{len(reasons) - _REASONS_SHOWN} more reasons stand in {folder / 'failures.csv'}.", file=sys.stderr)
