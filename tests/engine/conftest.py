import json

import pytest

from engine.__main__ import main
from tests.checkpoints import save_tiny_checkpoint
from tests.engine.batches import PLAN
from tests.engine.pacs_exports import write_export, write_source
from tests.engine.small_chests import write_chest
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


@pytest.fixture(scope="session")
def chests(tmp_path_factory):
    """A folder of two patients' chests, with a plan beside them and a checkpoint."""
    folder = tmp_path_factory.mktemp("chests")
    for seed, patient in enumerate(("first", "second")):
        write_chest(folder / patient, f"PAT-{patient}", seed=seed)
    (folder / "plan.csv").write_text(PLAN)
    save_tiny_checkpoint(folder / "checkpoint")
    return folder


@pytest.fixture
def batch(chests, tmp_path, capfd, monkeypatch):
    """Run the command, without drawing; return its exit code, what it printed (if that was JSON) and what it said."""
    monkeypatch.setattr("engine.batch_card.write_pictures", lambda *_: [])

    def run(*more, plan="plan.csv", out="out", steps=1):
        given = ["batch", chests / plan, "--checkpoint", chests / "checkpoint", "--steps", steps]
        capfd.readouterr()
        code = main([str(argument) for argument in [*given, "--out", tmp_path / out, *more]])
        printed, said = capfd.readouterr()
        return code, json.loads(printed) if printed else None, said

    return run


@pytest.fixture(scope="session")
def finished_batch(chests, tmp_path_factory):
    """The folder of a finished batch, to be looked at only."""
    folder = tmp_path_factory.mktemp("finished") / "out"
    given = ["batch", chests / "plan.csv", "--checkpoint", chests / "checkpoint", "--steps", 1, "--out", folder]
    assert main([str(argument) for argument in given]) == 1
    return folder
