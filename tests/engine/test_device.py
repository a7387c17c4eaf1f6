from __future__ import annotations

import pytest
import torch

from engine.device import bf16_pays, choose_device


@pytest.mark.parametrize(("threads", "description"), [(1, "CPU, 1 thread"), (2, "CPU, 2 threads")])
def test_the_cpu_is_named_with_its_threads(threads: int, description: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in (torch.cuda, torch.backends.mps):
        monkeypatch.setattr(other, "is_available", lambda: False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert choose_device().description == description


@pytest.mark.parametrize("computes", [False, True])
def test_a_gpu_that_only_emulates_bf16_runs_in_fp16(computes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "GPU")
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or computes
    )

    assert bf16_pays() is computes
    assert choose_device().dtype is (torch.bfloat16 if computes else torch.float16)


@pytest.mark.parametrize("computes", [False, True])
def test_on_a_cpu_bf16_pays_only_where_the_cpu_multiplies_in_it(
    computes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in (torch.cuda, torch.backends.mps):
        monkeypatch.setattr(other, "is_available", lambda: False)
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, probe, lambda: computes)

    assert bf16_pays() is computes
    assert choose_device().dtype is (torch.bfloat16 if computes else torch.float32)
