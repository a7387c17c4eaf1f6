"""Real slices into which real nodules were transplanted: a stand-in until LIDC-IDRI itself is prepared.

    python -m training.transplant_nodules --data PREPARED --out PREPARED2 --count 8000 --seed 0

Whole slices with outlined nodules are few where the scans of LIDC are not at hand; crops around nodules are many. A
nodule is drawn as often as readers marked it, with one of its crops; a slice of another patient is drawn, with more
weight on patients of whom there are few. The nodule goes where it could have been: as far from the wall of the lung
as it was, turned so that the wall is on the same side if it was near, elsewhere turned at random, mirrored half of
the time, its size in mm kept. Outlines, boxes and scores of all its readers go with it.

A tenth is made of held-out patients, nodules and slices alike; no pixel, outline or score of theirs goes into the rest.
Where in the lungs nodules of a size usually lie is that of all of LIDC's patients (`engine.prior`), held out or not.

Sample k depends on the data, the seed and k alone. Shards that are whole are not made again, and more can be asked for
later. `slice_thickness_mm` is not known here and NaN.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from engine.errors import InputError
from training.command import command
from training.cores import usable_cores
from training.prepared import SliceRow, read_description, write_description, write_slices
from training.prepared_files import count_rows
from training.transplant_donors import Donors, read_donors
from training.transplant_hosts import Hosts, read_hosts
from training.transplanted_slice import transplanted_slice

#: Name in ``prepared.json``.
_MAKER = "transplant_nodules"
#: Samples in one file.
_SHARD = 256
#: Every so-many-th sample is made of held-out patients.
_HELD_OUT_EVERY = 10
#: So many pairs of slice and nodule are tried: large nodules do not fit into small lungs.
_TRIES = 100


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="prepared data with whole slices and with nodules")
    parser.add_argument("--out", type=Path, required=True, help="folder of prepared data to write or to add to")
    parser.add_argument("--count", type=int, default=8000, help="how many slices to make, held-out ones included")
    parser.add_argument("--seed", type=int, default=0, help="of all draws")
    parser.add_argument("--workers", type=int, default=usable_cores(), help="processes; each loads all of the data")
    options = parser.parse_args(arguments)
    transplant_many(options.data, options.out, options.count, options.seed, max(1, options.workers))


def transplant_many(data: Path, out: Path, count: int, seed: int, workers: int = 1) -> None:
    """Write `count` samples into ``out/slices``, in shards of 256, the last one of what is left over.

    Shards with at least the samples asked for are left as they are; a shorter one is replaced.

    Raises
    ------
    InputError
        If `data` is no prepared data, lacks slices or nodules, or is `out`; if `out` has transplants of other data.
    """
    _describe(data, out, count, seed)
    starts = [start for start in range(0, count, _SHARD) if _written(out, seed, start) < _length(start, count)]
    make = partial(_write_shard, data, out, seed, count)
    with tqdm(total=count, initial=count - sum(_length(start, count) for start in starts), unit="slice") as bar:
        if workers == 1:
            for start in starts:
                bar.update(make(start))
            return
        # Spawned, not forked: whoever calls may have threads.
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            for written in pool.map(make, starts):
                bar.update(written)


def _describe(data: Path, out: Path, count: int, seed: int) -> None:
    """Write into ``prepared.json`` what the samples are made of, if those that are there are made of the same."""
    if data.resolve() == out.resolve():
        raise InputError(f'"{out}" is the folder with the data; give --out another one.')
    made_of = {"data": data.name, "data_made_by": read_description(data)["made_by"]}
    before = read_description(out)["made_by"].get(_MAKER, []) if (out / "prepared.json").exists() else []
    if any({name: call.get(name) for name in made_of} != made_of for call in before):
        raise InputError(f'"{out}" has transplants made of other data; give --out another folder.')
    write_description(out, _MAKER, **made_of, count=count, seed=seed)


def _length(start: int, count: int) -> int:
    return min(_SHARD, count - start)


def _written(out: Path, seed: int, start: int) -> int:
    """How many samples of a shard are there."""
    shard = out / "slices" / f"{_shard_name(seed, start)}.parquet"
    return count_rows(shard) if shard.exists() else 0


def _shard_name(seed: int, start: int) -> str:
    # Without its end: the same file, whatever the count is.
    return f"transplants-{seed}-{start:06}"


def _write_shard(data: Path, out: Path, seed: int, count: int, start: int) -> int:
    numbers = range(start, start + _length(start, count))
    return write_slices(out, _shard_name(seed, start), (make_sample(data, seed, number) for number in numbers))


@lru_cache(maxsize=2)
def _pools(data: Path, held_out: bool) -> tuple[Hosts, Donors]:
    """Slices and nodules of one side of the split: read once a process."""
    return read_hosts(data, held_out), read_donors(data, held_out)


def make_sample(data: Path, seed: int, number: int) -> SliceRow:
    """Make sample `number`: the same whatever else is made.

    Raises
    ------
    InputError
        If `data` lacks slices or nodules, or no nodule fits into any slice.
    """
    hosts, donors = _pools(data, number % _HELD_OUT_EVERY == 0)
    draw = np.random.default_rng([seed, number])
    for _ in range(_TRIES):
        donor, host = donors.draw(draw), hosts.draw(draw)
        if donors.patient(donor) == hosts.patient(host):
            continue
        if row := transplanted_slice(hosts, host, donors, donor, draw):
            return row
    raise InputError(f'No nodule in "{data}" fits into a slice of another patient; add slices with more lung.')


if __name__ == "__main__":
    sys.exit(main())
