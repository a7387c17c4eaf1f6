"""Measure how a VQ-VAE, ours or any pretrained one, gives slices of held-out patients back (`training.evaluate`)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.device import choose_device
from engine.vq_codec import load_vq_codec
from training.prepared import read_slices
from training.run_options import add_out
from training.vqvae_card import write_vqvae_markdown
from training.vqvae_reconstruction import evaluate_vqvae
from training.vqvae_samples import read_nodules_if_any
from training.vqvae_sheet import make_vqvae_sheet


def add_vqvae_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``evaluate vqvae``."""
    parser.add_argument("--vqvae", required=True, help="folder of a VQ-VAE, or its name on Hugging Face's hub")
    parser.add_argument("--data", type=Path, required=True, help="prepared data")
    parser.add_argument("--count", type=int, help="take so many slices and eight times as many nodules; by default all")
    add_out(parser, "runs/evaluation-vqvae")


def run_vqvae(given: Mapping[str, Any]) -> str:
    """Measure, write ``vqvae.json``, ``vqvae.md`` and a contact sheet, and return the report.

    Raises
    ------
    InputError
        If the VQ-VAE or the data are not usable.
    """
    codec = load_vq_codec(given["vqvae"], choose_device().device)
    slices = read_slices(given["data"], held_out=True)
    nodules = read_nodules_if_any(given["data"], held_out=True)
    figures = evaluate_vqvae(codec, slices, nodules, given["count"])
    report = f"# Reconstruction by {given['vqvae']}\n\n{write_vqvae_markdown(figures)}"
    out: Path = given["out"]
    out.mkdir(parents=True, exist_ok=True)
    (out / "vqvae.json").write_text(json.dumps(figures, indent=2, allow_nan=False) + "\n")
    (out / "vqvae.md").write_text(report)
    make_vqvae_sheet(codec, slices).save(out / "vqvae.png")
    return report
