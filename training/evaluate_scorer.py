"""Evaluation of a scorer on held-out nodules: ``python -m training.evaluate scorer``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.read_back import DEFAULT_SCORER
from engine.scorer import load_scorer
from training.run_options import add_out
from training.scorer_figures import scorer_figures
from training.scorer_report import write_scorer_markdown
from training.scorer_samples import load_samples
from training.train_scorer import predict, read


def add_scorer_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--scorer", type=Path, default=DEFAULT_SCORER, help="folder of the scorer")
    parser.add_argument("--data", type=Path, required=True, help="folder of prepared data")
    add_out(parser, "runs/evaluation-scorer")


def run_scorer(given: Mapping[str, Any]) -> str:
    """Measure a scorer, write ``report.json`` and ``report.md``, and return the report.

    Raises
    ------
    InputError
        If the folder is no scorer, or the data are not there.
    """
    scorer, out = load_scorer(given["scorer"]), given["out"]
    samples = load_samples(given["data"], held_out=True)
    logits = predict(scorer.network, samples, scorer.config).mean(dim=1)
    figures = scorer_figures(samples, *read(logits, scorer.config))
    report = f"Scorer {scorer.sha256[:12]}\n\n{write_scorer_markdown(figures)}"
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(figures, indent=2, allow_nan=False) + "\n")
    (out / "report.md").write_text(report)
    return report
