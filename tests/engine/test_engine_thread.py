"""The engine thread, against a scripted runner: jobs that succeed, and the event queue."""

import subprocess
import sys

from engine.events import Finished, Preview, StateChanged
from tests.engine.watched_engine import IDLE, LOADING, SAMPLING
from tests.scripted_engine import Gate, Loading, ScriptedRunner, scripted_request


def test_a_job_is_loaded_sampled_and_finished(run):
    loading = Loading(ScriptedRunner())
    engine = run(loading)
    job_id = engine.submit(scripted_request(seed=42))
    result = engine.wait_for(Finished).result
    engine.wait_for_state(IDLE, count=2)
    assert engine.states == [LOADING, IDLE, SAMPLING, IDLE]
    assert engine.state is IDLE
    assert engine.endings(job_id)[0].result is result
    assert result.slice.hu[result.request.box.slices].max() == -58
    assert loading.threads == ["engine"]


def test_idle_names_the_device(run):
    assert run(ScriptedRunner(device="CPU (2 threads)")).wait_for_state(IDLE).detail == "CPU (2 threads)"


def test_jobs_run_in_order_and_numbers_count_up(run):
    runner = ScriptedRunner(steps=2)
    engine = run(runner)
    ids = [engine.submit(scripted_request(seed)) for seed in range(5)]
    engine.wait_for(Finished, count=5)
    assert ids == [1, 2, 3, 4, 5] == runner.started
    finals = [event for event in engine.told if isinstance(event, Finished)]
    assert [event.job_id for event in finals] == ids
    assert [event.result.request.options.seed for event in finals] == list(range(5))


def test_events_of_a_job_come_in_order(run):
    gate = Gate(2)
    engine = run(ScriptedRunner(steps=2, on_step=gate))
    job_id = engine.submit(scripted_request())
    engine.wait_for(Preview, step=1)
    gate.open()
    engine.wait_for_state(IDLE, count=2)
    kinds = [type(event) for event in engine.told]
    assert kinds == [StateChanged, StateChanged, StateChanged, Preview, Preview, Finished, StateChanged]
    assert engine.previews(job_id) == [1, 2]


def test_the_module_is_free_of_torch_and_qt():
    heavy = "{'torch', 'diffusers', 'PySide6', 'scipy'}"
    code = f"import sys, engine.engine_thread, engine.journal; print({heavy} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "set()"


def test_a_slow_consumer_finds_the_latest_preview_and_every_other_event(run):
    last_result, recorded = Gate(), []

    def record(result):
        recorded.append(result)
        if len(recorded) == 20:
            last_result()

    engine = run(ScriptedRunner(steps=10), record)
    for _ in range(20):
        engine.submit(scripted_request())
    last_result.wait_until_reached()
    assert engine.notified == 1, "told once, when the queue was empty"
    assert sum(isinstance(event, Preview) for event in engine.told) == 1
    assert [event.job_id for event in engine.told if isinstance(event, Finished)] == list(range(1, 20))
    assert engine.states == [LOADING, IDLE, *[SAMPLING, IDLE] * 19, SAMPLING]
    last_result.open()


def test_a_stale_preview_is_replaced(run):
    gate = Gate(8)
    engine = run(ScriptedRunner(steps=9, on_step=gate))
    engine.wait_for_state(IDLE)
    engine.submit(scripted_request())
    gate.wait_until_reached(8)
    assert engine.previews(1) == [7], "of seven, the latest"
    gate.open()
    engine.wait_for(Finished)


def test_notified_again_after_the_queue_was_taken(run):
    engine = run(ScriptedRunner(steps=1))
    for count in range(1, 4):
        engine.submit(scripted_request())
        engine.wait_for(Finished, count=count)
    assert engine.notified >= 3
