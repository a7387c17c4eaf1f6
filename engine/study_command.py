"""``nodule-engine study``: build a reader study, and analyse what its readers answered."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from engine import study_plan
from engine.export_folder import check_folder


def add_study(commands: Any) -> None:
    """Add the command."""
    study = commands.add_parser("study", help="build a reader study, or analyse one", allow_abbrev=False)
    parts = study.add_subparsers(required=True, metavar="build|analyse")
    build = parts.add_parser(
        "build",
        help="build a study of results and real slices",
        epilog=study_plan.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    build.add_argument("plan", metavar="PLAN", type=Path, help="YAML file, see below")
    build.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="of the study; new or empty")
    build.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="outside of FOLDER; keep it from readers"
    )
    build.set_defaults(run=_build)
    analyse = parts.add_parser("analyse", help="report what the readers answered", allow_abbrev=False)
    analyse.add_argument("folder", metavar="FOLDER", type=Path, help="of the study")
    analyse.add_argument("--key", type=Path, required=True, metavar="FILE", help="that was written with the study")
    analyse.add_argument(
        "--out", type=Path, required=True, metavar="REPORT", help="folder outside of FOLDER, made if it is not there"
    )
    analyse.set_defaults(run=_analyse)


def _build(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from engine.study_building import build_study

    plan = study_plan.read_plan(options.plan)
    warnings: list[str] = []
    with tqdm(unit="source", file=sys.stderr, disable=not sys.stderr.isatty()) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        study = build_study(plan, options.out, options.key, progress, warnings.append)
    kinds = [trial.kind for trial in study.trials]
    counts = {kind: kinds.count(kind) for kind in plan.counts}
    printed = {"study": study.uid, "trials": counts, "readers": study.readers, "key_sha256": study.key_sha256}
    print(json.dumps({**printed, "out": str(options.out), "key": str(options.key)}))
    for warning in warnings:
        print(warning, file=sys.stderr)


def _analyse(options: argparse.Namespace) -> None:
    check_folder(options.out)
    from engine.study_analysis import analyse_study
    from engine.study_figures import ALL_READERS
    from engine.study_report import write_report

    figures = analyse_study(options.folder, options.key)
    files = write_report(figures, options.out)
    found = {
        section.kind: {
            name: None if estimate.value is None else round(estimate.value, 4)
            for name, estimate in section.figures[ALL_READERS].items()
        }
        for section in figures.sections
    }
    rest_on = {section.kind: f"{section.common} of {section.trials} trials" for section in figures.sections}
    names = [path.name for path in files]
    print(json.dumps({"all_readers": found, "rest_on": rest_on, "files": names, "out": str(options.out)}))
    for warning in figures.warnings:
        print(warning, file=sys.stderr)
