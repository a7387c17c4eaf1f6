"""Work in a thread of its own: what comes of it, and that nothing of it stays."""

import gc
import threading
import weakref

import pytest
from PySide6.QtCore import QObject

from engine.errors import InputError
from studio.background import Task
from tests.studio.conftest import delete_later_now


class Work:
    """Work that waits until it is let go on, then reports progress and ends as it is told."""

    def __init__(self, error=None):
        self.go_on = threading.Event()
        self.error = error

    def __call__(self, progress):
        assert self.go_on.wait(10)
        progress(0.5)
        if self.error:
            raise self.error
        return "done"


@pytest.fixture
def parent(qapp):
    return QObject()


@pytest.mark.parametrize("end", ["success", "failure", "abandoned"])
def test_when_it_has_ended_nothing_holds_what_it_worked_on(parent, qtbot, end):
    work = Work(InputError("No.") if end == "failure" else None)
    go_on, ref, told = work.go_on, weakref.ref(work), []
    task = Task(work, "It failed", parent)
    task.succeeded.connect(told.append)
    task.failed.connect(told.append)
    task.start()
    if end == "abandoned":
        task.abandon()
    go_on.set()
    del work

    def is_gone():
        delete_later_now()
        gc.collect()
        return ref() is None and parent.children() == []

    qtbot.waitUntil(is_gone)
    assert told == {"success": ["done"], "failure": ["No."], "abandoned": []}[end]
    task.abandon()  # Who still has it can do no harm with it.
    task.wait()


def test_its_parent_may_be_gone_before_it_ends(parent, qtbot):
    work = Work()
    task = Task(work, "It failed", parent)
    task.start()
    task.abandon()
    parent.deleteLater()
    delete_later_now()
    work.go_on.set()
    task.wait()
    assert "studio task" not in {thread.name for thread in threading.enumerate()}
