"""The engine client: events of the engine thread arrive as a signal in Qt's thread, in order."""

import threading

import pytest
from PySide6.QtCore import QEventLoop, QThread, QTimer

from engine.events import Cancelled, EngineState, Failed, Finished, Preview, StateChanged
from studio.engine_client import EngineClient
from tests.scripted_engine import Gate, Loading, ScriptedRunner, scripted_request


@pytest.fixture
def start(qapp):
    """Start a client that keeps what arrived; stop it after the test."""
    clients = []

    def start(runner, record=None):
        client = EngineClient(runner if isinstance(runner, Loading) else Loading(runner), record)
        clients.append(client)
        client.arrived = []
        client.event_arrived.connect(client.arrived.append)
        client.start()
        return client

    yield start
    for client in clients:
        client.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "engine"]


def kinds(client):
    return [type(event) for event in client.arrived if not isinstance(event, Preview)]


def test_events_arrive_in_order(start, qtbot):
    client = start(ScriptedRunner())
    job_id = client.submit(scripted_request())
    qtbot.waitUntil(lambda: len(kinds(client)) == 5)
    assert kinds(client) == [StateChanged, StateChanged, StateChanged, Finished, StateChanged]
    finished = next(event for event in client.arrived if isinstance(event, Finished))
    assert finished.job_id == job_id
    assert client.state is EngineState.IDLE


def test_events_arrive_in_the_thread_of_qt(start, qtbot, qapp):
    client, threads = start(ScriptedRunner()), []
    client.event_arrived.connect(lambda event: threads.append(QThread.currentThread()))
    client.submit(scripted_request())
    qtbot.waitUntil(lambda: Finished in kinds(client))
    assert set(threads) == {qapp.thread()}


def test_nothing_arrives_within_a_call(start, qtbot):
    """A waiting job is answered at once, but its event comes from the event loop like every other."""
    gate = Gate()
    client = start(Loading(ScriptedRunner(), gate=gate))
    gate.wait_until_reached()
    job_id = client.submit(scripted_request())
    client.cancel(job_id)
    assert client.arrived == []
    qtbot.waitUntil(lambda: Cancelled(job_id) in client.arrived)
    gate.open()


def test_cancel_reaches_the_running_job(start, qtbot):
    gate = Gate(2)
    client = start(ScriptedRunner(on_step=gate))
    job_id = client.submit(scripted_request())
    gate.wait_until_reached(2)
    client.cancel()
    gate.open()
    qtbot.waitUntil(lambda: Cancelled(job_id) in client.arrived)
    assert Finished not in kinds(client)


def test_a_busy_window_gets_the_latest_preview_only(start, qtbot):
    gate = Gate(5)
    client = start(ScriptedRunner(steps=5, on_step=gate))
    client.submit(scripted_request())
    gate.wait_until_reached(5)
    qtbot.waitUntil(lambda: any(isinstance(event, Preview) for event in client.arrived))
    assert [event.step for event in client.arrived if isinstance(event, Preview)] == [4]
    gate.open()
    qtbot.waitUntil(lambda: Finished in kinds(client))


def test_a_dialog_opened_by_an_event_does_not_turn_the_order(start, qtbot):
    """A slot that runs an event loop of its own, as a dialog does, while more events come in."""
    client, order = start(ScriptedRunner(steps=1)), []

    def slow_slot(event):
        order.append(event)
        if isinstance(event, Failed | Finished):
            loop = QEventLoop()
            QTimer.singleShot(20, loop.quit)
            loop.exec()

    client.event_arrived.connect(slow_slot)
    for _ in range(3):
        client.submit(scripted_request())
    qtbot.waitUntil(lambda: order.count(StateChanged(EngineState.IDLE, "scripted device")) == 4)
    states = [event.state.name for event in order if isinstance(event, StateChanged)]
    assert states == ["LOADING", "IDLE", *["SAMPLING", "IDLE"] * 3]
    assert [event.job_id for event in order if isinstance(event, Finished)] == [1, 2, 3]


def test_a_failed_load_arrives(start, qtbot):
    client = start(Loading(ScriptedRunner(), failures=[OSError("no such folder")]))
    qtbot.waitUntil(lambda: Failed in kinds(client))
    assert client.state is EngineState.FAILED


def test_results_are_recorded_before_they_arrive(start, qtbot):
    recorded = []
    client = start(ScriptedRunner(), recorded.append)
    client.submit(scripted_request())
    qtbot.waitUntil(lambda: Finished in kinds(client))
    assert [event.result for event in client.arrived if isinstance(event, Finished)] == recorded


def test_stop_while_sampling_joins_and_answers(start, qtbot):
    gate = Gate(1)
    client = start(ScriptedRunner(steps=10_000, on_step=gate))
    job_id = client.submit(scripted_request())
    gate.wait_until_reached(1)
    threading.Timer(0.01, gate.open).start()
    client.stop()
    assert client.state is EngineState.STOPPED
    qtbot.waitUntil(lambda: StateChanged(EngineState.STOPPED) in client.arrived)
    assert Cancelled(job_id) in client.arrived
