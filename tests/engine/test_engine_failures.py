"""What fails becomes a sentence, and the engine goes on."""

import threading

import pytest

from engine.engine_thread import EngineThread
from engine.errors import InputError
from engine.events import Cancelled, Failed, Finished, Preview, StateChanged
from tests.engine.watched_engine import FAILED, IDLE, LOADING, SAMPLING, STOPPED
from tests.scripted_engine import (
    PATIENCE,
    Gate,
    Loading,
    OutOfMemoryError,
    ScriptedRunner,
    raising,
    scripted_request,
)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("mat1 and mat2 shapes\ncannot be multiplied"), "shapes cannot be multiplied"),
        (KeyError(), "KeyError"),
        (FloatingPointError("NaN at step 2"), "not numbers"),
        (MemoryError(), "memory is full"),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "memory is full"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory is full"),
        (InputError("Draw the box in the lung."), "Draw the box in the lung."),
    ],
)
@pytest.mark.parametrize("step", [1, 5])
def test_a_failed_job_is_one_sentence_and_the_next_job_works(run, caplog, error, words, step):
    engine = run(ScriptedRunner(steps=5, on_step=raising(error, at=step)))
    failing, working = engine.submit(scripted_request()), engine.submit(scripted_request())
    engine.wait_for(Finished, job_id=working)
    (failed,) = engine.endings(failing)
    assert isinstance(failed, Failed)
    assert words in failed.message
    assert failed.message.endswith(".")
    assert "\n" not in failed.message
    assert engine.states[:5] == [LOADING, IDLE, SAMPLING, IDLE, SAMPLING]
    assert any(entry.exc_info for entry in caplog.records), "the traceback is in the log"


def test_a_runner_that_ends_without_a_result_is_a_failed_job(run):
    class Silent(ScriptedRunner):
        def __call__(self, request, job_id):
            return iter(())

    engine = run(Silent())
    job_id = engine.submit(scripted_request())
    assert "without a result" in engine.wait_for(Failed, job_id=job_id).message


def test_an_error_in_a_job_that_is_being_cancelled_is_a_cancelled_job(run):
    gate = Gate(2)

    def on_step(step):
        gate(step)
        if step == 2:
            raise RuntimeError("too late to matter")

    engine = run(ScriptedRunner(on_step=on_step))
    job_id = engine.submit(scripted_request())
    gate.wait_until_reached(2)
    engine.cancel()
    gate.open()
    engine.wait_for(Cancelled)
    assert engine.endings(job_id) == [Cancelled(job_id)]


def test_a_load_that_fails_is_tried_again_with_the_next_job(run):
    message = "model.safetensors is missing; get a fresh copy of the folder."
    engine = run(Loading(ScriptedRunner(), failures=[InputError(message), OSError("disk gone")]))
    assert engine.wait_for(Failed, job_id=None).message == message
    assert engine.state is FAILED
    unlucky = engine.submit(scripted_request())
    assert "disk gone" in engine.wait_for(Failed, job_id=unlucky).message
    assert engine.states == [LOADING, FAILED, LOADING, FAILED]
    lucky = engine.submit(scripted_request())
    engine.wait_for(Finished, job_id=lucky)
    assert engine.states[4:7] == [LOADING, IDLE, SAMPLING]


def test_jobs_that_wait_for_a_load_fail_with_it(run):
    gate = Gate()
    engine = run(Loading(ScriptedRunner(), failures=[MemoryError()], gate=gate))
    ids = [engine.submit(scripted_request()) for _ in range(3)]
    gate.open()
    engine.wait_for(Failed, count=4)
    assert [len(engine.endings(job_id)) for job_id in (None, *ids)] == [1, 1, 1, 1]


def test_cancel_after_a_failed_load_is_harmless(run):
    engine = run(Loading(ScriptedRunner(), failures=[OSError()]))
    engine.wait_for_state(FAILED)
    engine.cancel()
    assert engine.state is FAILED


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_whose_thread_is_torn_down_is_stopped_and_its_jobs_are_answered(run):
    engine = run(ScriptedRunner(on_step=raising(SystemExit(), at=1)))
    ids = [engine.submit(scripted_request()) for _ in range(2)]
    engine.wait_for_state(STOPPED)
    assert [engine.endings(job_id) for job_id in ids] == [[Cancelled(1)], [Cancelled(2)]]


def test_a_listener_that_raises_does_not_stop_the_engine(caplog):
    calls = []

    def notify():
        calls.append(1)
        raise RuntimeError("Internal C++ object already deleted.")

    finished = threading.Event()
    engine = EngineThread(ScriptedRunner, notify, record=lambda result: finished.set())
    engine.start()
    engine.submit(scripted_request())
    assert finished.wait(PATIENCE)
    engine.stop()
    assert calls
    assert any(isinstance(event, Finished) for event in engine.take_events())


def test_a_result_is_recorded_before_it_is_told_and_then_it_is_too_late_to_cancel(run):
    gate, recorded = Gate(), []

    def record(result):
        gate()
        recorded.append(result)

    engine = run(ScriptedRunner(), record)
    job_id, waiting = engine.submit(scripted_request()), engine.submit(scripted_request())
    gate.wait_until_reached()
    assert engine.endings(job_id) == []
    engine.cancel(job_id)
    engine.cancel()
    assert engine.state is SAMPLING
    gate.open()
    engine.wait_for(Finished, job_id=waiting)
    assert engine.endings(job_id) == [Finished(job_id, recorded[0])]


def test_a_result_that_cannot_be_recorded_is_shown_and_the_reason_is_told(run):
    def record(result):
        raise InputError("The result could not be saved: make room on the disk.")

    engine = run(ScriptedRunner(), record)
    job_id = engine.submit(scripted_request())
    engine.wait_for_state(IDLE, count=2)
    last = [event for event in engine.told if not isinstance(event, StateChanged | Preview)]
    assert [(type(event), event.job_id) for event in last] == [(Finished, job_id), (Failed, None)]
    assert last[1].message == "The result could not be saved: make room on the disk."
