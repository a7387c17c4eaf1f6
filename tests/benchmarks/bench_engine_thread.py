"""What the engine thread costs: from click to finished, previews, cancel.

    python -m tests.benchmarks.bench_engine_thread [--checkpoint FOLDER | --scripted] [--steps N] [--repeats N]

Runs the checkpoint that comes with the studio or, where it is not there, a scripted runner whose steps take
20 ms. The baseline is the same jobs run without a thread, without previews and without a journal. What is
compared with it runs in turn with it, and each ratio is of neighbours, so that a busy machine slows both.
"""

import argparse
import random
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from engine import journal
from engine.checkpoint import DEFAULT_CHECKPOINT, MANIFEST
from engine.ct import CTSlice
from engine.engine_thread import EngineThread
from engine.events import EngineState, Failed, Finished, GenerationRequest, Preview, SamplingOptions, StateChanged
from engine.job_runner import GeneratorRunner, JobRunner
from engine.nodule import BoundingBox, NoduleAttributes
from tests.scripted_engine import ScriptedRunner, scripted_result

SCRIPTED_STEP_SECONDS = 0.02


@dataclass
class Subject:
    """What is measured: a runner, and the same work without previews."""

    name: str
    runner: JobRunner
    baseline: Callable[[GenerationRequest], object]


def scripted_subject():
    def baseline(request):
        for step in range(request.options.steps):
            compute(step)
        return scripted_result(request)

    return Subject("scripted", ScriptedRunner(on_step=compute), baseline)


def compute(step):
    """Keep a processor busy for one step, without the interpreter's lock for the most part, as a U-Net does."""
    end = time.perf_counter() + SCRIPTED_STEP_SECONDS
    block = np.full((200, 200), 0.005, dtype=np.float32)
    while time.perf_counter() < end:
        block = block @ block


def checkpoint_subject(folder):
    from engine.checkpoint import load_checkpoint
    from engine.generation import place_nodule

    checkpoint = load_checkpoint(folder)

    def baseline(request):
        return list(place_nodule(checkpoint, request, previews=False))

    return Subject(str(folder), GeneratorRunner(checkpoint, folder), baseline)


class CountedRunner:
    """A runner that counts the U-Net steps that came to their end."""

    def __init__(self, runner):
        self.device = runner.device
        self.steps = 0
        self._runner = runner

    def __call__(self, request, job_id):
        for item in self._runner(request, job_id):
            self.steps += isinstance(item, Preview)
            yield item


class Window:
    """Stands for the studio's window: takes events as soon as it is told of them, and notes when."""

    def __init__(self, runner, record):
        self._news = threading.Event()
        self._runner = CountedRunner(runner)
        self.engine = EngineThread(lambda: self._runner, self._news.set, record)
        self.previews = 0
        self.engine.start()
        self.wait_until_idle()

    def wait_for(self, wanted):
        """Return when the first wanted event came; those after it are forgotten."""
        while True:
            assert self._news.wait(600), "the engine is silent"
            self._news.clear()
            now = time.perf_counter()
            events = self.engine.take_events()
            self.previews += sum(isinstance(event, Preview) for event in events)
            failed = [event.message for event in events if isinstance(event, Failed)]
            assert not failed, failed
            if any(wanted(event) for event in events):
                return now

    def wait_until_idle(self):
        """Return when the engine told that it is idle."""
        return self.wait_for(lambda event: isinstance(event, StateChanged) and event.state is EngineState.IDLE)

    def click_to_idle(self, request):
        """Return the seconds from `submit` until the result is there and the engine idle again."""
        started = time.perf_counter()
        self.engine.submit(request)
        # Finished and IDLE are put in the queue together.
        return self.wait_for(lambda event: isinstance(event, Finished)) - started

    def cancel_to_idle(self, request, delay):
        """Cancel `delay` seconds after the first preview; return the seconds and steps until idle."""
        self.engine.submit(request)
        self.wait_for(lambda event: isinstance(event, Preview))
        time.sleep(delay)
        steps, started = self._runner.steps, time.perf_counter()
        self.engine.cancel()
        idle = self.wait_until_idle()
        return idle - started, self._runner.steps - steps


def seconds(action):
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def request_of(seed, steps):
    """A box of 15 mm in a slice of 512 x 512 pixels of 0.7 mm."""
    hu = np.random.default_rng(0).normal(-850, 60, (512, 512)).astype(np.int16)
    box = BoundingBox(200, 150, 21, hu.shape)
    attributes = NoduleAttributes(4, 4, 2, 2, 5)
    return GenerationRequest(CTSlice(hu, (0.7, 0.7)), box, attributes, SamplingOptions(seed, steps))


def measure(subject, steps, repeats, journal_folder):
    """Return seconds as rows of (baseline, with previews, click to finished), those of cancel, and previews a job."""
    window = Window(subject.runner, partial(journal.record, folder=journal_folder))
    # The first job of a thread is slower: libraries prepare what they keep.
    subject.baseline(request_of(0, steps))
    window.click_to_idle(request_of(0, steps))
    window.previews = 0
    rows = []
    for seed in range(repeats):
        request = request_of(seed, steps)
        rows.append(
            (
                seconds(lambda request=request: subject.baseline(request)),
                seconds(lambda request=request: list(subject.runner(request, 0))),
                window.click_to_idle(request),
            )
        )
    previews = window.previews / repeats
    step = statistics.median(row[0] for row in rows) / steps
    delays = [random.Random(seed).uniform(0, step * (steps - 3)) for seed in range(repeats)]
    latencies = [window.cancel_to_idle(request_of(0, steps), delay) for delay in delays]
    window.engine.stop()
    return rows, latencies, previews


def print_table(rows, latencies, previews, steps):
    baselines, with_previews, in_thread = zip(*rows, strict=True)
    step = statistics.median(baselines) / steps

    def line(what, times):
        ratios = [time / baseline for time, baseline in zip(times, baselines, strict=True)]
        print(f"{what:44s} {statistics.median(times):7.3f} s  x {statistics.median(ratios):.3f}")

    line("baseline: no thread, previews or journal", baselines)
    line("with previews", with_previews)
    line("click to finished: thread, previews, journal", in_thread)
    print(f"{'previews that were there in time':44s} {previews:7.1f} of {steps}")
    waits, late_steps = zip(*latencies, strict=True)
    for name, value in (("median", statistics.median(waits)), ("longest", max(waits))):
        print(f"{'cancel to idle, ' + name:44s} {value:7.3f} s  = {value / step:.2f} baseline steps")
    print(f"{'steps that ended after cancel, at most':44s} {max(late_steps):7d}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, default=DEFAULT_CHECKPOINT, help="folder of a checkpoint")
    parser.add_argument("--scripted", action="store_true", help="measure without a model")
    parser.add_argument("--steps", type=int, default=15, help="U-Net steps a job")
    parser.add_argument("--repeats", type=int, default=10, help="jobs of each kind")
    options = parser.parse_args()
    scripted = options.scripted or not (options.checkpoint / MANIFEST).is_file()
    subject = scripted_subject() if scripted else checkpoint_subject(options.checkpoint)
    print(f"{subject.name}, {subject.runner.device}, {options.steps} steps, {options.repeats} jobs of each kind")
    with TemporaryDirectory() as folder:
        print_table(*measure(subject, options.steps, options.repeats, Path(folder)), options.steps)


if __name__ == "__main__":
    main()
