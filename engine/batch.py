"""A batch: many nodules from one plan, on one processor or on many, gone on with wherever it was stopped.

Rows that are not made yet are shared out among the processes of ``accelerate launch``, in stretches that keep those of
one source together; each process runs the network on its own device. What each has done lies on disk
(`engine.batch_folder`): beside the start and the end, the processes need not know of each other.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.batch_balance import Draws
from engine.batch_expansion import expand
from engine.batch_folder import Batch, BatchSettings, begin, check_same, folder_lock, read_batch, take
from engine.batch_plan import Plan, PlanLine, read_plan
from engine.batch_rows import BatchRow
from engine.batch_sources import OpenVolume, patient_identity
from engine.checkpoint import Checkpoint
from engine.ct import CTVolume
from engine.errors import InputError
from engine.events import Finished, GenerationRequest, GenerationResult, SamplingOptions
from engine.exports import SERIES
from engine.job_runner import failure_sentence
from engine.nodule import BoundingBox

if TYPE_CHECKING:
    from filelock import BaseFileLock

#: They name the patient, or the study, by what the key of this computer makes of them.
_KEYED_FORMATS = frozenset(("DICOM", SERIES, "LIDC XML"))
#: Processes wait for the slowest; torch's own limits are minutes.
_PATIENCE = timedelta(days=60)


@dataclass(frozen=True)
class Outcome:
    """What became of a batch.

    Attributes
    ----------
    rows : int
        Nodules that the plan asks for.
    made : int
        That are there now.
    made_now : int
        That were not there before.
    refused : int
        That will not be tried again: they could not be decided when the batch was begun.
    failures : one sentence for each row that could not be made, by its number
        For people at the screen: it names inputs.
    seconds : float
    """

    rows: int
    made: int
    made_now: int
    refused: int
    failures: dict[int, str]
    seconds: float


def run_batch(plan_file: Path, folder: Path, settings: BatchSettings, checkpoint_folder: Path) -> Outcome | None:
    """Make what a plan asks for, or what of it is not made yet; return what became of it, in the main process only.

    Raises
    ------
    InputError
        If the plan or the checkpoint cannot be used, or the folder holds something else or a batch begun otherwise.
        A row that cannot be made raises nothing: see `Outcome.failures`.
    """
    started = time.perf_counter()
    plan, volumes = read_plan(plan_file), OpenVolume()
    processes = _join_processes()
    lock = folder_lock(folder)
    try:
        batch = _begun_together(processes, lock, plan, folder, settings, volumes)
        waiting = [row for row in _by_source(batch, plan) if not row.problem and not batch.is_made(row)]
        # Nobody starts before everybody has seen what is left.
        processes.wait_for_everyone()
        own = share_of(waiting, processes.process_index, processes.num_processes)
        _make_rows(own, batch, plan, checkpoint_folder, volumes, shown=processes.is_main_process)
        processes.wait_for_everyone()
        return _finished(batch, plan, waiting, checkpoint_folder, started) if processes.is_main_process else None
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be written to ({error.strerror or error}); make room or allow writing there, "
            "and give the same command again: what is made is kept."
        ) from error
    finally:
        processes.destroy_process_group()
        lock.release()


def _finished(
    batch: Batch, plan: Plan, waiting: Sequence[BatchRow], checkpoint_folder: Path, started: float
) -> Outcome:
    """Write what is said of the whole batch; `waiting` was not made before."""
    from engine.batch_card import write_card
    from engine.batch_manifest import write_failures, write_manifest

    failures = {row.number: reason for row in batch.rows if (reason := batch.failure(row))}
    write_manifest(batch)
    write_failures(batch, failures)
    write_card(batch, failures, checkpoint_folder)
    made_now = sum(batch.is_made(row) for row in waiting)
    made = sum(batch.is_made(row) for row in batch.rows)
    refused = sum(bool(row.problem) for row in batch.rows)
    told = {row.number: plan.told(failures[row.number], row.line) for row in batch.rows if row.number in failures}
    return Outcome(len(batch.rows), made, made_now, refused, told, time.perf_counter() - started)


def share_of(rows: Sequence[BatchRow], process: int, processes: int) -> Sequence[BatchRow]:
    """Return the stretch of rows that one of several processes makes; each row is in one of them."""
    return rows[len(rows) * process // processes : len(rows) * (process + 1) // processes]


def _join_processes() -> Any:
    """Return which of the processes of ``accelerate launch`` this is; without that, the only one."""
    from engine.device import has_gpu

    # As Any, for it has no types.
    accelerate: Any = import_module("accelerate")
    return accelerate.PartialState(cpu=not has_gpu(), timeout=_PATIENCE)


def _begun_together(
    processes: Any,
    lock: BaseFileLock,
    plan: Plan,
    folder: Path,
    settings: BatchSettings,
    volumes: OpenVolume,
) -> Batch:
    """Let the main process begin the batch or go on with it; the others read what it decided, or fail with it."""
    utils: Any = import_module("accelerate.utils")
    refused: list[Any] = [None]
    if processes.is_main_process:
        try:
            take(lock, folder)
            begin(folder, settings, plan.sha256, lambda: _rows(plan, settings, volumes)).clear_partial()
        except InputError as error:
            refused = [str(error)]
    utils.broadcast_object_list(refused)
    if refused[0] is not None:
        raise InputError(refused[0])
    batch = read_batch(folder)
    # On another computer, the plan or the checkpoint may be another.
    check_same(batch, settings, plan.sha256)
    return batch


def _rows(plan: Plan, settings: BatchSettings, volumes: OpenVolume) -> list[BatchRow]:
    total = sum(line.count for line in plan.lines.values())
    with _bar(total, "choosing places") as bar:

        def tell(sentence: str) -> None:
            bar.write(sentence, file=sys.stderr)

        for problem in plan.problems.values():
            tell(problem)
        draws = Draws(settings.balance)
        return expand(plan, volumes, draws, settings.seed, settings.split, bar.update, tell)


def _by_source(batch: Batch, plan: Plan) -> list[BatchRow]:
    """Return rows so that those of one source follow each other, and in it those of one slice."""
    first: dict[tuple[Path, str | None], int] = {}
    for line in plan.lines.values():
        first.setdefault((line.source, line.series_uid), line.number)

    def order(row: BatchRow) -> tuple[int, int, int]:
        line = plan.lines.get(row.line)
        return first[line.source, line.series_uid] if line else 0, row.slice_index or 0, row.number

    return sorted(batch.rows, key=order)


def _make_rows(
    rows: Sequence[BatchRow], batch: Batch, plan: Plan, checkpoint_folder: Path, volumes: OpenVolume, shown: bool
) -> None:
    if not rows:
        return
    from engine.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(checkpoint_folder)
    with _bar(len(rows), "nodules", shown) as bar:
        for row in rows:
            line = plan.lines.get(row.line)
            if line is None:  # The batch was begun by a version that took it.
                batch.note_failure(row, plan.problems[row.line])
                bar.update()
                continue
            try:
                _make_row(row, line, batch, checkpoint, volumes)
            except OSError:
                # The folder cannot be written to: nothing that is made could be kept.
                raise
            except Exception as error:
                # Whatever goes wrong with one row, the others are made.
                sentence = failure_sentence(error, "The nodule could not be made")
                batch.note_failure(row, line.about(sentence))
            bar.update()


def _make_row(row: BatchRow, line: PlanLine, batch: Batch, checkpoint: Checkpoint, volumes: OpenVolume) -> None:
    from engine.batch_manifest import manifest_row, write_row
    from engine.exports import ExportOptions, remember_export, write_files

    volume = volumes.read(line.source, line.series_uid)
    index = row.slice_index or 0
    ct_slice = volume.slice_at(index)
    if ct_slice.sha256() != row.input_sha256:
        raise InputError("The input is not the one that the batch was begun with; put that one back.")
    if not _KEYED_FORMATS.isdisjoint(batch.settings.formats):
        _check_pseudonym(row, volume)
    box = BoundingBox(*row.box or (0, 0, 0), slice_shape=ct_slice.shape)
    settings, place = batch.settings, batch.result_folder(row)
    options = SamplingOptions(row.seed or 0, settings.steps, settings.guidance, settings.solver)
    result = _placed(checkpoint, GenerationRequest(ct_slice, box, row.attributes, options))
    earlier = volumes.made_with()

    def write(into: Path) -> None:
        how = ExportOptions(made=batch.made)
        write_files(volume, index, result, into, settings.formats, how, earlier)
        write_row(manifest_row(row, place.name, volume, result), into)

    batch.put(row, write)
    remember_export(volume, index, result, place, settings.formats)


def _check_pseudonym(row: BatchRow, volume: CTVolume) -> None:
    from engine.export_identity import pseudonym

    if row.patient != pseudonym(patient_identity(volume)):
        raise InputError(
            "The batch was begun with another key, so that this patient would have two pseudonyms; bring "
            "deidentification.key from the program's data folder on the computer that began it."
        )


def _placed(checkpoint: Checkpoint, request: GenerationRequest) -> GenerationResult:
    from engine.generation import place_nodule

    *_, last = place_nodule(checkpoint, request, previews=False)
    assert isinstance(last, Finished)
    return last.result


def _bar(total: int, what: str, shown: bool = True) -> Any:
    """Return a progress bar on standard error; a line every half minute where that is no terminal."""
    from tqdm import tqdm

    pause = 0.1 if sys.stderr.isatty() else 30
    return tqdm(total=total, desc=what, unit="nodule", file=sys.stderr, disable=not shown, mininterval=pause)
