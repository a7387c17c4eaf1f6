"""An engine thread that keeps all it says, to be waited for and looked through."""

import threading

from engine.engine_thread import EngineThread
from engine.events import Cancelled, EngineState, Failed, Finished, Preview, Sketched, StateChanged
from tests.scripted_engine import PATIENCE

LOADING, IDLE, SAMPLING, CANCELLING, STOPPED, FAILED = EngineState
#: From each state, those that may come next; None is before the first.
LEGAL = {
    None: {LOADING, STOPPED},
    LOADING: {IDLE, FAILED, STOPPED},
    IDLE: {SAMPLING, STOPPED},
    SAMPLING: {IDLE, CANCELLING, STOPPED},
    CANCELLING: {IDLE, STOPPED},
    FAILED: {LOADING, STOPPED},
    STOPPED: set(),
}


class WatchedEngine(EngineThread):
    """An `EngineThread` with its own listener."""

    def __init__(self, open_runner, record=None):
        super().__init__(open_runner, self._hear, record)
        self._told = []
        self._news = threading.Condition()
        self.notified = 0

    def _hear(self):
        with self._news:
            self.notified += 1
            self._news.notify_all()

    @property
    def told(self):
        """All events so far."""
        self._told += self.take_events()
        return self._told

    @property
    def states(self):
        """All states so far."""
        return [event.state for event in self.told if isinstance(event, StateChanged)]

    def endings(self, job_id):
        """The events that end a job; for None, those of failed loads."""
        ends = (Finished, Sketched, Cancelled, Failed)
        return [event for event in self.told if isinstance(event, ends) and event.job_id == job_id]

    def previews(self, job_id):
        """The steps of a job that were previewed."""
        return [event.step for event in self.told if isinstance(event, Preview) and event.job_id == job_id]

    def wait_until(self, found):
        """Wait until found() is true, looking whenever events come."""
        with self._news:
            assert self._news.wait_for(found, PATIENCE), f"did not come: {self.told}"

    def wait_for(self, kind, count=1, **values):
        """Wait for the count-th event of a class with the given values, and return it."""

        def matches():
            events = [event for event in self.told if isinstance(event, kind)]
            return [e for e in events if all(getattr(e, name) == value for name, value in values.items())]

        self.wait_until(lambda: len(matches()) >= count)
        return matches()[count - 1]

    def wait_for_state(self, state, count=1):
        """Wait until the engine has entered a state for the count-th time, and return that event."""
        return self.wait_for(StateChanged, count, state=state)


def engine_threads():
    """Return the engine threads that run."""
    return [thread for thread in threading.enumerate() if thread.name == "engine"]


def assert_legal(states):
    """See that no transition is missing in the diagram of `engine.engine_thread`."""
    for before, after in zip([None, *states], states, strict=False):
        assert after in LEGAL[before], f"{before} -> {after} in {states}"
