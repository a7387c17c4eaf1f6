from __future__ import annotations

import pytest
import torch

from engine.device import choose_device


@pytest.mark.parametrize(("threads", "description"), [(1, "CPU, 1 thread"), (2, "CPU, 2 threads")])
def test_the_cpu_is_named_with_its_threads(threads: int, description: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in (torch.cuda, torch.backends.mps):
        monkeypatch.setattr(other, "is_available", lambda: False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert choose_device().description == description
