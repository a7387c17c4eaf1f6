"""Make the generated slices that come with the studio, for a start without any CT.

    python -m training.make_samples --seeds 3 7 12 --out resources/samples

Place, size and scores of each are drawn with its seed from what LIDC's readers marked (`engine.prior`). Each becomes a
folder: the slice as DICOM, marked as synthetic, with its SEG, its report and the request that repeats it. Which seeds
are worth being shown is decided by looking at them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from engine.checkpoint import DEFAULT_SLICE_CHECKPOINT, load_checkpoint
from engine.events import SLICE_SAMPLING, Finished, SliceRequest
from engine.exports import export_files
from engine.prior import suggest_for_generation
from engine.slice_generation import generate_slice
from engine.whole_slices import volume_of
from training.command import command


def make_samples(checkpoint: Path, seeds: Sequence[int], out: Path, steps: int = SLICE_SAMPLING.steps) -> list[Path]:
    """Make a slice for each seed, in a folder of its own named after it; return the folders.

    Raises
    ------
    InputError
        If the checkpoint makes no slices, or a folder cannot be written to.
    """
    loaded = load_checkpoint(checkpoint)
    folders = [out / f"seed-{seed}" for seed in seeds]
    for seed, folder in zip(tqdm(seeds, unit="slice"), folders, strict=True):
        box, spacing, attributes = suggest_for_generation(seed)
        request = SliceRequest(box, attributes, replace(SLICE_SAMPLING, seed=seed, steps=steps), spacing)
        *_, last = generate_slice(loaded, request, previews=False)
        assert isinstance(last, Finished)
        export_files(volume_of(last.result), 0, last.result, folder, ("DICOM",))
    return folders


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and make them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_SLICE_CHECKPOINT)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--steps", type=int, default=SLICE_SAMPLING.steps)
    parser.add_argument("--out", type=Path, required=True, help="made if it is not there")
    given = parser.parse_args(arguments)
    make_samples(given.checkpoint, given.seeds, given.out, given.steps)


if __name__ == "__main__":
    sys.exit(main())
