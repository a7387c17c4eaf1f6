import pytest

from tests.engine.watched_engine import WatchedEngine, assert_legal, engine_threads
from tests.scripted_engine import Loading


@pytest.fixture
def run():
    """Start engines; stop them after the test: no thread may be left, no transition have been illegal."""
    engines = []

    def start(runner, record=None):
        engines.append(WatchedEngine(runner if isinstance(runner, Loading) else Loading(runner), record))
        engines[-1].start()
        return engines[-1]

    yield start
    for engine in engines:
        engine.stop()
        assert_legal(engine.states)
    assert not engine_threads()
