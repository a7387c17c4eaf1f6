"""A thousand actions drawn at random, against jobs and loads that fail at random."""

import random

import pytest

from engine.events import Preview
from tests.engine.watched_engine import STOPPED
from tests.scripted_engine import Loading, ScriptedRunner, scripted_request


def unlucky_step(chance):
    """Return an `on_step` that raises one time in thirty."""

    def on_step(step):
        if chance.random() < 1 / 30:
            raise chance.choice([RuntimeError("bad luck"), FloatingPointError(), MemoryError()])

    return on_step


def wait_for_end(engine, job_id):
    engine.wait_until(lambda: engine.endings(job_id))


def cancel_any(engine, ids, chance):
    engine.cancel(chance.choice([None, *ids]))


def look(engine, ids, chance):
    taken = engine.take_events()
    assert sum(isinstance(event, Preview) for event in taken) <= 1
    engine.told.extend(taken)


def wait_for_any(engine, ids, chance):
    if ids:
        wait_for_end(engine, chance.choice(ids))


def submit(engine, ids, chance):
    ids.append(engine.submit(scripted_request(steps=chance.randint(1, 8))))


def stop(engine, ids, chance):
    engine.stop()


ACTIONS, WEIGHTS = (submit, cancel_any, look, wait_for_any, stop), (50, 25, 14, 10, 1)


@pytest.mark.parametrize("seed", range(20))
def test_each_job_ends_once_and_nothing_hangs(run, caplog, seed):
    """50 actions a seed. The fixture sees that every transition was legal and that no thread is left."""
    chance = random.Random(seed)
    failures = [OSError("no luck")] * chance.choice([0, 0, 1, 3])
    engine = run(Loading(ScriptedRunner(on_step=unlucky_step(random.Random(seed + 1000))), failures))
    ids = []
    for act in chance.choices(ACTIONS, WEIGHTS, k=50):
        act(engine, ids, chance)
    if chance.random() < 0.5:
        for job_id in ids:
            wait_for_end(engine, job_id)
    engine.stop()
    assert [len(engine.endings(job_id)) for job_id in ids] == [1] * len(ids)
    assert engine.states[-1] is STOPPED
