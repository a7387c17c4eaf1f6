import os

import pytest

from training.cores import usable_cores


def test_a_process_takes_the_cores_of_its_job_and_shares_them_with_the_others_of_its_launch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)

    assert usable_cores() == 8
    for processes, cores in ((2, 4), (3, 2), (16, 1)):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
        assert usable_cores() == cores


@pytest.mark.parametrize(("cores", "usable"), [(6, 6), (None, 1)])
def test_where_no_job_can_be_told_all_cores_are_taken(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, usable: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)

    assert usable_cores() == usable
