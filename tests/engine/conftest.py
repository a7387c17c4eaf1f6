import pytest

from tests.engine.pacs_exports import write_export, write_source
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


@pytest.fixture(scope="session")
def pacs_source(tmp_path_factory):
    """The folder of a CT series that a PACS may have."""
    folder = tmp_path_factory.mktemp("source")
    write_source(folder)
    return folder


@pytest.fixture(scope="session")
def pacs_export(pacs_source, tmp_path_factory):
    """The folder of an export of it, to send to a PACS: 5 CT, a SEG and an SR."""
    folder = tmp_path_factory.mktemp("export")
    write_export(pacs_source, folder)
    return folder
