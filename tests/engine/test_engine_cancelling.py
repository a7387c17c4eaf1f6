"""Cancel and stop in each state of the engine thread."""

import threading

import pytest

from engine.engine_thread import EngineThread
from engine.events import Cancelled, Finished, StateChanged
from tests.engine.watched_engine import (
    CANCELLING,
    FAILED,
    IDLE,
    LOADING,
    SAMPLING,
    STOPPED,
    WatchedEngine,
    engine_threads,
)
from tests.scripted_engine import PATIENCE, Gate, Loading, ScriptedRunner, scripted_request


@pytest.mark.parametrize("step", [1, 3, 5])
def test_cancel_takes_effect_after_the_step_it_fell_in(run, step):
    gate = Gate(step)
    runner = ScriptedRunner(steps=5, on_step=gate)
    engine = run(runner)
    job_id = engine.submit(scripted_request())
    gate.wait_until_reached(step)
    engine.cancel(job_id)
    assert engine.state is CANCELLING
    gate.open()
    engine.wait_for_state(IDLE, count=2)
    assert engine.endings(job_id) == [Cancelled(job_id)]
    assert engine.states == [LOADING, IDLE, SAMPLING, CANCELLING, IDLE]
    assert runner.closed == [job_id]
    assert runner.finished == []
    assert step not in engine.previews(job_id)


def test_cancel_in_the_middle_of_what_follows_the_last_step(run):
    """A runner that decodes after its last step: the finished slice is thrown away."""
    decoding = Gate()

    class Decoding(ScriptedRunner):
        def __call__(self, request, job_id):
            for item in super().__call__(request, job_id):
                if isinstance(item, Finished):
                    decoding()
                yield item

    recorded = []
    engine = run(Decoding(), recorded.append)
    job_id = engine.submit(scripted_request())
    decoding.wait_until_reached()
    engine.cancel()
    decoding.open()
    engine.wait_for(Cancelled)
    assert engine.endings(job_id) == [Cancelled(job_id)]
    assert recorded == []


def test_cancel_between_taking_a_job_and_its_first_step(run):
    """The runner's own preparation (encode) counts as the first step: nothing is started after it."""
    preparing = Gate()
    runner = ScriptedRunner()

    class Preparing(ScriptedRunner):
        def __call__(self, request, job_id):
            preparing()
            return runner(request, job_id)

    engine = run(Preparing())
    engine.submit(scripted_request())
    preparing.wait_until_reached()
    engine.cancel()
    preparing.open()
    engine.wait_for(Cancelled)
    assert runner.started == []


def test_cancelling_twice_is_cancelling_once(run):
    gate = Gate(2)
    engine = run(ScriptedRunner(on_step=gate))
    job_id = engine.submit(scripted_request())
    gate.wait_until_reached(2)
    for target in (job_id, None, job_id):
        engine.cancel(target)
    gate.open()
    engine.wait_for_state(IDLE, count=2)
    assert engine.endings(job_id) == [Cancelled(job_id)]
    assert engine.states.count(CANCELLING) == 1


def test_cancelling_a_waiting_job_does_not_touch_the_running_one(run):
    gate = Gate(2)
    runner = ScriptedRunner(on_step=gate)
    engine = run(runner)
    running, first, second = (engine.submit(scripted_request()) for _ in range(3))
    gate.wait_until_reached(2)
    engine.cancel(first)
    assert engine.endings(first) == [Cancelled(first)], "a waiting job is answered at once"
    assert engine.state is SAMPLING
    gate.open()
    engine.wait_for(Finished, count=2)
    assert runner.started == [running, second]


def test_cancelling_the_running_job_leaves_the_waiting_ones(run):
    gate = Gate(2)
    engine = run(ScriptedRunner(on_step=gate))
    running, waiting = engine.submit(scripted_request()), engine.submit(scripted_request())
    gate.wait_until_reached(2)
    engine.cancel()
    gate.open()
    assert engine.wait_for(Finished).job_id == waiting
    assert engine.endings(running) == [Cancelled(running)]


def test_cancel_while_loading_answers_the_waiting_job_at_once(run):
    gate, runner = Gate(), ScriptedRunner()
    engine = run(Loading(runner, gate=gate))
    gate.wait_until_reached()
    by_number, by_default = engine.submit(scripted_request()), engine.submit(scripted_request())
    engine.cancel(by_number)
    engine.cancel()
    assert engine.endings(by_number) == [Cancelled(by_number)]
    assert engine.endings(by_default) == [Cancelled(by_default)]
    assert engine.state is LOADING
    gate.open()
    engine.wait_for_state(IDLE)
    assert runner.started == []


@pytest.mark.parametrize("job_id", [None, 1, 99])
def test_a_late_cancel_is_harmless(run, job_id):
    engine = run(ScriptedRunner())
    engine.submit(scripted_request())
    engine.wait_for_state(IDLE, count=2)
    engine.cancel(job_id)
    assert engine.state is IDLE
    engine.submit(scripted_request())
    engine.wait_for(Finished, count=2)
    assert not [event for event in engine.told if isinstance(event, Cancelled)]


def test_stop_before_start():
    engine = EngineThread(ScriptedRunner, lambda: None)
    job_id = engine.submit(scripted_request())
    engine.stop()
    assert engine.take_events() == [Cancelled(job_id), StateChanged(STOPPED)]


def test_stop_when_idle(run):
    engine = run(ScriptedRunner())
    engine.wait_for_state(IDLE)
    engine.stop()
    assert engine.states == [LOADING, IDLE, STOPPED]
    assert not engine_threads()


def test_stop_when_failed(run):
    engine = run(Loading(ScriptedRunner(), failures=[OSError()]))
    engine.wait_for_state(FAILED)
    engine.stop()
    assert engine.states == [LOADING, FAILED, STOPPED]


def test_stop_while_loading_ends_after_the_load_and_runs_nothing(run):
    gate, runner = Gate(), ScriptedRunner()
    engine = run(Loading(runner, gate=gate))
    job_id = engine.submit(scripted_request())
    gate.wait_until_reached()
    stopping = threading.Thread(target=engine.stop)
    stopping.start()
    gate.open()
    stopping.join(PATIENCE)
    assert engine.state is STOPPED
    assert engine.endings(job_id) == [Cancelled(job_id)]
    assert runner.started == []


@pytest.mark.parametrize("failures", [[], [OSError()]])
def test_stop_leaves_a_load_that_hangs_behind(caplog, failures):
    gate = Gate()
    engine = WatchedEngine(Loading(ScriptedRunner(), failures, gate))
    engine.start()
    job_id = engine.submit(scripted_request())
    gate.wait_until_reached()
    engine.stop(timeout=0.01)
    told = engine.take_events()
    assert told == [StateChanged(LOADING), Cancelled(job_id), StateChanged(STOPPED)]
    gate.open()
    engine.stop()
    assert engine.take_events() == [], "nothing comes after STOPPED"
    assert not engine_threads()


def test_stop_leaves_a_step_that_hangs_behind(caplog):
    gate = Gate(2)
    engine = WatchedEngine(lambda: ScriptedRunner(on_step=gate))
    engine.start()
    job_id = engine.submit(scripted_request())
    gate.wait_until_reached(2)
    engine.stop(timeout=0.01)
    assert engine.take_events()[-2:] == [Cancelled(job_id), StateChanged(STOPPED)]
    gate.open()
    engine.stop()
    assert engine.take_events() == []
    assert not engine_threads()


@pytest.mark.parametrize("cancel_first", [False, True])
def test_stop_while_sampling_or_cancelling(run, cancel_first):
    gate = Gate(2)
    runner = ScriptedRunner(steps=1000, on_step=gate)
    engine = run(runner)
    running, waiting = engine.submit(scripted_request()), engine.submit(scripted_request())
    gate.wait_until_reached(2)
    if cancel_first:
        engine.cancel()
    stopping = threading.Thread(target=engine.stop)
    stopping.start()
    engine.wait_for_state(CANCELLING)
    gate.open()
    stopping.join(PATIENCE)
    assert engine.state is STOPPED
    assert engine.endings(running) == [Cancelled(running)]
    assert engine.endings(waiting) == [Cancelled(waiting)]
    assert runner.closed == [running]


def test_after_stop_nothing_runs_and_everything_is_harmless(run):
    runner = ScriptedRunner()
    engine = run(runner)
    engine.stop()
    engine.stop()
    job_id = engine.submit(scripted_request())
    engine.cancel(job_id)
    engine.cancel()
    assert engine.endings(job_id) == [Cancelled(job_id)]
    assert engine.state is STOPPED
    assert runner.started == []
